/*
 * tools/report.c and tools/lines.c: what comes over the report channel, in
 * any pieces, and what it means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/report.h"

static const char channel[] =
	"vmmu: one\r\n"
	"{\"vmmu\":2,\"end\":{\"how\":\"exit\",\"code\":1}}\n"
	"{\"vmmu\":1,\"end\":7}\n"
	"{not json\n"
	"vmmu: two\n"
	"{\"vmmu\":1,\"end\":{\"how\":\"exit\",\"code\":21}}\n";

static struct report *report_new(void)
{
	struct report *report = calloc(1, sizeof(*report));

	assert_non_null(report);
	return report;
}

static void report_free(struct report *report)
{
	json_decref(report->end);
	free(report);
}

static struct outcome outcome_of(const char *end)
{
	struct outcome out = { .status = OUTCOME_GOOD };
	json_t *json = json_pack("{s:i, s:o}", "vmmu", 1, "end",
				 json_loads(end, 0, NULL));

	assert_non_null(json);
	report_outcome(json, &out);
	json_decref(json);
	return out;
}

/* Whatever the pieces, the report is the one line that is one. */
static void found_in_any_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(channel); piece++) {
		struct report *report = report_new();

		for (size_t at = 0; at < sizeof(channel) - 1; at += piece) {
			size_t left = sizeof(channel) - 1 - at;

			report_add(report, channel + at,
				   left < piece ? left : piece);
		}
		report_end(report);
		assert_non_null(report->end);
		assert_int_equal(report->last_count, 5);
		report_free(report);
	}
}

static void a_last_line_without_its_end(void **state)
{
	static const char line[] = "{\"vmmu\":1,\"end\":{\"how\":\"reset\"}}";
	struct report *report = report_new();

	(void)state;
	report_add(report, line, sizeof(line) - 1);
	assert_null(report->end);
	report_end(report);
	assert_non_null(report->end);
	report_free(report);
}

/* A channel that never ends its line fills no memory. */
static void a_line_without_end_is_bounded(void **state)
{
	struct report *report = report_new();
	char text[1000];

	(void)state;
	memset(text, '{', sizeof(text));
	for (int i = 0; i < 100; i++)
		report_add(report, text, sizeof(text));
	report_end(report);
	assert_null(report->end);
	assert_true(report->last_count >= 6);
	report_free(report);
}

static void the_last_lines_are_kept(void **state)
{
	struct report *report = report_new();
	char line[32], text[1024] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), "vmmu: %d\n", i);
		report_add(report, line, strlen(line));
	}
	report_print_last(report, file);
	fclose(file);
	assert_null(strstr(text, "vmmu: 11\n"));
	assert_non_null(strstr(text, "  vmmu: 12\n"));
	assert_non_null(strstr(text, "  vmmu: 19\n"));
	report_free(report);
}

static void what_each_end_means(void **state)
{
	struct outcome out;

	(void)state;
	assert_int_equal(outcome_of("{\"how\":\"poweroff\"}").status, 0);
	out = outcome_of("{\"how\":\"exit\",\"code\":21}");
	assert_int_equal(out.status, 43);
	assert_string_equal(out.text, "");
	/* Odd always, whatever the guest wrote: never one of ours. */
	assert_int_equal(outcome_of("{\"how\":\"exit\",\"code\":0}").status, 1);
	assert_int_equal(outcome_of("{\"how\":\"exit\",\"code\":128}").status,
			 1);
	out = outcome_of("{\"how\":\"triple-fault\",\"sentence\":\"it fell\"}");
	assert_int_equal(out.status, OUTCOME_STOPPED);
	assert_string_equal(out.text, "the guest stopped: it fell");
	out = outcome_of("{\"how\":\"killed\"}");
	assert_int_equal(out.status, OUTCOME_STOPPED);
	out = outcome_of("{\"how\":\"refused\",\"sentence\":\"too small\"}");
	assert_int_equal(out.status, OUTCOME_START);
	assert_non_null(strstr(out.text, "too small"));
}

static void a_bare_report_has_the_shape(void **state)
{
	const struct options options = { .mmu = "none", .memory = 1 << 30 };
	const struct bare_end end = { "reset", 0, "it reset" };
	json_t *json = report_bare(&options, &end);
	json_t *given = json_object_get(json, "memory_given");

	(void)state;
	assert_non_null(json);
	assert_int_equal(json_integer_value(given), 1 << 30);
	assert_string_equal(json_string_value(json_object_get(json, "mmu")),
			    "none");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_in_any_pieces),
		cmocka_unit_test(a_last_line_without_its_end),
		cmocka_unit_test(a_line_without_end_is_bounded),
		cmocka_unit_test(the_last_lines_are_kept),
		cmocka_unit_test(what_each_end_means),
		cmocka_unit_test(a_bare_report_has_the_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

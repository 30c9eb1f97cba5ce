/*
 * What a run leaves behind: one JSON object, the hypervisor's own or, for a
 * bare run, one of the same shape.
 *
 * The channel comes from a program that ran beside a hostile guest, so it is
 * parsed with bounds: a line is the report when it is an object that says
 * "vmmu": 1 and how the run ended; everything else is log.
 */
#include "report.h"

#include <string.h>

#include "file.h"

static const char *end_text(const json_t *report, const char *key)
{
	return json_string_value(
		json_object_get(json_object_get(report, "end"), key));
}

static json_t *parse(const char *line)
{
	json_t *object = *line == '{' ? json_loads(line, 0, NULL) : NULL;

	if (json_integer_value(json_object_get(object, "vmmu")) == 1 &&
	    end_text(object, "how"))
		return object;
	json_decref(object);
	return NULL;
}

static void take_line(const char *line, void *cookie)
{
	struct report *report = cookie;
	json_t *end;

	if (report->take && report->take(report->cookie, line))
		return;
	end = parse(line);
	if (end) {
		json_decref(report->end);
		report->end = end;
		return;
	}
	if (report->log)
		fprintf(report->log, "%s\n", line);
	snprintf(report->last[report->last_count++ % REPORT_LAST],
		 sizeof(report->last[0]), "%s", line);
}

void report_add(struct report *report, const char *data, size_t size)
{
	lines_add(&report->lines, data, size, take_line, report);
}

void report_end(struct report *report)
{
	lines_end(&report->lines, take_line, report);
}

void report_print_last(const struct report *report, FILE *file)
{
	unsigned int end = report->last_count;
	unsigned int from = end > REPORT_LAST ? end - REPORT_LAST : 0;

	for (unsigned int i = from; i < end; i++)
		fprintf(file, "  %s\n", report->last[i % REPORT_LAST]);
}

json_t *report_bare(const struct options *options, const struct bare_end *end)
{
	return json_pack("{s:i, s:s, s:n, s:n, s:{s:s, s:i, s:s}, s:{s:i}, "
			 "s:{s:i, s:i}, s:{s:i, s:i, s:i}, s:i, s:i, s:I}",
			 "vmmu", 1, "mmu", options->mmu, "engine", "format",
			 "end", "how", end->how, "code", end->code, "sentence",
			 end->sentence, "exits", "total", 0, "memory",
			 "violations", 0, "pf_fixed", 0, "mapped", "4k", 0,
			 "2m", 0, "1g", 0, "table_pages", 0, "table_pages_peak",
			 0, "memory_given", (json_int_t)options->memory);
}

int report_outcome(const json_t *report, struct outcome *out)
{
	const char *how = end_text(report, "how");
	const char *sentence = end_text(report, "sentence");
	long long code = json_integer_value(
		json_object_get(json_object_get(report, "end"), "code"));

	if (strcmp(how, "poweroff") == 0)
		return OUTCOME_GOOD;
	/* No sentence: a guest that ends itself with a code says enough. */
	if (strcmp(how, "exit") == 0)
		return outcome_set(out, (int)(code << 1 | 1) & 0xff, "%s", "");
	if (strcmp(how, "refused") == 0)
		return outcome_set(out, OUTCOME_START,
				   "the hypervisor refused this guest: %s",
				   sentence ? sentence : "it gave no reason");
	return outcome_set(out, OUTCOME_STOPPED, "the guest stopped: %s",
			   sentence ? sentence : how);
}

int report_write(json_t *report, const struct options *options, FILE *file,
		 unsigned int host_ms, struct outcome *out)
{
	json_object_set_new(report, "machine",
			    json_string(options->bochs ? "bochs"
					: options->kvm ? "kvm"
						       : "tcg"));
	json_object_set_new(report, "icount", json_boolean(options->icount));
	json_object_set_new(report, "host_ms", json_integer(host_ms));
	return file_close_written(file,
				  json_dumpf(report, file, JSON_COMPACT) == 0,
				  options->stats, out);
}

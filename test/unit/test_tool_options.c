/*
 * tools/options.c: sizes, numbers, and the whole of a command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tools/options.h"

static void sizes_with_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "1K", 1024 },
		     { "512M", (uint64_t)512 << 20 },
		     { "3G", (uint64_t)3 << 30 },
		     { "2T", (uint64_t)2 << 40 },
		     { "0M", 0 },
		     { "16777215T", (uint64_t)16777215 << 40 } };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(options_size(good[i].text, &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void sizes_refused(void **state)
{
	static const char *const bad[] = {
		"",	"M",	    "512",  "-1M",
		"+1M",	" 1M",	    "1MM",  "1MB",
		"1.5G", "1m",	    "0x1K", "99999999999999999999K",
		"1 M",	"16777216T"
	};
	uint64_t bytes = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(options_size(bad[i], &bytes));
		assert_int_equal(bytes, 77);
	}
}

static void numbers_in_range(void **state)
{
	unsigned int number = 0;

	(void)state;
	assert_null(options_number("1", 1, 9, &number));
	assert_int_equal(number, 1);
	assert_null(options_number("9", 1, 9, &number));
	assert_int_equal(number, 9);
	assert_non_null(options_number("0", 1, 9, &number));
	assert_non_null(options_number("10", 1, 9, &number));
	assert_non_null(options_number("4294967297", 1, 9, &number));
	assert_non_null(options_number("99999999999999999999", 1, 9, &number));
	assert_non_null(options_number("-1", 0, 9, &number));
	assert_non_null(options_number("", 0, 9, &number));
	assert_non_null(options_number("5x", 0, 9, &number));
	assert_int_equal(number, 9);
}

static void whole_command_line(void **state)
{
	char *words[] = { "run",	 "--kernel", "k",	  "--initrd=i",
			  "--append",	 "a b,c",    "--mmu",	  "none",
			  "--memory=1G", "--icount", "--set",	  "x=1",
			  "--set",	 "y=2",	     "--timeout", "30",
			  NULL };
	struct options options;
	struct outcome out = { .status = OUTCOME_GOOD };

	(void)state;
	assert_int_equal(options_parse(16, words, &options, &out), 0);
	assert_string_equal(options.kernel, "k");
	assert_string_equal(options.initrd, "i");
	assert_string_equal(options.append, "a b,c");
	assert_true(options_bare(&options));
	assert_true(options.icount);
	assert_false(options.kvm);
	assert_int_equal(options.memory, 1 << 30);
	assert_int_equal(options.timeout, 30);
	assert_int_equal(options.set_count, 2);
	assert_string_equal(options.set[1], "y=2");
}

static void defaults(void **state)
{
	char *words[] = { "run", "--kernel", "k", NULL };
	struct options options;
	struct outcome out = { .status = OUTCOME_GOOD };

	(void)state;
	assert_int_equal(options_parse(3, words, &options, &out), 0);
	assert_string_equal(options.mmu, "nested");
	assert_int_equal(options.memory, (uint64_t)512 << 20);
	assert_int_equal(options.cpus, 1);
	assert_int_equal(options.timeout, 0);
	assert_string_equal(options.append, "");
	assert_null(options.initrd);
	assert_null(options.stats);
}

static int checked(const struct options *options)
{
	struct outcome out = { .status = OUTCOME_GOOD };

	return options_check(options, &out);
}

/* What is passed on is never cut short: it is refused before. */
static void lengths_are_bounded(void **state)
{
	static char text[5000];
	struct options options = { .kernel = "k",
				   .mmu = "nested",
				   .append = text };

	(void)state;
	memset(text, 'x', 2047);
	assert_int_equal(checked(&options), OUTCOME_GOOD);
	text[2047] = 'x';
	assert_int_equal(checked(&options), OUTCOME_USAGE);
	/* A bare guest's is no affair of ours. */
	options.mmu = "none";
	assert_int_equal(checked(&options), OUTCOME_GOOD);
	options.mmu = "nested";
	options.append = "";
	text[600] = '\0';
	options.set[0] = text;
	options.set_count = 1;
	assert_int_equal(checked(&options), OUTCOME_GOOD);
	options.set[1] = text;
	options.set_count = 2;
	assert_int_equal(checked(&options), OUTCOME_USAGE);
	options.set_count = 0;
	options.mmu = "nested,vtlb,shadow,nested,vtlb";
	assert_int_equal(checked(&options), OUTCOME_GOOD);
	options.mmu = "nested,vtlb,shadow,nested,shadow";
	assert_int_equal(checked(&options), OUTCOME_USAGE);
}

/* It becomes a part of QEMU's -cpu: names with + or -, and nothing else. */
static void features_are_names(void **state)
{
	static const struct {
		const char *list;
		bool good;
	} rows[] = {
		{ "+la57", true },	    { "+la57,-pku,+sse4.1", true },
		{ "-avx512-vnni", true },   { "", false },
		{ "la57", false },	    { "+", false },
		{ "+la57,", false },	    { "+la57,,-pku", false },
		{ "+la57,model=x", false }, { "+la57,pku=on", false },
		{ "+la57 -pku", false },    { "+LA57", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *words[] = { "run",	"--kernel",	      "k",
				  "--features", (char *)rows[i].list, NULL };
		struct outcome out = { .status = OUTCOME_GOOD };
		struct options options;
		int status = options_parse(5, words, &options, &out);

		assert_int_equal(status,
				 rows[i].good ? OUTCOME_GOOD : OUTCOME_USAGE);
		if (rows[i].good)
			assert_string_equal(options.features, rows[i].list);
		else
			assert_non_null(strstr(out.text, "--features"));
	}
}

static void a_processor_is_a_name(void **state)
{
	static const char *const good[] = { "corei7_haswell_4770", "p4" };
	static const char *const bad[] = { "", "a b", "a,count=2", "A",
					   "a\nb" };
	char *words[] = { "run",   "--kernel",	  "k",	"--machine",
			  "bochs", "--processor", NULL, NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct outcome out = { .status = OUTCOME_GOOD };
		struct options options;

		words[6] = (char *)good[i];
		assert_int_equal(options_parse(7, words, &options, &out), 0);
		assert_string_equal(options.processor, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct outcome out = { .status = OUTCOME_GOOD };
		struct options options;

		words[6] = (char *)bad[i];
		assert_int_equal(options_parse(7, words, &options, &out),
				 OUTCOME_USAGE);
		assert_non_null(strstr(out.text, "--processor"));
	}
}

static void first_complaint_stands(void **state)
{
	char *words[] = { "run", "--memory", "7Q", "--cpus", "x", NULL };
	struct options options;
	struct outcome out = { .status = OUTCOME_GOOD };

	(void)state;
	assert_int_equal(options_parse(5, words, &options, &out),
			 OUTCOME_USAGE);
	assert_non_null(strstr(out.text, "--memory 7Q"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_with_units),
		cmocka_unit_test(sizes_refused),
		cmocka_unit_test(numbers_in_range),
		cmocka_unit_test(whole_command_line),
		cmocka_unit_test(defaults),
		cmocka_unit_test(features_are_names),
		cmocka_unit_test(a_processor_is_a_name),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(first_complaint_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * tools/show.c: a report as tables, with every count that is not zero and none
 * that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tools/run.h"
#include "tools/show.h"

static void shows(const char *json, const char *wanted)
{
	json_t *report = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(report);
	assert_non_null(file);
	show_report(report, file);
	fclose(file);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(report);
}

static void tables(void **state)
{
	(void)state;
	shows("{\"vmmu\":1,\"mmu\":\"direct\",\"engine\":\"pv\","
	      "\"end\":{\"how\":\"exit\",\"code\":7,\"sentence\":\"it is "
	      "over\"},"
	      "\"exits\":{\"total\":30,\"cpuid\":0,\"io\":30},"
	      "\"pv\":{\"syscalls\":5,\"events\":0,"
	      "\"bounced\":{\"3\":2,\"14\":900,\"15\":1,\"77\":1},"
	      "\"hypercalls\":{\"iret\":7,\"mmu_update\":123456,\"b\":7},"
	      "\"empty\":{},\"zeros\":{\"a\":0}},"
	      "\"host_ms\":17,\"ratio\":{\"r\":0.5,\"n\":null}}",
	      "direct on pv: it is over\n"
	      "\nexits\n"
	      "              30  io\n"
	      "              30  total\n"
	      "\npv\n"
	      "               5  syscalls\n"
	      "\npv bounced, 904 in all\n"
	      "             900  #PF page fault\n"
	      "               2  #BP breakpoint\n"
	      "               1  15\n"
	      "               1  77\n"
	      "\npv hypercalls, 123470 in all\n"
	      "          123456  mmu_update\n"
	      "               7  b\n"
	      "               7  iret\n");
}

/* Whatever is in the file: no crash, and what is not there is a dash. */
static void reports_that_are_odd(void **state)
{
	(void)state;
	shows("{}", "- on -: -\n");
	shows("{\"mmu\":5,\"end\":[],\"exits\":3,\"engine\":null}",
	      "- on -: -\n");
	shows("{\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
	      "- on -: -\n\na b c, 1 in all\n               1  d\n");
	shows("{\"a\":{\"b\":{\"a name that is longer than any title may be, "
	      "and so is cut somewhere in its middle, and not later\":"
	      "{\"d\":-1}}}}",
	      "- on -: -\n\na b a name that is longer than any title may be, "
	      "and so is cut somewhere in its middle, and not, -1 in all\n"
	      "              -1  d\n");
}

static int run(const char *path)
{
	struct outcome out = { .status = OUTCOME_GOOD };
	char name[] = "show", file[64];
	char *argv[] = { name, file, NULL };

	snprintf(file, sizeof(file), "%s", path);
	return show_command(2, argv, &out);
}

static void files_that_are_no_reports(void **state)
{
	char path[] = "/tmp/show-XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	(void)state;
	assert_non_null(file);
	assert_int_equal(run("/nowhere/at/all"), OUTCOME_START);
	assert_int_equal(run(path), OUTCOME_START); /* empty */
	fputs("{\"vmmu\":2}", file);
	fclose(file);
	assert_int_equal(run(path), OUTCOME_START);
	remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(reports_that_are_odd),
		cmocka_unit_test(files_that_are_no_reports),
	};

	return cmocka_run_group_tests_name("tool_show", tests, NULL, NULL);
}

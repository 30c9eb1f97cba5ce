/* tools/monitor.c: one line at a time, and what each asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/monitor.h"

static struct monitor m;

static int setup(void **state)
{
	(void)state;
	m = (struct monitor){ .up = true, .newline = "\n" };
	return 0;
}

static void input(const char *text)
{
	monitor_input(&m, text, strlen(text));
}

static void console(const char *text)
{
	monitor_console(&m, text, strlen(text));
}

static void wishes(enum monitor_wish wish, const char *line)
{
	assert_int_equal(monitor_step(&m, 0), wish);
	assert_string_equal(m.line, line);
}

static void nothing_yet(void)
{
	assert_int_equal(monitor_step(&m, 0), MONITOR_NOTHING);
}

/* The next is sent when the one before is answered. */
static void one_at_a_time(void **state)
{
	(void)state;
	input("stats\naudit\n");
	wishes(MONITOR_SEND, "stats");
	nothing_yet();
	assert_true(monitor_answer(&m, "= {}"));
	nothing_yet();
	assert_false(monitor_answer(&m, "vmmu: a line of the log"));
	nothing_yet();
	assert_true(monitor_answer(&m, "="));
	wishes(MONITOR_SEND, "audit");
	assert_true(monitor_answer(&m, "="));
	nothing_yet();
}

static void not_before_it_listens(void **state)
{
	(void)state;
	m.up = false;
	input("stats\n");
	nothing_yet();
	assert_false(monitor_answer(&m, "vmmu: 512 MiB free"));
	wishes(MONITOR_SEND, "stats");
}

static void in_any_pieces(void **state)
{
	(void)state;
	input("wa");
	nothing_yet();
	input("lk 0x10");
	nothing_yet();
	input("00\r\n\n  \n# a comment\nx\n");
	wishes(MONITOR_SEND, "walk 0x1000");
	monitor_answer(&m, "=");
	wishes(MONITOR_SEND, "x");
}

static void for_this_side(void **state)
{
	(void)state;
	input("cont\nc\nquit\nq\nquite\n");
	wishes(MONITOR_CONT, "cont");
	wishes(MONITOR_CONT, "c");
	wishes(MONITOR_QUIT, "quit");
	wishes(MONITOR_QUIT, "q");
	wishes(MONITOR_SEND, "quite");
}

/* The key ends a line as Enter does, and is passed on. */
static void the_key(void **state)
{
	(void)state;
	input("\x1cstats\n");
	wishes(MONITOR_PASS, "\x1c");
	wishes(MONITOR_SEND, "stats");
}

static void sleeps(void **state)
{
	(void)state;
	input("sleep 50\nstats\n");
	assert_int_equal(monitor_step(&m, 1000), MONITOR_NOTHING);
	assert_int_equal(m.state, MONITOR_SLEEPS);
	assert_int_equal(m.until, 1050);
	assert_int_equal(monitor_step(&m, 1049), MONITOR_NOTHING);
	assert_int_equal(monitor_step(&m, 1050), MONITOR_SEND);
}

static void expects_what_comes(void **state)
{
	(void)state;
	input("expect login:\nexpect login:\nstats\n");
	nothing_yet();
	console("welcome\r\nlog");
	nothing_yet();
	console("in: x");
	assert_int_equal(m.size, strlen("expect login:\nstats\n"));
	nothing_yet(); /* the first; the second has not come */
	assert_int_equal(m.size, strlen("stats\n"));
	assert_int_equal(m.state, MONITOR_EXPECTS);
	console("login:");
	assert_int_equal(monitor_step(&m, 0), MONITOR_SEND);
}

static void expects_what_has_come(void **state)
{
	(void)state;
	console("one two three");
	input("expect one\nexpect three\nexpect two\n");
	nothing_yet();
	assert_string_equal(m.line, "expect two");
	assert_int_equal(m.state, MONITOR_EXPECTS);
}

/* A console that says more than is kept: the end of it is kept. */
static void much_on_the_console(void **state)
{
	char noise[1000];

	(void)state;
	memset(noise, '.', sizeof(noise));
	for (unsigned i = 0; i < 500; i++)
		monitor_console(&m, noise, sizeof(noise));
	assert_true(m.seen_size <= sizeof(m.seen));
	console("here");
	input("expect here\nstats\n");
	wishes(MONITOR_SEND, "stats");
}

static void much_input(void **state)
{
	char *line = malloc(sizeof(m.input));

	(void)state;
	assert_non_null(line);
	memset(line, 'x', sizeof(m.input));
	monitor_input(&m, line, sizeof(m.input));
	assert_int_equal(monitor_room(&m), 0);
	monitor_input(&m, line, 1); /* no room: dropped */
	assert_int_equal(monitor_step(&m, 0), MONITOR_SEND);
	assert_int_equal(strlen(m.line), MONITOR_LINE - 1);
	assert_int_equal(monitor_room(&m), sizeof(m.input));
	free(line);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_at_a_time),
		TEST(not_before_it_listens),
		TEST(in_any_pieces),
		TEST(for_this_side),
		TEST(the_key),
		TEST(sleeps),
		TEST(expects_what_comes),
		TEST(expects_what_has_come),
		TEST(much_on_the_console),
		TEST(much_input),
	};

	return cmocka_run_group_tests_name("tool_monitor", tests, NULL, NULL);
}

/* The hypervisor's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/config.h"

#define MIB (UINT64_C(1) << 20)

static struct config c;
static char why[96];

static void takes(const char *line)
{
	const char *wrong = config_parse(&c, line, why, sizeof(why));

	if (wrong)
		fail_msg("\"%s\": %s", line, wrong);
}

static void refuses(const char *line, const char *word)
{
	const char *wrong = config_parse(&c, line, why, sizeof(why));

	if (!wrong || !strstr(wrong, word))
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", line,
			 wrong ? wrong : "taken", word);
}

static void defaults(void **state)
{
	(void)state;
	takes("");
	assert_string_equal(c.mmu, "nested");
	assert_true(c.memory == 512 * MIB);
	assert_int_equal(c.cpus, 1);
	assert_int_equal(c.table_pages, 4096);
	assert_true(c.fault_around == 64 * MIB);
	assert_string_equal(c.guest_args, "");
	takes("   ");
	takes("--");
	assert_string_equal(c.guest_args, "");
}

static void all_words(void **state)
{
	(void)state;
	takes("/x/vmmu.elf  mmu=shadow memory=1073741824 cpus=4 "
	      "table-memory=4096 fault-around=0 selftest=all crash=ud  -- "
	      "  root=/dev/ram  -- mmu=x ");
	assert_string_equal(c.mmu, "shadow");
	assert_true(c.memory == 1024 * MIB);
	assert_int_equal(c.cpus, 4);
	assert_int_equal(c.table_pages, 1024);
	assert_true(c.fault_around == 0);
	assert_string_equal(c.guest_args, "root=/dev/ram  -- mmu=x ");
	takes("mmu=vtlb mmu=nested"); /* the last one counts */
	assert_string_equal(c.mmu, "nested");
}

/* Both ends of each range, and what is no number. */
static void ranges(void **state)
{
	static const struct {
		const char *key;
		uint64_t low, high, step;
		bool powers;
	} keys[] = {
		{ "memory", 2 * MIB, UINT64_C(1) << 40, MIB, false },
		{ "cpus", 1, 255, 1, false },
		{ "table-memory", 64, 4 * MIB, 1, false },
		{ "fault-around", 0, MIB, 1, true },
		{ "bystander", 2, MIB, 1, false },
	};
	static const char *const garbage[] = {
		"",
		"-1",
		"0x10",
		"1k",
		"1.0",
		"+4",
		"4294967297000000000",
		"1e3",
		"\xff",
		"99999999999999999999999999999999999"
	};
	char line[96];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		const uint64_t value[] = { keys[i].low, keys[i].high,
					   keys[i].low - keys[i].step,
					   keys[i].high + keys[i].step };

		for (unsigned n = 0; n < 4; n++) {
			snprintf(line, sizeof(line), "%s=%llu", keys[i].key,
				 (unsigned long long)value[n]);
			if (n < 2)
				takes(line);
			else
				refuses(line, keys[i].key);
		}
		for (unsigned n = 0; n < 10; n++) {
			snprintf(line, sizeof(line), "%s=%s", keys[i].key,
				 garbage[n]);
			refuses(line, keys[i].key);
		}
	}
	refuses("memory=2097153", "whole MiB");
	refuses("fault-around=3", "power of two");
	takes("fault-around=2");
	assert_true(c.fault_around == 2048);
	takes("bystander=16 bystander-flaw=on");
	assert_true(c.bystander == 16 * MIB && c.bystander_flaw);
	takes("bystander=0 bystander-flaw=off");
	assert_true(c.bystander == 0 && !c.bystander_flaw);
	refuses("bystander-flaw=yes", "on or off");
}

static void schemes(void **state)
{
	(void)state;
	takes("mmu=abcdefghijklmnopqrstuvwxyz,abcd");
	assert_string_equal(c.mmu, "abcdefghijklmnopqrstuvwxyz,abcd");
	refuses("mmu=abcdefghijklmnopqrstuvwxyz,abcde", "mmu=");
	takes("mmu=nested,vtlb switch-every=200");
	assert_string_equal(c.mmu, "nested,vtlb");
	assert_int_equal(c.switch_every, 200);
	takes("switch-every=1000000");
	refuses("switch-every=0", "switch-every=");
	refuses("switch-every=1000001", "switch-every=");
	refuses("mmu=", "mmu=");
	refuses("mmu=a\"b", "mmu="); /* it becomes part of a JSON string */
	refuses("mmu=nested\n", "mmu=");
}

static void unknown_words(void **state)
{
	(void)state;
	refuses("memroy=5", "memroy= is not known");
	refuses("=5", "the word = is");
	refuses("mm=nested", "mm=");
	refuses("mmux=nested", "mmux=");
	refuses("a\"b\\c\x01\xff"
		"=5",
		"a?b?c?"
		"?=");
	refuses("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1",
		"the word aaaaaaaaaaaaaaaaaaaaaaa= is");
	/* a path is no word of ours, whatever it contains */
	takes("/home/x=y/vmmu.elf quiet mmu=nested");
	takes("build/mmu=none/vmmu.elf");
	assert_string_equal(c.mmu, "nested");
	takes("vmmu.elf");
}

static void guest_args_are_bounded(void **state)
{
	static char line[3 + CONFIG_GUEST_ARGS + 2];

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, "-- ", 3);
	line[3 + CONFIG_GUEST_ARGS - 1] = 0;
	takes(line);
	assert_int_equal(strlen(c.guest_args), CONFIG_GUEST_ARGS - 1);
	line[3 + CONFIG_GUEST_ARGS - 1] = 'a';
	line[3 + CONFIG_GUEST_ARGS] = 0;
	refuses(line, "too long");
}

/* Any bytes: a sentence that is one line of plain characters, or limits that
 * hold. The line and the sentence are no longer than they are. */
static void random_lines(void **state)
{
	static const char *const part[] = { "mmu=",
					    "memory=",
					    "cpus=",
					    "table-memory=",
					    "fault-around=",
					    "--",
					    " ",
					    "536870912",
					    "64",
					    "nested",
					    "=",
					    "/",
					    "0",
					    "\"",
					    "\x80" };

	(void)state;
	srand(3);
	for (unsigned step = 0; step < 20000; step++) {
		size_t room = (size_t)rand() % 120 + 1, at = 0;
		size_t why_size = (size_t)rand() % 96 + 1;
		char *line = malloc(room);
		char *text = malloc(why_size);
		const char *wrong;

		while (at + 1 < room) {
			const char *p = part[(size_t)rand() % 15];
			size_t n = strlen(p);

			if (n > room - 1 - at)
				n = room - 1 - at;
			memcpy(line + at, p, n);
			at += n;
		}
		line[at] = 0;
		wrong = config_parse(&c, line, text, why_size);
		for (const char *s = wrong ? wrong : ""; *s; s++)
			assert_true(*s >= ' ' && *s <= '~' && *s != '"');
		if (!wrong) {
			assert_true(c.memory >= 2 * MIB && c.cpus >= 1);
			assert_true(c.cpus <= 255 && c.table_pages >= 16);
			assert_true((c.fault_around & (c.fault_around - 1)) ==
				    0);
		}
		free(line);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_words),
		cmocka_unit_test(ranges),
		cmocka_unit_test(schemes),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(guest_args_are_bounded),
		cmocka_unit_test(random_lines),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

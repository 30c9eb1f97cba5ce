/* See selftest.h. The promises themselves are in selftest_memory.c and
 * selftest_cpu.c. */
#include "boot/selftest.h"

#include <string.h>

#include "boot/promise.h"
#include "cpu/end.h"
#include "cpu/print.h"

/* 1. Promises. */

static unsigned try_all(const struct promise *p, unsigned *count)
{
	unsigned passed = 0;

	for (; p->sentence != NULL; p++, ++*count) {
		bool holds = p->holds();

		say("selftest: %s: %s", holds ? "ok" : "FAILED", p->sentence);
		passed += holds;
	}
	return passed;
}

static noreturn void run_all(void)
{
	unsigned count = 0, passed;

	passed = try_all(selftest_memory, &count);
	passed += try_all(selftest_cpu, &count);
	say("selftest: %u passed, %u failed", passed, count - passed);
	machine_end(passed == count ? 0 : MACHINE_END_SELF_TEST);
}

/* 2. Crashes on purpose, to see the dump. */

static __attribute__((noinline)) void crash_ud(void)
{
	__asm__ volatile("ud2");
}

static __attribute__((noinline)) void crash_pf(void)
{
	*(volatile uint64_t *)0xdeadbeef000 = 1;
}

/* The frames are real: each has its own words, which the next one reads. */
static __attribute__((noinline)) uint64_t crash_stack(volatile uint64_t *above)
{
	volatile uint64_t mine[32] = { *above };

	if (*above == 0)
		return 0; /* never, but the compiler cannot know */
	return crash_stack(mine) + mine[0];
}

struct crash {
	char how[8];
	void (*go)(void);
};

static void crash_stack_start(void)
{
	volatile uint64_t word = 1;

	crash_stack(&word);
}

static const struct crash crashes[] = {
	{ "ud", crash_ud },
	{ "pf", crash_pf },
	{ "stack", crash_stack_start },
};

static void crash(const char *how)
{
	const struct crash *c = crashes;

	for (; c < crashes + sizeof(crashes) / sizeof(crashes[0]); c++) {
		if (memcmp(how, c->how, sizeof(c->how)) == 0)
			c->go();
	}
	panic("crash=%s is not known", how);
}

void selftest_maybe(const struct boot_info *boot)
{
	char how[8] = "";

	if (boot_option(boot, "crash", how, sizeof(how)))
		crash(how);
	if (boot_flag(boot, "selftest"))
		run_all();
}

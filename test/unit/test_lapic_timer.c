/* hv/dev/lapic_timer.c, by SDM 3A 11.5.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "apic_rig.h"
#include "dev/lapic_timer.h"
#include "dev/tsc.h"

static void one_shot(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, LVTT, 0x30, 0);
	wr(0, DIVIDE, 0x3, 0); /* 16 */
	wr(0, INITIAL, 1000, 100);
	assert_int_equal(l->timer.deadline, 100 + 16000);
	assert_int_equal(rd(0, COUNT, 100), 1000);
	assert_int_equal(rd(0, COUNT, 100 + 8000), 500);
	lapic_tick(l, 16099);
	assert_int_equal(lapic_pending(l), -1);
	lapic_tick(l, 16100);
	assert_int_equal(lapic_pending(l), 0x30);
	assert_int_equal(rd(0, COUNT, 16100), 0);
	assert_int_equal(rd(0, INITIAL, 16100), 1000);
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	wr(0, INITIAL, 1000, 20000);
	wr(0, INITIAL, 0, 20001); /* stops */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	assert_int_equal(rd(0, COUNT, 20002), 0);
}

static void divisors(void **state)
{
	static const uint8_t reg[8] = { 0, 1, 2, 3, 8, 9, 10, 11 };
	static const unsigned by[8] = { 2, 4, 8, 16, 32, 64, 128, 1 };
	unsigned i;

	(void)state;
	start(1);
	for (i = 0; i < 8; i++) {
		wr(0, DIVIDE, reg[i], 0);
		assert_int_equal(rd(0, DIVIDE, 0), reg[i]);
		wr(0, INITIAL, 10, 0);
		assert_int_equal(bus.cpu[0].timer.deadline, 10 * by[i]);
	}
	/* Changed while it counts: what is left is counted at the new rate. */
	wr(0, DIVIDE, 11, 0);
	wr(0, INITIAL, 1000, 0);
	wr(0, DIVIDE, 0, 400);
	assert_int_equal(bus.cpu[0].timer.deadline, 400 + 600 * 2);
}

static void periodic(void **state)
{
	struct lapic *l = &bus.cpu[0];
	unsigned i;

	(void)state;
	start(1);
	wr(0, LVTT, 0x20030, 0);
	wr(0, DIVIDE, 0xb, 0);
	wr(0, INITIAL, 1000000, 0);
	for (i = 1; i <= 5; i++) {
		assert_int_equal(l->timer.deadline, i * 1000000);
		lapic_tick(l, l->timer.deadline);
		assert_int_equal(lapic_take(l), 0x30);
		wr(0, END, 0, 0);
	}
	/* Late by many periods: one interrupt, the phase is kept. */
	lapic_tick(l, 123456789);
	assert_int_equal(lapic_take(l), 0x30);
	assert_int_equal(lapic_take(l), -1);
	assert_int_equal(l->timer.deadline, 124000000);
	assert_int_equal(rd(0, COUNT, 123456789), 124000000 - 123456789);
	/* The count is right also where no tick was taken in time. */
	assert_int_equal(rd(0, COUNT, 200250000), 750000);
}

static void shortest_period_is_bounded(void **state)
{
	struct lapic *l = &bus.cpu[0];
	uint64_t now = 0;
	unsigned n = 0;

	(void)state;
	start(1);
	wr(0, LVTT, 0x20030, 0);
	wr(0, DIVIDE, 0xb, 0);
	wr(0, INITIAL, 1, 0);
	while (now < HZ / 100) {
		now = l->timer.deadline;
		lapic_tick(l, now);
		n++;
	}
	assert_in_range(n, 100, 1005); /* 100000 a second */
}

static void tsc_deadline(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	lapic_timer_set_target(l, 500); /* another mode: lost */
	assert_int_equal(lapic_timer_target(l), 0);
	wr(0, LVTT, 0x40030, 0);
	lapic_timer_set_target(l, 500);
	assert_int_equal(lapic_timer_target(l), 500);
	assert_int_equal(l->timer.deadline, 500);
	wr(0, INITIAL, 77, 0); /* ignored in this mode */
	assert_int_equal(rd(0, INITIAL, 0), 0);
	assert_int_equal(rd(0, COUNT, 0), 0);
	lapic_tick(l, 499);
	assert_int_equal(lapic_pending(l), -1);
	lapic_tick(l, 500);
	assert_int_equal(lapic_take(l), 0x30);
	assert_int_equal(lapic_timer_target(l), 0);
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	lapic_timer_set_target(l, 900);
	lapic_timer_set_target(l, 0); /* disarms */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	lapic_timer_set_target(l, 900);
	wr(0, LVTT, 0x30, 0); /* so does leaving the mode */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	assert_int_equal(lapic_timer_target(l), 0);
}

static void masked_timer_is_silent(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, LVTT, 0x10030, 0);
	wr(0, INITIAL, 10, 0);
	lapic_tick(l, 100);
	assert_int_equal(lapic_pending(l), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_shot),
		cmocka_unit_test(divisors),
		cmocka_unit_test(periodic),
		cmocka_unit_test(shortest_period_is_bounded),
		cmocka_unit_test(tsc_deadline),
		cmocka_unit_test(masked_timer_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hv/dev/pit.c and pit_counter.c, by the rules of the 8254 data sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/pit.h"
#include "dev/tsc.h"

/* A TSC of exactly ten per tick: moments are easy to write. */
#define HZ   (UINT64_C(10) * PIT_HZ)
#define T(n) ((uint64_t)(n)*10)

static struct pit fresh(void)
{
	struct pit p;

	pit_reset(&p, HZ);
	return p;
}

static void program(struct pit *p, unsigned n, uint8_t mode, uint16_t count,
		    uint64_t now)
{
	pit_out(p, 3, (uint8_t)(n << 6 | 0x30u | (unsigned)mode << 1), now);
	pit_out(p, n, (uint8_t)count, now);
	pit_out(p, n, (uint8_t)(count >> 8), now);
}

static unsigned read_count(struct pit *p, unsigned n, uint64_t now)
{
	unsigned low;

	pit_out(p, 3, (uint8_t)(n << 6), now); /* latch */
	low = pit_in(p, n, now);
	return low | (unsigned)pit_in(p, n, now) << 8;
}

static unsigned status(struct pit *p, unsigned n, uint64_t now)
{
	pit_out(p, 3, (uint8_t)(0xe0 | 2u << n), now);
	return pit_in(p, n, now);
}

static void mode0_terminal_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_out(&p, 3, 0x30, 0);
	assert_false(pit_output(&p, 0));
	program(&p, 0, 0, 100, T(5));
	assert_int_equal(read_count(&p, 0, T(5)), 100);
	assert_int_equal(read_count(&p, 0, T(45)), 60);
	assert_false(pit_output(&p, T(104)));
	assert_true(pit_output(&p, T(105)));
	/* One edge, at its moment; it counts on from ffff. */
	assert_int_equal(p.deadline, T(105));
	assert_false(pit_tick(&p, T(104)));
	assert_true(pit_tick(&p, T(105)));
	assert_false(pit_tick(&p, T(100000)));
	assert_int_equal(p.deadline, TSC_NEVER);
	assert_int_equal(read_count(&p, 0, T(106)), 0xffff);
}

static void mode2_rate(void **state)
{
	struct pit p = fresh();
	unsigned i, edges = 0;

	(void)state;
	program(&p, 0, 2, 11932, 0); /* 100 Hz */
	assert_int_equal(p.deadline, T(11932));
	for (i = 0; i < 50; i++) {
		assert_false(pit_tick(&p, p.deadline - 1));
		assert_true(pit_tick(&p, p.deadline));
		edges++;
	}
	assert_int_equal(p.deadline, T(11932 * 51));
	assert_int_equal(edges, 50);
	/* Missed edges are one interrupt, and the phase is kept. */
	assert_true(pit_tick(&p, T(11932 * 60 + 7)));
	assert_int_equal(p.deadline, T(11932 * 61));
	assert_int_equal(read_count(&p, 0, T(11932 * 60 + 7)), 11925);
	/* Low in the last tick only. */
	assert_true(pit_output(&p, T(11930)));
	assert_false(pit_output(&p, T(11931)));
	assert_true(pit_output(&p, T(11932)));
}

static void mode2_new_count_waits(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 1000, 0);
	pit_out(&p, 0, 0xf4, T(300)); /* 500 */
	pit_out(&p, 0, 0x01, T(300));
	assert_int_equal(status(&p, 0, T(300)), 0x80 | 0x40 | 0x34);
	assert_int_equal(read_count(&p, 0, T(999)), 1);
	assert_int_equal(read_count(&p, 0, T(1000)), 500);
	assert_int_equal(status(&p, 0, T(1000)), 0x80 | 0x34);
	assert_int_equal(read_count(&p, 0, T(1500)), 500);
	assert_int_equal(read_count(&p, 0, T(1600)), 400);
}

static void mode3_square(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 3, 10, 0);
	assert_true(pit_output(&p, T(4)));
	assert_false(pit_output(&p, T(5)));
	assert_false(pit_output(&p, T(9)));
	assert_true(pit_output(&p, T(10)));
	assert_int_equal(read_count(&p, 0, T(0)), 10);
	assert_int_equal(read_count(&p, 0, T(3)), 4);
	assert_int_equal(read_count(&p, 0, T(5)), 10);
	/* Odd: the high half is the longer one. */
	program(&p, 0, 3, 5, T(100));
	assert_true(pit_output(&p, T(102)));
	assert_false(pit_output(&p, T(103)));
	assert_false(pit_output(&p, T(104)));
	assert_true(pit_output(&p, T(105)));
}

static void mode4_strobe(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 4, 20, 0);
	assert_true(pit_output(&p, T(19)));
	assert_false(pit_output(&p, T(20)));
	assert_true(pit_output(&p, T(21)));
	assert_int_equal(p.deadline, T(21));
	assert_true(pit_tick(&p, T(21)));
	assert_int_equal(p.deadline, TSC_NEVER);
}

static void zero_is_the_largest(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 0, 0);
	assert_int_equal(read_count(&p, 0, 0), 0);
	assert_int_equal(read_count(&p, 0, T(1)), 0xffff);
	assert_int_equal(p.deadline, T(65536));
}

static void bcd(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_out(&p, 3, 0x31, 0); /* counter 0, mode 0, BCD */
	pit_out(&p, 0, 0x50, 0);
	pit_out(&p, 0, 0x12, 0);
	assert_int_equal(read_count(&p, 0, T(51)), 0x1199);
	assert_true(pit_output(&p, T(1250)));
	assert_int_equal(read_count(&p, 0, T(1251)), 0x9999);
}

static void latch_holds_and_first_wins(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 2, 2, 0x1000, 0);
	pit_port61_out(&p, 1, 0);
	pit_out(&p, 3, 0x80, T(1));
	pit_out(&p, 3, 0x80, T(2)); /* ignored: one is latched */
	assert_int_equal(pit_in(&p, 2, T(9)), 0xff);
	assert_int_equal(pit_in(&p, 2, T(9)), 0x0f);
	/* Unlatched now: live, low byte then high. */
	assert_int_equal(pit_in(&p, 2, T(0x10)), 0xf0);
	assert_int_equal(pit_in(&p, 2, T(0x10)), 0x0f);
}

static void read_back_status_then_count(void **state)
{
	struct pit p = fresh();

	(void)state;
	program(&p, 0, 2, 1000, 0);
	pit_out(&p, 3, 0xc2, T(10)); /* count and status of counter 0 */
	assert_int_equal(pit_in(&p, 0, T(50)), 0xb4);
	assert_int_equal(pit_in(&p, 0, T(50)), 990 & 0xff);
	assert_int_equal(pit_in(&p, 0, T(50)), 990 >> 8);
	pit_out(&p, 3, 0x34, T(60));
	assert_int_equal(status(&p, 0, T(60)) & 0x40, 0x40); /* no count yet */
}

static void single_byte_access(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_out(&p, 3, 0x14, 0); /* counter 0, low byte, mode 2 */
	pit_out(&p, 0, 200, 0);
	assert_int_equal(p.deadline >= T(200), true);
	assert_int_equal(pit_in(&p, 0, T(1)), 199);
	assert_int_equal(pit_in(&p, 0, T(1)), 199);
	pit_out(&p, 3, 0x24, 0); /* high byte */
	pit_out(&p, 0, 2, 0);
	assert_int_equal(pit_in(&p, 0, T(1)), 1);
}

/* The calibration loop of every kernel: gate up, mode 0, wait for bit 5. */
static void port61_calibration(void **state)
{
	struct pit p = fresh();
	uint64_t t;

	(void)state;
	pit_port61_out(&p, 0, 0);
	pit_port61_out(&p, 1, T(3));
	program(&p, 2, 0, 11932, T(7));
	for (t = 7; t < 7 + 11932; t += 100)
		assert_int_equal(pit_port61_in(&p, T(t)) & 0x21, 0x01);
	assert_int_equal(pit_port61_in(&p, T(7 + 11931)) & 0x20, 0);
	assert_int_equal(pit_port61_in(&p, T(7 + 11932)) & 0x20, 0x20);
	pit_port61_out(&p, 2, T(20000));
	assert_int_equal(pit_port61_in(&p, T(20000)) & 0x03, 0x02);
}

static void gate_holds_and_restarts(void **state)
{
	struct pit p = fresh();

	(void)state;
	pit_port61_out(&p, 1, 0);
	program(&p, 2, 0, 100, 0);
	pit_port61_out(&p, 0, T(40));
	assert_int_equal(read_count(&p, 2, T(90)), 60);
	pit_port61_out(&p, 1, T(200));
	assert_int_equal(read_count(&p, 2, T(210)), 50);
	program(&p, 2, 2, 100, T(300));
	pit_port61_out(&p, 0, T(350));
	assert_int_equal(pit_port61_in(&p, T(399)) & 0x20, 0x20);
	pit_port61_out(&p, 1, T(400)); /* rises: starts over */
	assert_int_equal(read_count(&p, 2, T(401)), 99);
	program(&p, 2, 1, 50, T(500)); /* one-shot: waits for the gate */
	assert_int_equal(pit_port61_in(&p, T(600)) & 0x20, 0x20);
	pit_port61_out(&p, 0, T(600));
	pit_port61_out(&p, 1, T(601));
	assert_int_equal(pit_port61_in(&p, T(650)) & 0x20, 0);
	assert_int_equal(pit_port61_in(&p, T(651)) & 0x20, 0x20);
}

/* A guest may ask for any rate; ours is bounded, in steps and in time. */
static void fast_rates_are_thinned(void **state)
{
	struct pit p = fresh();
	uint64_t now = 0;
	unsigned edges = 0;

	(void)state;
	program(&p, 0, 2, 1, 0);
	while (now < HZ / 10) {
		now = p.deadline;
		edges += pit_tick(&p, now);
	}
	assert_in_range(edges, 1000, 2010); /* 20000 a second */
	assert_int_equal(read_count(&p, 0, T(7)), 1);
}

static void never_before_programmed(void **state)
{
	struct pit p = fresh();

	(void)state;
	assert_int_equal(p.deadline, TSC_NEVER);
	assert_false(pit_tick(&p, T(1000000)));
	assert_int_equal(pit_in(&p, 3, 0), 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode0_terminal_count),
		cmocka_unit_test(mode2_rate),
		cmocka_unit_test(mode2_new_count_waits),
		cmocka_unit_test(mode3_square),
		cmocka_unit_test(mode4_strobe),
		cmocka_unit_test(zero_is_the_largest),
		cmocka_unit_test(bcd),
		cmocka_unit_test(latch_holds_and_first_wins),
		cmocka_unit_test(read_back_status_then_count),
		cmocka_unit_test(single_byte_access),
		cmocka_unit_test(port61_calibration),
		cmocka_unit_test(gate_holds_and_restarts),
		cmocka_unit_test(fast_rates_are_thinned),
		cmocka_unit_test(never_before_programmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

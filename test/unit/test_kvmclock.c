/* hv/dev/kvmclock.c: the rate, against 128-bit arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/kvmclock.h"

__extension__ typedef unsigned __int128 wide;

static const uint64_t khz[] = {
	4000,	 500000,  999999,   1000000,  1000001,
	1999999, 2000000, 2000001,  2399998,  3333333,
	4000001, 5000000, 10000000, 16000000, 999999999
};

static void rate_is_normal(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(khz) / sizeof(khz[0]); i++)
		assert_true(kvmclock_rate(khz[i]).mul >> 31);
}

/* A day's nanoseconds are right to 2^-32 of a day, and one more. */
static void day_is_a_day(void **state)
{
	const uint64_t day = UINT64_C(86400) * 1000000000;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
		struct kvmclock_rate r = kvmclock_rate(khz[i]);
		uint64_t ns = kvmclock_ns(&r, khz[i] * 1000 * 86400);
		uint64_t off = ns > day ? ns - day : day - ns;

		assert_in_range(off, 0, (day >> 32) + 1);
	}
}

/* As the guest computes it: shift, then the upper part of 64 x 32 bits. */
static void nanoseconds_as_the_guest(void **state)
{
	struct kvmclock_rate r = kvmclock_rate(2399998);
	uint64_t tsc = 1;
	unsigned i;

	(void)state;
	for (i = 0; i < 60; i++, tsc = tsc * 2 + i % 3) {
		uint64_t scaled = r.shift < 0 ? tsc >> -r.shift
					      : tsc << r.shift;

		assert_int_equal(kvmclock_ns(&r, tsc),
				 (uint64_t)((wide)scaled * r.mul >> 32));
	}
}

static void exact_at_a_gigahertz(void **state)
{
	struct kvmclock_rate r = kvmclock_rate(1000000);

	(void)state;
	assert_int_equal(kvmclock_ns(&r, 0), 0);
	assert_int_equal(kvmclock_ns(&r, 1), 1);
	assert_int_equal(kvmclock_ns(&r, UINT64_C(123456789012345)),
			 UINT64_C(123456789012345));
	r = kvmclock_rate(2000000);
	assert_int_equal(kvmclock_ns(&r, UINT64_C(2) << 40), UINT64_C(1) << 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_normal),
		cmocka_unit_test(day_is_a_day),
		cmocka_unit_test(nanoseconds_as_the_guest),
		cmocka_unit_test(exact_at_a_gigahertz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hv/dev/tsc.c: exactness, against 128-bit arithmetic of the compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "dev/tsc.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t random64(void)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 5; i++)
		v = v << 15 ^ (uint64_t)(rand() & 0x7fff);
	return v >> rand() % 64;
}

static void product_and_quotient(void **state)
{
	int i;

	(void)state;
	srand(7);
	for (i = 0; i < 20000; i++) {
		uint64_t a = random64(), b = random64(), c = random64() | 1;
		wide exact = (wide)a * b / c;
		uint64_t want = exact >> 64 ? UINT64_MAX : (uint64_t)exact;

		assert_int_equal(tsc_muldiv(a, b, c), want);
	}
}

static const uint64_t rates[] = { 4000000,    999999000,  1000000000,
				  2399999000, 3579545000, 5000000000 };
static const uint64_t clocks[] = { 32768, 1193182, 3579545 };

static void ticks_are_exact(void **state)
{
	unsigned r, c;
	int i;

	(void)state;
	srand(8);
	for (r = 0; r < 6; r++)
		for (c = 0; c < 3; c++)
			for (i = 0; i < 500; i++) {
				uint64_t t = random64();
				wide exact = (wide)t * clocks[c] / rates[r];

				assert_int_equal(
					tsc_to_ticks(t, rates[r], clocks[c]),
					(uint64_t)exact);
			}
}

/* The first TSC that shows a tick shows it, and the one before does not. */
static void first_tsc_of_a_tick(void **state)
{
	unsigned r, c;
	int i;

	(void)state;
	srand(9);
	for (r = 0; r < 6; r++)
		for (c = 0; c < 3; c++)
			for (i = 0; i < 500; i++) {
				uint64_t k = random64() >> 24 | 1;
				uint64_t t =
					tsc_of_tick(k, rates[r], clocks[c]);

				assert_int_not_equal(t, TSC_NEVER);
				assert_int_equal(
					tsc_to_ticks(t, rates[r], clocks[c]),
					k);
				assert_int_equal(tsc_to_ticks(t - 1, rates[r],
							      clocks[c]),
						 k - 1);
			}
}

static void beyond_the_end_is_never(void **state)
{
	(void)state;
	assert_int_equal(tsc_of_tick(UINT64_MAX, 3000000000u, 32768),
			 TSC_NEVER);
	assert_int_equal(tsc_add(UINT64_MAX - 1, 2), TSC_NEVER);
	assert_int_equal(tsc_add(1, 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(product_and_quotient),
		cmocka_unit_test(ticks_are_exact),
		cmocka_unit_test(first_tsc_of_a_tick),
		cmocka_unit_test(beyond_the_end_is_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

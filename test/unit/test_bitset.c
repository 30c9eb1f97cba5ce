/* hv/mm/bitset.c against an array of bools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mm/bitset.h"

static uint64_t naive_next(const bool *has, uint64_t bits, uint64_t from)
{
	for (; from < bits; from++) {
		if (has[from])
			return from;
	}
	return BITSET_NONE;
}

/* Sizes around each change of the number of levels. */
static const uint64_t sizes[] = { 1,	63,   64,   65,	    100,
				  4095, 4096, 4097, 262144, 262145 };

static void random_changes(void **state)
{
	size_t i;

	(void)state;
	srand(1);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t bits = sizes[i], at;
		uint64_t *storage = calloc(bitset_words(bits), 8);
		bool *has = calloc(bits, sizeof(bool));
		struct bitset b;
		int step;

		bitset_init(&b, bits, storage);
		for (step = 0; step < 3000; step++) {
			at = (uint64_t)rand() % bits;
			if (rand() % 2) {
				bitset_add(&b, at);
				has[at] = true;
			} else {
				bitset_remove(&b, at);
				has[at] = false;
			}
			assert_int_equal(bitset_has(&b, at), has[at]);
			if (step % 16 == 0) {
				at = (uint64_t)rand() % bits;
				assert_true(bitset_next(&b, at) ==
					    naive_next(has, bits, at));
			}
		}
		assert_true(bitset_next(&b, 0) == naive_next(has, bits, 0));
		free(storage);
		free(has);
	}
}

static void edges(void **state)
{
	uint64_t storage[128] = { 0 };
	struct bitset b;

	(void)state;
	assert_true(bitset_words(4097) <= 128);
	bitset_init(&b, 4097, storage);
	assert_true(bitset_next(&b, 0) == BITSET_NONE);
	bitset_add(&b, 4096);
	assert_int_equal(bitset_next(&b, 0), 4096);
	assert_int_equal(bitset_next(&b, 4096), 4096);
	assert_true(bitset_next(&b, 4097) == BITSET_NONE);
	assert_true(bitset_next(&b, UINT64_MAX) == BITSET_NONE);
	assert_false(bitset_has(&b, 4097));
	bitset_remove(&b, 4096);
	assert_true(bitset_next(&b, 0) == BITSET_NONE);
	/* All summaries are clean again. */
	for (size_t i = 0; i < 128; i++)
		assert_true(storage[i] == 0);
}

/* A word's count of storage is exact: ASan sees what goes beyond. */
static void full_set(void **state)
{
	uint64_t bits = 64 * 64 * 3 + 7, i;
	uint64_t *storage = calloc(bitset_words(bits), 8);
	struct bitset b;

	(void)state;
	bitset_init(&b, bits, storage);
	for (i = 0; i < bits; i++)
		bitset_add(&b, i);
	for (i = 0; i < bits; i++)
		assert_true(bitset_next(&b, i) == i);
	for (i = 0; i < bits; i++) {
		bitset_remove(&b, i);
		assert_true(bitset_next(&b, 0) ==
			    (i + 1 < bits ? i + 1 : BITSET_NONE));
	}
	free(storage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(edges),
		cmocka_unit_test(full_set),
	};

	return cmocka_run_group_tests_name("bitset", tests, NULL, NULL);
}

/* hv/mm/ranges.c against an array of bools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mm/ranges.h"

#define ADDRESSES 200

static void compare(const struct ranges *r, const bool *has)
{
	uint64_t total = 0, i;
	unsigned k;

	for (i = 0; i < ADDRESSES; i++) {
		assert_int_equal(ranges_contain(r, i, i + 1), has[i]);
		total += has[i];
	}
	assert_int_equal(ranges_total(r), total);
	for (k = 0; k < r->count; k++) {
		assert_true(r->range[k].start < r->range[k].end);
		if (k > 0)
			assert_true(r->range[k - 1].end < r->range[k].start);
	}
}

static void random_changes(void **state)
{
	struct ranges r = { 0 };
	bool has[ADDRESSES] = { 0 };
	uint64_t start, end, i;
	int step;

	(void)state;
	srand(4);
	for (step = 0; step < 20000; step++) {
		bool add = rand() % 2;

		start = (uint64_t)rand() % ADDRESSES;
		end = start + (uint64_t)rand() % 12;
		if (end > ADDRESSES)
			end = ADDRESSES;
		assert_true(add ? ranges_add(&r, start, end)
				: ranges_remove(&r, start, end));
		for (i = start; i < end; i++)
			has[i] = add;
		compare(&r, has);
	}
}

static void full_list(void **state)
{
	struct ranges r = { 0 }, before;
	uint64_t i;

	(void)state;
	for (i = 0; i < RANGES_MAX; i++)
		assert_true(ranges_add(&r, 10 * i, 10 * i + 5));
	before = r;
	assert_false(ranges_add(&r, 10 * i, 10 * i + 5));
	assert_false(ranges_remove(&r, 12, 13)); /* would make two of one */
	assert_memory_equal(&r, &before, sizeof(r));
	assert_true(ranges_add(&r, 5, 10)); /* joins two */
	assert_int_equal(r.count, RANGES_MAX - 1);
	assert_true(ranges_remove(&r, 12, 13));
}

static void finds(void **state)
{
	struct ranges r = { 0 };
	uint64_t at;

	(void)state;
	ranges_add(&r, 5, 9);
	ranges_add(&r, 100, 200);
	ranges_add(&r, UINT64_MAX - 10, UINT64_MAX);
	assert_true(ranges_find(&r, 4, 1, UINT64_MAX, &at));
	assert_int_equal(at, 5);
	assert_true(ranges_find(&r, 4, 4, UINT64_MAX, &at));
	assert_int_equal(at, 100);
	assert_true(ranges_find(&r, 60, 64, UINT64_MAX, &at));
	assert_int_equal(at, 128);
	assert_false(ranges_find(&r, 60, 64, 180, &at));
	assert_false(ranges_find(&r, 101, 1, UINT64_MAX, &at));
	/* Aligning the last one up wraps. */
	assert_false(ranges_find(&r, 1, 4096 * 4096, UINT64_MAX, &at));
}

static void contain_needs_one_range(void **state)
{
	struct ranges r = { 0 };

	(void)state;
	ranges_add(&r, 0, 10);
	ranges_add(&r, 20, 30);
	assert_true(ranges_contain(&r, 0, 10));
	assert_false(ranges_contain(&r, 5, 25));
	assert_false(ranges_contain(&r, 9, 11));
	assert_true(ranges_add(&r, 10, 20)); /* touches both */
	assert_int_equal(r.count, 1);
	assert_true(ranges_contain(&r, 5, 25));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(full_list),
		cmocka_unit_test(finds),
		cmocka_unit_test(contain_needs_one_range),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}

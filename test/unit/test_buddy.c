/* hv/mm/buddy.c against a map of which frame is whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mm/buddy.h"

struct fixture {
	struct buddy b;
	uint64_t *storage;
	uint8_t *owner; /* 0: free, 1: never given, else a taker's number */
};

static void setup(struct fixture *f, uint64_t frames)
{
	f->storage = calloc(buddy_words(frames), 8);
	f->owner = malloc(frames);
	memset(f->owner, 1, frames);
	buddy_init(&f->b, frames, f->storage);
}

static void give_run(struct fixture *f, uint64_t from, uint64_t count)
{
	assert_true(buddy_give_run(&f->b, from, count));
	memset(f->owner + from, 0, count);
}

static void done(struct fixture *f)
{
	free(f->storage);
	free(f->owner);
}

static void nothing_at_first(void **state)
{
	struct fixture f;
	uint64_t frame;

	(void)state;
	setup(&f, 1000);
	assert_false(buddy_take(&f.b, 0, &frame));
	assert_int_equal(buddy_largest(&f.b), -1);
	assert_int_equal(buddy_check(&f.b), 0);
	done(&f);
}

/* A run that is aligned to nothing is whole again after all has been taken
 * frame by frame and given back in any order. */
static void joins_again(void **state)
{
	struct fixture f;
	uint64_t frame[700];
	unsigned i, j;

	(void)state;
	setup(&f, 1024);
	give_run(&f, 300, 700);
	assert_int_equal(buddy_largest(&f.b), 8); /* 512 .. 767 */
	for (i = 0; i < 700; i++)
		assert_true(buddy_take(&f.b, 0, &frame[i]));
	assert_false(buddy_take(&f.b, 0, &frame[0]));
	srand(2);
	for (i = 0; i < 700; i++) {
		uint64_t t = frame[i];

		j = (unsigned)rand() % 700;
		frame[i] = frame[j];
		frame[j] = t;
	}
	for (i = 0; i < 700; i++)
		assert_true(buddy_give(&f.b, frame[i], 0));
	assert_int_equal(buddy_check(&f.b), 0);
	assert_int_equal(buddy_largest(&f.b), 8);
	assert_int_equal(f.b.free_count, 700);
	done(&f);
}

/* The least block that serves is taken, the large ones stay. */
static void keeps_large_blocks(void **state)
{
	struct fixture f;
	uint64_t frame;

	(void)state;
	setup(&f, 1 << 16);
	give_run(&f, 0, 3);
	give_run(&f, 1 << 14, 1 << 14);
	assert_true(buddy_take(&f.b, 0, &frame));
	assert_int_equal(frame, 2);
	assert_int_equal(buddy_largest(&f.b), 14);
	assert_true(buddy_take(&f.b, 14, &frame));
	assert_int_equal(frame, 1 << 14);
	assert_false(buddy_take(&f.b, 14, &frame));
	done(&f);
}

static void refuses(void **state)
{
	struct fixture f;
	uint64_t frame;

	(void)state;
	setup(&f, 1000);
	give_run(&f, 0, 512);
	assert_false(buddy_give(&f.b, 0, 0)); /* inside a free block */
	assert_false(buddy_give(&f.b, 511, 0));
	assert_false(buddy_give(&f.b, 0, 9));	 /* the free block itself */
	assert_false(buddy_give(&f.b, 513, 1));	 /* not aligned */
	assert_false(buddy_give(&f.b, 1000, 0)); /* past the end */
	assert_false(buddy_give(&f.b, 992, 4));	 /* reaches past the end */
	assert_false(buddy_give(&f.b, 0, BUDDY_ORDER_MAX + 1));
	assert_true(buddy_take(&f.b, 3, &frame));
	assert_true(buddy_give(&f.b, frame + 2, 0));
	assert_false(buddy_give(&f.b, frame, 3)); /* part of it is free */
	assert_int_equal(buddy_check(&f.b), 0);
	assert_int_equal(f.b.free_count, 505);
	assert_false(buddy_take(&f.b, BUDDY_ORDER_MAX, &frame));
	done(&f);
}

static void checked_take(struct fixture *f, unsigned order, uint8_t who)
{
	uint64_t frame, i, count = UINT64_C(1) << order;

	if (!buddy_take(&f->b, order, &frame))
		return;
	assert_int_equal(frame % count, 0);
	for (i = 0; i < count; i++) {
		assert_int_equal(f->owner[frame + i], 0);
		f->owner[frame + i] = who;
	}
}

/* In pieces of any order that fit what is taken. */
static void checked_give(struct fixture *f, uint64_t frame, unsigned order)
{
	uint64_t i, count = UINT64_C(1) << order;
	bool taken = true;

	frame &= ~(count - 1);
	for (i = 0; i < count; i++)
		taken = taken && f->owner[frame + i] != 0;
	assert_int_equal(buddy_give(&f->b, frame, order), taken);
	if (taken)
		memset(f->owner + frame, 0, count);
}

static void random_traffic(void **state)
{
	struct fixture f;
	uint64_t i, count;
	int step;

	(void)state;
	setup(&f, 4096);
	give_run(&f, 17, 4000);
	srand(3);
	for (step = 0; step < 20000; step++) {
		if (rand() % 2)
			checked_take(&f, (unsigned)rand() % 7, 2);
		else
			checked_give(&f, (uint64_t)rand() % 4096,
				     (unsigned)rand() % 5);
		if (step % 500 == 0)
			assert_int_equal(buddy_check(&f.b), 0);
	}
	for (i = 0, count = 0; i < 4096; i++)
		count += f.owner[i] == 0;
	assert_int_equal(f.b.free_count, count);
	done(&f);
}

/* The checker is not blind. */
static void check_finds(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 64);
	give_run(&f, 0, 16);
	bitset_add(&f.b.free[0], 3);
	assert_int_equal(buddy_check(&f.b), 1);
	bitset_remove(&f.b.free[0], 3);
	bitset_add(&f.b.free[4], 1);
	assert_int_equal(buddy_check(&f.b), 2);
	bitset_remove(&f.b.free[4], 1);
	f.b.free_count++;
	assert_int_equal(buddy_check(&f.b), 3);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_first),
		cmocka_unit_test(joins_again),
		cmocka_unit_test(keeps_large_blocks),
		cmocka_unit_test(refuses),
		cmocka_unit_test(random_traffic),
		cmocka_unit_test(check_finds),
	};

	return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}

/*
 * Slots: each refusal by its name and without a trace, each change told in
 * order, and the search against a linear one for every number of slots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <vmmu/slots.h>

#define CAPACITY 2048

static struct vmmu_slot storage[CAPACITY];
static struct vmmu_slots slots;
static uint64_t bitmap[4];

static int fresh(void **state)
{
	(void)state;
	memset(storage, 0xee, sizeof(storage));
	vmmu_slots_init(&slots, storage, CAPACITY);
	return 0;
}

static enum vmmu_slot_error set(uint32_t id, uint32_t flags, uint64_t gpa,
				uint64_t size, uint64_t hva)
{
	struct vmmu_slot want = {
		.id = id,
		.flags = flags,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(hva),
		.dirty = flags & VMMU_SLOT_LOG_DIRTY ? bitmap : NULL,
	};

	return vmmu_slots_set(&slots, &want);
}

static const struct vmmu_slot *at(uint64_t gpa)
{
	return vmmu_slots_find(&slots, gpa_gfn(mk_gpa(gpa)));
}

static void empty_set_finds_nothing(void **state)
{
	(void)state;
	assert_null(at(0));
	assert_null(at(0x1000));
	assert_null(at(UINT64_MAX));
	assert_null(vmmu_slots_by_id(&slots, 0));
	assert_int_equal(set(3, 0, 0, 0, 0), VMMU_SLOT_NOT_FOUND);
}

static void add_and_translate(void **state)
{
	(void)state;
	assert_int_equal(set(7, 0, 0x10000, 0x4000, 0x7f0000), VMMU_SLOT_OK);
	assert_null(at(0xf000));
	assert_null(at(0x14000));
	assert_non_null(at(0x10000));
	assert_ptr_equal(at(0x13fff), at(0x10000));
	assert_int_equal(vmmu_slot_hva(at(0x12345), mk_gpa(0x12345)).v,
			 0x7f2345);
	assert_int_equal(vmmu_slots_by_id(&slots, 7)->size, 0x4000);
}

static void refusals_have_names_and_leave_no_trace(void **state)
{
	uint64_t top = UINT64_MAX - 0xfff;
	uint64_t generation;

	(void)state;
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x1000), VMMU_SLOT_OK);
	generation = slots.generation;
	assert_int_equal(set(2, 0, 0x20800, 0x1000, 0), VMMU_SLOT_MISALIGNED);
	assert_int_equal(set(2, 0, 0x20000, 0x1800, 0), VMMU_SLOT_MISALIGNED);
	assert_int_equal(set(2, 0, 0x20000, 0x1000, 1), VMMU_SLOT_MISALIGNED);
	assert_int_equal(set(2, 0, top, 0x2000, 0), VMMU_SLOT_WRAPS);
	assert_int_equal(set(2, 0, 0x20000, 0x2000, top), VMMU_SLOT_WRAPS);
	assert_int_equal(set(2, 4, 0x20000, 0x1000, 0), VMMU_SLOT_BAD_FLAGS);
	assert_int_equal(set(2, 0, 0xf000, 0x2000, 0), VMMU_SLOT_OVERLAPS);
	assert_int_equal(set(2, 0, 0x13000, 0x1000, 0), VMMU_SLOT_OVERLAPS);
	assert_int_equal(set(2, 0, 0, 0x100000, 0), VMMU_SLOT_OVERLAPS);
	assert_int_equal(set(2, 0, 0, 0, 0), VMMU_SLOT_NOT_FOUND);
	assert_int_equal(set(1, 0, 0x10000, 0x5000, 0x1000),
			 VMMU_SLOT_SIZE_CHANGED);
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x2000),
			 VMMU_SLOT_SIZE_CHANGED);
	assert_int_equal(slots.generation, generation);
	assert_int_equal(slots.count, 1);
}

static void log_needs_a_bitmap(void **state)
{
	struct vmmu_slot want = { .flags = VMMU_SLOT_LOG_DIRTY,
				  .size = 0x1000 };

	(void)state;
	assert_int_equal(vmmu_slots_set(&slots, &want), VMMU_SLOT_NO_BITMAP);
	want.dirty = bitmap;
	assert_int_equal(vmmu_slots_set(&slots, &want), VMMU_SLOT_OK);
	/* Without the flag the bitmap is not kept: nobody may write to it. */
	want.flags = 0;
	assert_int_equal(vmmu_slots_set(&slots, &want), VMMU_SLOT_OK);
	assert_null(vmmu_slots_by_id(&slots, 0)->dirty);
}

static void every_error_has_its_own_name(void **state)
{
	(void)state;
	for (int a = VMMU_SLOT_OK; a <= VMMU_SLOT_SIZE_CHANGED; a++)
		for (int b = VMMU_SLOT_OK; b < a; b++)
			assert_string_not_equal(
				vmmu_slot_error_name((enum vmmu_slot_error)a),
				vmmu_slot_error_name((enum vmmu_slot_error)b));
}

static void delete_move_and_change_flags(void **state)
{
	(void)state;
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x1000), VMMU_SLOT_OK);
	assert_int_equal(set(2, 0, 0x20000, 0x4000, 0x9000), VMMU_SLOT_OK);
	assert_int_equal(set(1, 0, 0x30000, 0x4000, 0x1000), VMMU_SLOT_OK);
	assert_null(at(0x10000));
	assert_int_equal(at(0x33fff)->id, 1);
	/* A move may overlap where the slot itself was. */
	assert_int_equal(set(1, 0, 0x31000, 0x4000, 0x1000), VMMU_SLOT_OK);
	assert_null(at(0x30000));
	assert_int_equal(set(2, VMMU_SLOT_READ_ONLY, 0x20000, 0x4000, 0x9000),
			 VMMU_SLOT_OK);
	assert_int_equal(at(0x20000)->flags, VMMU_SLOT_READ_ONLY);
	assert_int_equal(set(2, 0, 0, 0, 0), VMMU_SLOT_OK);
	assert_null(at(0x20000));
	assert_int_equal(set(1, 0, 0, 0, 0), VMMU_SLOT_OK);
	assert_null(at(0x31000));
	assert_int_equal(slots.count, 0);
}

static void capacity_is_a_power_of_two(void **state)
{
	(void)state;
	vmmu_slots_init(&slots, storage, 7);
	assert_int_equal(slots.capacity, 4);
	vmmu_slots_init(&slots, storage, 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(set(i, 0, i * 0x1000, 0x1000, 0),
				 VMMU_SLOT_OK);
	assert_int_equal(set(8, 0, 0x9000, 0x1000, 0), VMMU_SLOT_FULL);
	/* What is known already needs no room. */
	assert_int_equal(set(0, 0, 0x9000, 0x1000, 0), VMMU_SLOT_OK);
	assert_int_equal(at(0x9000)->id, 0);
	assert_int_equal(storage[8].id, 0xeeeeeeee);
}

/* What a listener saw: a line of letters, one each call. */
struct diary {
	char text[64];
	size_t used;
	char name;
	uint64_t probe; /* a gpa looked up from inside */
};

static void note(struct diary *d, char when, const struct vmmu_slot_change *c)
{
	assert_in_range(d->used, 0, sizeof(d->text) - 6);
	d->text[d->used++] = d->name;
	d->text[d->used++] = when;
	d->text[d->used++] = c->old ? 'o' : '-';
	d->text[d->used++] = c->now ? 'n' : '-';
	d->text[d->used++] = at(d->probe) ? '+' : '0';
	d->text[d->used] = 0;
}

static void before(void *ctx, const struct vmmu_slot_change *c)
{
	note(ctx, '<', c);
}

static void after(void *ctx, const struct vmmu_slot_change *c)
{
	note(ctx, '>', c);
}

static void listeners_hear_before_and_after(void **state)
{
	struct diary d = { .name = 'a', .probe = 0x10000 };
	struct vmmu_slot_listener l = { before, after, &d, NULL };

	(void)state;
	vmmu_slots_listen(&slots, &l);
	assert_int_equal(set(1, 0, 0x10000, 0x1000, 0), VMMU_SLOT_OK);
	assert_string_equal(d.text, "a<-n0a>-n+");
	d.used = 0;
	/* Setting what is so already is no change. */
	assert_int_equal(set(1, 0, 0x10000, 0x1000, 0), VMMU_SLOT_OK);
	assert_int_equal(d.used, 0);
	assert_int_equal(set(1, 1, 0x10000, 0x1000, 0), VMMU_SLOT_OK);
	assert_string_equal(d.text, "a<on+a>on+");
	d.used = 0;
	assert_int_equal(set(1, 1, 0x50000, 0x1000, 0), VMMU_SLOT_OK);
	assert_string_equal(d.text, "a<on+a>on0");
	d.used = 0;
	d.probe = 0x50000;
	assert_int_equal(set(2, 0, 0x50000, 0x1000, 0), VMMU_SLOT_OVERLAPS);
	assert_int_equal(d.used, 0);
	assert_int_equal(set(1, 0, 0, 0, 0), VMMU_SLOT_OK);
	assert_string_equal(d.text, "a<o-+a>o-0");
}

static void listeners_hear_in_order(void **state)
{
	struct diary d = { .name = 'a' }, e = { .name = 'b' };
	struct vmmu_slot_listener first = { before, NULL, &d, NULL };
	struct vmmu_slot_listener second = { before, after, &d, NULL };
	struct vmmu_slot_listener third = { NULL, after, &e, NULL };

	(void)state;
	vmmu_slots_listen(&slots, &first);
	vmmu_slots_listen(&slots, &second);
	vmmu_slots_listen(&slots, &third);
	assert_int_equal(set(1, 0, 0, 0x1000, 0), VMMU_SLOT_OK);
	assert_string_equal(d.text, "a<-n0a<-n0a>-n+");
	assert_string_equal(e.text, "b>-n+");
}

static const struct vmmu_slot *linear(uint64_t gpa)
{
	for (uint32_t i = 0; i < slots.count; i++)
		if (gpa >= storage[i].gpa.v &&
		    gpa - storage[i].gpa.v < storage[i].size)
			return &storage[i];
	return NULL;
}

/* Ends of each slot and the pages around them. */
static void check_around(uint32_t i)
{
	uint64_t first = storage[i].gpa.v, end = first + storage[i].size;
	uint64_t probe[] = { first,   first + 0xfff, first - 1,
			     end - 1, end,	     end + 0x1000 };

	for (size_t p = 0; p < sizeof(probe) / sizeof(probe[0]); p++)
		assert_ptr_equal(at(probe[p]), linear(probe[p]));
}

/* Slots of 1 to 3 pages with gaps of 0 to 2, added in a scrambled order. */
static void search_agrees_for_every_count(void **state)
{
	static const uint32_t counts[] = { 1,	2,   3,	  4,	5,    7,
					   8,	9,   15,  16,	17,   31,
					   32,	33,  63,  64,	65,   100,
					   127, 128, 129, 255,	256,  257,
					   511, 512, 513, 1024, 1500, 2048 };

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		uint32_t n = counts[c];

		vmmu_slots_init(&slots, storage, CAPACITY);
		for (uint32_t k = 0; k < n; k++) {
			uint32_t i = (uint32_t)(k * UINT64_C(1543) % n);
			uint64_t gpa = (i * UINT64_C(5) + i % 3) * 0x1000;

			/* 1543 is prime, so i takes each value once. */
			assert_int_equal(
				set(i, 0, gpa, (i % 3 + 1) * 0x1000, 0x10000),
				VMMU_SLOT_OK);
		}
		assert_int_equal(slots.count, n);
		for (uint32_t i = 0; i < n; i++)
			check_around(i);
		assert_null(at(UINT64_MAX));
	}
}

static void slots_at_the_ends_of_the_space(void **state)
{
	uint64_t last = UINT64_MAX - 0x1fff;

	(void)state;
	assert_int_equal(set(1, 0, 0, 0x1000, 0), VMMU_SLOT_OK);
	assert_int_equal(set(2, 0, last, 0x1000, 0), VMMU_SLOT_OK);
	assert_int_equal(set(3, 0, 0x5000, 0x1000, 0), VMMU_SLOT_OK);
	assert_int_equal(at(0)->id, 1);
	assert_int_equal(at(last)->id, 2);
	assert_null(at(last - 1));
	assert_null(at(last + 0x1000));
}

/* Random adds, deletes, moves and flags against a table by id. */
static void random_changes_agree_with_a_model(void **state)
{
	enum { PAGES = 64 };
	uint32_t owner[PAGES], seed = 12345;

	(void)state;
	memset(owner, 0xff, sizeof(owner));
	for (int round = 0; round < 4000; round++) {
		uint32_t id, first, size, i;
		enum vmmu_slot_error e;
		bool free_range = true;

		seed = seed * 1103515245 + 12345;
		id = seed >> 16 & 15;
		first = seed >> 20 & 63;
		size = id % 4 + 1; /* an id's size never changes */
		if ((seed >> 28) < 4)
			size = 0;
		if (first + size > PAGES)
			continue;
		for (i = first; i < first + size; i++)
			free_range &= owner[i] == UINT32_MAX || owner[i] == id;
		e = set(id, 0, first * 0x1000, size * 0x1000, 0);
		if (size && !free_range) {
			assert_int_equal(e, VMMU_SLOT_OVERLAPS);
			continue;
		}
		if (e == VMMU_SLOT_NOT_FOUND)
			continue;
		assert_int_equal(e, VMMU_SLOT_OK);
		for (i = 0; i < PAGES; i++)
			if (owner[i] == id)
				owner[i] = UINT32_MAX;
		for (i = first; i < first + size; i++)
			owner[i] = id;
		for (i = 0; i < PAGES; i++) {
			const struct vmmu_slot *s = at(i * 0x1000);

			assert_int_equal(s ? s->id : UINT32_MAX, owner[i]);
		}
	}
}

static void dirty_bits_only_where_they_belong(void **state)
{
	(void)state;
	memset(bitmap, 0, sizeof(bitmap));
	set(1, VMMU_SLOT_LOG_DIRTY, 0x10000, 0x80000, 0);
	set(2, 0, 0x100000, 0x1000, 0);
	vmmu_slot_mark_dirty(at(0x10000), mk_gfn(0x10));
	vmmu_slot_mark_dirty(at(0x10000), mk_gfn(0x10 + 65));
	vmmu_slot_mark_dirty(at(0x100000), mk_gfn(0x100));
	/* Not in the slot at all: the bitmap ends before. */
	vmmu_slot_mark_dirty(at(0x10000), mk_gfn(0x10 + 0x80));
	vmmu_slot_mark_dirty(at(0x10000), mk_gfn(0xf));
	assert_int_equal(bitmap[0], 1);
	assert_int_equal(bitmap[1], 2);
	assert_int_equal(bitmap[2] | bitmap[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty_set_finds_nothing, fresh),
		cmocka_unit_test_setup(add_and_translate, fresh),
		cmocka_unit_test_setup(refusals_have_names_and_leave_no_trace,
				       fresh),
		cmocka_unit_test_setup(log_needs_a_bitmap, fresh),
		cmocka_unit_test(every_error_has_its_own_name),
		cmocka_unit_test_setup(delete_move_and_change_flags, fresh),
		cmocka_unit_test_setup(capacity_is_a_power_of_two, fresh),
		cmocka_unit_test_setup(listeners_hear_before_and_after, fresh),
		cmocka_unit_test_setup(listeners_hear_in_order, fresh),
		cmocka_unit_test_setup(search_agrees_for_every_count, fresh),
		cmocka_unit_test_setup(slots_at_the_ends_of_the_space, fresh),
		cmocka_unit_test_setup(random_changes_agree_with_a_model,
				       fresh),
		cmocka_unit_test_setup(dirty_bits_only_where_they_belong,
				       fresh),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}

/* Making tables and putting leaves in, in every format. */
#include "table_rig.h"

static const unsigned all = VMMU_RWXU;

static void maps_what_was_asked_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;

	rig_setup(&r, f, 3);
	for (unsigned level = 1; level <= rig_max_leaf(f); level++) {
		uint64_t span = rig_span(&r, level), addr = 2 * span;

		assert_false(pt_walk(&r.t, addr, &w));
		assert_int_equal(pt_map_leaf(&r.t, addr, mk_hpa(span), level,
					     VMMU_R | VMMU_W, VMMU_WT, NULL),
				 PT_OK);
		assert_true(pt_walk(&r.t, addr + span - 1, &w));
		assert_int_equal(w.level, level);
		assert_int_equal(w.out, 2 * span - 1);
		assert_int_equal(w.perms & (VMMU_R | VMMU_W), VMMU_R | VMMU_W);
		assert_int_equal(w.type, VMMU_WT);
		assert_false(pt_walk(&r.t, addr - 1, &w));
		assert_false(pt_walk(&r.t, addr + span, &w));
		rig_check(&r);
	}
	rig_teardown(&r);
}
EACH(maps_what_was_asked)

static void refuses_what_does_not_fit_in(const struct pt_format *f)
{
	const struct pt_level *root = &f->level[f->levels];
	uint64_t end = UINT64_C(1) << (root->shift + root->index_bits);
	struct rig r;
	struct pt_walk w;

	rig_setup(&r, f, 2);
	assert_int_equal(
		pt_map_leaf(&r.t, 0x800, mk_hpa(0), 1, all, VMMU_WB, NULL),
		PT_BAD_RANGE);
	assert_int_equal(
		pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 2, all, VMMU_WB, NULL),
		PT_BAD_RANGE);
	assert_int_equal(
		pt_map_leaf(&r.t, 0x1000, mk_hpa(0), 2, all, VMMU_WB, NULL),
		PT_BAD_RANGE);
	assert_int_equal(pt_map_leaf(&r.t, 0, mk_hpa(0), 3, all, VMMU_WB, NULL),
			 PT_BAD_RANGE);
	assert_int_equal(pt_map_leaf(&r.t, 0, mk_hpa(0), 0, all, VMMU_WB, NULL),
			 PT_BAD_RANGE);
	assert_int_equal(pt_map_leaf(&r.t, 0, mk_hpa(UINT64_C(1) << 52), 1, all,
				     VMMU_WB, NULL),
			 PT_BAD_RANGE);
	assert_int_equal(
		pt_map_leaf(&r.t, end, mk_hpa(0), 1, all, VMMU_WB, NULL),
		PT_BAD_RANGE);
	assert_int_equal(
		pt_map(&r.t, end - 0x1000, 0x2000, mk_hpa(0), all, VMMU_WB),
		PT_BAD_RANGE);
	assert_int_equal(pt_map(&r.t, 0x1000, UINT64_MAX - 0xfff, mk_hpa(0),
				all, VMMU_WB),
			 PT_BAD_RANGE);
	assert_int_equal(pt_map(&r.t, 0, 0, mk_hpa(0), all, VMMU_WB),
			 PT_BAD_RANGE);
	assert_false(pt_walk(&r.t, end, &w));
	assert_int_equal(r.pool.used, 1);
	assert_int_equal(pt_map_leaf(&r.t, end - 0x1000, mk_hpa(0x1000), 1, all,
				     VMMU_WB, NULL),
			 PT_OK);
	assert_true(pt_walk(&r.t, end - 1, &w));
	rig_teardown(&r);
}
EACH(refuses_what_does_not_fit)

/* Only a loss needs a flush; a gain does not. */
static void tells_whether_something_was_taken_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	bool taken = true;

	rig_setup(&r, f, 2);
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, VMMU_R, VMMU_WB, &taken);
	assert_false(taken);
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, VMMU_R | VMMU_W, VMMU_WB,
		    &taken);
	assert_false(taken);
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, VMMU_R, VMMU_WB, &taken);
	assert_true(taken);
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, VMMU_R, VMMU_WB, &taken);
	assert_false(taken);
	pt_map_leaf(&r.t, 0, mk_hpa(0x2000), 1, VMMU_R, VMMU_WB, &taken);
	assert_true(taken);
	pt_map_leaf(&r.t, 0, mk_hpa(0x2000), 1, VMMU_R, VMMU_UC, &taken);
	assert_true(taken);
	/* A table gives way to a leaf, and is freed. */
	pt_map_leaf(&r.t, 0, mk_hpa(0), 2, VMMU_R, VMMU_WB, &taken);
	assert_true(taken);
	assert_true(pt_walk(&r.t, 0x1000, &w));
	assert_int_equal(w.level, 2);
	rig_check(&r);
	rig_teardown(&r);
}
EACH(tells_whether_something_was_taken)

/* Hardware's A and D outlive a change of permissions, not one of frames. */
static void keeps_accessed_and_dirty_in(const struct pt_format *f)
{
	const struct pt_level *row = &f->level[1];
	struct rig r;
	struct pt_walk w;
	uint64_t ad = row->accessed | row->dirty;

	rig_setup(&r, f, 2);
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, all, VMMU_WB, NULL);
	assert_true(pt_walk(&r.t, 0, &w));
	if (f->entry_size == 8)
		*w.slot |= ad;
	else
		*(uint32_t *)(void *)w.slot |= (uint32_t)ad;
	pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, VMMU_R, VMMU_WB, NULL);
	assert_true(pt_walk(&r.t, 0, &w));
	assert_int_equal(w.entry & ad, ad);
	pt_map_leaf(&r.t, 0, mk_hpa(0x2000), 1, VMMU_R, VMMU_WB, NULL);
	assert_true(pt_walk(&r.t, 0, &w));
	assert_int_equal(w.entry & ad, 0);
	rig_teardown(&r);
}
EACH(keeps_accessed_and_dirty)

static void maps_ranges_with_the_largest_leaves_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	uint64_t span;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	/* One page, one large leaf, two pages. */
	assert_int_equal(pt_map(&r.t, 3 * span - 0x1000, span + 0x3000,
				mk_hpa(span - 0x1000), all, VMMU_WB),
			 PT_OK);
	assert_int_equal(r.t.leaves[1], 3);
	assert_int_equal(r.t.leaves[2], 1);
	for (uint64_t a = 0; a < span + 0x3000; a += 0x1000) {
		assert_true(pt_walk(&r.t, 3 * span - 0x1000 + a, &w));
		assert_int_equal(w.out, span - 0x1000 + a);
	}
	/* Again, over a table: into it, not instead of it. */
	assert_int_equal(
		pt_map(&r.t, 2 * span, span, mk_hpa(5 * span), all, VMMU_WB),
		PT_OK);
	assert_int_equal(r.t.leaves[2], 1);
	assert_int_equal(r.t.leaves[1], 2 + span / VMMU_PAGE_SIZE);
	rig_check(&r);
	/* Not congruent: no large leaf anywhere. */
	assert_int_equal(
		pt_map(&r.t, 8 * span, span, mk_hpa(0x1000), all, VMMU_WB),
		PT_OK);
	assert_int_equal(r.t.leaves[2], 1);
	rig_teardown(&r);
}
EACH(maps_ranges_with_the_largest_leaves)

/* For each n: the n-th page is refused, nothing is half done, and the same
 * call later succeeds. */
static void does_nothing_by_halves_in(const struct pt_format *f)
{
	struct pt_walk w;
	struct rig r;

	for (unsigned n = 1; n < f->levels; n++) {
		rig_setup(&r, f, 2);
		r.lab.fail_table_at = n;
		assert_int_equal(pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, all,
					     VMMU_WB, NULL),
				 PT_NO_MEMORY);
		assert_int_equal(r.pool.used, 1);
		rig_check(&r);
		assert_int_equal(pt_map_leaf(&r.t, 0, mk_hpa(0x1000), 1, all,
					     VMMU_WB, NULL),
				 PT_OK);
		assert_true(pt_walk(&r.t, 0, &w));
		rig_teardown(&r);
	}
}
EACH(does_nothing_by_halves)

static void a_table_with_no_root_is_not_made(void **state)
{
	struct rig r;
	struct pt_table t;

	(void)state;
	rig_setup(&r, &pt_npt, 3);
	r.lab.fail_table_at = 1;
	assert_int_equal(pt_table_init(&t, &pt_ept, &r.pool, 3), PT_NO_MEMORY);
	rig_teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_what_was_asked),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(tells_whether_something_was_taken),
		cmocka_unit_test(keeps_accessed_and_dirty),
		cmocka_unit_test(maps_ranges_with_the_largest_leaves),
		cmocka_unit_test(does_nothing_by_halves),
		cmocka_unit_test(a_table_with_no_root_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

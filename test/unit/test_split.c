/* Split and merge: that neither changes what a walk finds. */
#include "table_rig.h"

static const unsigned all = VMMU_RWXU;

static void set_bits(const struct rig *r, const struct pt_walk *w,
		     uint64_t bits)
{
	if (r->t.format->entry_size == 8)
		*w->slot |= bits;
	else
		*(uint32_t *)(void *)w->slot |= (uint32_t)bits;
}

static uint64_t parts_of(const struct rig *r, unsigned level)
{
	return UINT64_C(1) << r->t.format->level[level - 1].index_bits;
}

/* Every page of the leaf at 0 is still there, with what the leaf had. */
static void expect_same(const struct rig *r, unsigned level, uint64_t hpa,
			const struct pt_walk *was)
{
	const struct pt_level *from = &r->t.format->level[was->level];
	struct pt_walk w;

	for (uint64_t a = 0; a < rig_span(r, level); a += rig_span(r, 1)) {
		const struct pt_level *to;

		assert_true(pt_walk(&r->t, a, &w));
		assert_int_equal(w.out, hpa + a);
		assert_int_equal(w.perms, was->perms);
		assert_int_equal(w.type, was->type);
		to = &r->t.format->level[w.level];
		if (from->accessed && to->accessed)
			assert_int_equal(!!(w.entry & to->accessed),
					 !!(was->entry & from->accessed));
		if (from->dirty && to->dirty)
			assert_int_equal(!!(w.entry & to->dirty),
					 !!(was->entry & from->dirty));
		/* Neighbouring 1 GiB leaves would take long, page by page. */
		if (level == 3)
			a += rig_span(r, 1) * 4099;
	}
}

static void split_there(struct rig *r, unsigned level, unsigned perms,
			enum vmmu_memtype type, uint64_t ad)
{
	uint64_t hpa = 2 * rig_span(r, level);
	struct pt_walk was, w;
	bool changed;

	assert_int_equal(
		pt_map_leaf(&r->t, 0, mk_hpa(hpa), level, perms, type, NULL),
		PT_OK);
	assert_true(pt_walk(&r->t, 0, &was));
	set_bits(r, &was, ad);
	assert_true(pt_walk(&r->t, 0, &was));
	/* A page with other rights forces the split; then give them back. */
	pt_map_leaf(&r->t, 0x5000, mk_hpa(0), 1, all, VMMU_WB, NULL);
	assert_true(pt_walk(&r->t, 0x4000, &w));
	assert_int_equal(w.level, 1);
	assert_int_equal(pt_map_leaf(&r->t, 0x5000, mk_hpa(hpa + 0x5000), 1,
				     perms, type, NULL),
			 PT_OK);
	pt_walk(&r->t, 0x5000, &w);
	set_bits(r, &w,
		 (ad & r->t.format->level[level].accessed
			  ? r->t.format->level[1].accessed
			  : 0) |
			 (ad & r->t.format->level[level].dirty
				  ? r->t.format->level[1].dirty
				  : 0));
	expect_same(r, level, hpa, &was);
	rig_check(r);
	assert_int_equal(pt_unmap(&r->t, 0, rig_span(r, level), &changed),
			 PT_OK);
}

static void splits_say_the_same_in(const struct pt_format *f)
{
	static const uint8_t types[] = { VMMU_WB, VMMU_UC, VMMU_WT };
	struct rig r;

	rig_setup(&r, f, 3);
	for (unsigned level = 2; level <= rig_max_leaf(f); level++) {
		const struct pt_level *row = &f->level[level];

		for (unsigned perms = 1; perms < 16; perms += 2) {
			split_there(&r, level, perms, types[perms % 3], 0);
			split_there(&r, level, perms, types[perms % 3],
				    row->accessed);
			split_there(&r, level, perms, types[perms % 3],
				    row->accessed | row->dirty);
		}
	}
	rig_teardown(&r);
}
EACH(splits_say_the_same)

static void merge_undoes_a_split_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk was, w;

	rig_setup(&r, f, 3);
	for (unsigned level = 2; level <= rig_max_leaf(f); level++) {
		uint64_t hpa = 3 * rig_span(&r, level);

		pt_map_leaf(&r.t, 0, mk_hpa(hpa), level, VMMU_R | VMMU_W,
			    VMMU_WB, NULL);
		pt_walk(&r.t, 0, &was);
		/* Down to level 1 at both of two places, then up again. */
		pt_map_leaf(&r.t, 0x1000, mk_hpa(hpa + 0x1000), 1,
			    VMMU_R | VMMU_W, VMMU_WB, NULL);
		for (unsigned up = 2; up <= level; up++)
			assert_true(pt_merge(&r.t, 0x1000, up));
		assert_true(pt_walk(&r.t, 0, &w));
		assert_int_equal(w.level, level);
		assert_int_equal(w.entry, was.entry);
		rig_check(&r);
		assert_false(pt_merge(&r.t, 0, level));
		pt_unmap(&r.t, 0, rig_span(&r, level), NULL);
	}
	rig_teardown(&r);
}
EACH(merge_undoes_a_split)

/* D of any part is D of the whole: it must not be lost. */
static void merge_joins_accessed_and_dirty_in(const struct pt_format *f)
{
	const struct pt_level *row = &f->level[2], *part = &f->level[1];
	struct rig r;
	struct pt_walk w;
	uint64_t span;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	pt_map_leaf(&r.t, 0, mk_hpa(span), 2, all, VMMU_WB, NULL);
	pt_map_leaf(&r.t, 0, mk_hpa(span), 1, all, VMMU_WB, NULL);
	pt_walk(&r.t, 0x3000, &w);
	set_bits(&r, &w, part->accessed);
	pt_walk(&r.t, span - 1, &w);
	set_bits(&r, &w, part->dirty);
	assert_true(pt_merge(&r.t, 0, 2));
	pt_walk(&r.t, 0, &w);
	assert_int_equal(w.entry & (row->accessed | row->dirty),
			 row->accessed | row->dirty);
	rig_teardown(&r);
}
EACH(merge_joins_accessed_and_dirty)

/* One odd page out of the table's, wherever it is, forbids it. */
static void merge_refuses_what_is_not_alike_in(const struct pt_format *f)
{
	struct rig r;
	uint64_t span;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	for (uint64_t i = 0; i < parts_of(&r, 2); i += 37) {
		uint64_t at = i * 0x1000;

		for (unsigned odd = 0; odd < 4; odd++) {
			pt_map_leaf(&r.t, 0, mk_hpa(span), 2, all, VMMU_WB,
				    NULL);
			if (odd == 0)
				pt_map_leaf(&r.t, at, mk_hpa(0), 1, all,
					    VMMU_WB, NULL);
			else if (odd == 1)
				pt_protect(&r.t, at, 0x1000, VMMU_W, NULL);
			else if (odd == 2)
				pt_unmap(&r.t, at, 0x1000, NULL);
			else
				pt_map_leaf(&r.t, at, mk_hpa(span + at), 1, all,
					    VMMU_UC, NULL);
			assert_false(pt_merge(&r.t, 0, 2));
			rig_check(&r);
		}
	}
	/* Contiguous and alike, but from a frame that is not aligned. */
	pt_unmap(&r.t, 0, span, NULL);
	pt_map(&r.t, 0, span, mk_hpa(0x1000), all, VMMU_WB);
	assert_false(pt_merge(&r.t, 0, 2));
	/* Nothing there, or levels that hold no leaf. */
	assert_false(pt_merge(&r.t, 4 * span, 2));
	assert_false(pt_merge(&r.t, 0, 1));
	assert_false(pt_merge(&r.t, 0, 0));
	assert_false(pt_merge(&r.t, 0, 3));
	rig_teardown(&r);
}
EACH(merge_refuses_what_is_not_alike)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_say_the_same),
		cmocka_unit_test(merge_undoes_a_split),
		cmocka_unit_test(merge_joins_accessed_and_dirty),
		cmocka_unit_test(merge_refuses_what_is_not_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Unmap and protect, and the whole engine against a model: an array that says
 * for each page of a window what a walk must find. Random calls are made to
 * both, and then every page is compared.
 */
#include "table_rig.h"

static const unsigned all = VMMU_RWXU;

/* 1. By example. */

static void cuts_at_both_ends_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	uint64_t span;
	bool changed;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	pt_map(&r.t, 0, 4 * span, mk_hpa(4 * span), all, VMMU_WB);
	assert_int_equal(r.t.leaves[2], 4);
	assert_int_equal(pt_unmap(&r.t, span - 0x1000, span + 0x2000, &changed),
			 PT_OK);
	assert_true(changed);
	assert_int_equal(r.t.leaves[2], 1);
	assert_true(pt_walk(&r.t, span - 0x1001, &w));
	assert_int_equal(w.level, 1);
	assert_int_equal(w.out, 5 * span - 0x1001);
	assert_false(pt_walk(&r.t, span - 0x1000, &w));
	assert_false(pt_walk(&r.t, 2 * span + 0xfff, &w));
	assert_true(pt_walk(&r.t, 2 * span + 0x1000, &w));
	assert_int_equal(w.out, 6 * span + 0x1000);
	rig_check(&r);
	rig_teardown(&r);
}
EACH(cuts_at_both_ends)

static void frees_tables_that_became_empty_in(const struct pt_format *f)
{
	struct rig r;
	bool changed;

	rig_setup(&r, f, 2);
	pt_map_leaf(&r.t, 0, mk_hpa(0), 1, all, VMMU_WB, NULL);
	pt_map_leaf(&r.t, 0x1000, mk_hpa(0), 1, all, VMMU_WB, NULL);
	assert_int_equal(r.pool.used, f->levels);
	assert_int_equal(pt_unmap(&r.t, 0, 0x1000, &changed), PT_OK);
	assert_int_equal(r.pool.used, f->levels);
	assert_int_equal(pt_unmap(&r.t, 0x1000, 0x1000, &changed), PT_OK);
	assert_int_equal(r.pool.used, 1);
	assert_true(changed);
	assert_int_equal(pt_unmap(&r.t, 0, 0x100000, &changed), PT_OK);
	assert_false(changed);
	rig_teardown(&r);
}
EACH(frees_tables_that_became_empty)

/* With no page to split into, the large leaf goes: less, never wrong. */
static void loses_the_leaf_it_cannot_split_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	uint64_t span;
	bool changed = false;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	for (unsigned verb = 0; verb < 2; verb++) {
		pt_map(&r.t, 0, 3 * span, mk_hpa(0), all, VMMU_WB);
		r.pool.limit = r.pool.used;
		if (verb == 0)
			pt_unmap(&r.t, span, 0x1000, &changed);
		else
			pt_protect(&r.t, span + 0x1000, 0x1000, VMMU_W,
				   &changed);
		assert_true(changed);
		assert_true(pt_walk(&r.t, span - 1, &w));
		assert_false(pt_walk(&r.t, span, &w));
		assert_false(pt_walk(&r.t, 2 * span - 1, &w));
		assert_true(pt_walk(&r.t, 2 * span, &w));
		rig_check(&r);
		r.pool.limit = RIG_LIMIT;
	}
	rig_teardown(&r);
}
EACH(loses_the_leaf_it_cannot_split)

static void protect_splits_only_what_it_changes_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	uint64_t span;
	bool changed;

	rig_setup(&r, f, 2);
	span = rig_span(&r, 2);
	pt_map(&r.t, 0, 2 * span, mk_hpa(0), all, VMMU_WB);
	assert_int_equal(pt_protect(&r.t, 0, 2 * span, VMMU_W, &changed),
			 PT_OK);
	assert_true(changed);
	assert_int_equal(r.t.leaves[2], 2);
	assert_true(pt_walk(&r.t, 0, &w));
	assert_int_equal(w.perms & (VMMU_R | VMMU_W), VMMU_R);
	assert_int_equal(pt_protect(&r.t, 0x1000, span, VMMU_W, &changed),
			 PT_OK);
	assert_false(changed);
	assert_int_equal(r.t.leaves[2], 2);
	/* Taking everything from a leaf takes the leaf. */
	assert_int_equal(pt_protect(&r.t, 0, span, all, &changed), PT_OK);
	assert_true(changed);
	pt_walk(&r.t, 0, &w);
	assert_int_equal(w.perms, 0);
	rig_check(&r);
	/* A table that was left empty is still cached: its end is a change. */
	pt_map_leaf(&r.t, 2 * span, mk_hpa(0), 1, VMMU_R, VMMU_WB, NULL);
	pt_protect(&r.t, 2 * span, span, all, NULL);
	if (!pt_walk(&r.t, 2 * span, &w)) {
		pt_unmap(&r.t, 2 * span, span, &changed);
		assert_true(changed);
	}
	rig_teardown(&r);
}
EACH(protect_splits_only_what_it_changes)

static void refuses_bad_ranges_in(const struct pt_format *f)
{
	struct rig r;

	rig_setup(&r, f, 2);
	assert_int_equal(pt_unmap(&r.t, 0x800, 0x1000, NULL), PT_BAD_RANGE);
	assert_int_equal(pt_unmap(&r.t, 0, 0x800, NULL), PT_BAD_RANGE);
	assert_int_equal(pt_unmap(&r.t, UINT64_MAX - 0xfff, 0x1000, NULL),
			 PT_BAD_RANGE);
	assert_int_equal(pt_protect(&r.t, 0, 0, VMMU_W, NULL), PT_BAD_RANGE);
	rig_teardown(&r);
}
EACH(refuses_bad_ranges)

/* 2. Against the model. */

#define PAGES 4096u

struct model {
	bool there;
	uint8_t perms;
	uint8_t type;
	uint64_t out;
};

struct trial {
	struct rig r;
	struct model page[PAGES];
	uint64_t seed;
	uint64_t base; /* address of page 0 */
};

/* What the format makes of these permissions. */
static uint8_t expressible(const struct trial *x, unsigned perms)
{
	const struct pt_level *row = &x->r.t.format->level[1];

	return (uint8_t)pt_entry_perms(row,
				       pt_make_leaf(row, 0, perms, VMMU_WB));
}

static void compare(struct trial *x)
{
	struct pt_walk w;

	for (unsigned i = 0; i < PAGES; i++) {
		const struct model *m = &x->page[i];

		assert_int_equal(pt_walk(&x->r.t, x->base + i * 4096ul, &w),
				 m->there);
		if (!m->there)
			continue;
		assert_int_equal(w.out, m->out);
		assert_int_equal(w.perms, m->perms);
		assert_int_equal(w.type, m->type);
	}
	rig_check(&x->r);
}

static void model_map(struct trial *x, unsigned first, unsigned count,
		      uint64_t hpa, unsigned perms, uint8_t type)
{
	for (unsigned i = 0; i < count; i++)
		x->page[first + i] = (struct model){
			.there = true,
			.perms = expressible(x, perms),
			.type = type,
			.out = hpa + i * 4096ul,
		};
}

static unsigned pick(struct trial *x, unsigned below)
{
	return (unsigned)(rig_random(&x->seed) >> 16) % below;
}

/* A range that likes the edges of large leaves. */
static void pick_range(struct trial *x, unsigned *first, unsigned *count)
{
	unsigned large = (unsigned)(rig_span(&x->r, 2) / 4096);

	*first = pick(x, PAGES);
	*count = 1 + pick(x, pick(x, 4) ? 64 : PAGES);
	if (!pick(x, 3))
		*first -= *first % large;
	if (!pick(x, 3))
		*count = large * (1 + pick(x, 2));
	if (*count > PAGES - *first)
		*count = PAGES - *first;
}

static void do_map(struct trial *x, unsigned first, unsigned count)
{
	static const uint8_t types[] = { VMMU_WB, VMMU_UC, VMMU_WT };
	uint64_t addr = x->base + first * 4096ul;
	uint64_t in = rig_span(&x->r, 2) - 1;
	uint64_t hpa = (rig_random(&x->seed) & 0x7ffff000) & ~in;
	unsigned perms = VMMU_R | pick(x, 16);
	uint8_t type = types[pick(x, 3)];

	hpa += pick(x, 4) ? addr & in : 4096ul * pick(x, 512);
	assert_int_equal(pt_map(&x->r.t, addr, count * 4096ul, mk_hpa(hpa),
				perms, (enum vmmu_memtype)type),
			 PT_OK);
	model_map(x, first, count, hpa, perms, type);
}

static void do_leaf(struct trial *x, unsigned first)
{
	unsigned level = 1 + pick(x, 2);
	unsigned count = (unsigned)(rig_span(&x->r, level) / 4096);
	uint64_t hpa = rig_span(&x->r, level) * pick(x, 200);
	unsigned perms = VMMU_R | pick(x, 16);

	first -= first % count;
	assert_int_equal(pt_map_leaf(&x->r.t, x->base + first * 4096ul,
				     mk_hpa(hpa), level, perms, VMMU_WB, NULL),
			 PT_OK);
	model_map(x, first, count, hpa, perms, VMMU_WB);
}

static void do_unmap(struct trial *x, unsigned first, unsigned count)
{
	bool changed, had = false;

	assert_int_equal(pt_unmap(&x->r.t, x->base + first * 4096ul,
				  count * 4096ul, &changed),
			 PT_OK);
	for (unsigned i = 0; i < count; i++) {
		had |= x->page[first + i].there;
		x->page[first + i].there = false;
	}
	assert_int_equal(changed, had);
}

static void do_protect(struct trial *x, unsigned first, unsigned count)
{
	unsigned take = pick(x, 16) & ~VMMU_R;
	bool changed, differs = false;

	assert_int_equal(pt_protect(&x->r.t, x->base + first * 4096ul,
				    count * 4096ul, take, &changed),
			 PT_OK);
	for (unsigned i = 0; i < count; i++) {
		struct model *m = &x->page[first + i];
		uint8_t now = expressible(x, m->perms & ~take);

		differs |= m->there && now != m->perms;
		m->perms = now;
	}
	assert_int_equal(changed, differs);
}

static void do_merge(struct trial *x, unsigned first)
{
	uint64_t before = x->r.t.leaves[2];
	bool merged = pt_merge(&x->r.t, x->base + first * 4096ul, 2);

	assert_int_equal(x->r.t.leaves[2], before + merged);
}

static void step(struct trial *x)
{
	unsigned first, count;

	pick_range(x, &first, &count);
	switch (pick(x, 6)) {
	case 0:
	case 1:
		do_map(x, first, count);
		break;
	case 2:
		do_leaf(x, first);
		break;
	case 3:
		do_unmap(x, first, count);
		break;
	case 4:
		do_protect(x, first, count);
		break;
	default:
		do_merge(x, first);
		break;
	}
}

static void agrees_with_the_model_in(const struct pt_format *f)
{
	struct trial *x = calloc(1, sizeof(*x));

	rig_setup(&x->r, f, 2);
	x->seed = UINT64_C(0x853c49e6748fea9b);
	/* Across the edge of the tables of level 2 and, in most, 3. */
	x->base = UINT64_C(1) << (f->level[2].shift + f->level[2].index_bits);
	x->base = f->levels > 2 ? x->base - PAGES / 2 * 4096ul : 0;
	for (unsigned i = 0; i < 300; i++) {
		step(x);
		compare(x);
	}
	rig_teardown(&x->r);
	free(x);
}
EACH(agrees_with_the_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_at_both_ends),
		cmocka_unit_test(frees_tables_that_became_empty),
		cmocka_unit_test(loses_the_leaf_it_cannot_split),
		cmocka_unit_test(protect_splits_only_what_it_changes),
		cmocka_unit_test(refuses_bad_ranges),
		cmocka_unit_test(agrees_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

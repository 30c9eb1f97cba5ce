/* Walk and visit: order, bounds, early end. */
#include "table_rig.h"

struct log {
	struct pt_visit seen[64];
	unsigned count;
	unsigned stop_at; /* 0: never */
};

static bool record(void *ctx, const struct pt_visit *v)
{
	struct log *log = ctx;

	assert_true(log->count < 64);
	log->seen[log->count++] = *v;
	return log->count != log->stop_at;
}

/* Two pages at each end of one large leaf. */
static void fill(struct rig *r)
{
	uint64_t span = rig_span(r, 2);

	assert_int_equal(pt_map(&r->t, 2 * span - 0x2000, span + 0x4000,
				mk_hpa(span - 0x2000), VMMU_RWXU, VMMU_WB),
			 PT_OK);
}

static void sees_each_leaf_in_order_in(const struct pt_format *f)
{
	struct log log = { .count = 0 };
	struct rig r;
	uint64_t span;

	rig_setup(&r, f, 2);
	fill(&r);
	span = rig_span(&r, 2);
	assert_true(pt_visit(&r.t, 0, UINT64_MAX, PT_VISIT_LEAF, record, &log));
	assert_int_equal(log.count, 5);
	assert_int_equal(log.seen[0].addr, 2 * span - 0x2000);
	assert_int_equal(log.seen[1].addr, 2 * span - 0x1000);
	assert_int_equal(log.seen[2].addr, 2 * span);
	assert_int_equal(log.seen[2].level, 2);
	assert_int_equal(log.seen[3].addr, 3 * span);
	assert_int_equal(log.seen[4].addr, 3 * span + 0x1000);
	assert_int_equal(log.seen[4].level, 1);
	for (unsigned i = 0; i < log.count; i++) {
		struct pt_walk w;

		assert_true(pt_walk(&r.t, log.seen[i].addr, &w));
		assert_ptr_equal(log.seen[i].slot, w.slot);
		assert_int_equal(log.seen[i].entry, w.entry);
		assert_int_equal(log.seen[i].when, PT_VISIT_LEAF);
	}
	rig_teardown(&r);
}
EACH(sees_each_leaf_in_order)

static void brackets_tables_in(const struct pt_format *f)
{
	struct log log = { .count = 0 };
	struct rig r;
	unsigned depth = 0;

	rig_setup(&r, f, 2);
	fill(&r);
	assert_true(pt_visit(&r.t, 0, UINT64_MAX,
			     PT_VISIT_LEAF | PT_VISIT_PRE | PT_VISIT_POST,
			     record, &log));
	/* Every table but the root, once on the way in and once out. */
	assert_int_equal(log.count, 5 + 2 * (r.pool.used - 1));
	for (unsigned i = 0; i < log.count; i++) {
		if (log.seen[i].when == PT_VISIT_POST)
			depth--;
		assert_int_equal(log.seen[i].level, f->levels - depth);
		if (log.seen[i].when == PT_VISIT_PRE)
			depth++;
	}
	assert_int_equal(depth, 0);
	rig_teardown(&r);
}
EACH(brackets_tables)

static void keeps_to_the_range_in(const struct pt_format *f)
{
	struct log log = { .count = 0 };
	struct rig r;
	uint64_t span;

	rig_setup(&r, f, 2);
	fill(&r);
	span = rig_span(&r, 2);
	/* A leaf that the range only touches is seen whole. */
	pt_visit(&r.t, 3 * span - 1, 2, PT_VISIT_LEAF, record, &log);
	assert_int_equal(log.count, 2);
	assert_int_equal(log.seen[0].addr, 2 * span);
	assert_int_equal(log.seen[1].addr, 3 * span);
	log.count = 0;
	pt_visit(&r.t, 0, 2 * span - 0x2000, PT_VISIT_LEAF, record, &log);
	pt_visit(&r.t, 3 * span + 0x2000, span, PT_VISIT_LEAF, record, &log);
	pt_visit(&r.t, 0, 0, PT_VISIT_LEAF, record, &log);
	pt_visit(&r.t, UINT64_MAX - 1, 1, PT_VISIT_LEAF, record, &log);
	assert_int_equal(log.count, 0);
	rig_teardown(&r);
}
EACH(keeps_to_the_range)

static void ends_when_told_in(const struct pt_format *f)
{
	struct log log = { .stop_at = 3 };
	struct rig r;

	rig_setup(&r, f, 2);
	fill(&r);
	assert_false(pt_visit(&r.t, 0, UINT64_MAX,
			      PT_VISIT_LEAF | PT_VISIT_PRE | PT_VISIT_POST,
			      record, &log));
	assert_int_equal(log.count, 3);
	rig_teardown(&r);
}
EACH(ends_when_told)

static void a_walk_says_where_it_ended_in(const struct pt_format *f)
{
	struct rig r;
	struct pt_walk w;
	uint64_t span;

	rig_setup(&r, f, 2);
	assert_false(pt_walk(&r.t, 0, &w));
	assert_int_equal(w.level, f->levels);
	assert_int_equal(w.entry, 0);
	fill(&r);
	span = rig_span(&r, 2);
	assert_false(pt_walk(&r.t, 3 * span + 0x2000, &w));
	assert_int_equal(w.level, 1);
	assert_non_null(w.slot);
	assert_true(pt_walk(&r.t, 2 * span + 0x1234, &w));
	assert_int_equal(w.level, 2);
	assert_int_equal(w.out, span + 0x1234);
	rig_teardown(&r);
}
EACH(a_walk_says_where_it_ended)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_each_leaf_in_order),
		cmocka_unit_test(brackets_tables),
		cmocka_unit_test(keeps_to_the_range),
		cmocka_unit_test(ends_when_told),
		cmocka_unit_test(a_walk_says_where_it_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

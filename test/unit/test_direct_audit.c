/*
 * The audit of direct paging finds what it is there for: one thing at a time
 * is made wrong behind the library's back, and must be named by its number.
 */
#include "direct_test.h"

struct found {
	unsigned invariant; /* of the first breach */
	uint64_t breaches;
};

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	struct found *f = ctx;

	(void)sentence;
	(void)addr;
	(void)entry;
	if (!f->breaches++)
		f->invariant = invariant;
}

/* The first breach's number; 0: none. Twice: the counts are back. */
static unsigned audit(struct direct_rig *r)
{
	struct found first = { 0 }, again = { 0 };
	struct vmmu_audit a = { .breach = breach, .ctx = &first };
	struct vmmu_audit b = { .breach = breach, .ctx = &again };

	vmmu_audit(&r->vm[0].vm, &a);
	vmmu_audit(&r->vm[0].vm, &b);
	assert_int_equal(a.breaches, b.breaches);
	assert_int_equal(first.invariant, again.invariant);
	assert_true(a.entries >= 3 * 512);
	return first.invariant;
}

static void a_good_vm_has_no_breach(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	assert_int_equal(audit(r), 0);
	direct_rig_free(r);
}

/* *at is `bad` for one audit, and then what it was. */
static void expect(struct direct_rig *r, uint64_t *at, uint64_t bad,
		   unsigned invariant)
{
	uint64_t was = *at;

	*at = bad;
	assert_int_equal(audit(r), invariant);
	*at = was;
	assert_int_equal(audit(r), 0);
}

static void wrong_entries_are_named(void **state)
{
	struct direct_rig *r = direct_rig();
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3));
	uint64_t *l2 = rig_page(r, rig_hfn(0, 2));
	uint64_t *l4 = rig_page(r, rig_hfn(0, 0));

	(void)state;
	/* Bits. */
	expect(r, &l1[RIG_DATA], l1[RIG_DATA] | 0x10, 1);
	expect(r, &l1[RIG_DATA], l1[RIG_DATA] & ~U, 1);
	expect(r, &l2[0], l2[0] | PS, 1);
	expect(r, &l2[9], rig_to(1, 9, W), 1);
	expect(r, &l4[256], 0, 1);
	/* Owners. */
	expect(r, &l1[RIG_DATA], rig_to(1, RIG_DATA, RO | U), 2);
	expect(r, &l1[300], rig_entry(RIG_FIRST, RO | U), 2);
	expect(r, &l2[9], rig_to(1, 3, P | W | U), 2);
	expect(r, &r->vm[0].p2m[5], rig_hfn(1, 5), 2);
	expect(r, &r->vm[0].p2m[5], rig_hfn(0, 6), 2);
	/* Types, and uses that are not counted. */
	expect(r, &l1[3], l1[3] | W, 5);
	expect(r, &l1[300], rig_to(0, RIG_DATA, RO | U), 5);
	expect(r, &l1[RIG_DATA], 0, 5);
	expect(r, &l2[9], rig_to(0, 3, P | W | U), 5);
	/* Hardware sets A, also in the hypervisor's slots. */
	expect(r, &l4[256], l4[256] | A, 0);
	direct_rig_free(r);
}

static void wrong_counts_are_named(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	for (uint64_t gfn = 0; gfn < RIG_DATA + 2; gfn++) {
		struct vmmu_frame *f = rig_frame(r, 0, gfn), was = *f;

		f->total_count++;
		assert_int_equal(audit(r), 5);
		f->total_count -= 2;
		assert_int_equal(audit(r), 5);
		*f = was;
		f->type_count++;
		assert_int_equal(audit(r), 5);
		*f = was;
		f->flags ^= VMMU_FRAME_PINNED;
		assert_int_equal(audit(r), 5);
		*f = was;
	}
	assert_int_equal(audit(r), 0);
	direct_rig_free(r);
}

static void wrong_states_are_named(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_frame *f = rig_frame(r, 0, 3);

	(void)state;
	f->flags = 0;
	assert_int_equal(audit(r), 5);
	f->flags = VMMU_FRAME_VALIDATED;
	f->type = VMMU_FRAME_WRITABLE;
	assert_int_equal(audit(r), 5);
	f->type = VMMU_FRAME_L1;
	r->vm[0].direct.holds[VMMU_FRAME_SEGMENTS]++;
	assert_int_equal(audit(r), 5);
	r->vm[0].direct.holds[VMMU_FRAME_SEGMENTS]--;
	r->vm[0].cpu[1].root = mk_hpa(rig_at(0, 1, 0).v);
	assert_int_equal(audit(r), 5);
	r->vm[0].cpu[1].root = mk_hpa(rig_at(1, 0, 0).v);
	assert_int_equal(audit(r), 2);
	r->vm[0].cpu[1].root = mk_hpa(rig_at(0, 0, 0).v);
	direct_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_vm_has_no_breach),
		cmocka_unit_test(wrong_entries_are_named),
		cmocka_unit_test(wrong_counts_are_named),
		cmocka_unit_test(wrong_states_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

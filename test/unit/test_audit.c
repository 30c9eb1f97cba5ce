/* The audit finds each kind of breach, by number, when it is planted. */
#include "vm_rig.h"

struct finds {
	unsigned count[6];
	char last[128];
};

static void note(void *ctx, unsigned invariant, const char *sentence,
		 uint64_t addr, uint64_t entry)
{
	struct finds *f = ctx;
	char prefix[8];

	(void)addr;
	(void)entry;
	assert_true(invariant < 6);
	snprintf(prefix, sizeof(prefix), "I%u: ", invariant);
	assert_memory_equal(sentence, prefix, strlen(prefix));
	snprintf(f->last, sizeof(f->last), "%s", sentence);
	f->count[invariant]++;
}

static uint64_t bitmap[8];

/* Slots: plain, read-only, logged, shared; one page of each is mapped. */
#define PLAIN	  UINT64_C(0)
#define READ_ONLY (16 * MIB)
#define LOGGED	  (32 * MIB)
#define SHARED	  (48 * MIB)

static struct vm_rig *populated(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	memset(bitmap, 0, sizeof(bitmap));
	vm_rig_slot(r, 0, 0, PLAIN, 4 * MIB, 0, NULL);
	vm_rig_slot(r, 1, VMMU_SLOT_READ_ONLY, READ_ONLY, 2 * MIB, 4 * MIB,
		    NULL);
	vm_rig_slot(r, 2, VMMU_SLOT_LOG_DIRTY, LOGGED, 2 * MIB, 6 * MIB,
		    bitmap);
	vm_rig_slot(r, 3, 0, SHARED, 0x10000, 8 * MIB, NULL);
	lab_host_share(&r->lab, vm_rig_hva(r, 8 * MIB), 0x10000);
	vm_rig_touch(r, PLAIN, VMMU_W, NULL);
	vm_rig_touch(r, READ_ONLY, VMMU_R, NULL);
	vm_rig_touch(r, LOGGED, VMMU_R, NULL);
	vm_rig_touch(r, SHARED, VMMU_R, NULL);
	vm_rig_audit(r);
	return r;
}

static struct finds audit(struct vm_rig *r)
{
	struct finds f = { .count = { 0 } };
	struct vmmu_audit a = { .breach = note, .ctx = &f };
	bool clean = vmmu_audit(&r->vm, &a);
	uint64_t sum = 0;

	for (unsigned i = 0; i < 6; i++)
		sum += f.count[i];
	assert_int_equal(a.breaches, sum);
	assert_int_equal(clean, sum == 0);
	assert_true(a.entries > 0);
	return f;
}

static struct pt_table *table(struct vm_rig *r)
{
	return (struct pt_table *)r->cpu[0].use->state;
}

static uint64_t *slot_of(struct vm_rig *r, uint64_t gpa)
{
	struct pt_walk w;

	pt_walk(vm_rig_table(r), gpa, &w);
	return w.slot;
}

/* Plants a leaf, looks, and puts things right again. */
static void expect(struct vm_rig *r, uint64_t gpa, uint64_t leaf, unsigned i1,
		   unsigned i2)
{
	uint64_t *slot = slot_of(r, gpa), was = *slot;
	struct finds f;

	*slot = leaf;
	f = audit(r);
	assert_int_equal(f.count[1], i1);
	assert_int_equal(f.count[2], i2);
	assert_int_equal(f.count[4], 0);
	*slot = was;
	vm_rig_audit(r);
}

static void finds_wrong_frames(void **state)
{
	struct vm_rig *r = populated(&pt_npt);
	const struct pt_level *row = &pt_npt.level[2];
	uint64_t leaf = *slot_of(r, PLAIN);
	uint64_t hpa = pt_leaf_addr(row, leaf);

	(void)state;
	/* A frame of the VM's own, but another one. */
	expect(r, PLAIN, pt_make_leaf(row, hpa + 2 * MIB, VMMU_RWX, VMMU_WB), 1,
	       0);
	/* A frame that is nobody's, and one that is a table's. */
	expect(r, PLAIN,
	       pt_make_leaf(row, r->lab.hpa_base.v + 32 * MIB, VMMU_RWX,
			    VMMU_WB),
	       1, 1);
	expect(r, PLAIN,
	       pt_make_leaf(row, r->lab.table_base.v & ~(2 * MIB - 1), VMMU_RWX,
			    VMMU_WB),
	       1, 1);
	vm_rig_free(r);
}

static void finds_permissions_that_slots_withhold(void **state)
{
	static const uint64_t gpas[] = { READ_ONLY, LOGGED, SHARED };
	const struct pt_format *const formats[] = { &pt_npt, &pt_ept,
						    &pt_madeup };

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct vm_rig *r = populated(formats[n]);

		for (unsigned i = 0; i < 3; i++) {
			struct pt_walk w;

			assert_true(pt_walk(vm_rig_table(r), gpas[i], &w));
			expect(r, gpas[i],
			       pt_set_perms(&formats[n]->level[w.level],
					    w.entry, VMMU_RWX),
			       1, 0);
		}
		vm_rig_free(r);
	}
}

static void finds_a_bit_that_was_cleared_behind_its_back(void **state)
{
	struct vm_rig *r = populated(&pt_ept);
	struct finds f;

	(void)state;
	vm_rig_touch(r, LOGGED + 0x5000, VMMU_W, NULL);
	vm_rig_audit(r);
	bitmap[0] = 0;
	f = audit(r);
	assert_int_equal(f.count[1], 1);
	vm_rig_free(r);
}

static void finds_reserved_bits_and_foreign_roots(void **state)
{
	struct vm_rig *r = populated(&pt_npt);
	uint64_t root = r->cpu[1].root.v;
	uint64_t *top = lab_host_ptr(&r->lab, r->cpu[0].root);
	struct finds f;

	(void)state;
	expect(r, PLAIN, *slot_of(r, PLAIN) | 1u << 13, 1, 0);
	*top |= pt_npt.level[4].reserved_table;
	f = audit(r);
	assert_int_equal(f.count[1], 1);
	*top &= ~pt_npt.level[4].reserved_table;
	r->cpu[1].root.v += VMMU_PAGE_SIZE;
	f = audit(r);
	assert_int_equal(f.count[1], 1);
	r->cpu[1].root.v = root;
	vm_rig_free(r);
}

static void finds_leaves_without_slot_or_backing(void **state)
{
	struct vm_rig *r = populated(&pt_npt);
	struct finds f;

	(void)state;
	assert_int_equal(pt_map_leaf(table(r), VMMU_1G,
				     mk_hpa(r->lab.hpa_base.v), 1, VMMU_R,
				     VMMU_WB, NULL),
			 PT_OK);
	f = audit(r);
	assert_int_equal(f.count[2], 1);
	pt_unmap(table(r), VMMU_1G, 0x1000, NULL);
	vm_rig_audit(r);
	/* The host takes memory back without a word. */
	r->lab.hooks.backing_changed = NULL;
	lab_host_answer(&r->lab, vm_rig_hva(r, 0x7000), 0x1000,
			VMMU_RESOLVE_NONE);
	f = audit(r);
	assert_int_equal(f.count[1], 1);
	lab_host_answer(&r->lab, vm_rig_hva(r, 0x7000), 0x1000,
			VMMU_RESOLVE_OK);
	lab_host_move(&r->lab, vm_rig_hva(r, 0x7000), 0x1000);
	f = audit(r);
	assert_int_equal(f.count[1], 1);
	assert_int_equal(f.count[2], 1); /* its old frame is nobody's */
	vm_rig_free(r);
}

static void finds_pages_miscounted(void **state)
{
	struct vm_rig *r = populated(&pt_npt);
	uint64_t *top = lab_host_ptr(&r->lab, r->cpu[0].root);
	uint64_t *entries;
	struct finds f;
	hpa_t page;

	(void)state;
	/* One table in two places. */
	top[1] = top[0];
	f = audit(r);
	assert_true(f.count[4] >= 1);
	top[1] = 0;
	vm_rig_audit(r);
	/* One that is nowhere. */
	assert_true(pt_pool_get(&r->vm.pool, &page, &entries));
	f = audit(r);
	assert_int_equal(f.count[4], 1);
	assert_string_equal(f.last, "I4: a table page is lost");
	pt_pool_put(&r->vm.pool, page);
	vm_rig_audit(r);
	/* A spare page that is not clean, and a broken chain. */
	entries[100] = 1;
	f = audit(r);
	assert_int_equal(f.count[4], 1);
	entries[100] = 0;
	r->vm.pool.spare++;
	f = audit(r);
	assert_int_equal(f.count[4], 1);
	r->vm.pool.spare--;
	vm_rig_audit(r);
	vm_rig_free(r);
}

static void finds_a_limit_passed_and_counters_wrong(void **state)
{
	struct vm_rig *r = populated(&pt_npt);
	uint32_t limit = r->vm.pool.limit;
	struct finds f;

	(void)state;
	r->vm.pool.limit = r->vm.pool.used - 1;
	f = audit(r);
	assert_true(f.count[4] >= 1);
	r->vm.pool.limit = limit;
	table(r)->leaves[1]++;
	f = audit(r);
	assert_int_equal(f.count[4], 1);
	table(r)->leaves[1]--;
	vm_rig_audit(r);
	vm_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_wrong_frames),
		cmocka_unit_test(finds_permissions_that_slots_withhold),
		cmocka_unit_test(finds_a_bit_that_was_cleared_behind_its_back),
		cmocka_unit_test(finds_reserved_bits_and_foreign_roots),
		cmocka_unit_test(finds_leaves_without_slot_or_backing),
		cmocka_unit_test(finds_pages_miscounted),
		cmocka_unit_test(finds_a_limit_passed_and_counters_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Violations under nested paging, in NPT, EPT and a format nobody makes. */
#include "vm_rig.h"

static unsigned level_of(const struct vm_rig *r, uint64_t gpa)
{
	struct pt_walk w;

	return pt_walk(vm_rig_table(r), gpa, &w) ? w.level : 0;
}

/* 1. How large, how far around. */

static void maps_as_large_as_slot_and_run_allow_in(const struct pt_format *f)
{
	uint64_t huge = pt_span(&f->level[3]);
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;

	c.lab.memory = 2 * VMMU_1G;
	c.lab.extent = VMMU_1G;
	r = vm_rig_make(&c);
	/* All of a large frame, then all of it but its last page. */
	vm_rig_slot(r, 0, 0, 0, huge, 0, NULL);
	vm_rig_slot(r, 1, 0, huge, huge - 0x1000, VMMU_1G, NULL);
	assert_int_equal(vm_rig_touch(r, 0x1234567, VMMU_R, NULL), VMMU_RESUME);
	assert_int_equal(level_of(r, 0), 3);
	assert_int_equal(vm_rig_touch(r, huge + 5 * MIB, VMMU_W, NULL),
			 VMMU_RESUME);
	assert_int_equal(level_of(r, huge + 5 * MIB), 2);
	assert_int_equal(vm_rig_touch(r, 2 * huge - 0x2000, VMMU_X, NULL),
			 VMMU_RESUME);
	assert_int_equal(level_of(r, 2 * huge - 0x2000), 1);
	assert_int_equal(r->vm.stats.pf_fixed, 3);
	assert_int_equal(r->vm.stats.violations, 3);
	for (unsigned level = 1; level <= 3; level++)
		assert_int_equal(r->vm.stats.mapped[level], 1);
	assert_int_equal(r->lab.count.flush_all, 0);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(maps_as_large_as_slot_and_run_allow)

static void small_runs_make_small_leaves_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;

	c.lab.extent = 0x4000;
	c.lab.shuffle = true;
	c.fault_around = 64 * MIB;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, 0, 0, 64 * MIB, 0, NULL);
	vm_rig_touch(r, 0x201000, VMMU_R, NULL);
	assert_int_equal(vm_rig_table(r)->leaves[1], 4);
	assert_int_equal(level_of(r, 0x200000), 1);
	assert_int_equal(level_of(r, 0x203000), 1);
	assert_int_equal(level_of(r, 0x204000), 0);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(small_runs_make_small_leaves)

static void hpa_out_of_step_makes_small_leaves_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;

	c.lab.skew = 0x1000;
	c.fault_around = 64 * MIB;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, 0, 0, 64 * MIB, 0, NULL);
	vm_rig_touch(r, 5 * MIB, VMMU_R, NULL);
	/* The large page around it, page by page, and no more. */
	assert_int_equal(vm_rig_table(r)->leaves[1], 512);
	assert_int_equal(level_of(r, 4 * MIB), 1);
	assert_int_equal(level_of(r, 6 * MIB - 1), 1);
	assert_int_equal(level_of(r, 6 * MIB), 0);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(hpa_out_of_step_makes_small_leaves)

static void maps_the_window_around_a_fault_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;

	c.fault_around = 16 * MIB;
	r = vm_rig_make(&c);
	/* Begins within a window, ends within one. */
	vm_rig_slot(r, 0, 0, 20 * MIB, 30 * MIB, 4 * MIB, NULL);
	vm_rig_touch(r, 25 * MIB, VMMU_W, NULL);
	assert_int_equal(vm_rig_table(r)->leaves[2], 6);
	assert_int_equal(level_of(r, 20 * MIB), 2);
	assert_int_equal(level_of(r, 32 * MIB), 0);
	assert_int_equal(r->vm.stats.pf_fixed, 1);
	for (uint64_t a = 20 * MIB; a < 50 * MIB; a += 0x1000)
		vm_rig_touch(r, a, VMMU_W, NULL);
	/* One violation for each window that the slot touches. */
	assert_int_equal(r->vm.stats.violations, 3);
	assert_int_equal(r->vm.stats.mapped[2], 15);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(maps_the_window_around_a_fault)

static void a_ragged_slot_costs_one_violation_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;

	c.fault_around = 64 * MIB;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, 0, 0, 0xa0000, 0, NULL);
	vm_rig_slot(r, 1, 0, MIB, 3 * MIB, MIB, NULL);
	for (uint64_t a = 0; a < 0xa0000; a += 0x1000)
		vm_rig_touch(r, a, VMMU_W, NULL);
	assert_int_equal(r->vm.stats.violations, 1);
	assert_int_equal(vm_rig_touch(r, 0xa0000, VMMU_R, NULL), VMMU_MMIO);
	for (uint64_t a = MIB; a < 4 * MIB; a += 0x1000)
		vm_rig_touch(r, a, VMMU_W, NULL);
	assert_int_equal(r->vm.stats.violations, 4);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_ragged_slot_costs_one_violation)

/* 2. What is not memory, or not writable. */

static void no_slot_is_mmio_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	struct vmmu_answer a = vm_rig_fault(r, 0xfee00010, VMMU_W);

	assert_int_equal(a.verdict, VMMU_MMIO);
	assert_int_equal(a.gpa.v, 0xfee00010);
	a = vm_rig_fault(r, UINT64_MAX, VMMU_R);
	assert_int_equal(a.verdict, VMMU_MMIO);
	assert_int_equal(r->vm.stats.pf_mmio, 2);
	assert_int_equal(r->lab.count.resolves, 0);
	vm_rig_free(r);
}
EACH(no_slot_is_mmio)

static void a_read_only_slot_is_read_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vmmu_answer a;
	struct pt_walk w;
	struct vm_rig *r;

	c.fault_around = 8 * MIB;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, VMMU_SLOT_READ_ONLY, 0, 8 * MIB, 0, NULL);
	a = vm_rig_fault(r, 0x1008, VMMU_W);
	assert_int_equal(a.verdict, VMMU_MMIO);
	assert_int_equal(a.gpa.v, 0x1008);
	assert_int_equal(vm_rig_touch(r, 0x1000, VMMU_R, NULL), VMMU_RESUME);
	assert_int_equal(vm_rig_touch(r, 0x1000, VMMU_X, NULL), VMMU_RESUME);
	assert_true(pt_walk(vm_rig_table(r), 6 * MIB, &w));
	assert_int_equal(w.perms & VMMU_RWX, VMMU_R | VMMU_X);
	a = vm_rig_fault(r, 0x1008, VMMU_W);
	assert_int_equal(a.verdict, VMMU_MMIO);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_read_only_slot_is_read)

/* Shared memory is read in place, and copied at the first write, which the
 * other slot that shows the same memory must see too. */
static void shared_memory_is_copied_on_write_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct vm_rig *r;
	uint64_t before, after, seen;
	struct pt_walk w;

	c.fault_around = 8 * MIB;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_slot(r, 1, 0, 16 * MIB, 8 * MIB, 0, NULL);
	lab_host_share(&r->lab, vm_rig_hva(r, 0), 8 * MIB);
	assert_int_equal(vm_rig_touch(r, 0x3000, VMMU_R, &before), VMMU_RESUME);
	assert_int_equal(vm_rig_touch(r, 16 * MIB + 0x3000, VMMU_R, &seen),
			 VMMU_RESUME);
	assert_int_equal(before, seen);
	assert_true(pt_walk(vm_rig_table(r), 0x3000, &w));
	assert_int_equal(w.perms & VMMU_RWX, VMMU_R | VMMU_X);
	assert_int_equal(level_of(r, 4 * MIB), 0); /* not widened */
	assert_int_equal(vm_rig_touch(r, 0x3000, VMMU_W, &after), VMMU_RESUME);
	assert_int_equal(r->lab.count.shares_broken, 1);
	assert_int_not_equal(before, after);
	vm_rig_audit(r);
	assert_int_equal(vm_rig_touch(r, 16 * MIB + 0x3000, VMMU_R, &seen),
			 VMMU_RESUME);
	assert_int_equal(seen, after);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(shared_memory_is_copied_on_write)

/* 3. A host that has nothing, or nothing yet. */

static void passes_on_what_the_host_says_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	struct vmmu_answer a;

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	lab_host_answer(&r->lab, vm_rig_hva(r, 0x5000), 0x1000,
			VMMU_RESOLVE_NOT_NOW);
	assert_int_equal(vm_rig_touch(r, 0x5000, VMMU_R, NULL), VMMU_RETRY);
	assert_int_equal(r->vm.stats.pf_retry, 1);
	assert_int_equal(vm_rig_touch(r, 0x4000, VMMU_R, NULL), VMMU_RESUME);
	assert_int_equal(level_of(r, 0x5000), 0);
	lab_host_answer(&r->lab, vm_rig_hva(r, 0x5000), 0x1000,
			VMMU_RESOLVE_OK);
	assert_int_equal(vm_rig_touch(r, 0x5000, VMMU_R, NULL), VMMU_RESUME);
	lab_host_answer(&r->lab, vm_rig_hva(r, 0x200000), 0x1000,
			VMMU_RESOLVE_NONE);
	a = vm_rig_fault(r, 0x200000, VMMU_R);
	assert_int_equal(a.verdict, VMMU_KILL);
	assert_non_null(a.reason);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(passes_on_what_the_host_says)

static void an_address_too_wide_ends_the_vm_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	const struct pt_level *root = &f->level[f->levels];
	uint64_t end = UINT64_C(1) << (root->shift + root->index_bits);
	struct vmmu_answer a;

	vm_rig_slot(r, 0, 0, end - 0x1000, 0x2000, 0, NULL);
	assert_int_equal(vm_rig_touch(r, end - 0x1000, VMMU_R, NULL),
			 VMMU_RESUME);
	a = vm_rig_fault(r, end, VMMU_R);
	assert_int_equal(a.verdict, VMMU_KILL);
	assert_non_null(a.reason);
	vm_rig_slot(r, 0, 0, end - 0x1000, 0, 0, NULL);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(an_address_too_wide_ends_the_vm)

/* Two vCPUs fault on one page: the second finds it there. */
static void a_second_fault_is_spurious_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	assert_int_equal(vm_rig_fault(r, 0x5000, VMMU_R).verdict, VMMU_RESUME);
	assert_int_equal(vm_rig_fault(r, 0x5000, VMMU_R).verdict, VMMU_RESUME);
	assert_int_equal(r->vm.stats.pf_spurious, 1);
	assert_int_equal(r->vm.stats.pf_fixed, 1);
	/* So that the third does not come from a stale TLB. */
	assert_int_equal(r->lab.count.flush_cpu, 1);
	vm_rig_free(r);
}
EACH(a_second_fault_is_spurious)

/* 4. Table memory runs out. */

static void sixteen_pages_are_enough_in(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	uint64_t seed = 99;
	struct vm_rig *r;

	c.table_limit = VMMU_TABLE_LIMIT_MIN;
	c.lab.extent = 0x1000;
	c.lab.shuffle = true;
	r = vm_rig_make(&c);
	vm_rig_slot(r, 0, 0, 0, 32 * MIB, 0, NULL);
	vm_rig_slot(r, 1, 0, 7 * VMMU_1G, 32 * MIB, 32 * MIB, NULL);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t a = vm_rig_random(&seed) % (64 * MIB);
		uint64_t hpa;
		hpa_t want;

		assert_true(a < 64 * MIB);
		assert_int_equal(
			vm_rig_touch(r,
				     a < 32 * MIB ? a
						  : a - 32 * MIB + 7 * VMMU_1G,
				     VMMU_W, &hpa),
			VMMU_RESUME);
		assert_true(lab_host_peek(&r->lab, vm_rig_hva(r, a), &want));
		assert_int_equal(hpa, want.v);
		assert_true(r->vm.pool.used <= 16);
		if (i % 50 == 0)
			vm_rig_audit(r);
	}
	assert_true(r->vm.stats.mmu_recycled > 10);
	assert_true(r->lab.count.tables_out <= 16);
	vm_rig_free(r);
}
EACH(sixteen_pages_are_enough)

static void a_host_without_table_pages_costs_speed_only_in(
	const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	uint64_t seed = 7;

	for (unsigned i = 0; i < 8; i++)
		vm_rig_slot(r, i, 0, i * 2 * VMMU_1G, 0x8000, i * 0x8000, NULL);
	r->lab.fail_table_at = 1;
	r->lab.fail_all_after = true;
	for (unsigned i = 0; i < 500; i++) {
		uint64_t a = vm_rig_random(&seed);

		assert_int_equal(
			vm_rig_touch(r, a % 8 * 2 * VMMU_1G + (a >> 8) % 0x8000,
				     VMMU_W, NULL),
			VMMU_RESUME);
		vm_rig_audit(r);
	}
	assert_true(r->vm.stats.mmu_recycled > 0);
	vm_rig_free(r);
}
EACH(a_host_without_table_pages_costs_speed_only)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_as_large_as_slot_and_run_allow),
		cmocka_unit_test(small_runs_make_small_leaves),
		cmocka_unit_test(hpa_out_of_step_makes_small_leaves),
		cmocka_unit_test(maps_the_window_around_a_fault),
		cmocka_unit_test(a_ragged_slot_costs_one_violation),
		cmocka_unit_test(no_slot_is_mmio),
		cmocka_unit_test(a_read_only_slot_is_read),
		cmocka_unit_test(shared_memory_is_copied_on_write),
		cmocka_unit_test(passes_on_what_the_host_says),
		cmocka_unit_test(an_address_too_wide_ends_the_vm),
		cmocka_unit_test(a_second_fault_is_spurious),
		cmocka_unit_test(sixteen_pages_are_enough),
		cmocka_unit_test(a_host_without_table_pages_costs_speed_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The VM and its vCPUs: slots and backing that change under a table, schemes
 * that come and go, and everything at once with a host that fails.
 */
#include "vm_rig.h"

static bool mapped(const struct vm_rig *r, uint64_t gpa)
{
	struct pt_walk w;

	return pt_walk(vm_rig_table(r), gpa, &w);
}

/* 1. Slots. */

static void a_slot_that_goes_is_unmapped_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_slot(r, 1, 0, 8 * MIB, 8 * MIB, 8 * MIB, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	vm_rig_touch(r, 9 * MIB, VMMU_W, NULL);
	assert_int_equal(vm_rig_slot(r, 0, 0, 0, 0, 0, NULL), VMMU_SLOT_OK);
	assert_false(mapped(r, 0));
	assert_true(mapped(r, 9 * MIB));
	assert_int_equal(r->lab.count.flush_all, 1);
	/* Moved: gone from the old place, found at the new. */
	assert_int_equal(vm_rig_slot(r, 1, 0, 32 * MIB, 8 * MIB, 8 * MIB, NULL),
			 VMMU_SLOT_OK);
	assert_false(mapped(r, 9 * MIB));
	assert_int_equal(vm_rig_touch(r, 9 * MIB, VMMU_R, NULL), VMMU_MMIO);
	assert_int_equal(vm_rig_touch(r, 33 * MIB, VMMU_R, NULL), VMMU_RESUME);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_slot_that_goes_is_unmapped)

static void a_slot_made_read_only_is_so_at_once_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	vm_rig_slot(r, 0, VMMU_SLOT_READ_ONLY, 0, 8 * MIB, 0, NULL);
	vm_rig_audit(r);
	assert_int_equal(vm_rig_touch(r, 0, VMMU_W, NULL), VMMU_MMIO);
	assert_int_equal(vm_rig_touch(r, 0, VMMU_R, NULL), VMMU_RESUME);
	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	assert_int_equal(vm_rig_touch(r, 0, VMMU_W, NULL), VMMU_RESUME);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_slot_made_read_only_is_so_at_once)

static void a_refused_change_changes_nothing_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	assert_int_equal(vm_rig_slot(r, 1, 0, 4 * MIB, MIB, 0, NULL),
			 VMMU_SLOT_OVERLAPS);
	assert_true(mapped(r, 0));
	assert_int_equal(r->lab.count.flush_all, 0);
	vm_rig_free(r);
}
EACH(a_refused_change_changes_nothing)

/* 2. Backing. */

static void withdrawn_backing_is_gone_from_every_slot_in(
	const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	uint64_t before, after;

	/* Two slots show all of it, a third a part. */
	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_slot(r, 1, VMMU_SLOT_READ_ONLY, 64 * MIB, 8 * MIB, 0, NULL);
	vm_rig_slot(r, 2, 0, 128 * MIB, 0x10000, 0x8000, NULL);
	vm_rig_touch(r, 0xa000, VMMU_W, &before);
	vm_rig_touch(r, 64 * MIB + 0xa000, VMMU_R, NULL);
	vm_rig_touch(r, 128 * MIB + 0x2000, VMMU_R, NULL);
	vm_rig_touch(r, 128 * MIB, VMMU_R, NULL);
	lab_host_withdraw(&r->lab, vm_rig_hva(r, 0xa000), 0x1000);
	vm_rig_audit(r);
	assert_false(mapped(r, 0xa000));
	assert_false(mapped(r, 64 * MIB + 0xa000));
	assert_false(mapped(r, 128 * MIB + 0x2000));
	assert_true(mapped(r, 128 * MIB));
	assert_true(mapped(r, 0xb000));
	assert_int_equal(vm_rig_touch(r, 0xa000, VMMU_W, &after), VMMU_RESUME);
	assert_int_not_equal(before, after);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(withdrawn_backing_is_gone_from_every_slot)

static void a_change_of_backing_elsewhere_costs_nothing_in(
	const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	uint64_t generation;

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 8 * MIB, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	generation = r->vm.slots.generation;
	vmmu_vm_backing_changed(&r->vm, vm_rig_hva(r, 0), 8 * MIB);
	vmmu_vm_backing_changed(&r->vm, vm_rig_hva(r, 16 * MIB), MIB);
	vmmu_vm_backing_changed(&r->vm, vm_rig_hva(r, 8 * MIB), 0);
	assert_int_equal(r->lab.count.flush_all, 0);
	assert_true(mapped(r, 0));
	/* Software's pointers are dropped all the same. */
	assert_true(r->vm.slots.generation > generation);
	/* Next to it in gpa, elsewhere in hva. */
	vm_rig_slot(r, 1, 0, 8 * MIB, 8 * MIB, 0, NULL);
	vm_rig_touch(r, 8 * MIB, VMMU_W, NULL);
	vmmu_vm_backing_changed(&r->vm, vm_rig_hva(r, 9 * MIB), 16 * MIB);
	assert_false(mapped(r, 2 * MIB));
	assert_true(mapped(r, 0));
	assert_true(mapped(r, 8 * MIB));
	vmmu_vm_backing_changed(&r->vm, mk_hva(0), UINT64_MAX);
	assert_false(mapped(r, 0));
	assert_false(mapped(r, 8 * MIB));
	vm_rig_free(r);
}
EACH(a_change_of_backing_elsewhere_costs_nothing)

static void software_sees_new_backing_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	uint64_t word = 42, hpa;

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vmmu_gmem_write(&r->cpu[0].mem, mk_gpa(0x1000), &word, 8);
	lab_host_move(&r->lab, vm_rig_hva(r, 0x1000), 0x1000);
	word = 43;
	vmmu_gmem_write(&r->cpu[0].mem, mk_gpa(0x1008), &word, 8);
	vm_rig_touch(r, 0x1000, VMMU_R, &hpa);
	assert_int_equal(*(uint64_t *)lab_host_ptr(&r->lab, mk_hpa(hpa)), 42);
	assert_int_equal(*(uint64_t *)lab_host_ptr(&r->lab, mk_hpa(hpa + 8)),
			 43);
	vm_rig_free(r);
}
EACH(software_sees_new_backing)

/* 3. vCPUs and schemes. The second scheme only counts what it is told. */

struct counting {
	unsigned vm_inits, vm_finis, cpu_inits, cpu_finis;
	unsigned modes, flushes, invalidates, changes;
	bool refuse_vm, refuse_cpu;
};

static struct counting told;

static bool counting_vm_init(struct vmmu_vm *vm)
{
	(void)vm;
	told.vm_inits++;
	return !told.refuse_vm;
}

static void counting_vm_fini(struct vmmu_vm *vm)
{
	(void)vm;
	told.vm_finis++;
}

static bool counting_cpu_init(struct vmmu_cpu *cpu)
{
	told.cpu_inits++;
	cpu->root = mk_hpa(0xabc000);
	cpu->state = &told;
	return !told.refuse_cpu;
}

static void counting_cpu_fini(struct vmmu_cpu *cpu)
{
	assert_ptr_equal(cpu->state, &told);
	told.cpu_finis++;
}

static void counting_set_mode(struct vmmu_cpu *cpu)
{
	(void)cpu;
	told.modes++;
}

static void counting_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
			   struct vmmu_answer *a)
{
	(void)cpu;
	a->verdict = VMMU_INJECT;
	a->gva = f->gva;
}

static void counting_invalidate(struct vmmu_cpu *cpu, gva_t gva)
{
	(void)cpu;
	(void)gva;
	told.invalidates++;
}

static void counting_flush(struct vmmu_cpu *cpu, enum vmmu_flush what)
{
	(void)cpu;
	(void)what;
	told.flushes++;
}

static void counting_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
				 enum vmmu_gpa_change change)
{
	(void)vm;
	(void)gfn;
	(void)count;
	(void)change;
	told.changes++;
}

static const struct vmmu_scheme counting = {
	.name = "counting",
	.vm_init = counting_vm_init,
	.vm_fini = counting_vm_fini,
	.cpu_init = counting_cpu_init,
	.cpu_fini = counting_cpu_fini,
	.set_mode = counting_set_mode,
	.fault = counting_fault,
	.invalidate = counting_invalidate,
	.flush = counting_flush,
	.gpa_changed = counting_gpa_changed,
};

static void a_vcpu_moves_between_schemes_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	struct vmmu_cpu *cpu = &r->cpu[1];
	struct vmmu_answer a;
	const struct vmmu_fault fault = { .gva = mk_gva(0x1234) };

	memset(&told, 0, sizeof(told));
	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	assert_true(vmmu_cpu_switch(cpu, &counting));
	assert_ptr_equal(cpu->scheme, &counting);
	assert_int_equal(cpu->root.v, 0xabc000);
	assert_int_equal(told.modes, 1);
	assert_int_equal(r->lab.count.flush_cpu, 1);
	vmmu_cpu_fault(cpu, &fault, &a);
	assert_int_equal(a.verdict, VMMU_INJECT);
	assert_int_equal(a.gva.v, 0x1234);
	vmmu_cpu_invalidate(cpu, mk_gva(0));
	vmmu_cpu_flush(cpu, VMMU_FLUSH_ALL);
	assert_int_equal(told.invalidates, 1);
	assert_int_equal(told.flushes, 1);
	/* Both schemes hear of memory. */
	lab_host_withdraw(&r->lab, vm_rig_hva(r, 0), 0x1000);
	assert_int_equal(told.changes, 1);
	vm_rig_audit(r);
	assert_true(vmmu_cpu_switch(cpu, &counting));
	assert_int_equal(told.cpu_inits, 1);
	assert_true(vmmu_cpu_switch(cpu, &vmmu_nested));
	assert_int_equal(told.cpu_finis, 1);
	assert_int_equal(told.vm_finis, 1);
	assert_int_equal(cpu->root.v, vm_rig_table(r)->root.v);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_vcpu_moves_between_schemes)

/* All of nested's table goes when its last vCPU leaves. */
static void the_last_vcpu_takes_the_table_along_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);

	memset(&told, 0, sizeof(told));
	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	vm_rig_touch(r, 0, VMMU_W, NULL);
	assert_true(vmmu_cpu_switch(&r->cpu[0], &counting));
	assert_non_null(vm_rig_table(r));
	assert_true(vmmu_cpu_switch(&r->cpu[1], &counting));
	assert_null(vm_rig_table(r));
	assert_int_equal(r->vm.pool.used, 1); /* the other's state */
	assert_int_equal(told.vm_inits, 1);
	vm_rig_slot(r, 0, 0, 0, 0, 0, NULL);
	assert_true(vmmu_cpu_switch(&r->cpu[0], &vmmu_nested));
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(the_last_vcpu_takes_the_table_along)

static void a_refused_switch_leaves_it_where_it_is_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	uint32_t used = r->vm.pool.used;
	hpa_t root = r->cpu[0].root;

	memset(&told, 0, sizeof(told));
	told.refuse_vm = true;
	assert_false(vmmu_cpu_switch(&r->cpu[0], &counting));
	told.refuse_vm = false;
	told.refuse_cpu = true;
	assert_false(vmmu_cpu_switch(&r->cpu[0], &counting));
	assert_int_equal(told.vm_finis, 1);
	r->lab.fail_table_at = 1;
	r->lab.fail_all_after = true;
	assert_int_equal(r->vm.pool.used, used);
	assert_ptr_equal(r->cpu[0].scheme, &vmmu_nested);
	assert_int_equal(r->cpu[0].root.v, root.v);
	assert_int_equal(told.cpu_finis, 0);
	vm_rig_audit(r);
	vm_rig_free(r);
}
EACH(a_refused_switch_leaves_it_where_it_is)

static void a_poisoned_vm_answers_with_its_reason_in(const struct pt_format *f)
{
	struct vm_rig *r = vm_rig(f);
	struct vmmu_answer a;

	vm_rig_slot(r, 0, 0, 0, 8 * MIB, 0, NULL);
	r->vm.poisoned = "the guest broke a rule";
	a = vm_rig_fault(r, 0, VMMU_R);
	assert_int_equal(a.verdict, VMMU_KILL);
	assert_string_equal(a.reason, "the guest broke a rule");
	vm_rig_free(r);
}
EACH(a_poisoned_vm_answers_with_its_reason)

/* Whatever short cut it takes, the mode is what vmmu_mode_set computes. */
static void registers_make_the_mode_in(const struct pt_format *f)
{
	static const uint64_t cr4s[] = { 0, VMMU_CR4_PAE,
					 VMMU_CR4_PAE | VMMU_CR4_LA57,
					 VMMU_CR4_PSE,
					 VMMU_CR4_PAE | VMMU_CR4_SMEP };
	struct vmmu_features features = { .maxphyaddr = 40, .nx = true };
	struct vm_rig *r = vm_rig(f);
	struct vmmu_regs regs = { .cr0 = VMMU_CR0_PE | VMMU_CR0_PG };
	static struct vmmu_mode want;
	uint64_t seed = 3;

	for (unsigned i = 0; i < 500; i++) {
		uint64_t what = vm_rig_random(&seed);

		if (what % 4 == 0)
			regs.cr4 = cr4s[what / 4 % 5];
		else if (what % 4 == 1)
			regs.cr3 = (what & 0xfff) << 12;
		else if (what % 8 == 2)
			regs.efer = what / 8 % 2 ? VMMU_EFER_LME | VMMU_EFER_LMA
						 : 0;
		else if (what % 8 == 6)
			regs.pdpte[what / 8 % 4] = (what & 0xff000) | 1;
		else if (what % 16 == 3)
			features.gib_pages = !features.gib_pages;
		vmmu_cpu_set_regs(&r->cpu[0], &regs, &features);
		memset(&want, 0, sizeof(want));
		vmmu_mode_set(&want, &regs, &features);
		assert_int_equal(r->cpu[0].mode.root, want.root);
		assert_int_equal(r->cpu[0].mode.levels, want.levels);
		assert_ptr_equal(r->cpu[0].mode.format, want.format);
		assert_int_equal(r->cpu[0].mode.pdptes, want.pdptes);
		assert_memory_equal(&r->cpu[0].mode.regs, &regs, sizeof(regs));
		assert_memory_equal(r->cpu[0].mode.forbids, want.forbids,
				    sizeof(want.forbids));
		assert_memory_equal(r->cpu[0].mode.level, want.level,
				    sizeof(want.level));
	}
	vm_rig_free(r);
}
EACH(registers_make_the_mode)

static void bad_configurations_are_refused(void **state)
{
	struct vmmu_slot slot[1];
	struct vmmu_vm_config c = { .slot_storage = slot,
				    .slot_capacity = 1,
				    .table_limit = VMMU_TABLE_LIMIT_MIN };
	struct lab_host lab;
	const struct lab_host_config lc = { .memory = MIB,
					    .extent = 0x1000,
					    .table_pages = 32 };
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;

	(void)state;
	assert_true(lab_host_init(&lab, &lc));
	c.host = lab_host_ops(&lab);
	c.table_limit--;
	assert_false(vmmu_vm_init(&vm, &c));
	c.table_limit++;
	c.fault_around = 3 * MIB;
	assert_false(vmmu_vm_init(&vm, &c));
	c.fault_around = 2 * MIB;
	assert_true(vmmu_vm_init(&vm, &c));
	/* A machine without a second level has no nested paging. */
	assert_false(vmmu_cpu_init(&cpu, &vm, &vmmu_nested));
	vm.hw.nested_format = &pt_npt;
	vm.hw.nested_max_leaf = 3;
	/* Refused at each of the pages that a first vCPU needs. */
	for (unsigned n = 1; n <= 5; n++) {
		lab.fail_table_at = n;
		lab.fail_all_after = true;
		if (vmmu_cpu_init(&cpu, &vm, &vmmu_nested))
			vmmu_cpu_fini(&cpu);
		assert_int_equal(vm.pool.used, 0);
		assert_null(vm.cpus);
	}
	lab.fail_table_at = 0;
	assert_true(vmmu_cpu_init(&cpu, &vm, &vmmu_nested));
	vmmu_cpu_fini(&cpu);
	vmmu_vm_fini(&vm);
	assert_int_equal(lab.count.tables_out, 0);
	lab_host_fini(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_that_goes_is_unmapped),
		cmocka_unit_test(a_slot_made_read_only_is_so_at_once),
		cmocka_unit_test(a_refused_change_changes_nothing),
		cmocka_unit_test(withdrawn_backing_is_gone_from_every_slot),
		cmocka_unit_test(a_change_of_backing_elsewhere_costs_nothing),
		cmocka_unit_test(software_sees_new_backing),
		cmocka_unit_test(a_vcpu_moves_between_schemes),
		cmocka_unit_test(the_last_vcpu_takes_the_table_along),
		cmocka_unit_test(a_refused_switch_leaves_it_where_it_is),
		cmocka_unit_test(a_poisoned_vm_answers_with_its_reason),
		cmocka_unit_test(registers_make_the_mode),
		cmocka_unit_test(bad_configurations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The scheme `vtlb`, rule by rule: faults, registers, slots, the audit. */
#include "vtlb_rig.h"

/* 1. Faults. */

static void without_paging_all_is_identity(void **state)
{
	struct guest *g = guest(OFF);

	(void)state;
	/* Whatever the guest's CR4 says already: it does not apply. */
	g->regs.cr4 |= VMMU_CR4_SMEP | VMMU_CR4_SMAP | VMMU_CR4_LA57;
	set_regs(g);
	assert_int_equal(touch(g, 0x5123, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, 0x5123));
	assert_int_equal(touch(g, 0x5123, VMMU_X | VMMU_U), VMMU_RESUME);
	assert_int_equal(touch(g, HOLE + 4, VMMU_R), VMMU_MMIO);
	assert_int_equal(g->answer.gpa.v, HOLE + 4);
	assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[2], 1);
	end(g);
}

static void a_hidden_fault_is_filled_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | W | U);
	assert_int_equal(touch(g, 0x403010, VMMU_R | VMMU_U), VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, 0x7010));
	assert_int_equal(g->vm.stats.pf_fixed, 1);
	assert_int_equal(g->vm.stats.pf_taken, 1);
	assert_int_equal(g->vm.stats.pf_guest, 0);
	assert_int_equal(leaf_now(g, 0x403000) & (A | D), A);
	end(g);
}
EACH(a_hidden_fault_is_filled)

static void a_true_fault_is_injected_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | U);
	assert_int_equal(touch(g, 0x403abc, VMMU_W | VMMU_U), VMMU_INJECT);
	assert_int_equal(g->answer.error_code,
			 VMMU_PF_P | VMMU_PF_W | VMMU_PF_U);
	assert_int_equal(g->answer.gva.v, 0x403abc);
	assert_int_equal(touch(g, 0x404000, VMMU_R), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, 0);
	assert_int_equal(g->vm.stats.pf_guest, 2);
	assert_int_equal(g->vm.stats.pf_fixed, 0);
	end(g);
}
EACH(a_true_fault_is_injected)

static void the_first_write_to_a_clean_page_is_seen_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | W | U);
	touch(g, 0x403000, VMMU_R | VMMU_U);
	assert_false(reaches(g, 0x403000, VMMU_W | VMMU_U));
	assert_int_equal(touch(g, 0x403000, VMMU_W | VMMU_U), VMMU_RESUME);
	assert_int_equal(leaf_now(g, 0x403000) & (A | D), A | D);
	assert_int_equal(g->vm.stats.pf_fixed, 2);
	/* A dirty page that is read may be written without us. */
	map(g, 0x404000, 0x8000 | P | W | U | A | D);
	touch(g, 0x404000, VMMU_R | VMMU_U);
	assert_true(reaches(g, 0x404000, VMMU_W | VMMU_U));
	end(g);
}
EACH(the_first_write_to_a_clean_page_is_seen)

static void mmio_exits_each_time_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, HOLE | P | W | U);
	map(g, 0x404000, ROM | P | W | U);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(touch(g, 0x403008, VMMU_R), VMMU_MMIO);
		assert_int_equal(g->answer.gpa.v, HOLE + 8);
	}
	assert_int_equal(touch(g, 0x404000, VMMU_R), VMMU_RESUME);
	assert_int_equal(touch(g, 0x404020, VMMU_W), VMMU_MMIO);
	assert_int_equal(g->answer.gpa.v, ROM + 0x20);
	assert_int_equal(g->vm.stats.pf_mmio, 3);
	/* The write was the guest's, though it did not reach memory. */
	assert_true(leaf_now(g, 0x404000) & D);
	end(g);
}
EACH(mmio_exits_each_time)

static void tables_in_no_memory_are_left_to_software_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map_at(g, 0x403000, 2, HOLE | P | W | U);
	assert_int_equal(touch(g, 0x403000, VMMU_R), VMMU_EMULATE);
	assert_int_equal(g->answer.gpa.v,
			 HOLE + (place(g, 0x403000, 1) & VMMU_PAGE_MASK));
	assert_int_equal(g->vm.stats.pf_emulate, 1);
	end(g);
}
EACH(tables_in_no_memory_are_left_to_software)

static void the_log_is_exact_in(enum mode mode)
{
	struct guest *g = guest(mode);
	uint64_t out;

	map(g, 0x403000, (LOG + 0x3000) | P | W | U | A | D);
	touch(g, 0x403000, VMMU_R);
	assert_int_equal(g->dirty[0], 0);
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->dirty[0], 1 << 3);
	assert_true(vmmu_vm_get_dirty_log(&g->vm, 2, &out));
	assert_int_equal(out, 1 << 3);
	assert_false(reaches(g, 0x403000, VMMU_W));
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.pf_dirty, 2);
	end(g);
}
EACH(the_log_is_exact)

static void shared_memory_is_not_writable_in(enum mode mode)
{
	struct guest *g = guest(mode);
	uint64_t before;

	map(g, 0x403000, 0x700000 | P | W | U | A | D);
	lab_host_share(&g->lab, mk_hva(g->lab.hva_base.v + 0x700000), 0x1000);
	touch(g, 0x403000, VMMU_R);
	before = g->hpa;
	assert_false(reaches(g, 0x403000, VMMU_W));
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_RESUME);
	assert_true(g->hpa != before);
	assert_int_equal(g->lab.count.shares_broken, 1);
	end(g);
}
EACH(shared_memory_is_not_writable)

static void backing_that_is_not_there_is_waited_for_in(enum mode mode)
{
	struct guest *g = guest(mode);
	hva_t hva = mk_hva(g->lab.hva_base.v + 0x700000);

	map(g, 0x403000, 0x700000 | P | W | U);
	lab_host_answer(&g->lab, hva, 0x1000, VMMU_RESOLVE_NOT_NOW);
	assert_int_equal(touch(g, 0x403000, VMMU_R), VMMU_RETRY);
	lab_host_answer(&g->lab, hva, 0x1000, VMMU_RESOLVE_NONE);
	assert_int_equal(touch(g, 0x403000, VMMU_R), VMMU_KILL);
	lab_host_answer(&g->lab, hva, 0x1000, VMMU_RESOLVE_OK);
	assert_int_equal(touch(g, 0x403000, VMMU_R), VMMU_RESUME);
	end(g);
}
EACH(backing_that_is_not_there_is_waited_for)

/* 2. Write protection off. */

static void wp_0_lends_a_page_to_the_supervisor_in(enum mode mode)
{
	struct guest *g = guest(mode);

	g->regs.cr0 &= ~VMMU_CR0_WP;
	g->regs.cr4 |= VMMU_CR4_SMEP;
	set_regs(g);
	map(g, 0x403000, 0x7000 | P | U);
	touch(g, 0x403000, VMMU_R | VMMU_U);
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_RESUME);
	/* Nobody but a supervisor, and no fetch past SMEP. */
	assert_false(reaches(g, 0x403000, VMMU_R | VMMU_U));
	if (mode != BITS32)
		assert_false(reaches(g, 0x403000, VMMU_X));
	assert_int_equal(touch(g, 0x403000, VMMU_X), VMMU_INJECT);
	assert_int_equal(touch(g, 0x403000, VMMU_W | VMMU_U), VMMU_INJECT);
	/* A user reads: back it goes. */
	assert_int_equal(touch(g, 0x403000, VMMU_R | VMMU_U), VMMU_RESUME);
	assert_false(reaches(g, 0x403000, VMMU_W));
	/* With WP the loan ends at once. */
	touch(g, 0x403000, VMMU_W);
	g->regs.cr0 |= VMMU_CR0_WP;
	set_regs(g);
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_INJECT);
	end(g);
}
EACH(wp_0_lends_a_page_to_the_supervisor)

static void wp_0_with_smap_is_left_to_software_in(enum mode mode)
{
	struct guest *g = guest(mode);

	g->regs.cr0 &= ~VMMU_CR0_WP;
	g->regs.cr4 |= VMMU_CR4_SMAP;
	set_regs(g);
	map(g, 0x403000, 0x7000 | P | U);
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_INJECT);
	assert_int_equal(touch(g, 0x403000, VMMU_W | VMMU_AC), VMMU_EMULATE);
	/* A supervisor's page has no such doubt. */
	map(g, 0x404000, 0x8000 | P);
	assert_int_equal(touch(g, 0x404000, VMMU_W), VMMU_RESUME);
	end(g);
}
EACH(wp_0_with_smap_is_left_to_software)

/* 3. The processor's registers, and the modes in turn. */

static void the_real_registers_hold_what_they_must(void **state)
{
	static const bool is_long[MODES] = { [LEVEL4] = true, [LEVEL5] = true };
	struct guest *g = guest(OFF);
	struct vmmu_regs real;
	hpa_t root = g->cpu.root;

	(void)state;
	assert_int_equal(root.v >> 32, 0);
	for (unsigned i = 0; i < 3 * MODES; i++) {
		enum mode mode = (enum mode)(i * 3 % MODES);

		enter(g, mode);
		vmmu_cpu_real_regs(&g->cpu, &real);
		assert_int_equal(real.cr3, root.v);
		assert_int_equal(g->cpu.root.v, root.v);
		assert_true(real.cr0 & VMMU_CR0_PG && real.cr0 & VMMU_CR0_WP);
		assert_true(real.cr4 & VMMU_CR4_PAE);
		assert_true(real.efer & VMMU_EFER_NXE);
		assert_int_equal(!(real.efer & VMMU_EFER_LMA), !is_long[mode]);
		assert_int_equal(!(real.efer & VMMU_EFER_LME), !is_long[mode]);
		assert_int_equal(!(real.cr4 & VMMU_CR4_LA57), mode != LEVEL5);
		if (mode != OFF)
			map(g, 0x403000, 0x7000 | P | U);
		else
			assert_int_equal(touch(g, 0x403000, VMMU_R),
					 VMMU_RESUME);
		assert_int_equal(touch(g, 0x403000, VMMU_R), VMMU_RESUME);
		assert_true(audit(g));
	}
	end(g);
}

/* LME without PG is not long mode yet: PG on the processor must not make it
 * so. */
static void long_mode_begins_with_lma(void **state)
{
	struct guest *g = guest(OFF);
	struct vmmu_regs real;

	(void)state;
	g->regs.efer |= VMMU_EFER_LME;
	g->regs.cr4 |= VMMU_CR4_PCIDE;
	set_regs(g);
	vmmu_cpu_real_regs(&g->cpu, &real);
	assert_false(real.efer & (VMMU_EFER_LME | VMMU_EFER_LMA));
	assert_false(real.cr4 & VMMU_CR4_PCIDE);
	end(g);
}

static void pdptes_never_change(void **state)
{
	struct guest *g = guest_of(PAE, (struct shape){ 0x1000, 16 });
	uint64_t first[4];

	(void)state;
	memcpy(first, lab_host_ptr(&g->lab, g->cpu.root), sizeof(first));
	for (uint64_t gva = 0; gva >> 32 == 0; gva += 0x4403000) {
		map(g, gva, 0x7000 | P | U);
		assert_int_equal(touch(g, gva, VMMU_R), VMMU_RESUME);
		vmmu_cpu_invalidate(&g->cpu, mk_gva(gva));
		assert_memory_equal(first, lab_host_ptr(&g->lab, g->cpu.root),
				    sizeof(first));
	}
	assert_true(g->vm.stats.mmu_recycled > 0);
	end(g);
}

/* 4. Slots and backing. */

static void withdrawn_backing_is_gone_in(enum mode mode)
{
	struct guest *g = guest(mode);
	uint64_t before;

	map(g, 0x403000, 0x700000 | P | W | U | A | D);
	touch(g, 0x403000, VMMU_W);
	before = g->hpa;
	/* Elsewhere: nothing of ours. */
	lab_host_move(&g->lab, mk_hva(g->lab.hva_base.v + 30 * MIB), 0x1000);
	assert_true(reaches(g, 0x403000, VMMU_W));
	lab_host_move(&g->lab, mk_hva(g->lab.hva_base.v + 0x700000), 0x1000);
	assert_false(reaches(g, 0x403000, VMMU_R));
	touch(g, 0x403000, VMMU_W);
	assert_true(g->hpa != before);
	end(g);
}
EACH(withdrawn_backing_is_gone)

static uint64_t asked_last; /* the next question takes what this was about */

static void take_first_page(void *ctx, hva_t hva)
{
	struct guest *g = ctx;
	uint64_t last = asked_last;

	asked_last = hva.v;
	if (!last || last == hva.v)
		return;
	g->lab.hooks.resolving = NULL;
	lab_host_move(&g->lab, mk_hva(last & ~(2 * MIB - 1)), 2 * MIB);
}

/* The memory of a fault goes when the host is asked for that of a neighbour,
 * so the next neighbour, which lay beside it, must be asked for anew. */
static void neighbours_are_of_now_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x1000, (2 * MIB) | P | W | U | A | D);
	map(g, 0x2000, (6 * MIB) | P | W | U | A | D);
	map(g, 0x3000, (2 * MIB + 0x1000) | P | W | U | A | D);
	assert_int_equal(touch(g, 0x8000, VMMU_R), VMMU_INJECT);
	asked_last = 0;
	g->lab.hooks.resolving = take_first_page;
	assert_int_equal(touch(g, 0x1000, VMMU_W), VMMU_RESUME);
	assert_null(g->lab.hooks.resolving);
	assert_true(audit(g));
	assert_int_equal(touch(g, 0x3000, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, 2 * MIB + 0x1000));
	end(g);
}
EACH(neighbours_are_of_now)

static void flags_that_a_slot_gains_bind_at_once_in(enum mode mode)
{
	struct guest *g = guest(mode);
	struct vmmu_slot s = *vmmu_slots_by_id(&g->vm.slots, 0);

	map(g, 0x403000, 0x700000 | P | W | U | A | D);
	touch(g, 0x403000, VMMU_W);
	s.flags = VMMU_SLOT_READ_ONLY;
	vmmu_vm_set_slot(&g->vm, &s);
	assert_false(reaches(g, 0x403000, VMMU_W));
	assert_int_equal(touch(g, 0x403000, VMMU_W), VMMU_MMIO);
	s.size = 0;
	vmmu_vm_set_slot(&g->vm, &s);
	assert_false(reaches(g, 0x403000, VMMU_R));
	end(g);
}
EACH(flags_that_a_slot_gains_bind_at_once)

/* 5. The audit, the processor that cannot, and moving. */

static void the_audit_finds_what_is_planted(void **state)
{
	struct guest *g = guest(LEVEL4);
	struct vmmu_audit quiet = { .breach = NULL };
	struct pt_walk w;
	uint64_t good;

	(void)state;
	map(g, 0x403000, (LOG + 0x1000) | P | W | U | A | D);
	touch(g, 0x403000, VMMU_R);
	assert_true(pt_walk(vmmu_vtlb.cpu_table(&g->cpu), 0x403000, &w));
	good = *w.slot;
	*w.slot = good | W;
	assert_false(vmmu_audit(&g->vm, &quiet));
	*w.slot = (good & ~UINT64_C(0xffffff000)) | g->cpu.root.v;
	assert_false(vmmu_audit(&g->vm, &quiet));
	*w.slot = good | UINT64_C(1) << 51;
	assert_false(vmmu_audit(&g->vm, &quiet));
	*w.slot = good;
	g->cpu.root.v += 0x1000;
	assert_false(vmmu_audit(&g->vm, &quiet));
	g->cpu.root.v -= 0x1000;
	end(g);
}

static void needs_the_processors_own_paging(void **state)
{
	struct guest *g = guest(OFF);
	struct vmmu_cpu other;

	(void)state;
	g->vm.hw.nested_format = &pt_npt;
	g->vm.hw.nested_max_leaf = 2;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_nested));
	g->vm.hw.host_max_leaf = 0;
	assert_false(vmmu_cpu_switch(&g->cpu, &vmmu_vtlb));
	assert_false(vmmu_cpu_init(&other, &g->vm, &vmmu_vtlb));
	assert_ptr_equal(g->cpu.scheme, &vmmu_nested);
	g->vm.hw.host_max_leaf = 2;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_vtlb));
	assert_int_equal(touch(g, 0x5000, VMMU_W), VMMU_RESUME);
	end(g);
}

/* CR3 has 32 bits outside long mode: no root above 4 GiB. */
static void a_root_that_does_not_fit_is_refused(void **state)
{
	struct lab_host_config c = { .memory = 4 * VMMU_1G,
				     .extent = 2 * MIB,
				     .table_pages = 64 };
	struct vmmu_slot storage[1];
	struct vmmu_vm_config vc = { .hw.host_max_leaf = 1,
				     .slot_storage = storage,
				     .slot_capacity = 1,
				     .table_limit = 32 };
	struct lab_host lab;
	struct vmmu_cpu cpu;
	struct vmmu_vm vm;

	(void)state;
	assert_true(lab_host_init(&lab, &c));
	vc.host = lab_host_ops(&lab);
	assert_true(vmmu_vm_init(&vm, &vc));
	assert_true(lab.table_base.v >> 32);
	assert_false(vmmu_cpu_init(&cpu, &vm, &vmmu_vtlb));
	assert_int_equal(vm.pool.used, 0);
	vmmu_vm_fini(&vm);
	assert_int_equal(lab.count.tables_out, 0);
	lab_host_fini(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_all_is_identity),
		cmocka_unit_test(a_hidden_fault_is_filled),
		cmocka_unit_test(a_true_fault_is_injected),
		cmocka_unit_test(the_first_write_to_a_clean_page_is_seen),
		cmocka_unit_test(mmio_exits_each_time),
		cmocka_unit_test(tables_in_no_memory_are_left_to_software),
		cmocka_unit_test(the_log_is_exact),
		cmocka_unit_test(shared_memory_is_not_writable),
		cmocka_unit_test(backing_that_is_not_there_is_waited_for),
		cmocka_unit_test(wp_0_lends_a_page_to_the_supervisor),
		cmocka_unit_test(wp_0_with_smap_is_left_to_software),
		cmocka_unit_test(the_real_registers_hold_what_they_must),
		cmocka_unit_test(long_mode_begins_with_lma),
		cmocka_unit_test(pdptes_never_change),
		cmocka_unit_test(withdrawn_backing_is_gone),
		cmocka_unit_test(neighbours_are_of_now),
		cmocka_unit_test(flags_that_a_slot_gains_bind_at_once),
		cmocka_unit_test(the_audit_finds_what_is_planted),
		cmocka_unit_test(needs_the_processors_own_paging),
		cmocka_unit_test(a_root_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Direct paging as a guest that means no harm uses it: tables are pinned and
 * loaded, entries changed in each of the four ways, frames come and go.
 */
#include "direct_test.h"

#define OK VMMU_DIRECT_OK

/* 1. Tables. */

static void a_builders_tables_are_validated(void **state)
{
	struct direct_rig *r = direct_rig();
	const struct vmmu_direct_stats *s = &r->vm[0].direct.stats;

	(void)state;
	for (unsigned gfn = 0; gfn < 4; gfn++) {
		assert_int_equal(rig_frame(r, 0, gfn)->type, 4 - gfn);
		assert_true(rig_frame(r, 0, gfn)->flags & VMMU_FRAME_VALIDATED);
		assert_int_equal(s->promoted[gfn + 1], 1);
	}
	/* Pin and two roots; a link; and each mapped read-only. */
	assert_int_equal(rig_frame(r, 0, 0)->type_count, 3);
	assert_int_equal(rig_frame(r, 0, 0)->total_count, 4);
	assert_int_equal(rig_frame(r, 0, 3)->type_count, 1);
	assert_int_equal(rig_frame(r, 0, 3)->total_count, 2);
	assert_int_equal(rig_frame(r, 0, RIG_DATA)->type, VMMU_FRAME_WRITABLE);
	assert_int_equal(rig_frame(r, 0, RIG_DATA)->type_count, 1);
	assert_int_equal(r->vm[0].cpu[0].root.v, rig_at(0, 0, 0).v);
	direct_rig_free(r);
}

static void the_hypervisors_slots_are_filled_and_cleared(void **state)
{
	struct direct_rig *r = direct_rig();
	uint64_t *l4 = rig_page(r, rig_hfn(0, 4));

	(void)state;
	/* As a kernel makes one: a copy of another. */
	memcpy(l4, rig_page(r, rig_hfn(0, 0)), VMMU_PAGE_SIZE);
	l4[257] = 0;
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(l4[256 + i], r->template[i]);
	assert_int_equal(rig_unpin(r, 0, 4), OK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(l4[256 + i], 0);
	direct_rig_free(r);
}

static void a_root_that_is_unpinned_stays_while_it_is_loaded(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	rig_page(r, rig_hfn(0, 4))[0] = rig_to(0, 1, P | W);
	assert_int_equal(rig_unpin(r, 0, 0), OK);
	assert_true(rig_frame(r, 0, 0)->flags & VMMU_FRAME_VALIDATED);
	/* An L4 that was never pinned is promoted by being loaded. */
	assert_int_equal(rig_root(r, 0, 0, 4), OK);
	assert_int_equal(rig_root(r, 0, 1, 4), OK);
	assert_false(rig_frame(r, 0, 0)->flags & VMMU_FRAME_VALIDATED);
	assert_int_equal(rig_frame(r, 0, 0)->type_count, 0);
	assert_int_equal(rig_frame(r, 0, 4)->type_count, 2);
	assert_int_equal(rig_frame(r, 0, 1)->type_count, 1);
	direct_rig_free(r);
}

static void a_user_root_is_one_more_use(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];

	(void)state;
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	assert_int_equal(
		vmmu_direct_set_user_root(cpu, mk_hfn(rig_hfn(0, 4)), NULL),
		OK);
	assert_int_equal(vmmu_direct_cpu(cpu)->user_root.v, rig_at(0, 4, 0).v);
	assert_int_equal(rig_unpin(r, 0, 4), OK);
	assert_true(rig_frame(r, 0, 4)->flags & VMMU_FRAME_VALIDATED);
	assert_int_equal(vmmu_direct_set_user_root(cpu, mk_hfn(0), NULL), OK);
	assert_int_equal(vmmu_direct_cpu(cpu)->user_root.v, 0);
	assert_int_equal(rig_frame(r, 0, 4)->type_count, 0);
	direct_rig_free(r);
}

/* A process as a kernel makes it: its tables are filled while they are data,
 * made read-only, pinned, linked, and go the same way back. */
static void a_process_comes_and_goes(void **state)
{
	struct direct_rig *r = direct_rig();
	uint64_t data = RIG_DATA + 1;

	(void)state;
	assert_int_equal(rig_va(r, 0, data, rig_to(0, data, RW)), OK);
	assert_true(rig_store(r, 0, data, 7, rig_to(0, RIG_DATA, RW)));
	assert_int_equal(rig_va(r, 0, data, rig_to(0, data, RO)), OK);
	assert_false(rig_store(r, 0, data, 7, 0));
	assert_int_equal(rig_pin(r, 0, data, 1), OK);
	assert_int_equal(
		rig_update(r, 0, rig_at(0, 2, 1), rig_to(0, data, P | W | A)),
		OK);
	assert_int_equal(rig_frame(r, 0, data)->type_count, 2);
	assert_int_equal(rig_frame(r, 0, RIG_DATA)->type_count, 2);
	rig_audit(r);
	assert_int_equal(rig_update(r, 0, rig_at(0, 2, 1), 0), OK);
	assert_int_equal(rig_unpin(r, 0, data), OK);
	assert_int_equal(rig_frame(r, 0, RIG_DATA)->type_count, 1);
	assert_int_equal(rig_va(r, 0, data, rig_to(0, data, RW)), OK);
	assert_true(rig_store(r, 0, data, 7, 0));
	direct_rig_free(r);
}

/* 2. Entries. */

static void an_entry_is_made_changed_and_taken_away(void **state)
{
	struct direct_rig *r = direct_rig();
	const struct vmmu_frame *f = rig_frame(r, 0, RIG_DATA);
	hpa_t at = rig_at(0, 3, 300);
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3));

	(void)state;
	assert_int_equal(rig_update(r, 0, at, rig_to(0, RIG_DATA, RW)), OK);
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U));
	assert_int_equal(f->type_count, 2);
	assert_int_equal(rig_update(r, 0, at, rig_to(0, RIG_DATA, RW | NX)),
			 OK);
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U | NX));
	assert_int_equal(f->type_count, 2);
	assert_int_equal(rig_update(r, 0, at, rig_to(0, RIG_DATA, RO)), OK);
	assert_int_equal(f->type_count, 1);
	assert_int_equal(f->total_count, 2);
	/* A swapped page: what it says is the guest's business. */
	assert_int_equal(rig_update(r, 0, at, UINT64_C(1) << 50 | 0x400), OK);
	assert_int_equal(f->total_count, 1);
	assert_int_equal(rig_update(r, 0, at, 0), OK);
	assert_int_equal(r->vm[0].direct.stats.update_single, 5);
	assert_int_equal(r->vm[0].direct.stats.update_level[1], 5);
	direct_rig_free(r);
}

static void accessed_and_dirty_are_preserved_on_request(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_direct_update u = { .at = rig_at(0, 3, RIG_DATA),
					.value = rig_to(0, RIG_DATA, P),
					.how = VMMU_DIRECT_PRESERVE_AD };
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3));

	(void)state;
	assert_int_equal(vmmu_direct_update(&r->vm[0].cpu[0], &u, NULL), OK);
	assert_int_equal(l1[RIG_DATA], rig_to(0, RIG_DATA, P | U | A | D));
	u.how = VMMU_DIRECT_NORMAL;
	assert_int_equal(vmmu_direct_update(&r->vm[0].cpu[0], &u, NULL), OK);
	assert_int_equal(l1[RIG_DATA], rig_to(0, RIG_DATA, P | U));
	assert_int_equal(r->vm[0].direct.stats.preserve_ad, 1);
	direct_rig_free(r);
}

static void a_batch_stops_at_the_first_refusal(void **state)
{
	struct direct_rig *r = direct_rig();
	uint64_t value = rig_to(0, RIG_DATA, RW);
	const struct vmmu_direct_update u[] = {
		{ .at = rig_at(0, 3, 300), .value = value },
		{ .at = rig_at(0, 3, 301), .value = value },
		{ .at = rig_at(0, 3, 302), .value = rig_to(1, RIG_DATA, RW) },
		{ .at = rig_at(0, 3, 303), .value = value },
	};
	uint32_t done = 99;

	(void)state;
	assert_int_equal(
		vmmu_direct_update_batch(&r->vm[0].cpu[0], u, 4, &done, NULL),
		VMMU_DIRECT_FOREIGN);
	assert_int_equal(done, 2);
	assert_int_equal(rig_page(r, rig_hfn(0, 3))[303], 0);
	assert_int_equal(r->vm[0].direct.stats.update_batched, 2);
	assert_int_equal(r->vm[0].direct.stats.status[VMMU_DIRECT_FOREIGN], 1);
	direct_rig_free(r);
}

static void a_table_that_is_not_one_yet_is_written_as_data(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	/* gfn 5 is mapped read-only and has no type. */
	assert_int_equal(rig_update(r, 0, rig_at(0, 5, 9), 0x1234567890), OK);
	assert_int_equal(rig_page(r, rig_hfn(0, 5))[9], 0x1234567890);
	assert_int_equal(rig_frame(r, 0, 5)->type_count, 0);
	assert_int_equal(r->vm[0].direct.stats.update_level[0], 1);
	direct_rig_free(r);
}

static void a_write_to_a_read_only_table_is_trapped(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3)), was;
	struct vmmu_fault f = { .gva = mk_gva(3 * VMMU_PAGE_SIZE + 8 * 300),
				.access = VMMU_W | VMMU_U,
				.error_code = VMMU_PF_P | VMMU_PF_W |
					      VMMU_PF_U };
	struct vmmu_answer a;
	hpa_t at;

	(void)state;
	vmmu_cpu_fault(cpu, &f, &a);
	assert_int_equal(a.verdict, VMMU_EMULATE);
	assert_int_equal(a.gpa.v, rig_at(0, 3, 300).v);
	assert_true(vmmu_direct_is_trapped(cpu, f.gva, &at));
	was = vmmu_direct_entry(cpu, at);
	assert_int_equal(was, 0);
	assert_int_equal(vmmu_direct_trapped_write(
				 cpu, at, 8, rig_to(0, RIG_DATA, RW), &was),
			 OK);
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U));
	/* Hardware sets a bit after the instruction has read. */
	was = rig_to(0, RIG_DATA, P | W | U);
	assert_int_equal(vmmu_direct_trapped_write(cpu, at, 8, 0, &was),
			 VMMU_DIRECT_CHANGED);
	assert_int_equal(was, l1[300]);
	/* lock andb $~W: one byte. */
	assert_int_equal(vmmu_direct_trapped_write(cpu, at, 1,
						   (l1[300] & ~W) & 0xff, NULL),
			 OK);
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RO | D | U));
	assert_int_equal(rig_frame(r, 0, RIG_DATA)->type_count, 1);
	/* Any other fault is the guest's own, as it is. */
	f.gva = mk_gva(2 * VMMU_PAGE_SIZE);
	vmmu_cpu_fault(cpu, &f, &a);
	assert_int_equal(a.verdict, VMMU_INJECT);
	assert_int_equal(a.error_code, f.error_code);
	assert_int_equal(a.gva.v, f.gva.v);
	/* Also where a table above is what forbids it. */
	assert_int_equal(rig_update(r, 0, rig_at(0, 1, 0), rig_to(0, 2, P)),
			 OK);
	assert_false(
		vmmu_direct_is_trapped(cpu, mk_gva(3 * VMMU_PAGE_SIZE), &at));
	direct_rig_free(r);
}

static void a_walk_tells_what_hardware_would_allow(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	struct vmmu_direct_walk w;

	(void)state;
	assert_true(vmmu_direct_walk(cpu, rig_gva(RIG_DATA), &w));
	assert_int_equal(w.perms, VMMU_RWXU);
	assert_int_equal(w.at.v, rig_at(0, 3, RIG_DATA).v);
	assert_true(vmmu_direct_walk(cpu, rig_gva(3), &w));
	assert_int_equal(w.perms, VMMU_R | VMMU_X | VMMU_U);
	assert_int_equal(
		rig_update(r, 0, rig_at(0, 2, 0), rig_to(0, 3, P | NX)), OK);
	assert_true(vmmu_direct_walk(cpu, rig_gva(RIG_DATA), &w));
	assert_int_equal(w.perms, VMMU_R | VMMU_U);
	assert_false(vmmu_direct_walk(cpu, rig_gva(500), &w));
	assert_int_equal(w.level, 1);
	assert_false(vmmu_direct_walk(cpu, mk_gva(VMMU_1G), &w));
	assert_int_equal(w.level, 3);
	direct_rig_free(r);
}

/* 3. Frames. */

static void frames_are_released_and_given(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_vm *vm = &r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_hfn(0, RIG_DATA)), found;
	gfn_t gfn;

	(void)state;
	assert_true(vmmu_direct_p2m(vm, mk_gfn(RIG_DATA), &found));
	assert_int_equal(found.v, hfn.v);
	assert_true(vmmu_direct_m2p(vm, hfn, &gfn));
	assert_int_equal(gfn.v, RIG_DATA);
	assert_false(vmmu_direct_m2p(&r->vm[1].vm, hfn, &gfn));
	assert_false(vmmu_direct_m2p(vm, mk_hfn(UINT64_MAX), &gfn));
	assert_int_equal(rig_va(r, 0, RIG_DATA, 0), OK);
	assert_int_equal(rig_release(r, 0, RIG_DATA), OK);
	/* A processor might remember it. */
	assert_int_equal(r->flush_all, 1);
	assert_false(vmmu_direct_p2m(vm, mk_gfn(RIG_DATA), &found));
	assert_false(vmmu_direct_m2p(vm, hfn, &gfn));
	assert_int_equal(r->m2p[hfn.v - RIG_FIRST], VMMU_M2P_INVALID);
	/* The other VM takes it. */
	assert_int_equal(vmmu_direct_give(&r->vm[1].vm, mk_gfn(RIG_GFNS), hfn),
			 OK);
	assert_int_equal(
		rig_update(r, 1, rig_at(1, 3, 400), rig_entry(hfn.v, RW)), OK);
	assert_int_equal(rig_va(r, 0, RIG_DATA, rig_entry(hfn.v, RO)),
			 VMMU_DIRECT_FOREIGN);
	direct_rig_free(r);
}

static void machphys_moves_a_frame_in_both_maps(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_direct_update u = {
		.at = rig_at(0, RIG_DATA, 0),
		.value = RIG_DATA + 1,
		.how = VMMU_DIRECT_MACHPHYS,
	};
	hfn_t found;

	(void)state;
	assert_int_equal(vmmu_direct_update(&r->vm[0].cpu[0], &u, NULL), OK);
	assert_int_equal(r->m2p[rig_hfn(0, RIG_DATA) - RIG_FIRST],
			 RIG_DATA + 1);
	assert_true(
		vmmu_direct_p2m(&r->vm[0].vm, mk_gfn(RIG_DATA + 1), &found));
	assert_int_equal(found.v, rig_hfn(0, RIG_DATA));
	assert_false(vmmu_direct_p2m(&r->vm[0].vm, mk_gfn(RIG_DATA), &found));
	direct_rig_free(r);
}

static void a_shared_frame_is_mapped_writable(void **state)
{
	struct direct_rig *r = direct_rig();
	hfn_t shared = mk_hfn(rig_free_hfn(0));

	(void)state;
	assert_int_equal(vmmu_direct_share(&r->vm[0].vm, shared), OK);
	assert_int_equal(rig_va(r, 0, 300, rig_entry(shared.v, RW)), OK);
	assert_int_equal(rig_va(r, 0, 301, rig_entry(shared.v, RO)), OK);
	assert_true(rig_store(r, 0, 300, 0, 1));
	rig_audit(r);
	assert_int_equal(rig_va(r, 0, 300, 0), OK);
	assert_int_equal(rig_va(r, 0, 301, 0), OK);
	direct_rig_free(r);
}

static void holds_keep_a_frame_what_it_is(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_vm *vm = &r->vm[0].vm;
	hfn_t info = mk_hfn(rig_hfn(0, RIG_DATA)), gdt = mk_hfn(rig_hfn(0, 5));
	const uint64_t code = UINT64_C(0x00af9b000000ffff);
	uint64_t *page = rig_page(r, gdt.v);

	(void)state;
	page[1] = code;
	assert_int_equal(vmmu_direct_hold(vm, info, VMMU_FRAME_WRITABLE, NULL),
			 OK);
	assert_int_equal(vmmu_direct_hold(vm, gdt, VMMU_FRAME_SEGMENTS, NULL),
			 OK);
	assert_int_equal(page[1], code | UINT64_C(3) << 45);
	rig_audit(r);
	assert_int_equal(rig_va(r, 0, RIG_DATA, 0), OK);
	assert_int_equal(rig_pin(r, 0, RIG_DATA, 1), VMMU_DIRECT_TYPE);
	assert_int_equal(rig_va(r, 0, 5, rig_to(0, 5, RW)), VMMU_DIRECT_TYPE);
	assert_int_equal(
		vmmu_direct_descriptor(&r->vm[0].cpu[0], rig_at(0, 5, 2), code),
		OK);
	assert_int_equal(page[2], code | UINT64_C(3) << 45);
	vmmu_direct_drop(vm, info, VMMU_FRAME_WRITABLE);
	vmmu_direct_drop(vm, gdt, VMMU_FRAME_SEGMENTS);
	assert_int_equal(rig_va(r, 0, 5, rig_to(0, 5, RW)), OK);
	assert_int_equal(rig_pin(r, 0, RIG_DATA, 1), OK);
	direct_rig_free(r);
}

/* 4. The seam. */

static void only_direct_runs_such_a_guest(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	assert_false(vmmu_cpu_switch(&r->vm[0].cpu[0], &vmmu_vtlb));
	assert_false(vmmu_cpu_switch(&r->vm[0].cpu[0], &vmmu_shadow));
	vmmu_cpu_invalidate(&r->vm[0].cpu[0], mk_gva(0));
	vmmu_cpu_flush(&r->vm[0].cpu[0], VMMU_FLUSH_ALL);
	assert_int_equal(r->flush_gva, 1);
	assert_int_equal(r->flush_cpu, 1);
	direct_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_builders_tables_are_validated),
		cmocka_unit_test(the_hypervisors_slots_are_filled_and_cleared),
		cmocka_unit_test(
			a_root_that_is_unpinned_stays_while_it_is_loaded),
		cmocka_unit_test(a_user_root_is_one_more_use),
		cmocka_unit_test(a_process_comes_and_goes),
		cmocka_unit_test(an_entry_is_made_changed_and_taken_away),
		cmocka_unit_test(accessed_and_dirty_are_preserved_on_request),
		cmocka_unit_test(a_batch_stops_at_the_first_refusal),
		cmocka_unit_test(
			a_table_that_is_not_one_yet_is_written_as_data),
		cmocka_unit_test(a_write_to_a_read_only_table_is_trapped),
		cmocka_unit_test(a_walk_tells_what_hardware_would_allow),
		cmocka_unit_test(frames_are_released_and_given),
		cmocka_unit_test(machphys_moves_a_frame_in_both_maps),
		cmocka_unit_test(a_shared_frame_is_mapped_writable),
		cmocka_unit_test(holds_keep_a_frame_what_it_is),
		cmocka_unit_test(only_direct_runs_such_a_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

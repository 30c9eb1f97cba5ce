/*
 * Attacks by time and count: translations that processors still remember,
 * counts driven to their limit, tables reused while they are loaded or linked.
 */
#include "direct_attack.h"

/* 1. What processors remember. */

static unsigned flushes(struct attack *a)
{
	unsigned n = a->r->flush_all;

	a->r->flush_all = 0;
	return n;
}

static void a_page_is_pinned_while_a_tlb_can_still_write_it(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, 0), OK);
	assert_int_equal(flushes(a), 0);
	assert_int_equal(rig_pin(a->r, 0, RIG_DATA, 1), OK);
	assert_int_equal(flushes(a), 1);
	/* Flushed long ago: not again. */
	assert_int_equal(rig_va(a->r, 0, RIG_DATA + 1, 0), OK);
	rig_flushed(a->r, 0);
	assert_int_equal(rig_pin(a->r, 0, RIG_DATA + 1, 1), OK);
	assert_int_equal(flushes(a), 0);
	attack_end(a);
}

static void a_page_is_linked_while_a_tlb_can_still_write_it(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, rig_to(0, RIG_DATA, RO)),
			 OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 2, 9),
				    rig_to(0, RIG_DATA, P | W)),
			 OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

static void descriptors_are_checked_while_a_tlb_can_still_write(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_hfn(0, RIG_DATA));

	(void)state;
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, 0), OK);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			 OK);
	assert_int_equal(flushes(a), 1);
	vmmu_direct_drop(vm, hfn, VMMU_FRAME_SEGMENTS);
	attack_end(a);
}

/* A processor that has an L2 entry cached would walk a page that the guest
 * writes: SDM 3A 4.10.3. */
static void an_old_table_is_written_while_it_can_still_be_walked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 2, 9), rig_to(0, SPARE, P | W)),
		OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 2, 9), 0), OK);
	flushes(a);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

static void a_pin_hides_that_a_table_was_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), OK);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 2, 9), rig_to(0, SPARE, P | W)),
		OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 2, 9), 0), OK);
	flushes(a);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

/* The pause of a pin uses the place where it says when the table was last
 * linked. */
static void a_paused_pin_hides_that_a_table_was_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 0, 9), rig_to(0, SPARE, P | W)),
		OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 0, 9), 0), OK);
	flushes(a);
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 100, 10), OK);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

/* The same where the table went with the one above it. */
static void a_table_below_an_old_table_is_written(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, SPARE + 1, P | W));
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 1, 9), rig_to(0, SPARE, P | W)),
		OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 1, 9), 0), OK);
	flushes(a);
	assert_int_equal(rig_va(a->r, 0, SPARE + 1, rig_to(0, SPARE + 1, RW)),
			 OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

/* Taking it apart pauses, and that too uses the place. */
static void a_paused_end_hides_that_a_table_was_linked(void **state)
{
	struct attack *a = attack_begin();
	const struct vmmu_direct_update u = { .at = rig_at(0, 0, 9) };
	uint32_t budget = 100;

	(void)state;
	attack_fill_links(a, SPARE, SPARE + 1);
	assert_int_equal(rig_update(a->r, 0, u.at, rig_to(0, SPARE, P | W)),
			 OK);
	rig_audit(a->r);
	assert_int_equal(vmmu_direct_update(&a->r->vm[0].cpu[0], &u, &budget),
			 OK);
	assert_true(rig_frame(a->r, 0, SPARE)->flags & VMMU_FRAME_PARTIAL);
	flushes(a);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

static void a_root_is_reused_while_a_processor_can_still_walk_it(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, 1, P | W));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(rig_root(a->r, 0, i, SPARE), OK);
	assert_int_equal(rig_unpin(a->r, 0, 0), OK);
	flushes(a);
	assert_int_equal(rig_va(a->r, 0, 0, rig_to(0, 0, RW)), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

static void a_released_page_is_still_in_a_tlb(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, rig_to(0, RIG_DATA, RO)),
			 OK);
	rig_flushed(a->r, 0);
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, 0), OK);
	assert_int_equal(rig_release(a->r, 0, RIG_DATA), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

/* The last use that went was a pin, which no processor remembers; but a mapping
 * that went before it is remembered still. */
static void a_pin_hides_that_a_table_was_mapped(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), OK);
	rig_flushed(a->r, 0);
	rig_audit(a->r);
	assert_int_equal(rig_va(a->r, 0, SPARE, 0), OK);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	flushes(a);
	assert_int_equal(rig_release(a->r, 0, SPARE), OK);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

static void a_batch_unmaps_and_links_a_page(void **state)
{
	struct attack *a = attack_begin();
	const struct vmmu_direct_update u[] = {
		{ .at = rig_at(0, 3, RIG_DATA), .value = 0 },
		{ .at = rig_at(0, 2, 9), .value = rig_to(0, RIG_DATA, P | W) },
		{ .at = rig_at(0, 3, RIG_DATA),
		  .value = rig_to(0, RIG_DATA, RW) },
	};
	uint32_t done;

	(void)state;
	assert_int_equal(vmmu_direct_update_batch(&a->r->vm[0].cpu[0], u, 3,
						  &done, NULL),
			 TYPE);
	assert_int_equal(done, 2);
	assert_int_equal(flushes(a), 1);
	attack_end(a);
}

/* 2. Counts. */

static void a_page_is_mapped_more_often_than_can_be_counted(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	a->r->vm[0].direct.table.count_limit = 7;
	for (unsigned i = 1; i < 7; i++)
		assert_int_equal(rig_va(a->r, 0, 300 + i,
					rig_to(0, RIG_DATA, i & 1 ? RW : RO)),
				 OK);
	assert_int_equal(rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RO)), COUNT);
	assert_int_equal(rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RW)), COUNT);
	attack_fill(a, SPARE, 9, rig_to(0, RIG_DATA, RO));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), COUNT);
	assert_int_equal(rig_frame(a->r, 0, RIG_DATA)->total_count, 7);
	assert_int_equal(rig_frame(a->r, 0, RIG_DATA)->type_count, 4);
	attack_end(a);
}

static void a_table_is_linked_more_often_than_can_be_counted(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	a->r->vm[0].direct.table.count_limit = 7;
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(rig_update(a->r, 0, rig_at(0, 2, 100 + i),
					    rig_to(0, SPARE, P | W)),
				 i < 6 ? OK : COUNT);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), COUNT);
	/* A whole table of links, which is refused in its middle. */
	for (unsigned i = 0; i < 512; i++)
		attack_fill(a, SPARE + 1, i, rig_to(0, SPARE + 2, P | W));
	assert_int_equal(rig_pin(a->r, 0, SPARE + 1, 2), COUNT);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 2)->type_count, 0);
	attack_end(a);
}

static void a_root_is_loaded_more_often_than_can_be_counted(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	/* Pin, two roots, one mapping. */
	a->r->vm[0].direct.table.count_limit = 4;
	assert_int_equal(vmmu_direct_set_user_root(&a->r->vm[0].cpu[0],
						   mk_hfn(rig_hfn(0, 0)), NULL),
			 COUNT);
	assert_int_equal(vmmu_direct_hold(&a->r->vm[0].vm,
					  mk_hfn(rig_hfn(0, 0)),
					  VMMU_FRAME_NONE, NULL),
			 COUNT);
	/* At the limit it may still be loaded by who has it. */
	assert_int_equal(rig_root(a->r, 0, 0, 0), OK);
	attack_end(a);
}

static void counts_are_at_their_largest(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_frame *f = rig_frame(a->r, 0, RIG_DATA);

	(void)state;
	f->total_count += VMMU_FRAME_COUNT_MAX - 1;
	f->type_count += VMMU_FRAME_COUNT_MAX - 1;
	assert_int_equal(rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RW)), COUNT);
	assert_int_equal(rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RO)), COUNT);
	assert_int_equal(f->total_count, VMMU_FRAME_COUNT_MAX);
	f->total_count -= VMMU_FRAME_COUNT_MAX - 1;
	f->type_count -= VMMU_FRAME_COUNT_MAX - 1;
	attack_end(a);
}

/* 3. Pins, and reuse while loaded. */

static void a_table_is_pinned_twice(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_pin(a->r, 0, 0, 4), STATE);
	assert_int_equal(rig_pin(a->r, 0, 0, 1), STATE);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), OK);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), STATE);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 2), STATE);
	attack_end(a);
}

static void a_table_is_unpinned_twice(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_unpin(a->r, 0, 3), STATE);
	assert_int_equal(rig_unpin(a->r, 0, RIG_DATA), STATE);
	assert_int_equal(rig_pin(a->r, 0, 3, 1), OK);
	assert_int_equal(rig_unpin(a->r, 0, 3), OK);
	assert_int_equal(rig_unpin(a->r, 0, 3), STATE);
	assert_int_equal(rig_frame(a->r, 0, 3)->type_count, 1);
	attack_end(a);
}

static void a_loaded_root_is_unpinned_and_written(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_unpin(a->r, 0, 0), OK);
	assert_int_equal(rig_va(a->r, 0, 0, rig_to(0, 0, RW)), TYPE);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 0, 9), rig_to(1, 1, P | W)),
		FOREIGN);
	assert_int_equal(rig_pin(a->r, 0, 0, 1), TYPE);
	assert_int_equal(rig_va(a->r, 0, 0, 0), OK);
	assert_int_equal(rig_release(a->r, 0, 0), STATE);
	attack_end(a);
}

static void another_processors_root_is_reused(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, 1, P | W));
	assert_int_equal(rig_root(a->r, 0, 0, SPARE), OK);
	assert_int_equal(rig_unpin(a->r, 0, 0), OK);
	/* vCPU 1 is still on it. */
	assert_int_equal(rig_va(a->r, 0, 0, rig_to(0, 0, RW)), TYPE);
	assert_int_equal(rig_root(a->r, 0, 1, SPARE), OK);
	assert_int_equal(rig_va(a->r, 0, 0, rig_to(0, 0, RW)), OK);
	attack_end(a);
}

static void a_user_root_is_reused(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[1];

	(void)state;
	assert_int_equal(
		vmmu_direct_set_user_root(cpu, mk_hfn(rig_hfn(0, SPARE)), NULL),
		OK);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), TYPE);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, SPARE, 256), 0), SLOT);
	attack_end(a);
}

static void a_linked_table_is_unpinned_and_written(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_pin(a->r, 0, 3, 1), OK);
	assert_int_equal(rig_unpin(a->r, 0, 3), OK);
	assert_int_equal(rig_va(a->r, 0, 3, rig_to(0, 3, RW)), TYPE);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 3, 9), rig_to(1, 1, RO)),
			 FOREIGN);
	attack_end(a);
}

static void a_table_is_unlinked_from_one_of_two_places(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 2, 9), rig_to(0, 3, P | W)), OK);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 2, 9), 0), OK);
	assert_int_equal(rig_va(a->r, 0, 3, rig_to(0, 3, RW)), TYPE);
	attack_end(a);
}

static void a_refused_root_is_not_half_loaded(void **state)
{
	struct attack *a = attack_begin();
	const struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, 1, P | W));
	attack_fill(a, SPARE, 511, rig_to(0, RIG_DATA, P | W));
	assert_int_equal(rig_root(a->r, 0, 0, SPARE), TYPE);
	assert_int_equal(cpu->root.v, rig_at(0, 0, 0).v);
	assert_int_equal(rig_frame(a->r, 0, 1)->type_count, 1);
	assert_int_equal(
		vmmu_direct_set_root(&a->r->vm[0].cpu[0], mk_hfn(0), NULL),
		FOREIGN);
	attack_end(a);
}

static void a_page_that_the_hypervisor_writes_is_made_a_table(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_hfn(0, RIG_DATA));

	(void)state;
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_WRITABLE, NULL),
			 OK);
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, 0), OK);
	for (unsigned level = 1; level <= 4; level++)
		assert_int_equal(rig_pin(a->r, 0, RIG_DATA, level), TYPE);
	assert_int_equal(rig_release(a->r, 0, RIG_DATA), STATE);
	vmmu_direct_drop(vm, hfn, VMMU_FRAME_WRITABLE);
	/* What the hypervisor could still write is not a processor's matter,
	 * but the guest's own mapping was. */
	assert_int_equal(rig_pin(a->r, 0, RIG_DATA, 1), OK);
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_page_is_pinned_while_a_tlb_can_still_write_it),
		cmocka_unit_test(
			a_page_is_linked_while_a_tlb_can_still_write_it),
		cmocka_unit_test(
			descriptors_are_checked_while_a_tlb_can_still_write),
		cmocka_unit_test(
			an_old_table_is_written_while_it_can_still_be_walked),
		cmocka_unit_test(a_pin_hides_that_a_table_was_linked),
		cmocka_unit_test(a_paused_pin_hides_that_a_table_was_linked),
		cmocka_unit_test(a_table_below_an_old_table_is_written),
		cmocka_unit_test(a_paused_end_hides_that_a_table_was_linked),
		cmocka_unit_test(
			a_root_is_reused_while_a_processor_can_still_walk_it),
		cmocka_unit_test(a_released_page_is_still_in_a_tlb),
		cmocka_unit_test(a_pin_hides_that_a_table_was_mapped),
		cmocka_unit_test(a_batch_unmaps_and_links_a_page),
		cmocka_unit_test(
			a_page_is_mapped_more_often_than_can_be_counted),
		cmocka_unit_test(
			a_table_is_linked_more_often_than_can_be_counted),
		cmocka_unit_test(
			a_root_is_loaded_more_often_than_can_be_counted),
		cmocka_unit_test(counts_are_at_their_largest),
		cmocka_unit_test(a_table_is_pinned_twice),
		cmocka_unit_test(a_table_is_unpinned_twice),
		cmocka_unit_test(a_loaded_root_is_unpinned_and_written),
		cmocka_unit_test(another_processors_root_is_reused),
		cmocka_unit_test(a_user_root_is_reused),
		cmocka_unit_test(a_linked_table_is_unpinned_and_written),
		cmocka_unit_test(a_table_is_unlinked_from_one_of_two_places),
		cmocka_unit_test(a_refused_root_is_not_half_loaded),
		cmocka_unit_test(
			a_page_that_the_hypervisor_writes_is_made_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Attacks by what tables refer to: a table that can be written, a frame that is
 * two things, recursive entries, frames of others. There are more:
 *
 *   _bits    forbidden bits, the hypervisor's slots
 *   _life    what processors remember, counts, reuse
 *   _paused  between the parts of a long operation
 *   _calls   the arguments of calls
 *
 * Where a number XSA-n stands, the attack is the one of that public advisory
 * of Xen's, or a variation.
 */
#include "direct_attack.h"

/* 1. A table that can be written by another path. */

static void a_writable_page_is_pinned_as_a_table(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned level = 1; level <= 4; level++)
		assert_int_equal(rig_pin(a->r, 0, RIG_DATA, level), TYPE);
	attack_end(a);
}

static void a_page_stays_writable_through_a_second_mapping(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RW)), OK);
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, rig_to(0, RIG_DATA, RO)),
			 OK);
	assert_int_equal(rig_pin(a->r, 0, RIG_DATA, 1), TYPE);
	assert_int_equal(rig_va(a->r, 0, 300, 0), OK);
	assert_int_equal(rig_pin(a->r, 0, RIG_DATA, 1), OK);
	attack_end(a);
}

static void each_level_of_table_is_mapped_writable(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned gfn = 0; gfn < 4; gfn++) {
		uint64_t entry = rig_to(0, gfn, RW);

		assert_int_equal(rig_va(a->r, 0, 300, entry), TYPE);
		assert_int_equal(rig_update(a->r, 0, rig_at(0, 3, 300), entry),
				 TYPE);
		/* By taking a right to an entry that is there. */
		assert_int_equal(rig_va(a->r, 0, gfn, entry), TYPE);
	}
	attack_end(a);
}

static void a_trapped_write_makes_its_own_table_writable(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	assert_int_equal(vmmu_direct_trapped_write(cpu, rig_at(0, 3, 3), 8,
						   rig_to(0, 3, RW), NULL),
			 TYPE);
	/* The byte that holds W alone. */
	assert_int_equal(
		vmmu_direct_trapped_write(cpu, rig_at(0, 3, 3), 1, RW, NULL),
		TYPE);
	attack_end(a);
}

static void a_table_maps_itself_writable(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, SPARE, RW));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), TYPE);
	/* Read-only is another matter: then it is just a linear map. */
	attack_fill(a, SPARE, 0, rig_to(0, SPARE, RO));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), OK);
	attack_end(a);
}

static void a_table_maps_the_one_above_writable(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, SPARE + 1, RW));
	attack_fill(a, SPARE, 511, rig_to(0, SPARE + 1, RO));
	attack_fill(a, SPARE + 1, 0, rig_to(0, SPARE, P | W));
	assert_int_equal(rig_pin(a->r, 0, SPARE + 1, 2), TYPE);
	assert_int_equal(rig_frame(a->r, 0, SPARE)->type_count, 0);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 1)->total_count, 1);
	attack_end(a);
}

static void two_tables_map_each_other_writable(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, SPARE + 1, RW));
	attack_fill(a, SPARE + 1, 0, rig_to(0, SPARE, RW));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), OK);
	assert_int_equal(rig_pin(a->r, 0, SPARE + 1, 1), TYPE);
	attack_end(a);
}

/* 2. A frame that is two things. */

static void a_table_is_linked_at_a_wrong_level(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned gfn = 0; gfn < 4; gfn++)
		for (unsigned into = 0; into < 3; into++) {
			if (gfn == into + 1)
				continue;
			assert_int_equal(rig_update(a->r, 0, rig_at(0, into, 9),
						    rig_to(0, gfn, P | W)),
					 TYPE);
		}
	attack_end(a);
}

static void a_table_is_pinned_at_a_wrong_level(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned level = 1; level <= 4; level++) {
		if (level != 1)
			assert_int_equal(rig_pin(a->r, 0, 3, level), TYPE);
		if (level != 3)
			assert_int_equal(rig_pin(a->r, 0, 1, level), TYPE);
	}
	attack_end(a);
}

static void data_in_use_is_linked_as_a_table(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned into = 0; into < 3; into++)
		assert_int_equal(rig_update(a->r, 0, rig_at(0, into, 9),
					    rig_to(0, RIG_DATA, P | W)),
				 TYPE);
	attack_end(a);
}

static void a_root_is_no_root(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	for (unsigned gfn = 1; gfn < 4; gfn++) {
		assert_int_equal(rig_root(a->r, 0, 0, gfn), TYPE);
		assert_int_equal(vmmu_direct_set_user_root(
					 cpu, mk_hfn(rig_hfn(0, gfn)), NULL),
				 TYPE);
	}
	assert_int_equal(rig_root(a->r, 0, 0, RIG_DATA), TYPE);
	assert_int_equal(cpu->root.v, rig_at(0, 0, 0).v);
	attack_end(a);
}

static void a_shared_frame_is_made_a_table(void **state)
{
	struct attack *a = attack_begin();
	uint64_t hfn = rig_free_hfn(0);

	(void)state;
	assert_int_equal(vmmu_direct_share(&a->r->vm[0].vm, mk_hfn(hfn)), OK);
	assert_int_equal(
		vmmu_direct_pin(&a->r->vm[0].cpu[0], mk_hfn(hfn), 1, NULL),
		TYPE);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 2, 9), rig_entry(hfn, P | W)),
		TYPE);
	attack_end(a);
}

/* 3. Recursive entries. */

/* XSA-240: tables that refer to their own level need unbounded recursion to
 * be taken apart. No such entry is ever accepted. */
static void a_table_refers_to_itself(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned level = 2; level <= 4; level++) {
		uint64_t gfn = 4 - level;

		assert_int_equal(rig_update(a->r, 0, rig_at(0, gfn, 511),
					    rig_to(0, gfn, P | W)),
				 TYPE);
		attack_fill(a, SPARE + level, 3,
			    rig_to(0, SPARE + level, P | W));
		assert_int_equal(rig_pin(a->r, 0, SPARE + level, level), TYPE);
		assert_int_equal(rig_frame(a->r, 0, SPARE + level)->total_count,
				 1);
	}
	attack_end(a);
}

static void tables_of_one_level_form_a_chain(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned level = 2; level <= 4; level++) {
		for (unsigned i = 0; i < 3; i++)
			attack_fill(a, SPARE + i, 511,
				    rig_to(0, SPARE + i + 1, P));
		assert_int_equal(rig_pin(a->r, 0, SPARE + 3, level), OK);
		assert_int_equal(rig_pin(a->r, 0, SPARE + 2, level), TYPE);
		assert_int_equal(rig_unpin(a->r, 0, SPARE + 3), OK);
	}
	attack_end(a);
}

/* L4 -> L3 -> L2 -> that same L4 as an L1. */
static void a_table_closes_a_ring_through_all_levels(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	attack_fill(a, SPARE, 0, rig_to(0, SPARE + 1, P | W));
	attack_fill(a, SPARE + 1, 0, rig_to(0, SPARE + 2, P | W));
	attack_fill(a, SPARE + 2, 0, rig_to(0, SPARE, P | W));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 4), TYPE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_frame(a->r, 0, SPARE + i)->type_count, 0);
	attack_end(a);
}

/* 4. Frames of others. */

static void try_frame(struct attack *a, uint64_t hfn,
		      enum vmmu_direct_status leaf)
{
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	assert_int_equal(rig_va(a->r, 0, 300, rig_entry(hfn, RO)), leaf);
	assert_int_equal(rig_va(a->r, 0, 300, rig_entry(hfn, RW)), leaf);
	for (unsigned into = 0; into < 3; into++)
		assert_int_equal(rig_update(a->r, 0, rig_at(0, into, 9),
					    rig_entry(hfn, P | W)),
				 leaf);
	assert_int_equal(vmmu_direct_trapped_write(cpu, rig_at(0, 3, 300), 8,
						   rig_entry(hfn, RO), NULL),
			 leaf);
}

static void frames_of_another_vm_are_mapped_and_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned gfn = 0; gfn < RIG_GFNS; gfn++)
		try_frame(a, rig_hfn(1, gfn), FOREIGN);
	attack_end(a);
}

static void frames_of_the_hypervisor_are_mapped_and_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned i = 0; i < RIG_OURS; i++)
		try_frame(a, RIG_FIRST + i, FOREIGN);
	attack_end(a);
}

static void frames_that_are_none_are_mapped_and_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	try_frame(a, 0, FOREIGN);
	try_frame(a, RIG_FIRST - 1, FOREIGN);
	try_frame(a, RIG_FIRST + RIG_FRAMES, FOREIGN);
	try_frame(a, rig_free_hfn(3), FOREIGN);
	try_frame(a, (UINT64_C(1) << 28) - 1, FOREIGN);
	/* RIG_FIRST and 2^40 more: past the width. */
	try_frame(a, RIG_FIRST + (UINT64_C(1) << 28), BITS);
	attack_end(a);
}

static void another_vms_frames_are_named_in_calls(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	struct vmmu_direct_update u = { .how = VMMU_DIRECT_MACHPHYS,
					.value = 5 };

	(void)state;
	for (unsigned gfn = 0; gfn < RIG_DATA + 2; gfn++) {
		hfn_t hfn = mk_hfn(rig_hfn(1, gfn));

		for (unsigned level = 1; level <= 4; level++)
			assert_int_equal(vmmu_direct_pin(cpu, hfn, level, NULL),
					 FOREIGN);
		assert_int_equal(vmmu_direct_unpin(cpu, hfn, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_set_root(cpu, hfn, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_set_user_root(cpu, hfn, NULL),
				 FOREIGN);
		assert_int_equal(vmmu_direct_release(vm, hfn, NULL), FOREIGN);
		assert_int_equal(
			vmmu_direct_hold(vm, hfn, VMMU_FRAME_NONE, NULL),
			FOREIGN);
		assert_int_equal(
			vmmu_direct_hold(vm, hfn, VMMU_FRAME_WRITABLE, NULL),
			FOREIGN);
		assert_int_equal(rig_update(a->r, 0, rig_at(1, gfn, 7), 0),
				 FOREIGN);
		u.at = rig_at(1, gfn, 0);
		assert_int_equal(vmmu_direct_update(cpu, &u, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_trapped_write(
					 cpu, rig_at(1, gfn, 0), 8, 0, NULL),
				 FOREIGN);
		assert_int_equal(
			vmmu_direct_descriptor(cpu, rig_at(1, gfn, 0), 0),
			FOREIGN);
	}
	attack_end(a);
}

static void a_foreign_frame_hides_in_the_last_entry(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned i = 0; i < 511; i++)
		attack_fill(a, SPARE, i, rig_to(0, RIG_DATA + i % 64, RW));
	attack_fill(a, SPARE, 511, rig_to(1, RIG_DATA, RO));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), FOREIGN);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(rig_frame(a->r, 0, RIG_DATA + i)->total_count,
				 1);
	attack_end(a);
}

static void a_foreign_frame_hides_at_the_bottom_of_a_tree(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		attack_fill(a, SPARE + i, 0, rig_to(0, 1 + i, P | W));
		attack_fill(a, SPARE + i, 511, rig_to(0, SPARE + i + 1, P | W));
	}
	attack_fill(a, SPARE + 3, 511, rig_to(1, RIG_DATA, RO));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 4), FOREIGN);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rig_frame(a->r, 0, SPARE + i)->total_count, 1);
		assert_int_equal(rig_frame(a->r, 0, SPARE + i)->type_count, 0);
		assert_int_equal(rig_frame(a->r, 0, i)->type_count, i ? 1 : 3);
	}
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_writable_page_is_pinned_as_a_table),
		cmocka_unit_test(
			a_page_stays_writable_through_a_second_mapping),
		cmocka_unit_test(each_level_of_table_is_mapped_writable),
		cmocka_unit_test(a_trapped_write_makes_its_own_table_writable),
		cmocka_unit_test(a_table_maps_itself_writable),
		cmocka_unit_test(a_table_maps_the_one_above_writable),
		cmocka_unit_test(two_tables_map_each_other_writable),
		cmocka_unit_test(a_table_is_linked_at_a_wrong_level),
		cmocka_unit_test(a_table_is_pinned_at_a_wrong_level),
		cmocka_unit_test(data_in_use_is_linked_as_a_table),
		cmocka_unit_test(a_root_is_no_root),
		cmocka_unit_test(a_shared_frame_is_made_a_table),
		cmocka_unit_test(a_table_refers_to_itself),
		cmocka_unit_test(tables_of_one_level_form_a_chain),
		cmocka_unit_test(a_table_closes_a_ring_through_all_levels),
		cmocka_unit_test(frames_of_another_vm_are_mapped_and_linked),
		cmocka_unit_test(
			frames_of_the_hypervisor_are_mapped_and_linked),
		cmocka_unit_test(frames_that_are_none_are_mapped_and_linked),
		cmocka_unit_test(another_vms_frames_are_named_in_calls),
		cmocka_unit_test(a_foreign_frame_hides_in_the_last_entry),
		cmocka_unit_test(a_foreign_frame_hides_at_the_bottom_of_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

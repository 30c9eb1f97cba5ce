/*
 * Attacks between the parts of a long operation: tables that are half checked,
 * or half taken apart, when the guest runs again.
 */
#include "direct_attack.h"

/* An L3 with a tree of its own below, all of it unchecked. */
static void plant_tree(struct attack *a)
{
	attack_fill(a, SPARE, 0, rig_to(0, SPARE + 1, P | W));
	attack_fill(a, SPARE, 300, rig_to(0, SPARE + 2, P | W));
	attack_fill(a, SPARE + 1, 7, rig_to(0, SPARE + 3, P | W));
	attack_fill_links(a, SPARE + 1, SPARE + 3);
	attack_fill(a, SPARE + 2, 511, rig_to(0, SPARE + 3, P | W));
	attack_fill(a, SPARE + 3, 511, rig_to(0, RIG_DATA, RW));
}

static void a_half_checked_table_is_written(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	hpa_t at;

	(void)state;
	plant_tree(a);
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 200, 2), AGAIN);
	assert_true(rig_frame(a->r, 0, SPARE)->flags & VMMU_FRAME_PARTIAL);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), TYPE);
	/* The entry that was checked, and the one that is next. */
	assert_int_equal(rig_update(a->r, 0, rig_at(0, SPARE, 0), 0), TYPE);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, SPARE, 300), rig_to(1, 2, P | W)),
		TYPE);
	assert_false(vmmu_direct_is_trapped(cpu, rig_gva(SPARE), &at));
	assert_int_equal(
		vmmu_direct_trapped_write(cpu, rig_at(0, SPARE, 0), 8, 0, NULL),
		TYPE);
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 200, 99), OK);
	attack_end(a);
}

static void a_half_checked_table_becomes_something_else(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_hfn(0, SPARE));

	(void)state;
	plant_tree(a);
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 200, 2), AGAIN);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 2), TYPE);
	assert_int_equal(rig_root(a->r, 0, 0, SPARE), TYPE);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_WRITABLE, NULL),
			 TYPE);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			 TYPE);
	assert_int_equal(rig_va(a->r, 0, SPARE, 0), OK);
	assert_int_equal(rig_release(a->r, 0, SPARE), STATE);
	rig_audit(a->r);
	attack_end(a);
}

static void a_half_checked_table_is_linked(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	plant_tree(a);
	attack_fill(a, SPARE + 3, 0, rig_to(1, RIG_DATA, RO));
	attack_fill_links(a, SPARE + 2, SPARE + 4);
	/* Far enough that an entry is counted, not that the bad one is met. */
	assert_int_equal(attack_pin_slowly(a, SPARE + 2, 2, 100, 2), AGAIN);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, 1, 9),
				    rig_to(0, SPARE + 2, P | W)),
			 FOREIGN);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 2)->type_count, 0);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 2)->flags, 0);
	attack_end(a);
}

static void a_pin_is_begun_and_given_up(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	plant_tree(a);
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 200, 2), AGAIN);
	assert_true(rig_frame(a->r, 0, SPARE + 3)->type_count > 1);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_frame(a->r, 0, SPARE + i)->type_count, 0);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), STATE);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), OK);
	attack_end(a);
}

static void a_table_is_used_while_it_is_taken_apart(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	uint32_t budget = 100;

	(void)state;
	plant_tree(a);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 3), OK);
	assert_int_equal(
		vmmu_direct_unpin(cpu, mk_hfn(rig_hfn(0, SPARE)), &budget), OK);
	assert_true(rig_frame(a->r, 0, SPARE)->flags & VMMU_FRAME_PARTIAL);
	rig_audit(a->r);
	/* Nothing is done before what is left is: AGAIN, and no more. */
	for (unsigned i = 0; i < 3; i++) {
		budget = 100;
		assert_int_equal(vmmu_direct_pin(cpu, mk_hfn(rig_hfn(0, SPARE)),
						 3, &budget),
				 AGAIN);
		assert_false(rig_frame(a->r, 0, SPARE)->flags &
			     VMMU_FRAME_PINNED);
		rig_audit(a->r);
	}
	assert_int_equal(rig_va(a->r, 0, SPARE + 3, rig_to(0, SPARE + 3, RW)),
			 OK);
	assert_int_equal(rig_frame(a->r, 0, SPARE)->flags, 0);
	attack_end(a);
}

/* With a budget of one the smallest step is made, never none. */
static void a_tiny_budget_still_ends(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	enum vmmu_direct_status s = AGAIN;
	unsigned times = 0;

	(void)state;
	attack_fill(a, SPARE + 4, 511, rig_to(0, SPARE, P | W));
	plant_tree(a);
	assert_int_equal(attack_pin_slowly(a, SPARE + 4, 4, 1, 3000), OK);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 3)->type_count, 66);
	while (s == AGAIN) {
		uint32_t budget = 1;

		s = vmmu_direct_unpin(cpu, mk_hfn(rig_hfn(0, SPARE + 4)),
				      &budget);
		assert_int_not_equal(s, AGAIN);
	}
	assert_int_equal(s, OK);
	for (s = AGAIN; s == AGAIN && times < 3000; times++) {
		uint32_t budget = 1;

		s = vmmu_direct_unpin(cpu, mk_hfn(rig_hfn(0, SPARE + 4)),
				      &budget);
	}
	assert_int_equal(s, STATE);
	assert_true(times > 60);
	assert_int_equal(rig_frame(a->r, 0, SPARE + 3)->type_count, 0);
	attack_end(a);
}

static void a_refused_pin_is_undone_by_and_by(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	plant_tree(a);
	attack_fill(a, SPARE, 511, rig_to(1, 2, P | W));
	assert_int_equal(attack_pin_slowly(a, SPARE, 3, 150, 99), FOREIGN);
	/* The next call finds the rest undone or does it. */
	assert_int_equal(rig_va(a->r, 0, 300, 0), OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_frame(a->r, 0, SPARE + i)->type_count, 0);
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_half_checked_table_is_written),
		cmocka_unit_test(a_half_checked_table_becomes_something_else),
		cmocka_unit_test(a_half_checked_table_is_linked),
		cmocka_unit_test(a_pin_is_begun_and_given_up),
		cmocka_unit_test(a_table_is_used_while_it_is_taken_apart),
		cmocka_unit_test(a_tiny_budget_still_ends),
		cmocka_unit_test(a_refused_pin_is_undone_by_and_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

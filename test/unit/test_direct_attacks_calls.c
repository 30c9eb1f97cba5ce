/*
 * Attacks by the arguments of calls: addresses and numbers that are none,
 * batches that fail halfway, the balloon, segment descriptors, m2p.
 */
#include "direct_attack.h"

/* 1. Addresses and numbers. */

static void an_entry_is_misaligned(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned gfn = 0; gfn < SPARE + 1; gfn++)
		for (unsigned off = 1; off < 8; off++) {
			hpa_t at = mk_hpa(rig_at(0, gfn, 9).v + off);

			assert_int_equal(rig_update(a->r, 0, at, 0), ADDRESS);
		}
	attack_end(a);
}

static void an_address_is_not_canonical(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	struct vmmu_direct_walk w;
	hpa_t at;

	(void)state;
	for (unsigned bit = 47; bit < 64; bit++) {
		gva_t gva = mk_gva((UINT64_C(1) << bit) | 3 * VMMU_PAGE_SIZE);

		assert_int_equal(vmmu_direct_update_va(cpu, gva,
						       rig_to(0, RIG_DATA, RW)),
				 ADDRESS);
		assert_false(vmmu_direct_walk(cpu, gva, &w));
		assert_false(vmmu_direct_is_trapped(cpu, gva, &at));
	}
	attack_end(a);
}

static void an_address_has_no_table(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	const uint64_t at[] = { VMMU_2M,
				VMMU_1G,
				UINT64_C(1) << 39,
				UINT64_C(0xffffffffffffffff),
				UINT64_C(0xffff880000000000),
				UINT64_C(0x00007fffffffffff) };

	(void)state;
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		assert_int_equal(vmmu_direct_update_va(cpu, mk_gva(at[i]),
						       rig_to(0, RIG_DATA, RW)),
				 ABSENT);
	attack_end(a);
}

static void numbers_are_enormous(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	const uint64_t n[] = {
		UINT64_MAX,	   UINT64_MAX >> 12,
		INT64_MAX,	   UINT64_C(1) << 52,
		UINT64_C(1) << 63, RIG_FIRST + (UINT64_C(1) << 52)
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		hfn_t hfn = mk_hfn(n[i]);
		hpa_t at = mk_hpa(n[i] & ~UINT64_C(7));

		assert_int_equal(vmmu_direct_pin(cpu, hfn, 1, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_unpin(cpu, hfn, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_set_root(cpu, hfn, NULL), FOREIGN);
		assert_int_equal(vmmu_direct_release(vm, hfn, NULL), FOREIGN);
		assert_int_equal(
			vmmu_direct_hold(vm, hfn, VMMU_FRAME_NONE, NULL),
			FOREIGN);
		assert_int_equal(rig_update(a->r, 0, at, 0), FOREIGN);
		assert_int_equal(vmmu_direct_descriptor(cpu, at, 0), FOREIGN);
	}
	attack_end(a);
}

static void a_level_is_none(void **state)
{
	struct attack *a = attack_begin();
	const unsigned level[] = { 0, 5, 6, 7, 8, 255, 256 + 1, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(level) / sizeof(level[0]); i++)
		assert_int_equal(rig_pin(a->r, 0, SPARE, level[i]), TYPE);
	attack_end(a);
}

static void a_hold_asks_for_a_table(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned type = VMMU_FRAME_L1; type <= VMMU_FRAME_TYPES; type++)
		if (type != VMMU_FRAME_SEGMENTS && type != VMMU_FRAME_WRITABLE)
			assert_int_equal(
				vmmu_direct_hold(&a->r->vm[0].vm,
						 mk_hfn(rig_hfn(0, SPARE)),
						 type, NULL),
				TYPE);
	attack_end(a);
}

static void a_trapped_write_crosses_entries(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	for (unsigned off = 0; off < 8; off++)
		for (unsigned size = 0; size < 20; size++) {
			hpa_t at = mk_hpa(rig_at(0, 3, 511).v + off);
			bool good = (size == 1 || size == 2 || size == 4 ||
				     size == 8) &&
				    off + size <= 8;

			assert_int_equal(vmmu_direct_trapped_write(
						 cpu, at, size, 0, NULL),
					 good ? OK : ADDRESS);
		}
	attack_end(a);
}

static void a_trapped_write_is_to_no_l1(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	hpa_t at;

	(void)state;
	for (unsigned gfn = 0; gfn < RIG_DATA + 1; gfn++) {
		if (gfn == 3)
			continue;
		assert_false(vmmu_direct_is_trapped(cpu, rig_gva(gfn), &at));
		assert_int_equal(vmmu_direct_trapped_write(
					 cpu, rig_at(0, gfn, 9), 8, 0, NULL),
				 TYPE);
	}
	attack_end(a);
}

/* Four bytes at a time, an entry can be built that no single write gave. */
static void a_trapped_write_builds_an_entry_in_parts(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	uint64_t foreign = rig_to(1, RIG_DATA, RO);

	(void)state;
	assert_int_equal(
		vmmu_direct_trapped_write(cpu, mk_hpa(rig_at(0, 3, 300).v + 4),
					  4, foreign >> 32, NULL),
		OK);
	assert_int_equal(vmmu_direct_trapped_write(cpu, rig_at(0, 3, 300), 4,
						   foreign, NULL),
			 FOREIGN);
	/* P stays, and one byte of the address is another. */
	assert_int_equal(
		vmmu_direct_trapped_write(
			cpu, mk_hpa(rig_at(0, 3, RIG_DATA).v + 3), 1, 0, NULL),
		FOREIGN);
	attack_end(a);
}

/* 2. Batches. */

static void a_batch_fails_halfway(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_direct_update u[16];
	uint32_t done;

	(void)state;
	for (unsigned bad = 0; bad < 16; bad++) {
		for (unsigned i = 0; i < 16; i++)
			u[i] = (struct vmmu_direct_update){
				.at = rig_at(0, 3, 300 + i),
				.value = i == bad ? rig_to(1, 1, RW)
						  : rig_to(0, RIG_DATA, RW),
			};
		assert_int_equal(vmmu_direct_update_batch(&a->r->vm[0].cpu[0],
							  u, 16, &done, NULL),
				 FOREIGN);
		assert_int_equal(done, bad);
		assert_int_equal(rig_frame(a->r, 0, RIG_DATA)->type_count,
				 1 + bad);
		rig_audit(a->r);
	}
	attack_end(a);
}

static void a_batch_is_longer_than_its_budget(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_direct_update u[64];
	uint32_t budget = 10, done, all = 0;
	enum vmmu_direct_status s;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		u[i] = (struct vmmu_direct_update){
			.at = rig_at(0, 3, 300 + i),
			.value = rig_to(0, RIG_DATA, RW),
		};
	for (s = AGAIN; s == AGAIN; budget = 10) {
		s = vmmu_direct_update_batch(&a->r->vm[0].cpu[0], u + all,
					     64 - all, &done, &budget);
		assert_true(done <= 10);
		all += done;
	}
	assert_int_equal(s, OK);
	assert_int_equal(all, 64);
	assert_int_equal(rig_frame(a->r, 0, RIG_DATA)->type_count, 65);
	attack_end(a);
}

/* 3. The balloon. */

static void a_frame_in_use_is_released(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t spare = mk_hfn(rig_hfn(0, SPARE));

	(void)state;
	/* Mapped writable, mapped read-only, linked, loaded, pinned, held. */
	assert_int_equal(rig_release(a->r, 0, RIG_DATA), STATE);
	assert_int_equal(rig_release(a->r, 0, SPARE), STATE);
	for (unsigned gfn = 0; gfn < 4; gfn++)
		assert_int_equal(rig_release(a->r, 0, gfn), STATE);
	assert_int_equal(rig_va(a->r, 0, SPARE, 0), OK);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 2), OK);
	assert_int_equal(rig_release(a->r, 0, SPARE), STATE);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	assert_int_equal(vmmu_direct_hold(vm, spare, VMMU_FRAME_NONE, NULL),
			 OK);
	assert_int_equal(rig_release(a->r, 0, SPARE), STATE);
	vmmu_direct_drop(vm, spare, VMMU_FRAME_NONE);
	assert_int_equal(rig_release(a->r, 0, SPARE), OK);
	attack_end(a);
}

static void a_frame_is_released_twice(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, RIG_DATA, 0), OK);
	assert_int_equal(rig_release(a->r, 0, RIG_DATA), OK);
	assert_int_equal(rig_release(a->r, 0, RIG_DATA), FOREIGN);
	attack_end(a);
}

static void a_released_frame_is_still_used(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(rig_va(a->r, 0, SPARE, 0), OK);
	assert_int_equal(rig_release(a->r, 0, SPARE), OK);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RO)), FOREIGN);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 1), FOREIGN);
	assert_int_equal(rig_update(a->r, 0, rig_at(0, SPARE, 0), 0), FOREIGN);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 2, 9), rig_to(0, SPARE, P | W)),
		FOREIGN);
	attack_end(a);
}

static void a_shared_frame_is_released(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_free_hfn(0));
	struct vmmu_direct_update u = { .at = hfn_hpa(hfn),
					.value = 3,
					.how = VMMU_DIRECT_MACHPHYS };

	(void)state;
	assert_int_equal(vmmu_direct_share(vm, hfn), OK);
	assert_int_equal(vmmu_direct_release(vm, hfn, NULL), TYPE);
	assert_int_equal(vmmu_direct_update(&a->r->vm[0].cpu[0], &u, NULL),
			 TYPE);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			 TYPE);
	attack_end(a);
}

static void a_frame_is_asked_for_that_is_anothers(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t other = mk_hfn(rig_hfn(1, RIG_DATA));
	hfn_t mine = mk_hfn(rig_hfn(0, RIG_DATA));
	hfn_t vacant = mk_hfn(rig_free_hfn(0));

	(void)state;
	assert_int_equal(vmmu_direct_give(vm, mk_gfn(RIG_GFNS), other),
			 FOREIGN);
	assert_int_equal(vmmu_direct_share(vm, other), FOREIGN);
	assert_int_equal(vmmu_direct_give(vm, mk_gfn(RIG_GFNS), mine), FOREIGN);
	assert_int_equal(vmmu_direct_give(vm, mk_gfn(RIG_DATA), vacant), STATE);
	assert_int_equal(vmmu_direct_give(vm, mk_gfn(RIG_GFNS + 8), vacant),
			 ADDRESS);
	assert_int_equal(vmmu_direct_give(vm, mk_gfn(UINT64_MAX), vacant),
			 ADDRESS);
	assert_int_equal(a->r->frame[vacant.v - RIG_FIRST].owner, 0);
	attack_end(a);
}

/* 4. m2p. */

static void a_gfn_is_claimed_for_two_frames(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_direct_update u = { .at = rig_at(0, RIG_DATA, 0),
					.how = VMMU_DIRECT_MACHPHYS };
	const uint64_t gfn[] = { 3,	     RIG_GFNS + 7,	RIG_GFNS + 8,
				 UINT64_MAX, UINT64_C(1) << 61, 3 };
	hfn_t hfn;

	(void)state;
	for (unsigned i = 0; i < sizeof(gfn) / sizeof(gfn[0]); i++) {
		u.value = gfn[i];
		assert_int_equal(
			vmmu_direct_update(&a->r->vm[0].cpu[0], &u, NULL), OK);
		rig_audit(a->r);
	}
	/* The one that it was taken from is released: the claim stays. */
	u.at = rig_at(0, 3, 0);
	u.value = 77;
	assert_int_equal(vmmu_direct_update(&a->r->vm[0].cpu[0], &u, NULL), OK);
	assert_true(vmmu_direct_p2m(&a->r->vm[0].vm, mk_gfn(3), &hfn));
	assert_int_equal(hfn.v, rig_hfn(0, RIG_DATA));
	assert_false(vmmu_direct_p2m(&a->r->vm[0].vm, mk_gfn(RIG_DATA), &hfn));
	attack_end(a);
}

/* 5. Segment descriptors. */

#define DESC(type, flags)                                                      \
	(UINT64_C(0x000f00000000ffff) | UINT64_C(type) << 40 |                 \
	 UINT64_C(flags) << 52)

static const uint64_t bad_descriptor[] = {
	DESC(0x82, 0), /* LDT */
	DESC(0x85, 0), /* task gate */
	DESC(0x89, 0), /* TSS, available */
	DESC(0x8b, 0), /* TSS, busy */
	DESC(0x8c, 0), /* call gate */
	DESC(0x8e, 0), /* interrupt gate */
	DESC(0x8f, 0), /* trap gate */
	DESC(0xec, 0), /* call gate that ring 3 may use */
	DESC(0xee, 0), /* interrupt gate that ring 3 may use */
	DESC(0xfb, 6), /* code, 64-bit and 32-bit at once */
};

#define BAD_COUNT (sizeof(bad_descriptor) / sizeof(bad_descriptor[0]))

static void a_descriptor_leads_out_of_ring_3(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	hfn_t hfn = mk_hfn(rig_hfn(0, SPARE));

	(void)state;
	for (unsigned i = 0; i < BAD_COUNT; i++) {
		attack_fill(a, SPARE, 0, DESC(0x9b, 2));
		attack_fill(a, SPARE, 511, bad_descriptor[i]);
		assert_int_equal(
			vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			BITS);
		/* A refused page stays as it was. */
		assert_int_equal(rig_page(a->r, hfn.v)[0], DESC(0x9b, 2));
		attack_fill(a, SPARE, 511, 0);
		assert_int_equal(
			vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			OK);
		assert_int_equal(vmmu_direct_descriptor(cpu,
							rig_at(0, SPARE, 1),
							bad_descriptor[i]),
				 BITS);
		vmmu_direct_drop(vm, hfn, VMMU_FRAME_SEGMENTS);
		/* Not into data either: it may become a GDT. */
		assert_int_equal(vmmu_direct_descriptor(cpu,
							rig_at(0, RIG_DATA, 1),
							bad_descriptor[i]),
				 BITS);
	}
	attack_end(a);
}

static void a_descriptor_keeps_ring_0(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	hfn_t hfn = mk_hfn(rig_hfn(0, SPARE));
	const uint64_t *page = rig_page(a->r, hfn.v);
	const uint64_t dpl = UINT64_C(3) << 45;

	(void)state;
	for (unsigned ring = 0; ring < 3; ring++)
		attack_fill(a, SPARE, ring,
			    DESC(0x9b, 2) | (uint64_t)ring << 45);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			 OK);
	assert_int_equal(
		vmmu_direct_descriptor(cpu, rig_at(0, SPARE, 3), DESC(0x93, 4)),
		OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(page[i] & dpl, dpl);
	vmmu_direct_drop(vm, hfn, VMMU_FRAME_SEGMENTS);
	attack_end(a);
}

static void a_page_of_descriptors_is_written(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_vm *vm = &a->r->vm[0].vm;
	hfn_t hfn = mk_hfn(rig_hfn(0, SPARE));
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	hpa_t at;

	(void)state;
	/* Not while it is writable; and afterwards in no way but one. */
	assert_int_equal(vmmu_direct_hold(vm, mk_hfn(rig_hfn(0, RIG_DATA)),
					  VMMU_FRAME_SEGMENTS, NULL),
			 TYPE);
	assert_int_equal(vmmu_direct_hold(vm, hfn, VMMU_FRAME_SEGMENTS, NULL),
			 OK);
	assert_int_equal(rig_va(a->r, 0, SPARE, rig_to(0, SPARE, RW)), TYPE);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, SPARE, 1), DESC(0xec, 0)), TYPE);
	assert_int_equal(vmmu_direct_trapped_write(cpu, rig_at(0, SPARE, 1), 8,
						   DESC(0xec, 0), NULL),
			 TYPE);
	assert_false(vmmu_direct_is_trapped(cpu, rig_gva(SPARE), &at));
	for (unsigned level = 1; level <= 4; level++)
		assert_int_equal(rig_pin(a->r, 0, SPARE, level), TYPE);
	vmmu_direct_drop(vm, hfn, VMMU_FRAME_SEGMENTS);
	attack_end(a);
}

/* A descriptor is a number like any other: as an entry it would be one. */
static void a_descriptor_is_written_into_a_table(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	for (unsigned gfn = 0; gfn < 4; gfn++) {
		assert_int_equal(
			vmmu_direct_descriptor(cpu, rig_at(0, gfn, 300), 0),
			TYPE);
		assert_int_equal(
			vmmu_direct_descriptor(
				cpu, mk_hpa(rig_at(0, gfn, 300).v + 4), 0),
			ADDRESS);
	}
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_misaligned),
		cmocka_unit_test(an_address_is_not_canonical),
		cmocka_unit_test(an_address_has_no_table),
		cmocka_unit_test(numbers_are_enormous),
		cmocka_unit_test(a_level_is_none),
		cmocka_unit_test(a_hold_asks_for_a_table),
		cmocka_unit_test(a_trapped_write_crosses_entries),
		cmocka_unit_test(a_trapped_write_is_to_no_l1),
		cmocka_unit_test(a_trapped_write_builds_an_entry_in_parts),
		cmocka_unit_test(a_batch_fails_halfway),
		cmocka_unit_test(a_batch_is_longer_than_its_budget),
		cmocka_unit_test(a_frame_in_use_is_released),
		cmocka_unit_test(a_frame_is_released_twice),
		cmocka_unit_test(a_released_frame_is_still_used),
		cmocka_unit_test(a_shared_frame_is_released),
		cmocka_unit_test(a_frame_is_asked_for_that_is_anothers),
		cmocka_unit_test(a_gfn_is_claimed_for_two_frames),
		cmocka_unit_test(a_descriptor_leads_out_of_ring_3),
		cmocka_unit_test(a_descriptor_keeps_ring_0),
		cmocka_unit_test(a_page_of_descriptors_is_written),
		cmocka_unit_test(a_descriptor_is_written_into_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

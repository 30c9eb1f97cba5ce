/*
 * Attacks by the bits of entries, and on the hypervisor's slots of an L4.
 */
#include "direct_attack.h"

/* 1. Bits. */

/* XSA-148. */
static void large_pages_are_made(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned gfn = 0; gfn < 3; gfn++) {
		/* New, and as a change of bits alone of a good entry. */
		assert_int_equal(rig_update(a->r, 0, rig_at(0, gfn, 9),
					    rig_to(0, RIG_DATA, RW | PS)),
				 BITS);
		assert_int_equal(rig_update(a->r, 0, rig_at(0, gfn, 0),
					    rig_to(0, gfn + 1, P | W | PS)),
				 BITS);
	}
	attack_end(a);
}

static void large_pages_are_pinned(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned level = 2; level <= 4; level++) {
		attack_fill(a, SPARE, 200, rig_to(0, RIG_DATA, RW | PS));
		assert_int_equal(rig_pin(a->r, 0, SPARE, level), BITS);
	}
	attack_end(a);
}

/* XSA-182: a change of an entry that is there takes a short way, which must
 * not be short of checks. */
static void a_change_of_bits_alone_brings_bad_ones(void **state)
{
	struct attack *a = attack_begin();
	static const uint64_t bad[] = { 0x8,
					0x10,
					0x80,
					0x100,
					UINT64_C(1) << 59,
					UINT64_C(1) << 62,
					UINT64_C(1) << 40,
					UINT64_C(1) << 51 };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned keep = 0; keep < 2; keep++) {
			struct vmmu_direct_update u = {
				.at = rig_at(0, 3, RIG_DATA),
				.value = rig_to(0, RIG_DATA, RW | bad[i]),
				.how = keep ? VMMU_DIRECT_PRESERVE_AD
					    : VMMU_DIRECT_NORMAL,
			};

			assert_int_equal(vmmu_direct_update(&a->r->vm[0].cpu[0],
							    &u, NULL),
					 BITS);
			u.at = rig_at(0, 2, 0);
			u.value = rig_to(0, 3, P | W | bad[i]);
			assert_int_equal(vmmu_direct_update(&a->r->vm[0].cpu[0],
							    &u, NULL),
					 BITS);
		}
	attack_end(a);
}

static void bits_above_the_processors_width_are_set(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned bit = 40; bit < 52; bit++) {
		uint64_t high = UINT64_C(1) << bit;

		assert_int_equal(
			rig_va(a->r, 0, 300, rig_to(0, RIG_DATA, RW | high)),
			BITS);
		attack_fill(a, SPARE, 1, rig_to(0, RIG_DATA, RO | high));
		assert_int_equal(rig_pin(a->r, 0, SPARE, 1), BITS);
		assert_int_equal(rig_pin(a->r, 0, SPARE, 3), BITS);
	}
	attack_end(a);
}

/* XSA-402: what the hypervisor reads through its cache is not what a
 * processor reads past it. */
static void memory_is_mapped_uncached(void **state)
{
	struct attack *a = attack_begin();
	static const uint64_t kind[] = { 0x08, 0x10, 0x18, 0x80, 0x88, 0x98 };

	(void)state;
	for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		assert_int_equal(rig_va(a->r, 0, RIG_DATA,
					rig_to(0, RIG_DATA, RW | kind[i])),
				 BITS);
		assert_int_equal(rig_va(a->r, 0, 3, rig_to(0, 3, RO | kind[i])),
				 BITS);
	}
	attack_end(a);
}

static void a_page_is_made_global(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	assert_int_equal(
		rig_va(a->r, 0, RIG_DATA, rig_to(0, RIG_DATA, RW | U | G)),
		BITS);
	attack_end(a);
}

/* XSA-273, L1TF: the processor reads what an absent entry names. */
static void an_absent_entry_names_memory(void **state)
{
	struct attack *a = attack_begin();
	uint64_t secret = rig_to(1, RIG_DATA, RW & ~P);
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];

	(void)state;
	assert_int_equal(rig_va(a->r, 0, 300, secret), BITS);
	for (unsigned gfn = 0; gfn < 4; gfn++)
		assert_int_equal(
			rig_update(a->r, 0, rig_at(0, gfn, 300 - gfn), secret),
			BITS);
	/* By taking P off an entry that is there. */
	assert_int_equal(vmmu_direct_trapped_write(cpu, rig_at(0, 3, RIG_DATA),
						   1, RW & ~P, NULL),
			 BITS);
	attack_fill(a, SPARE, 511, secret);
	for (unsigned level = 1; level <= 4; level++)
		assert_int_equal(rig_pin(a->r, 0, SPARE, level), BITS);
	attack_end(a);
}

/* 2. The hypervisor's slots. */

static void slots_of_the_hypervisor_are_changed(void **state)
{
	struct attack *a = attack_begin();

	(void)state;
	for (unsigned slot = 256; slot < 272; slot++) {
		assert_int_equal(rig_update(a->r, 0, rig_at(0, 0, slot), 0),
				 SLOT);
		assert_int_equal(rig_update(a->r, 0, rig_at(0, 0, slot),
					    rig_to(0, 1, P | W)),
				 SLOT);
	}
	/* Its neighbours are the guest's. */
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 0, 255), rig_to(0, 1, P | W)),
		OK);
	assert_int_equal(
		rig_update(a->r, 0, rig_at(0, 0, 272), rig_to(0, 1, P | W)),
		OK);
	attack_end(a);
}

static void slots_of_the_hypervisor_are_planted_before_the_pin(void **state)
{
	struct attack *a = attack_begin();
	const uint64_t *l4 = rig_page(a->r, rig_hfn(0, SPARE));

	(void)state;
	attack_fill(a, SPARE, 256, rig_to(0, 1, P | W));
	attack_fill(a, SPARE, 257, rig_to(1, 1, P | W));
	attack_fill(a, SPARE, 271, rig_to(0, SPARE, P | W | PS));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 4), OK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(l4[256 + i], a->r->template[i]);
	/* Nothing was counted for what was there. */
	assert_int_equal(rig_frame(a->r, 0, 1)->type_count, 1);
	attack_end(a);
}

static void the_hypervisors_range_is_named_by_address(void **state)
{
	struct attack *a = attack_begin();
	struct vmmu_cpu *cpu = &a->r->vm[0].cpu[0];
	struct vmmu_direct_walk w;

	(void)state;
	for (uint64_t slot = 256; slot < 272; slot++) {
		gva_t gva = mk_gva(UINT64_C(0xffff) << 48 | slot << 39 |
				   RIG_DATA << 12);
		hpa_t at;

		assert_int_equal(vmmu_direct_update_va(cpu, gva,
						       rig_to(0, RIG_DATA, RW)),
				 ADDRESS);
		assert_false(vmmu_direct_walk(cpu, gva, &w));
		assert_false(vmmu_direct_is_trapped(cpu, gva, &at));
	}
	attack_end(a);
}

/* The hypervisor's entries of a table that was an L4 are not left for it to
 * become another level with. */
static void an_old_l4_is_pinned_as_an_l3(void **state)
{
	struct attack *a = attack_begin();
	const uint64_t *page = rig_page(a->r, rig_hfn(0, SPARE));

	(void)state;
	assert_int_equal(rig_pin(a->r, 0, SPARE, 4), OK);
	assert_int_equal(rig_unpin(a->r, 0, SPARE), OK);
	assert_int_equal(rig_pin(a->r, 0, SPARE, 3), OK);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(page[i], 0);
	attack_end(a);
}

/* A refused L4 has none of them: the guest could still write it. */
static void a_refused_l4_shows_nothing_of_the_hypervisors(void **state)
{
	struct attack *a = attack_begin();
	const uint64_t *page = rig_page(a->r, rig_hfn(0, SPARE));

	(void)state;
	attack_fill(a, SPARE, 511, rig_to(1, 1, P | W));
	assert_int_equal(rig_pin(a->r, 0, SPARE, 4), FOREIGN);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(page[256 + i], 0);
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_pages_are_made),
		cmocka_unit_test(large_pages_are_pinned),
		cmocka_unit_test(a_change_of_bits_alone_brings_bad_ones),
		cmocka_unit_test(bits_above_the_processors_width_are_set),
		cmocka_unit_test(memory_is_mapped_uncached),
		cmocka_unit_test(a_page_is_made_global),
		cmocka_unit_test(an_absent_entry_names_memory),
		cmocka_unit_test(slots_of_the_hypervisor_are_changed),
		cmocka_unit_test(
			slots_of_the_hypervisor_are_planted_before_the_pin),
		cmocka_unit_test(the_hypervisors_range_is_named_by_address),
		cmocka_unit_test(an_old_l4_is_pinned_as_an_l3),
		cmocka_unit_test(a_refused_l4_shows_nothing_of_the_hypervisors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

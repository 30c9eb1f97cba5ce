/*
 * The guest walk: each paging mode's way down, every reserved bit, error
 * codes, accessed and dirty bits, and guests that change tables under it.
 * Rights are in test_gwalk_rights.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pt/gwalk_careful.h"
#include "test/unit/walk_rig.h"

#define GVA  UINT64_C(0x00007f1234567890)
#define LEAF (UINT64_C(0x9000) | P | W | U | A | D)

static struct walk_rig rig;

static int fresh(void **state)
{
	(void)state;
	rig_init(&rig);
	return 0;
}

static int done(void **state)
{
	(void)state;
	rig_fini(&rig);
	return 0;
}

static void expect_gpa(uint64_t gva, uint64_t gpa, unsigned shift)
{
	assert_int_equal(rig_walk(&rig, gva, VMMU_R), VMMU_GWALK_OK);
	assert_int_equal(rig.out.gpa.v, gpa);
	assert_int_equal(rig.out.page_shift, shift);
	/* Once more, with the tables in the cache of frames. */
	assert_int_equal(rig_walk(&rig, gva, VMMU_R), VMMU_GWALK_OK);
	assert_int_equal(rig.out.gpa.v, gpa);
	assert_int_equal(rig.out.page_shift, shift);
}

/* Twice, because the second walk may take the straight way. */
static void expect_fault(uint64_t gva, unsigned access, uint32_t code,
			 unsigned level)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_walk(&rig, gva, access), VMMU_GWALK_FAULT);
		assert_int_equal(rig.out.error_code, code);
		assert_int_equal(rig.out.level, level);
	}
}

static void paging_off_is_identity(void **state)
{
	(void)state;
	rig.regs.cr0 = VMMU_CR0_PE;
	rig_set_mode(&rig);
	expect_gpa(0x12345678, 0x12345678, 12);
	expect_gpa(UINT64_C(0x1deadbeef), 0xdeadbeef, 12);
	assert_int_equal(rig.out.level, 0);
	assert_int_equal(rig.out.perms, VMMU_RWXU);
	assert_int_equal(rig_walk(&rig, 0, VMMU_W | VMMU_U), VMMU_GWALK_OK);
}

static void four_levels(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF);
	expect_gpa(GVA, 0x9890, 12);
	assert_int_equal(rig.out.level, 1);
	assert_int_equal(rig.out.entry, LEAF);
	assert_int_equal(rig.out.table.v, 0x1000 + 8 * rig_index(GVA, 1));
	for (unsigned n = 1; n <= 4; n++)
		assert_int_equal(rig.out.tables[n].v, n * 0x1000);
	rig_map(&rig, GVA, 4, 2, LEAF);
	*rig_entry(&rig, 2, rig_index(GVA, 2)) = UINT64_C(0x1234600000) | P |
						 PS;
	expect_gpa(GVA, UINT64_C(0x1234767890), 21);
	assert_int_equal(rig.out.level, 2);
	rig_map(&rig, GVA, 4, 3, UINT64_C(0xc0000000) | P | PS);
	expect_gpa(GVA, UINT64_C(0xf4567890), 30);
}

static void five_levels(void **state)
{
	uint64_t gva = UINT64_C(0x00a57f1234567890);

	(void)state;
	rig.regs.cr4 |= VMMU_CR4_LA57;
	rig.regs.cr3 = 0x5000;
	rig_set_mode(&rig);
	rig_map(&rig, gva, 5, 1, LEAF);
	expect_gpa(gva, 0x9890, 12);
	assert_int_equal(rig.out.tables[5].v, 0x5000);
	rig_map(&rig, gva, 5, 3, UINT64_C(0x40000000) | P | PS);
	expect_gpa(gva, UINT64_C(0x74567890), 30);
	*rig_entry(&rig, 5, rig_index(gva, 5)) |= PS;
	expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 5);
}

static void canonical_addresses(void **state)
{
	static const struct {
		uint64_t gva;
		bool ok4, ok5;
	} cases[] = {
		{ UINT64_C(0x00007fffffffffff), true, true },
		{ UINT64_C(0x0000800000000000), false, true },
		{ UINT64_C(0xffff7fffffffffff), false, true },
		{ UINT64_C(0xffff800000000000), true, true },
		{ UINT64_C(0x00ffffffffffffff), false, true },
		{ UINT64_C(0x0100000000000000), false, false },
		{ UINT64_C(0xfeffffffffffffff), false, false },
		{ UINT64_C(0xff00000000000000), false, true },
		{ UINT64_C(0xffffffffffffffff), true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig.regs.cr4 &= ~VMMU_CR4_LA57;
		rig_set_mode(&rig);
		assert_int_equal(rig_walk(&rig, cases[i].gva, VMMU_R) !=
					 VMMU_GWALK_NON_CANONICAL,
				 cases[i].ok4);
		rig.regs.cr4 |= VMMU_CR4_LA57;
		rig_set_mode(&rig);
		assert_int_equal(rig_walk(&rig, cases[i].gva, VMMU_R) !=
					 VMMU_GWALK_NON_CANONICAL,
				 cases[i].ok5);
	}
}

static void to_32_bit(void)
{
	rig.regs.cr4 = VMMU_CR4_PSE;
	rig.regs.efer = 0;
	rig.regs.cr3 = 0x2018; /* PWT and PCD are no address */
	rig_set_mode(&rig);
}

static void two_levels_of_four_bytes(void **state)
{
	uint32_t gva = 0xfedcba98;

	(void)state;
	to_32_bit();
	*rig_entry_4(&rig, 2, gva >> 22) = 0x1000 | (uint32_t)(P | W | U);
	*rig_entry_4(&rig, 1, gva >> 12 & 1023) = 0xabcde000u | (uint32_t)P;
	/* The neighbours must stay as they are when A is set. */
	*rig_entry_4(&rig, 1, (gva >> 12 & 1023) + 1) = 0x11111111;
	expect_gpa(gva, 0xabcdea98, 12);
	assert_int_equal(*rig_entry_4(&rig, 1, gva >> 12 & 1023),
			 0xabcde000u | (uint32_t)(P | A));
	assert_int_equal(*rig_entry_4(&rig, 1, (gva >> 12 & 1023) + 1),
			 0x11111111);
	/* Linear addresses have 32 bits here. */
	expect_gpa(gva | UINT64_C(0xabc00000000), 0xabcdea98, 12);
}

static void large_pages_of_32_bit(void **state)
{
	uint32_t gva = 0x80323456;
	uint32_t *pde = rig_entry_4(&rig, 2, gva >> 22);

	(void)state;
	to_32_bit();
	*pde = 0x40000000 | (uint32_t)(P | PS);
	expect_gpa(gva, 0x40323456, 22);
	/* PSE-36: bits 20:13 are address bits 39:32. */
	*pde |= 0xa5 << 13;
	expect_gpa(gva, UINT64_C(0xa540323456), 22);
	*pde |= 1 << 12; /* PAT */
	expect_gpa(gva, UINT64_C(0xa540323456), 22);
	*pde |= 1 << 21;
	expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 2);
	/* Only address bits that the processor has. */
	*pde = 0x40000000 | 0x10 << 13 | (uint32_t)(P | PS);
	rig.features.maxphyaddr = 36;
	rig_set_mode(&rig);
	expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 2);
	*pde = 0x40000000 | 0x0f << 13 | (uint32_t)(P | PS);
	expect_gpa(gva, UINT64_C(0xf40323456), 22);
	rig.features.pse36 = false;
	rig_set_mode(&rig);
	expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 2);
}

static void without_pse_the_bit_is_ignored(void **state)
{
	uint32_t gva = 0x80323456;

	(void)state;
	to_32_bit();
	rig.regs.cr4 = 0;
	rig_set_mode(&rig);
	*rig_entry_4(&rig, 2, gva >> 22) = 0x1000 | (uint32_t)(P | PS);
	*rig_entry_4(&rig, 1, gva >> 12 & 1023) = 0x7000 | (uint32_t)(P | PS);
	expect_gpa(gva, 0x7456, 12);
}

static void to_pae(bool in_memory)
{
	rig.regs.efer = VMMU_EFER_NXE;
	rig.regs.cr3 = 0x3020;
	rig.features.pdptes_in_memory = in_memory;
	rig_set_mode(&rig);
}

static void pae_with_pdptes_in_registers(void **state)
{
	uint32_t gva = 0xc0a34567;

	(void)state;
	rig.regs.pdpte[3] = 0x2000 | P;
	to_pae(false);
	rig_map(&rig, gva, 2, 1, LEAF);
	expect_gpa(gva, 0x9567, 12);
	assert_int_equal(rig.out.tables[3].v, 0x3020);
	rig_map(&rig, gva, 2, 2, UINT64_C(0x1234600000) | P | PS);
	expect_gpa(gva, UINT64_C(0x1234634567), 21);
	expect_fault(0x40000000, VMMU_W, VMMU_PF_W, 3);
	assert_int_equal(rig.out.table.v, 0x3020 + 8);
	/* A change in memory does not count until CR3 is loaded. */
	*rig_entry(&rig, 3, 4 + 1) = 0x2000 | P;
	expect_fault(0x40000000, VMMU_R, 0, 3);
}

static void pae_with_pdptes_in_memory(void **state)
{
	uint32_t gva = 0xc0a34567;
	uint64_t *pdpte = rig_entry(&rig, 3, 4 + 3);

	(void)state;
	to_pae(true);
	expect_fault(gva, VMMU_R, 0, 3);
	*pdpte = 0x2000 | P;
	rig_map(&rig, gva, 2, 1, LEAF);
	expect_gpa(gva, 0x9567, 12);
	assert_int_equal(*pdpte, 0x2000 | P); /* it has no A */
	for (unsigned bit = 1; bit < 64; bit++) {
		bool reserved = bit <= 2 || (bit >= 6 && bit <= 8) ||
				bit >= rig.features.maxphyaddr;

		*pdpte = 0x2000 | P | UINT64_C(1) << bit;
		if (bit == 5) /* some hardware has set A there */
			expect_gpa(gva, 0x9567, 12);
		if (!reserved)
			continue;
		expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 3);
	}
}

static void pae_reserves_the_bits_that_long_mode_ignores(void **state)
{
	uint32_t gva = 0x00a34567;

	(void)state;
	rig.regs.pdpte[0] = 0x2000 | P;
	to_pae(false);
	for (unsigned bit = 52; bit < 63; bit++) {
		rig_map(&rig, gva, 2, 1, LEAF | UINT64_C(1) << bit);
		expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 1);
		rig_map(&rig, gva, 2, 1, LEAF);
		*rig_entry(&rig, 2, rig_index(gva, 2)) |= UINT64_C(1) << bit;
		expect_fault(gva, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, 2);
	}
}

/* Is this bit reserved in an entry of long mode? SDM 3A 4.5.4. */
static bool reserved_in_long_mode(unsigned level, bool large, unsigned bit)
{
	if (bit == 63)
		return !(rig.regs.efer & VMMU_EFER_NXE);
	if (bit >= rig.features.maxphyaddr && bit < 52)
		return true;
	if (large)
		return bit >= 13 && bit < (level == 2 ? 21 : 30);
	return bit == 7 &&
	       (level >= 4 || (level == 3 && !rig.features.gib_pages));
}

/* Every bit but those that change where the walk goes, alone, in every entry
 * of a walk. */
static void check_reserved_bits(unsigned leaf_level)
{
	uint64_t leaf = leaf_level == 1 ? LEAF : P | W | U | A | D | PS;

	for (unsigned n = leaf_level; n <= 4; n++) {
		uint64_t *entry = rig_entry(&rig, n, rig_index(GVA, n));

		for (unsigned bit = 7; bit < 64; bit++) {
			bool large = n == leaf_level && n > 1;
			bool address = bit >= 12 &&
				       bit < rig.features.maxphyaddr;

			rig_map(&rig, GVA, 4, leaf_level, leaf);
			if (!reserved_in_long_mode(n, large, bit)) {
				if ((n > leaf_level && address) ||
				    (bit == 7 && n > 1))
					continue;
				*entry |= UINT64_C(1) << bit;
				assert_int_equal(rig_walk(&rig, GVA, VMMU_R),
						 VMMU_GWALK_OK);
				continue;
			}
			*entry |= UINT64_C(1) << bit;
			expect_fault(GVA, VMMU_R, VMMU_PF_P | VMMU_PF_RSVD, n);
		}
	}
}

static void every_reserved_bit(void **state)
{
	(void)state;
	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		for (uint8_t m = 36; m <= 52; m = (uint8_t)(m + 4)) {
			rig.features.maxphyaddr = m;
			rig.regs.efer |= VMMU_EFER_NXE;
			rig_set_mode(&rig);
			check_reserved_bits(leaf);
			rig.regs.efer &= ~VMMU_EFER_NXE;
			rig_set_mode(&rig);
			check_reserved_bits(leaf);
		}
	}
	rig.features.gib_pages = false;
	rig_set_mode(&rig);
	check_reserved_bits(1);
	check_reserved_bits(2);
}

static void absent_entries_stop_before_anything_else(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		rig_map(&rig, GVA, 4, 1, LEAF);
		/* All else set, also what is reserved. */
		*rig_entry(&rig, n, rig_index(GVA, n)) = ~P;
		expect_fault(GVA, VMMU_R, 0, n);
		expect_fault(GVA, VMMU_W | VMMU_U, VMMU_PF_W | VMMU_PF_U, n);
		expect_fault(GVA, VMMU_X, VMMU_PF_I, n);
		rig.regs.efer &= ~VMMU_EFER_NXE;
		rig_set_mode(&rig);
		expect_fault(GVA, VMMU_X, 0, n);
		rig.regs.cr4 |= VMMU_CR4_SMEP;
		rig_set_mode(&rig);
		expect_fault(GVA, VMMU_X | VMMU_U, VMMU_PF_I | VMMU_PF_U, n);
		rig.regs.cr4 &= ~VMMU_CR4_SMEP;
		rig.regs.efer |= VMMU_EFER_NXE;
		rig_set_mode(&rig);
	}
}

static void clear_a(void)
{
	for (unsigned n = 2; n <= 4; n++)
		*rig_entry(&rig, n, rig_index(GVA, n)) &= ~A;
	*rig_entry(&rig, 1, rig_index(GVA, 1)) &= ~(A | D);
}

static bool all_upper_have_a(void)
{
	bool all = true;

	for (unsigned n = 2; n <= 4; n++)
		all &= !!(*rig_entry(&rig, n, rig_index(GVA, n)) & A);
	return all;
}

static void accessed_and_dirty(void **state)
{
	uint64_t *leaf = rig_entry(&rig, 1, rig_index(GVA, 1));

	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF);
	clear_a();
	assert_int_equal(vmmu_gwalk(&rig.mem, &rig.mode, mk_gva(GVA), VMMU_W,
				    VMMU_GWALK_PEEK, &rig.out),
			 VMMU_GWALK_OK);
	assert_int_equal(*leaf, LEAF & ~(A | D));
	assert_false(all_upper_have_a());
	assert_false(rig.out.dirty);

	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_OK);
	assert_int_equal(*leaf, LEAF & ~D);
	assert_true(all_upper_have_a());
	assert_false(rig.out.dirty);
	assert_int_equal(rig.out.entry, LEAF & ~D);

	assert_int_equal(rig_walk(&rig, GVA, VMMU_W), VMMU_GWALK_OK);
	assert_int_equal(*leaf, LEAF);
	assert_true(rig.out.dirty);
	/* No D where there is no page. */
	for (unsigned n = 2; n <= 4; n++)
		assert_false(*rig_entry(&rig, n, rig_index(GVA, n)) & D);
}

static void a_forbidden_access_marks_no_page(void **state)
{
	uint64_t *leaf = rig_entry(&rig, 1, rig_index(GVA, 1));

	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF & ~(W | A | D));
	expect_fault(GVA, VMMU_W, VMMU_PF_P | VMMU_PF_W, 1);
	assert_int_equal(*leaf, LEAF & ~(W | A | D));
}

static void global_needs_pge(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF | G);
	for (int i = 0; i < 2; i++) {
		rig_walk(&rig, GVA, VMMU_R);
		assert_false(rig.out.global);
	}
	rig.regs.cr4 |= VMMU_CR4_PGE;
	rig_set_mode(&rig);
	for (int i = 0; i < 2; i++) {
		rig_walk(&rig, GVA, VMMU_R);
		assert_true(rig.out.global);
	}
}

/* The guest clears the page's P while A is about to be set. */
static void clear_p(struct flat_host *h)
{
	h->during = NULL;
	*rig_entry(&rig, 1, rig_index(GVA, 1)) = 0;
}

static void a_change_under_the_swap_starts_again(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF & ~(A | D));
	/* All tables read before, so that the next question is for a write. */
	vmmu_gwalk(&rig.mem, &rig.mode, mk_gva(GVA), VMMU_R, VMMU_GWALK_PEEK,
		   &rig.out);
	rig.host.during = clear_p;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_W), VMMU_GWALK_FAULT);
	assert_int_equal(rig.out.error_code, VMMU_PF_W);
	assert_int_equal(*rig_entry(&rig, 1, rig_index(GVA, 1)), 0);
}

static unsigned flips;

/* The guest keeps changing an ignored bit of the entry. */
static void flip_soft_bit(struct flat_host *h)
{
	(void)h;
	flips++;
	*rig_entry(&rig, 1, rig_index(GVA, 1)) ^= UINT64_C(1) << 9;
}

static void a_guest_that_never_rests_comes_back_later(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF & ~(A | D));
	vmmu_gwalk(&rig.mem, &rig.mode, mk_gva(GVA), VMMU_R, VMMU_GWALK_PEEK,
		   &rig.out);
	/* Shared pages that stay shared: the host is asked at each swap. */
	rig_slot(&rig, 0, VMMU_SLOT_LOG_DIRTY, 0, FLAT_PAGES * VMMU_PAGE_SIZE,
		 0);
	rig.host.during = flip_soft_bit;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_W), VMMU_GWALK_NOT_NOW);
	assert_in_range(flips, 2, 100);
	rig.host.during = NULL;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_W), VMMU_GWALK_OK);
}

static void tables_where_no_memory_is(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF);
	*rig_entry(&rig, 3, rig_index(GVA, 3)) = UINT64_C(0x8000000000) | P |
						 W | U | A;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_NO_SLOT);
	assert_int_equal(rig.out.level, 2);
	assert_int_equal(rig.out.table.v,
			 UINT64_C(0x8000000000) + 8 * rig_index(GVA, 2));
	/* The page itself may lie anywhere: that is for the caller. */
	rig_map(&rig, GVA, 4, 1, UINT64_C(0x9000000000) | P | A);
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_OK);
}

static void tables_in_read_only_memory(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF & ~(A | D));
	rig_slot(&rig, 0, VMMU_SLOT_READ_ONLY, 0, FLAT_PAGES * VMMU_PAGE_SIZE,
		 0);
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_READ_ONLY);
	assert_int_equal(rig.out.table.v, 0x1000 + 8 * rig_index(GVA, 1));
	*rig_entry(&rig, 1, rig_index(GVA, 1)) |= A;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_OK);
}

/* Tables that were walked a moment ago are gone, or elsewhere. */
static void slots_change_between_walks(void **state)
{
	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF);
	expect_gpa(GVA, 0x9890, 12);
	/* Frame 3 of the guest is now frame 13 of the arena. */
	rig_slot(&rig, 0, 0, 0, 0, 0);
	rig_slot(&rig, 1, 0, 0, 3 * VMMU_PAGE_SIZE, 0);
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_NO_SLOT);
	rig_slot(&rig, 2, 0, 3 * VMMU_PAGE_SIZE, VMMU_PAGE_SIZE,
		 13 * VMMU_PAGE_SIZE);
	rig_slot(&rig, 3, 0, 4 * VMMU_PAGE_SIZE, VMMU_PAGE_SIZE,
		 4 * VMMU_PAGE_SIZE);
	expect_fault(GVA, VMMU_R, 0, 3);
	*rig_entry(&rig, 13, rig_index(GVA, 3)) = 0x2000 | P | A;
	expect_gpa(GVA, 0x9890, 12);
}

/* The first write to a shared page gets a copy. Walks must read the copy. */
static void a_table_moves_when_it_is_written(void **state)
{
	uint64_t gpa = 0x3000 + 8 * rig_index(GVA, 3), absent = 0;

	(void)state;
	rig_map(&rig, GVA, 4, 1, LEAF);
	expect_gpa(GVA, 0x9890, 12);
	rig.host.moves = 20 * VMMU_PAGE_SIZE;
	memcpy(rig.host.arena + 23 * VMMU_PAGE_SIZE,
	       rig.host.arena + 3 * VMMU_PAGE_SIZE, VMMU_PAGE_SIZE);
	assert_int_equal(vmmu_gmem_write(&rig.mem, mk_gpa(gpa), &absent, 8),
			 VMMU_GMEM_OK);
	expect_fault(GVA, VMMU_R, 0, 3);
}

static void a_host_without_memory(void **state)
{
	(void)state;
	rig.host.answer = VMMU_RESOLVE_NOT_NOW;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_NOT_NOW);
	rig.host.answer = VMMU_RESOLVE_NONE;
	assert_int_equal(rig_walk(&rig, GVA, VMMU_R), VMMU_GWALK_NONE);
}

static uint64_t random_64(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Mostly plain, sometimes anything. */
static uint64_t random_entry(unsigned level)
{
	uint64_t e = P | W | U | A | D | (level - 1) * VMMU_PAGE_SIZE;

	if (random_64() % 4 == 0)
		e &= ~(UINT64_C(1) << random_64() % 13);
	if (random_64() % 4 == 0)
		e |= random_64() % 2 ? NX : KEY(random_64() % 16);
	if (random_64() % 8 == 0)
		e ^= UINT64_C(1) << random_64() % 64;
	return e;
}

static void assert_same(const struct vmmu_gwalk *a, const struct vmmu_gwalk *b,
			enum vmmu_gwalk_status status)
{
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->perms, b->perms);
	assert_int_equal(a->table.v, b->table.v);
	if (status == VMMU_GWALK_OK || status == VMMU_GWALK_FAULT)
		assert_int_equal(a->entry, b->entry);
	if (status == VMMU_GWALK_FAULT)
		assert_int_equal(a->error_code, b->error_code);
	if (status != VMMU_GWALK_OK)
		return;
	assert_int_equal(a->gpa.v, b->gpa.v);
	assert_int_equal(a->page_shift, b->page_shift);
	assert_int_equal(a->dirty, b->dirty);
	assert_int_equal(a->global, b->global);
	assert_int_equal(a->pkey, b->pkey);
	for (unsigned n = a->level; n <= rig.mode.levels; n++)
		assert_int_equal(a->tables[n].v, b->tables[n].v);
}

static void random_mode(void)
{
	uint64_t r = random_64();

	rig.regs.cr0 = VMMU_CR0_PG | (r & VMMU_CR0_WP);
	rig.regs.cr4 =
		VMMU_CR4_PAE |
		(r >> 20 & (VMMU_CR4_SMEP | VMMU_CR4_SMAP | VMMU_CR4_PKE |
			    VMMU_CR4_PKS | VMMU_CR4_PGE | VMMU_CR4_LA57));
	rig.regs.efer = VMMU_EFER_LMA | (r >> 50 & VMMU_EFER_NXE);
	rig.regs.cr3 = rig.regs.cr4 & VMMU_CR4_LA57 ? 0x5000 : 0x4000;
	rig.regs.pkru = (uint32_t)random_64() & (r & 1 ? ~3u : ~0u);
	rig.regs.pkrs = (uint32_t)random_64() & (r & 2 ? ~3u : ~0u);
	rig.features.gib_pages = r & 4;
	rig_set_mode(&rig);
}

/* The straight way and the careful one, over random tables. */
static void both_ways_agree(void **state)
{
	unsigned straight = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct vmmu_gwalk other = { 0 };
		enum vmmu_gwalk_status status;
		unsigned access = 1u << random_64() % 3;

		access |= (unsigned)random_64() &
			  (VMMU_U | VMMU_IMPLICIT | VMMU_AC);
		random_mode();
		for (unsigned n = 1; n <= 5; n++)
			*rig_entry(&rig, n, rig_index(GVA, n)) =
				random_entry(n);
		memset(&rig.out, 0, sizeof(rig.out));
		status = vmmu_gwalk(&rig.mem, &rig.mode, mk_gva(GVA), access,
				    VMMU_GWALK_PEEK, &rig.out);
		assert_int_equal(gwalk_careful(&rig.mem, &rig.mode, mk_gva(GVA),
					       access, VMMU_GWALK_PEEK, &other),
				 status);
		assert_same(&rig.out, &other, status);
		straight += status == VMMU_GWALK_OK && rig.out.level == 1;
	}
	assert_in_range(straight, 1000, 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paging_off_is_identity),
		TEST(four_levels),
		TEST(five_levels),
		TEST(canonical_addresses),
		TEST(two_levels_of_four_bytes),
		TEST(large_pages_of_32_bit),
		TEST(without_pse_the_bit_is_ignored),
		TEST(pae_with_pdptes_in_registers),
		TEST(pae_with_pdptes_in_memory),
		TEST(pae_reserves_the_bits_that_long_mode_ignores),
		TEST(every_reserved_bit),
		TEST(absent_entries_stop_before_anything_else),
		TEST(accessed_and_dirty),
		TEST(a_forbidden_access_marks_no_page),
		TEST(global_needs_pge),
		TEST(a_change_under_the_swap_starts_again),
		TEST(a_guest_that_never_rests_comes_back_later),
		TEST(tables_where_no_memory_is),
		TEST(tables_in_read_only_memory),
		TEST(slots_change_between_walks),
		TEST(a_table_moves_when_it_is_written),
		TEST(a_host_without_memory),
		TEST(both_ways_agree),
	};

	return cmocka_run_group_tests_name("gwalk", tests, NULL, NULL);
}

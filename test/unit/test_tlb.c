/*
 * The TLB model: what each flush drops and what it keeps, and that rights are
 * checked at the hit with the registers of that moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/smmu_regs.h"
#include "lab/tlb.h"

#define VA UINT64_C(0x7000123000)

static struct tlb tlb;
static struct smmu_regs regs;

static void begin(void)
{
	tlb_init(&tlb);
	memset(&regs, 0, sizeof(regs));
	regs.cr0 = SMMU_CR0_PG | SMMU_CR0_WP;
	regs.cr4 = SMMU_CR4_PAE | SMMU_CR4_PGE;
	regs.efer = SMMU_EFER_LMA;
}

static void fill(uint64_t va, unsigned shift, bool global)
{
	struct tlb_entry e = {
		.page = va,
		.page_shift = shift,
		.nested_write = true,
		.nested_exec = true,
		.gpa = mk_gpa(0x5000),
		.hpa = mk_hpa(0x9000),
	};

	e.rights.write = e.rights.user = e.rights.exec = true;
	e.rights.dirty = true;
	e.rights.page_shift = shift;
	e.rights.global = global;
	tlb_fill(&tlb, &regs, &e);
}

static bool hit(uint64_t va, unsigned access)
{
	return tlb_find(&tlb, &regs, mk_gva(va), access);
}

static void an_entry_covers_its_page(void **state)
{
	(void)state;
	begin();
	fill(VA + 0x123, 21, false);
	assert_true(hit(VA, VMMU_R));
	assert_true(hit((VA & ~UINT64_C(0x1fffff)) + 0x1fffff, VMMU_W));
	assert_false(hit(VA + 0x200000, VMMU_R));
	assert_int_equal(tlb.hits, 2);
	assert_int_equal(tlb.misses, 1);
}

static void rights_are_checked_at_the_hit(void **state)
{
	(void)state;
	begin();
	fill(VA, 12, false);
	assert_true(hit(VA, VMMU_X));
	regs.cr4 |= SMMU_CR4_SMEP | SMMU_CR4_SMAP;
	assert_false(hit(VA, VMMU_X));
	assert_false(hit(VA, VMMU_R));
	assert_true(hit(VA, VMMU_R | VMMU_AC));
	assert_true(hit(VA, VMMU_X | VMMU_U));
}

static void a_clean_page_is_not_written_from_the_tlb(void **state)
{
	(void)state;
	begin();
	fill(VA, 12, false);
	tlb.entry[0].rights.dirty = false;
	assert_false(hit(VA, VMMU_W));
	assert_true(hit(VA, VMMU_R));
	tlb.entry[0].rights.dirty = true;
	tlb.entry[0].nested_write = false;
	assert_false(hit(VA, VMMU_W));
}

static void invlpg_drops_the_page_even_if_global(void **state)
{
	(void)state;
	begin();
	fill(VA, 12, true);
	fill(VA + 0x1000, 12, false);
	tlb_invlpg(&tlb, &regs, mk_gva(VA + 0xfff));
	assert_false(hit(VA, VMMU_R));
	assert_true(hit(VA + 0x1000, VMMU_R));
}

/* A large page of the guest that the second dimension has in parts. */
static void invlpg_drops_all_parts_of_a_page(void **state)
{
	(void)state;
	begin();
	fill(VA, 12, false);
	fill(VA + 0x1000, 12, false);
	tlb.entry[0].rights.page_shift = 21;
	tlb_invlpg(&tlb, &regs, mk_gva(VA + 0x5000));
	assert_false(hit(VA, VMMU_R));
	assert_true(hit(VA + 0x1000, VMMU_R));
}

static void a_cr3_load_keeps_global_pages(void **state)
{
	(void)state;
	begin();
	fill(VA, 12, true);
	fill(VA + 0x1000, 12, false);
	tlb_load_cr3(&tlb, &regs, false);
	assert_true(hit(VA, VMMU_R));
	assert_false(hit(VA + 0x1000, VMMU_R));
	tlb_flush_all(&tlb);
	assert_false(hit(VA, VMMU_R));
}

static void pcids_keep_spaces_apart(void **state)
{
	(void)state;
	begin();
	regs.cr4 |= SMMU_CR4_PCIDE;
	regs.cr3 = 0x1000 | 5;
	fill(VA, 12, false);
	regs.cr3 = 0x2000 | 6;
	tlb_load_cr3(&tlb, &regs, false);
	assert_false(hit(VA, VMMU_R));
	regs.cr3 = 0x1000 | 5;
	tlb_load_cr3(&tlb, &regs, true);
	assert_true(hit(VA, VMMU_R));
	tlb_load_cr3(&tlb, &regs, false);
	assert_false(hit(VA, VMMU_R));
}

static void old_entries_are_replaced(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i <= TLB_ENTRIES; i++)
		fill(VA + i * 0x1000, 12, false);
	assert_false(hit(VA, VMMU_R));
	assert_true(hit(VA + 0x1000, VMMU_R));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_covers_its_page),
		cmocka_unit_test(rights_are_checked_at_the_hit),
		cmocka_unit_test(a_clean_page_is_not_written_from_the_tlb),
		cmocka_unit_test(invlpg_drops_the_page_even_if_global),
		cmocka_unit_test(invlpg_drops_all_parts_of_a_page),
		cmocka_unit_test(a_cr3_load_keeps_global_pages),
		cmocka_unit_test(pcids_keep_spaces_apart),
		cmocka_unit_test(old_entries_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

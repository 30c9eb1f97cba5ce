/*
 * The software MMU against vectors worked out by hand from the manual: each
 * mode's page sizes, what is reserved in each structure, the error codes, and
 * accessed and dirty flags. The permission tables are test/diff/permute.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/smmu.h"
#include "lab/smmu_regs.h"

#define PAGES 16

/* Guest memory; each word may change under the walker once. */
struct memory {
	uint8_t byte[PAGES * 4096];
	uint64_t change_at, change_to; /* at the next swap there */
	bool read_only;
};

static struct memory memory;

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	(void)ctx;
	*value = 0;
	if (gpa.v >= sizeof(memory.byte))
		return SMMU_MEM_NONE;
	memcpy(value, memory.byte + gpa.v, size);
	return SMMU_MEM_OK;
}

static enum smmu_mem_status swap(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t old, uint64_t now)
{
	uint64_t here;

	if (memory.read_only)
		return SMMU_MEM_READ_ONLY;
	if (memory.change_at == gpa.v) {
		memcpy(memory.byte + gpa.v, &memory.change_to, size);
		memory.change_at = 0;
	}
	load(ctx, gpa, size, &here);
	if (here != old)
		return SMMU_MEM_CHANGED;
	memcpy(memory.byte + gpa.v, &now, size);
	return SMMU_MEM_OK;
}

static const struct smmu_mem mem = { .load = load, .swap = swap };

static void put(uint64_t gpa, unsigned size, uint64_t value)
{
	memcpy(memory.byte + gpa, &value, size);
}

static uint64_t get(uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, memory.byte + gpa, size);
	return value;
}

static struct smmu_regs begin(uint64_t cr4, uint64_t efer)
{
	memset(&memory, 0, sizeof(memory));
	return (struct smmu_regs){ .cr0 = SMMU_CR0_PG | SMMU_CR0_WP,
				   .cr3 = 0x1000,
				   .cr4 = cr4,
				   .efer = efer,
				   .maxphyaddr = 40,
				   .has_pse36 = true,
				   .has_nx = true,
				   .has_1g = true };
}

static struct smmu_result go(const struct smmu_regs *regs, uint64_t va,
			     unsigned access)
{
	struct smmu_result r;

	smmu_access(regs, &mem, mk_gva(va), access, SMMU_UPDATE, &r);
	return r;
}

static void paging_off_is_identity(void **state)
{
	struct smmu_regs regs = begin(0, 0);
	struct smmu_result r;
	(void)state;

	regs.cr0 = 0;
	r = go(&regs, 0xfee00030, VMMU_W);
	assert_int_equal(r.outcome, SMMU_OK);
	assert_int_equal(r.gpa.v, 0xfee00030);
}

static void legacy_pages(void **state)
{
	struct smmu_regs regs = begin(SMMU_CR4_PSE, 0);
	struct smmu_result r;
	(void)state;

	put(0x1000 + 4 * 1, 4, 0x2000 | 7);
	put(0x2000 + 4 * 5, 4, 0xabcde000 | 7);
	r = go(&regs, 0x00405678, VMMU_R | VMMU_U);
	assert_int_equal(r.outcome, SMMU_OK);
	assert_int_equal(r.gpa.v, 0xabcde678);
	assert_int_equal(r.page_shift, 12);
	/* PSE-36: bits 20..13 of the entry are address bits 39..32. */
	put(0x1000 + 4 * 3, 4, 0x12400000 | 0xa5 << 13 | 0x87);
	r = go(&regs, 0x00c12345, VMMU_R);
	assert_int_equal(r.outcome, SMMU_OK);
	assert_int_equal(r.gpa.v, UINT64_C(0xa512412345));
	assert_int_equal(r.page_shift, 22);
	/* Without CR4.PSE the same entry refers to a table. */
	regs.cr4 = 0;
	r = go(&regs, 0x00c12345, VMMU_R);
	assert_int_equal(r.outcome, SMMU_STOPPED);
}

static void legacy_reserved(void **state)
{
	struct smmu_regs regs = begin(SMMU_CR4_PSE, 0);
	(void)state;

	put(0x1000, 4, 1 << 21 | 0x87);
	assert_int_equal(go(&regs, 0, VMMU_R).error, VMMU_PF_P | VMMU_PF_RSVD);
	/* 36 bits of address: bits 16..13 hold four of them, 21..17 none. */
	regs.maxphyaddr = 36;
	put(0x1000, 4, 1 << 16 | 0x87);
	assert_int_equal(go(&regs, 0, VMMU_R).gpa.v, UINT64_C(1) << 35);
	put(0x1000, 4, 1 << 17 | 0x87);
	assert_int_equal(go(&regs, 0, VMMU_W).error,
			 VMMU_PF_P | VMMU_PF_W | VMMU_PF_RSVD);
	regs.has_pse36 = false;
	put(0x1000, 4, 1 << 13 | 0x87);
	assert_int_equal(go(&regs, 0, VMMU_R).outcome, SMMU_FAULT);
}

static void pae_pages(void **state)
{
	struct smmu_regs regs = begin(SMMU_CR4_PAE, SMMU_EFER_NXE);
	struct smmu_result r;
	(void)state;

	regs.pdpte[2] = 0x3000 | 1;
	put(0x3000 + 8 * 1, 8, 0x4000 | 7);
	put(0x4000 + 8 * 1, 8, UINT64_C(0x12345000) | 7);
	r = go(&regs, 0x80201abc, VMMU_R | VMMU_U);
	assert_int_equal(r.gpa.v, 0x12345abc);
	put(0x3000 + 8 * 2, 8, UINT64_C(0xff00600000) | 0x87);
	r = go(&regs, 0x80512345, VMMU_X);
	assert_int_equal(r.gpa.v, UINT64_C(0xff00712345));
	assert_int_equal(r.page_shift, 21);
	/* An absent PDPTE; and read from memory, where it is reserved. */
	assert_int_equal(go(&regs, 0, VMMU_R).error, 0);
	regs.pdpte_in_memory = true;
	regs.cr3 = 0x1020;
	put(0x1020, 8, 0x3000 | 3);
	assert_int_equal(go(&regs, 0, VMMU_R).error, VMMU_PF_P | VMMU_PF_RSVD);
	put(0x1020, 8, 0x3000 | 1);
	assert_int_equal(go(&regs, 0x201abc, VMMU_R).gpa.v, 0x12345abc);
}

/* va 0x8040201000: index 1 at each of four levels; tables at 1000, 2000, .. */
#define VA4 UINT64_C(0x8040201000)

static struct smmu_regs begin4(void)
{
	struct smmu_regs regs =
		begin(SMMU_CR4_PAE, SMMU_EFER_LMA | SMMU_EFER_NXE);

	for (unsigned i = 1; i < 4; i++)
		put(0x1000 * i + 8, 8, 0x1000 * (i + 1) | 7);
	put(0x4008, 8, 0x9000 | 7);
	return regs;
}

static void long_pages(void **state)
{
	struct smmu_regs regs = begin4();
	struct smmu_result r;
	(void)state;

	r = go(&regs, VA4 + 0x123, VMMU_R);
	assert_int_equal(r.gpa.v, 0x9123);
	put(0x3008, 8, UINT64_C(0x7fc0000000) | 0x1087);
	r = go(&regs, VA4 + 0x123, VMMU_R);
	assert_int_equal(r.gpa.v, UINT64_C(0x7fc0001123));
	assert_int_equal(r.page_shift, 21);
	put(0x2008, 8, UINT64_C(0x7fc0000000) | 0x87);
	r = go(&regs, VA4 + 0x123, VMMU_R);
	assert_int_equal(r.gpa.v, UINT64_C(0x7fc0201123));
	assert_int_equal(r.page_shift, 30);
	regs.has_1g = false;
	assert_int_equal(go(&regs, VA4, VMMU_R).error,
			 VMMU_PF_P | VMMU_PF_RSVD);
}

static void five_levels(void **state)
{
	struct smmu_regs regs = begin4();
	uint64_t va = VA4 | UINT64_C(1) << 55;
	(void)state;

	regs.cr4 |= SMMU_CR4_LA57;
	regs.cr3 = 0x8000;
	put(0x8000 + 8 * 128, 8, 0x1000 | 7);
	assert_int_equal(go(&regs, va, VMMU_R).gpa.v, 0x9000);
	assert_int_equal(go(&regs, va | UINT64_C(1) << 56, VMMU_R).outcome,
			 SMMU_NON_CANONICAL);
	regs.cr4 &= ~SMMU_CR4_LA57;
	assert_int_equal(go(&regs, va, VMMU_R).outcome, SMMU_NON_CANONICAL);
}

static uint32_t error_with(uint64_t at, uint64_t bit)
{
	struct smmu_regs regs = begin4();

	put(at, 8, get(at, 8) | bit);
	return go(&regs, VA4, VMMU_R).error;
}

static void long_reserved(void **state)
{
	const uint32_t reserved = VMMU_PF_P | VMMU_PF_RSVD;
	struct smmu_regs regs = begin4();
	(void)state;

	for (uint64_t table = 0x1008; table <= 0x4008; table += 0x1000) {
		assert_int_equal(error_with(table, UINT64_C(1) << 40),
				 reserved);
		assert_int_equal(error_with(table, UINT64_C(1) << 51),
				 reserved);
		assert_int_equal(error_with(table, UINT64_C(0x3ff) << 52), 0);
	}
	assert_int_equal(error_with(0x1008, SMMU_PS), reserved);
	assert_int_equal(error_with(0x3008, SMMU_PS | 1 << 20), reserved);
	assert_int_equal(error_with(0x2008, SMMU_PS | 1 << 29), reserved);
	/* Bit 63 is reserved when no-execute is not enabled. */
	regs = begin4();
	regs.efer = SMMU_EFER_LMA;
	put(0x4008, 8, 0x9000 | 7 | SMMU_XD);
	assert_int_equal(go(&regs, VA4, VMMU_R).error, reserved);
	/* An absent entry below hides nothing above; present comes first. */
	regs = begin4();
	put(0x4008, 8, UINT64_C(1) << 45 | 6);
	assert_int_equal(go(&regs, VA4, VMMU_W | VMMU_U).error,
			 VMMU_PF_W | VMMU_PF_U);
}

static void fetches_say_so_in_the_error_code(void **state)
{
	struct smmu_regs regs = begin4();
	(void)state;

	put(0x4008, 8, 0);
	assert_int_equal(go(&regs, VA4, VMMU_X).error, VMMU_PF_I);
	regs.efer = SMMU_EFER_LMA;
	assert_int_equal(go(&regs, VA4, VMMU_X).error, 0);
	regs.cr4 |= SMMU_CR4_SMEP;
	assert_int_equal(go(&regs, VA4, VMMU_X).error, VMMU_PF_I);
	regs = begin(SMMU_CR4_SMEP, 0);
	assert_int_equal(go(&regs, 0, VMMU_X | VMMU_U).error,
			 VMMU_PF_I | VMMU_PF_U);
}

static void flags_are_set_when_used(void **state)
{
	struct smmu_regs regs = begin4();
	(void)state;

	put(0x4008, 8, 0x9000 | 5);
	assert_int_equal(go(&regs, VA4, VMMU_W).outcome, SMMU_FAULT);
	assert_int_equal(get(0x3008, 8) & 0x60, 0x20);
	assert_int_equal(get(0x4008, 8) & 0x60, 0);
	assert_true(go(&regs, VA4, VMMU_R).outcome == SMMU_OK);
	assert_int_equal(get(0x1008, 8) & 0x60, 0x20);
	assert_int_equal(get(0x4008, 8) & 0x60, 0x20);
	put(0x4008, 8, 0x9000 | 7);
	assert_true(go(&regs, VA4, VMMU_W).dirty);
	assert_int_equal(get(0x3008, 8) & 0x60, 0x20);
	assert_int_equal(get(0x4008, 8) & 0x60, 0x60);
}

static void a_changed_entry_restarts_the_walk(void **state)
{
	struct smmu_regs regs = begin4();
	struct smmu_result r;
	(void)state;

	memory.change_at = 0x4008;
	memory.change_to = 0xa000 | 7;
	r = go(&regs, VA4, VMMU_W);
	assert_int_equal(r.gpa.v, 0xa000);
	assert_int_equal(get(0x4008, 8), 0xa000 | 0x67);
	memory.change_at = 0x4008;
	memory.change_to = 0;
	put(0x4008, 8, 0xb000 | 7);
	assert_int_equal(go(&regs, VA4, VMMU_W).error, VMMU_PF_W);
}

static void memory_may_say_no(void **state)
{
	struct smmu_regs regs = begin4();
	struct smmu_result r;
	(void)state;

	memory.read_only = true;
	r = go(&regs, VA4, VMMU_R);
	assert_int_equal(r.outcome, SMMU_STOPPED);
	assert_int_equal(r.why, SMMU_MEM_READ_ONLY);
	assert_int_equal(r.entry_gpa.v, 0x1008);
	memory.read_only = false;
	put(0x2008, 8, 0xffff000 | 7);
	r = go(&regs, VA4, VMMU_R);
	assert_int_equal(r.why, SMMU_MEM_NONE);
	assert_int_equal(r.entry_gpa.v, 0xffff008);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paging_off_is_identity),
		cmocka_unit_test(legacy_pages),
		cmocka_unit_test(legacy_reserved),
		cmocka_unit_test(pae_pages),
		cmocka_unit_test(long_pages),
		cmocka_unit_test(five_levels),
		cmocka_unit_test(long_reserved),
		cmocka_unit_test(fetches_say_so_in_the_error_code),
		cmocka_unit_test(flags_are_set_when_used),
		cmocka_unit_test(a_changed_entry_restarts_the_walk),
		cmocka_unit_test(memory_may_say_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The rules of writes to CR0, CR3 and CR4: hv/vm/cr.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm/cr.h"

#define PE VMMU_CR0_PE
#define PG VMMU_CR0_PG
#define CD VMMU_CR0_CD
#define NW VMMU_CR0_NW

static struct cr_state long_mode(void)
{
	return (struct cr_state){
		.cr0 = PE | PG,
		.cr4 = VMMU_CR4_PAE,
		.efer = VMMU_EFER_LME | VMMU_EFER_LMA,
		.code_64 = true,
		.cr4_offered = VMMU_CR4_PAE | VMMU_CR4_PGE | VMMU_CR4_PCIDE |
			       VMMU_CR4_LA57,
	};
}

static void cr0_refuses_what_the_manual_refuses(void **state)
{
	struct cr_state s = { .cr0 = PE };

	(void)state;
	assert_true(cr0_valid(&s, PE | PG));
	assert_false(cr0_valid(&s, PG));
	assert_false(cr0_valid(&s, PE | NW));
	assert_true(cr0_valid(&s, PE | NW | CD));
	assert_true(cr0_valid(&s, PE | CD));
	assert_false(cr0_valid(&s, PE | UINT64_C(1) << 32));
}

static void long_mode_is_entered_with_pae_only(void **state)
{
	struct cr_state s = { .cr0 = PE, .efer = VMMU_EFER_LME };

	(void)state;
	assert_false(cr0_valid(&s, PE | PG));
	s.cr4 = VMMU_CR4_PAE;
	assert_true(cr0_valid(&s, PE | PG));
	assert_int_equal(cr_efer_after(s.efer, PE | PG),
			 VMMU_EFER_LME | VMMU_EFER_LMA);
	assert_int_equal(cr_efer_after(VMMU_EFER_LME | VMMU_EFER_LMA, PE),
			 VMMU_EFER_LME);
	assert_int_equal(cr_efer_after(0, PE | PG), 0);
}

static void long_mode_is_not_left_from_64_bit_code(void **state)
{
	struct cr_state s = long_mode();

	(void)state;
	assert_false(cr0_valid(&s, PE));
	s.code_64 = false;
	assert_true(cr0_valid(&s, PE));
	s.cr4 |= VMMU_CR4_PCIDE;
	assert_false(cr0_valid(&s, PE));
}

static void cr3_has_reserved_bits_in_long_mode(void **state)
{
	const struct cr_state s = long_mode();
	struct vmmu_regs r = { .cr4 = s.cr4, .efer = s.efer };

	(void)state;
	assert_true(cr3_valid(&r, 40, UINT64_C(0xfffffff000)));
	assert_false(cr3_valid(&r, 40, UINT64_C(1) << 40));
	assert_false(cr3_valid(&r, 40, UINT64_C(1) << 63));
	r.cr4 |= VMMU_CR4_PCIDE;
	assert_true(cr3_valid(&r, 40, UINT64_C(1) << 63));
	r.efer = 0;
	assert_true(cr3_valid(&r, 40, UINT64_C(1) << 40));
}

static void cr4_is_what_cpuid_offers(void **state)
{
	struct cr_state s = long_mode();

	(void)state;
	assert_true(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_PGE));
	assert_false(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_SMEP));
	assert_false(cr4_valid(&s, 0));
	assert_false(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_LA57));
	assert_true(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_PCIDE));
	s.efer = 0;
	s.cr0 = PE;
	assert_true(cr4_valid(&s, 0));
	assert_true(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_LA57));
	assert_false(cr4_valid(&s, VMMU_CR4_PAE | VMMU_CR4_PCIDE));
}

static void what_flushes(void **state)
{
	(void)state;
	assert_true(cr4_flushes(0, VMMU_CR4_PGE));
	assert_true(cr4_flushes(VMMU_CR4_SMEP, 0));
	assert_false(cr4_flushes(0, UINT64_C(1) << 9)); /* OSFXSR */
	assert_true(cr0_flushes(PE | PG, PE));
	assert_true(cr0_flushes(PE, PE | VMMU_CR0_WP));
	assert_false(cr0_flushes(PE, PE | 8)); /* TS */
	assert_true(cr_uses_pdptes(PE | PG, VMMU_CR4_PAE, 0));
	assert_false(cr_uses_pdptes(PE | PG, VMMU_CR4_PAE, VMMU_EFER_LMA));
	assert_false(cr_uses_pdptes(PE | PG, 0, 0));
	assert_int_equal(cr0_written(PE | UINT64_C(0x1ff00040)),
			 PE | 0x10 | (UINT64_C(0x1ff00040) & 0xe005003f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cr0_refuses_what_the_manual_refuses),
		cmocka_unit_test(long_mode_is_entered_with_pae_only),
		cmocka_unit_test(long_mode_is_not_left_from_64_bit_code),
		cmocka_unit_test(cr3_has_reserved_bits_in_long_mode),
		cmocka_unit_test(cr4_is_what_cpuid_offers),
		cmocka_unit_test(what_flushes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

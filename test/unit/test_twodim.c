/*
 * The two-dimensional walk: counts that the formula gives, and the nested
 * dimension's own rules, on tables that this test writes by hand.
 *
 * Machine memory is one array. With nested leaves of 4 KiB, guest-physical
 * page g is machine page g + 1024; with larger ones it is machine page g.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/smmu_regs.h"
#include "lab/twodim.h"

#define PAGES	 2048
#define NESTED	 16   /* machine page of the nested root; others follow */
#define SHIFTED	 1024 /* first machine page of the guest, with 4 KiB leaves */
#define GUEST_VA UINT64_C(0x0000008040201000) /* index 1 at each level */

static uint64_t memory[PAGES][512];

static bool load(void *ctx, hpa_t hpa, unsigned size, uint64_t *value)
{
	(void)ctx;
	*value = 0;
	if (hpa.v / 4096 >= PAGES)
		return false;
	memcpy(value, (uint8_t *)memory + hpa.v, size);
	return true;
}

static bool swap(void *ctx, hpa_t hpa, unsigned size, uint64_t old,
		 uint64_t now)
{
	uint64_t here;

	if (!load(ctx, hpa, size, &here) || here != old)
		return false;
	memcpy((uint8_t *)memory + hpa.v, &now, size);
	return true;
}

static const struct lab_machine machine = { .load = load, .swap = swap };

struct fixture {
	struct smmu_regs regs;
	struct twodim t;
};

static uint64_t nested_bits(enum nest_kind kind)
{
	return kind == NEST_NPT ? 0x7 : 0x7 | 6 << 3;
}

/* A nested table for the first 4 MiB: leaves at `level`, of 4 KiB, 2 MiB or
 * 1 GiB. With 4 KiB leaves the guest's pages are shifted. */
static void make_nested(struct fixture *f, enum nest_kind kind, unsigned level)
{
	uint64_t leaf = nested_bits(kind), table = 0x7;
	uint64_t large = leaf | 0x80;

	memory[NESTED][0] = (NESTED + 1) << 12 | table;
	memory[NESTED + 1][0] = level == 3 ? large : (NESTED + 2) << 12 | table;
	for (unsigned i = 0; i < 2; i++)
		memory[NESTED + 2][i] = level == 2 ? i << 21 | large
						   : (NESTED + 3 + i) << 12 |
							     table;
	for (unsigned i = 0; i < 1024; i++)
		memory[NESTED + 3 + i / 512][i % 512] = (SHIFTED + i) << 12 |
							leaf;
	f->t.nest = (struct nest){ .kind = kind,
				   .root = mk_hpa(NESTED << 12),
				   .maxphyaddr = 40,
				   .has_1g = true,
				   .machine = &machine };
}

static uint64_t *guest(unsigned level, uint64_t page)
{
	return memory[level == 1 ? SHIFTED + page : page];
}

/* Guest tables at pages 64.., root first, each with one entry at index 1,
 * down to a page of guest level `leaf`; data at page 80. */
static void make_guest(struct fixture *f, unsigned levels, unsigned leaf,
		       unsigned nested_level)
{
	uint64_t page = 64;

	for (unsigned level = levels; level >= leaf; level--, page++) {
		uint64_t to = level > leaf ? (page + 1) << 12
			      : level == 1 ? 80 << 12
					   : 0;

		if (level == leaf && level > 1)
			to |= 0x80;
		guest(nested_level, page)[1] = to | 0x67;
	}
	f->regs.cr3 = 64 << 12;
}

static void set_mode(struct fixture *f, unsigned levels)
{
	f->regs.cr0 = levels ? SMMU_CR0_PG | SMMU_CR0_WP : 0;
	f->regs.cr4 = SMMU_CR4_PAE | (levels == 5 ? SMMU_CR4_LA57 : 0);
	f->regs.efer = SMMU_EFER_LMA;
	f->regs.maxphyaddr = 40;
	f->regs.has_1g = true;
	f->t.guest = &f->regs;
}

static void make(struct fixture *f, unsigned levels, unsigned leaf,
		 enum nest_kind kind, unsigned nested_level)
{
	memset(memory, 0, sizeof(memory));
	memset(f, 0, sizeof(*f));
	set_mode(f, levels);
	make_nested(f, kind, nested_level);
	if (levels)
		make_guest(f, levels, leaf, nested_level);
}

/* n guest levels walked and m nested ones: (n + 1)(m + 1) - 1. */
static void counts_are_exact(void **state)
{
	static const unsigned modes[] = { 0, 4, 5 };
	(void)state;

	for (unsigned k = 0; k < 3; k++)
		for (unsigned mode = 0; mode < 3; mode++)
			for (unsigned leaf = 1; leaf <= 3; leaf++)
				for (unsigned nl = 1; nl <= 3; nl++) {
					unsigned levels = modes[mode];
					unsigned n = levels ? levels - leaf + 1
							    : 0;
					unsigned m = 4 - nl + 1;
					struct twodim_result r;
					struct fixture f;
					gva_t va = mk_gva(levels ? GUEST_VA
								 : 0x1000);

					if (levels == 5)
						va.v |= UINT64_C(1) << 48;
					make(&f, levels, leaf, k, nl);
					twodim_access(&f.t, va, VMMU_R, &r);
					assert_int_equal(r.outcome, TWODIM_OK);
					assert_int_equal(r.guest_refs, n);
					assert_int_equal(r.guest_refs +
								 r.nested_refs,
							 (n + 1) * (m + 1) - 1);
				}
}

static void four_over_four_is_24(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	make(&f, 4, 1, NEST_EPT, 1);
	twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_R, &r);
	assert_int_equal(r.guest_refs + r.nested_refs, 24);
	assert_int_equal(r.hpa.v, (SHIFTED + 80) << 12);
	make(&f, 5, 1, NEST_NPT, 1);
	twodim_access(&f.t, mk_gva(GUEST_VA | UINT64_C(1) << 48), VMMU_R, &r);
	assert_int_equal(r.guest_refs + r.nested_refs, 29);
}

static void setting_flags_is_counted_apart(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	make(&f, 4, 1, NEST_EPT, 1);
	guest(1, 66)[1] &= ~SMMU_A;
	guest(1, 67)[1] &= ~(SMMU_A | SMMU_D);
	twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_W, &r);
	assert_int_equal(r.outcome, TWODIM_OK);
	assert_int_equal(r.guest_refs + r.nested_refs, 24);
	assert_int_equal(r.updates, 2);
	assert_int_equal(guest(1, 67)[1] & 0x60, 0x60);
}

/* What a guest table's entry asks of the nested table, by format. */
static void walks_write_under_npt(void **state)
{
	static const unsigned want[] = { VMMU_W, 0, VMMU_W };
	struct twodim_result r;
	struct fixture f;
	(void)state;

	for (unsigned k = NEST_NPT; k <= NEST_EPT_AD; k++) {
		make(&f, 4, 1, k, 1);
		memory[NESTED + 3][67] &= ~UINT64_C(2);
		twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_R, &r);
		if (!want[k]) {
			assert_int_equal(r.outcome, TWODIM_OK);
			continue;
		}
		assert_int_equal(r.outcome, TWODIM_VIOLATION);
		assert_int_equal(r.violation_access, want[k]);
		assert_true(r.during_walk);
		assert_int_equal(r.violation_gpa.v, 67 << 12 | 8);
	}
}

static void absent_pages_are_violations(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	for (unsigned k = NEST_NPT; k <= NEST_EPT_AD; k++) {
		make(&f, 4, 1, k, 1);
		memory[NESTED + 3][80] = 0;
		twodim_access(&f.t, mk_gva(GUEST_VA + 5), VMMU_X | VMMU_U, &r);
		assert_int_equal(r.outcome, TWODIM_VIOLATION);
		assert_int_equal(r.violation_access, VMMU_X);
		assert_false(r.during_walk);
		assert_int_equal(r.violation_gpa.v, (80 << 12) + 5);
	}
}

static enum twodim_outcome outcome_with(enum nest_kind kind, unsigned page,
					unsigned index, uint64_t entry)
{
	struct twodim_result r;
	struct fixture f;

	make(&f, 0, 1, kind, page == NESTED + 2 ? 2 : 1);
	memory[page][index] = entry;
	twodim_access(&f.t, mk_gva(0x1000), VMMU_R, &r);
	return r.outcome;
}

/* SDM 3C 28.3.3.1. */
static void ept_misconfigurations(void **state)
{
	uint64_t at = (SHIFTED + 1) << 12;
	(void)state;

	assert_int_equal(outcome_with(NEST_EPT, NESTED + 3, 1, at | 0x37),
			 TWODIM_OK);
	/* Writable, not readable; execute-only; memory types 2 and 7. */
	assert_int_equal(outcome_with(NEST_EPT, NESTED + 3, 1, at | 0x32),
			 TWODIM_MISCONFIG);
	assert_int_equal(outcome_with(NEST_EPT, NESTED + 3, 1, at | 0x34),
			 TWODIM_MISCONFIG);
	assert_int_equal(outcome_with(NEST_EPT, NESTED + 3, 1, at | 0x17),
			 TWODIM_MISCONFIG);
	assert_int_equal(outcome_with(NEST_EPT, NESTED + 3, 1, at | 0x3f),
			 TWODIM_MISCONFIG);
	/* Beyond the physical address width. */
	assert_int_equal(
		outcome_with(NEST_EPT, NESTED + 3, 1, UINT64_C(1) << 45 | 0x37),
		TWODIM_MISCONFIG);
	/* A 2 MiB leaf that is not aligned; PS in the root. */
	assert_int_equal(outcome_with(NEST_EPT, NESTED + 2, 0, 0x1000 | 0xb7),
			 TWODIM_MISCONFIG);
	assert_int_equal(
		outcome_with(NEST_EPT, NESTED, 0, (NESTED + 1) << 12 | 0x87),
		TWODIM_MISCONFIG);
}

/* APM 2 15.25.5 and 15.25.6. */
static void npt_needs_user_everywhere(void **state)
{
	uint64_t at = (SHIFTED + 1) << 12;
	(void)state;

	assert_int_equal(outcome_with(NEST_NPT, NESTED + 3, 1, at | 0x3),
			 TWODIM_VIOLATION);
	assert_int_equal(
		outcome_with(NEST_NPT, NESTED, 0, (NESTED + 1) << 12 | 0x3),
		TWODIM_VIOLATION);
	assert_int_equal(outcome_with(NEST_NPT, NESTED + 3, 1, at | 0x5),
			 TWODIM_OK);
	assert_int_equal(outcome_with(NEST_NPT, NESTED + 3, 1,
				      at | 0x7 | UINT64_C(1) << 45),
			 TWODIM_MISCONFIG);
	assert_int_equal(outcome_with(NEST_NPT, NESTED + 2, 0, 0x4000 | 0x87),
			 TWODIM_MISCONFIG);
}

static void nested_flags(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	make(&f, 0, 1, NEST_NPT, 1);
	twodim_access(&f.t, mk_gva(0x1000), VMMU_W, &r);
	assert_int_equal(memory[NESTED + 3][1] & 0x60, 0x60);
	assert_int_equal(memory[NESTED][0] & 0x60, 0x20);
	make(&f, 0, 1, NEST_EPT_AD, 1);
	twodim_access(&f.t, mk_gva(0x1000), VMMU_R, &r);
	assert_int_equal(memory[NESTED + 3][1] & 0x300, 0x100);
	make(&f, 0, 1, NEST_EPT, 1);
	twodim_access(&f.t, mk_gva(0x1000), VMMU_W, &r);
	assert_int_equal(memory[NESTED + 3][1] & 0x300, 0);
}

static void guest_faults_are_the_guests(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	make(&f, 4, 1, NEST_NPT, 1);
	guest(1, 67)[1] &= ~SMMU_RW;
	twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_W, &r);
	assert_int_equal(r.outcome, TWODIM_FAULT);
	assert_int_equal(r.guest.error, VMMU_PF_P | VMMU_PF_W);
	twodim_access(&f.t, mk_gva(UINT64_C(1) << 47), VMMU_W, &r);
	assert_int_equal(r.outcome, TWODIM_NON_CANONICAL);
}

static void the_smaller_page_counts(void **state)
{
	struct twodim_result r;
	struct fixture f;
	(void)state;

	make(&f, 4, 2, NEST_EPT, 1);
	twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_R, &r);
	assert_int_equal(r.page_shift, 12);
	make(&f, 4, 2, NEST_EPT, 3);
	twodim_access(&f.t, mk_gva(GUEST_VA), VMMU_R, &r);
	assert_int_equal(r.page_shift, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_exact),
		cmocka_unit_test(four_over_four_is_24),
		cmocka_unit_test(setting_flags_is_counted_apart),
		cmocka_unit_test(walks_write_under_npt),
		cmocka_unit_test(absent_pages_are_violations),
		cmocka_unit_test(ept_misconfigurations),
		cmocka_unit_test(npt_needs_user_everywhere),
		cmocka_unit_test(nested_flags),
		cmocka_unit_test(guest_faults_are_the_guests),
		cmocka_unit_test(the_smaller_page_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The MSR policy: what a guest may read and write, and what is #GP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vm/cpuid_bits.h"
#include "vm/msr.h"

static struct cpuid_table amd, intel;
static struct guest_msrs m;

static void make(struct cpuid_table *t, uint32_t vendor, uint32_t hide)
{
	const struct cpuid_leaf host[] = {
		{ 0, 0, 0xd, vendor, 0, 0 },
		{ 1, 0, 0, 0, ~0u, ~0u },
		{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
		{ 0x80000001, 0, 0, 0, ~0u, ~0u },
		{ 0x80000008, 0, 0x3028, 0, 0, 0 },
	};
	const struct cpuid_config c = { .cpus = 1, .hide = hide };

	cpuid_build(t, &c, host, sizeof(host) / sizeof(host[0]));
}

static int setup(void **state)
{
	(void)state;
	make(&amd, 0x68747541, 0);
	make(&intel, 0x756e6547, 0);
	msr_init(&m, &amd);
	return 0;
}

static uint64_t value_of(uint32_t msr)
{
	uint64_t v = 0x5a5a5a5a5a5a5a5a;

	if (msr_read(&m, msr, &v) != MSR_OK)
		fail_msg("MSR %x cannot be read", msr);
	return v;
}

static void refuses(uint32_t msr, uint64_t value)
{
	uint64_t before = value_of(msr);

	assert_int_equal(msr_write(&m, msr, value), MSR_GP);
	assert_true(value_of(msr) == before);
}

static void takes(uint32_t msr, uint64_t value, uint64_t then)
{
	assert_int_equal(msr_write(&m, msr, value), MSR_OK);
	if (value_of(msr) != then)
		fail_msg("MSR %x reads %llx", msr,
			 (unsigned long long)value_of(msr));
}

static void absent(uint32_t msr)
{
	uint64_t v;

	if (msr_read(&m, msr, &v) != MSR_GP || msr_write(&m, msr, 0) != MSR_GP)
		fail_msg("MSR %x should not be there", msr);
}

static void pat(void **state)
{
	(void)state;
	assert_true(value_of(MSR_PAT) == 0x0007040600070406);
	takes(MSR_PAT, 0x0407050600070106, 0x0407050600070106);
	for (unsigned type = 0; type < 256; type++)
		for (unsigned i = 0; i < 8; i++) {
			bool good = type == 0 || type == 1 ||
				    (type >= 4 && type <= 7);
			uint64_t v = (uint64_t)type << (8 * i);

			assert_int_equal(msr_write(&m, MSR_PAT, v),
					 good ? MSR_OK : MSR_GP);
		}
}

static void mtrr_as_firmware_left_them(void **state)
{
	struct vmmu_mtrrs *t = &m.mtrrs;

	(void)state;
	assert_int_equal(value_of(0xfe), 0x508);
	assert_int_equal(value_of(0x2ff), 0xc06);
	assert_true(value_of(0x250) == 0x0606060606060606);
	assert_true(value_of(0x259) == 0);
	assert_true(value_of(0x200) == 0xc0000000);
	assert_true(value_of(0x201) == 0xffc0000800);
	assert_int_equal(t->variable_count, 8);
	assert_int_equal(t->maxphyaddr, 40);
}

static void mtrr_rules(void **state)
{
	(void)state;
	refuses(0xfe, 0x508);
	for (unsigned n = 0x200; n < 0x210; n += 2) {
		takes(n, 0x123456006, 0x123456006);
		refuses(n, 0x123456002);    /* no such type */
		refuses(n, 0x123456106);    /* bit 8 */
		refuses(n, 1ull << 40 | 6); /* past MAXPHYADDR */
		takes(n + 1, 0xfff0000800, 0xfff0000800);
		refuses(n + 1, 0xfff0000400);
		refuses(n + 1, 0xfff00008ff);
		refuses(n + 1, 1ull << 40);
	}
	absent(0x210);
	absent(0x1ff);
	takes(0x2ff, 0x806, 0x806);
	takes(0x2ff, 0, 0);
	refuses(0x2ff, 0x1006);
	refuses(0x2ff, 0x807); /* UC- is PAT's alone */
	takes(0x26f, 0x0001040506060504, 0x0001040506060504);
	refuses(0x268, 0x1e1e1e1e1e1e1e1e); /* AMD's RdMem and WrMem */
	refuses(0x258, 7);
	for (uint32_t n = 0x251; n < 0x258; n++)
		absent(n);
	absent(0x25a);
	absent(0x267);
	absent(0x270);
}

static void mtrr_hidden(void **state)
{
	struct cpuid_table t;

	(void)state;
	make(&t, 0x68747541, CPUID_HIDE_MTRR);
	msr_init(&m, &t);
	absent(0xfe);
	absent(0x200);
	absent(0x250);
	absent(0x2ff);
}

static void amd_msrs(void **state)
{
	(void)state;
	takes(0xc0010015, 0x40000000, 0x41000000); /* HWCR: IRPERF */
	takes(0xc0010010, 0x00ff0000, 0x00740000); /* SYSCFG */
	takes(0xc0011029, 0, 2);		   /* LFENCE serializes */
	takes(0xc001001f, 1ull << 46, 1ull << 46);
	takes(0x8b, 0, 0x01000065);
	assert_int_equal(value_of(0xc0010114), 0x18);
	for (uint32_t n = 0xc0010000; n < 0xc0010008; n++)
		takes(n, 0xabcd, 0);
	absent(0xc0011020); /* LS_CFG: see msr.c */
	absent(0xc0010117); /* VM_HSAVE_PA */
	absent(0xc0010140); /* OSVW */
	absent(0x1a0);
	absent(0xce);
}

static void intel_msrs(void **state)
{
	(void)state;
	msr_init(&m, &intel);
	assert_int_equal(value_of(0x3a), 1);
	refuses(0x3a, 5);
	takes(0x1a0, 0, 0x1800);
	takes(0x8b, 0, 1ull << 32);
	assert_int_equal(value_of(0xce), 0);
	absent(0xc0010015);
	absent(0xc0010000);
}

static void both(void **state)
{
	const struct cpuid_table *t[] = { &amd, &intel };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		msr_init(&m, t[i]);
		assert_int_equal(value_of(0x179), 0);
		takes(0x17a, 0, 0);
		refuses(0x17a, 8);
		absent(0x17b);
		for (uint32_t n = 0x400; n < 0x480; n++)
			absent(n);
		takes(MSR_TSC_AUX, 0xffffffff, 0xffffffff);
		refuses(MSR_TSC_AUX, 1ull << 32);
		takes(0x1d9, 2, 2);
		refuses(0x1d9, 0x40);
		/* Not offered: speculation controls, TSC_ADJUST, XSS, PMU. */
		absent(0x48);
		absent(0x49);
		absent(0x10a);
		absent(0x3b);
		absent(0xda0);
		absent(0x186);
		absent(0x38f);
		absent(0x12345678);
		absent(0xffffffff);
	}
}

static void tsc_aux_needs_its_instructions(void **state)
{
	const struct cpuid_leaf bare[] = {
		{ 0, 0, 0xd, 0x68747541, 0, 0 },
		{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
		{ 0x80000001, 0, 0, 0, 0, ~IDX1D_RDTSCP },
	};
	const struct cpuid_config c = { .cpus = 1 };
	struct cpuid_table t;

	(void)state;
	cpuid_build(&t, &c, bare, 3);
	msr_init(&m, &t);
	absent(MSR_TSC_AUX);
}

/* What can be read can be written back, or is #GP and stays. */
static void every_msr_keeps_its_value(void **state)
{
	static const uint32_t from[] = { 0, 0xc0000000, 0xc0010000 };
	unsigned there = 0;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		msr_init(&m, i & 1 ? &amd : &intel);
		for (uint32_t n = from[i / 2]; n < from[i / 2] + 0x2000; n++) {
			uint64_t v, w;

			if (msr_read(&m, n, &v) != MSR_OK)
				continue;
			there++;
			msr_write(&m, n, v);
			assert_int_equal(msr_read(&m, n, &w), MSR_OK);
			assert_true(v == w);
		}
	}
	assert_true(there > 80);
}

static void efer(void **state)
{
	const uint64_t long_mode = VMMU_EFER_LME | VMMU_EFER_LMA;

	(void)state;
	assert_true(msr_efer_valid(0, VMMU_EFER_LME, 0, &amd));
	assert_true(msr_efer_valid(0, 1 | VMMU_EFER_NXE, VMMU_CR0_PG, &amd));
	assert_true(
		msr_efer_valid(long_mode, long_mode | 1, VMMU_CR0_PG, &amd));
	assert_false(msr_efer_valid(0, VMMU_EFER_LME, VMMU_CR0_PG, &amd));
	assert_false(msr_efer_valid(long_mode, 0, VMMU_CR0_PG, &amd));
	assert_false(msr_efer_valid(0, 1u << 12, 0, &amd)); /* SVME */
	assert_true(msr_efer_valid(0, 1u << 14, 0, &amd));  /* FFXSR */
	assert_false(msr_efer_valid(0, 1u << 1, 0, &amd));
	assert_false(msr_efer_valid(0, 1ull << 63, 0, &amd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pat, setup),
		cmocka_unit_test_setup(mtrr_as_firmware_left_them, setup),
		cmocka_unit_test_setup(mtrr_rules, setup),
		cmocka_unit_test_setup(mtrr_hidden, setup),
		cmocka_unit_test_setup(amd_msrs, setup),
		cmocka_unit_test_setup(intel_msrs, setup),
		cmocka_unit_test_setup(both, setup),
		cmocka_unit_test_setup(tsc_aux_needs_its_instructions, setup),
		cmocka_unit_test_setup(every_msr_keeps_its_value, setup),
		cmocka_unit_test_setup(efer, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

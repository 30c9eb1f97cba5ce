/*
 * The CPUID policy, on the leaves of QEMU's EPYC and `max` models, and on a
 * made-up Intel host that has everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vm/cpuid.h"
#include "vm/cpuid_bits.h"

#define COUNT(a) (unsigned)(sizeof(a) / sizeof((a)[0]))

enum { EAX, EBX, ECX, EDX };

static const struct cpuid_leaf epyc[] = {
	{ 0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 1, 0, 0x00800f12, 0x03000800, 0xbed8320b, 0x078bfbfd },
	{ 5, 0, 0, 0, 3, 0 },
	{ 6, 0, 4, 0, 0, 0 },
	{ 7, 0, 0, 0x009801a9, 0, 0 },
	{ 0xb, 0, 0, 1, 0x100, 3 },
	{ 0xb, 1, 0, 1, 0x201, 3 },
	{ 0xd, 0, 7, 0x340, 0x340, 0 },
	{ 0xd, 1, 5, 0x340, 0, 0 },
	{ 0xd, 2, 0x100, 0x240, 0, 0 },
	{ 0x80000000, 0, 0x8000001e, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 0x80000001, 0, 0x00800f12, 0, 0x75, 0x2dd3fbfd },
	{ 0x80000002, 0, 0x20444d41, 0x43595045, 0x6f725020, 0x73736563 },
	{ 0x80000005, 0, 0x01ff01ff, 0x01ff01ff, 0x20080140, 0x40040140 },
	{ 0x80000008, 0, 0x3028, 0, 0, 0 },
	{ 0x8000000a, 0, 1, 0x10, 0, 1 },
	{ 0x8000001d, 0, 0x121, 0x01c0003f, 0x3f, 1 },
	{ 0x8000001d, 1, 0x122, 0x00c0003f, 0xff, 1 },
	{ 0x8000001d, 2, 0x43, 0x01c0003f, 0x3ff, 0 },
	{ 0x8000001d, 3, 0x163, 0x03c0003f, 0x1fff, 6 },
};

/* QEMU's `max`: five-level paging, protection keys. */
static const struct cpuid_leaf max[] = {
	{ 0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 1, 0, 0x00060fb1, 0x00000800, 0xfed8320b, 0x0fcbfbfd },
	{ 7, 0, 0, 0x01d843a9, 0x8001021c, 0 },
	{ 0xd, 0, 0x21f, 0xa88, 0xa88, 0 },
	{ 0xd, 1, 5, 0x3c8, 0, 0 },
	{ 0xd, 2, 0x100, 0x240, 0, 0 },
	{ 0xd, 3, 0x40, 0x3c0, 0, 0 },
	{ 0xd, 4, 0x40, 0x400, 0, 0 },
	{ 0xd, 9, 8, 0xa80, 0, 0 },
	{ 0x80000000, 0, 0x8000000a, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 0x80000001, 0, 0x00060fb1, 0, 0x75, 0xedd3fbfd },
	{ 0x80000008, 0, 0x3928, 0, 0, 0 },
	{ 0x8000000a, 0, 1, 0x10, 0, 0x10010001 },
};

/* Every bit of every leaf is set; sizes and limits are sane. */
static const struct cpuid_leaf all_bits[] = {
	{ 0, 0, 0x20, 0x756e6547, 0x6c65746e, 0x49656e69 },
	{ 1, 0, 0x000906ea, ~0u, ~0u, ~0u },
	{ 2, 0, 0x76036301, 0xf0b5ff, 0, 0xc30000 },
	{ 4, 0, 0x1c004121, 0x1c0003f, 0x3f, 0 },
	{ 4, 1, 0x1c03c163, 0x2c0003f, 0x3fff, 6 },
	{ 5, 0, ~0u, ~0u, ~0u, ~0u },
	{ 6, 0, ~0u, ~0u, ~0u, ~0u },
	{ 7, 0, 2, ~0u, ~0u, ~0u },
	{ 7, 1, ~0u, ~0u, ~0u, ~0u },
	{ 0xa, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0xd, 0, 0x602e7, 0xa88, 0x2b00, 0 },
	{ 0xd, 1, 0x1f, 0xa08, 0x1900, 0 },
	{ 0xd, 2, 0x100, 0x240, 0, 0 },
	{ 0xd, 5, 0x40, 0x440, 0, 0 },
	{ 0xd, 6, 0x200, 0x480, 0, 0 },
	{ 0xd, 7, 0x400, 0x680, 0, 0 },
	{ 0xd, 9, 8, 0xa80, 0, 0 },
	{ 0x12, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x15, 0, 2, 0xd8, 24000000, 0 },
	{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
	{ 0x80000001, 0, 0, 0, ~0u, ~0u },
	{ 0x80000007, 0, ~0u, ~0u, ~0u, ~0u },
	{ 0x80000008, 0, 0x3027, ~0u, ~0u, ~0u },
};

static struct cpuid_table table;

static const struct cpuid_dynamic idle = { .apic_enabled = true, .xcr0 = 1 };

static const uint32_t *ask(uint32_t leaf, uint32_t subleaf,
			   const struct cpuid_dynamic *now)
{
	static uint32_t regs[4];

	memset(regs, 0x5a, sizeof(regs));
	cpuid_query(&table, leaf, subleaf, now, regs);
	return regs;
}

static void build(const struct cpuid_leaf *host, unsigned count, unsigned cpus,
		  uint32_t hide)
{
	const struct cpuid_config c = { .cpus = cpus, .hide = hide };

	memset(&table, 0xa5, sizeof(table));
	cpuid_build(&table, &c, host, count);
}

static void expect(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx,
		   uint32_t ecx, uint32_t edx)
{
	const uint32_t *r = ask(leaf, subleaf, &idle);

	if (r[EAX] != eax || r[EBX] != ebx || r[ECX] != ecx || r[EDX] != edx)
		fail_msg("leaf %x.%x: %08x %08x %08x %08x", leaf, subleaf,
			 r[EAX], r[EBX], r[ECX], r[EDX]);
}

/* What the processor is known to do is shown even where its leaves end before
 * the one that says so; Intel's have no such leaf. */
static void a_null_selector_clears_the_base(void **state)
{
	const struct cpuid_config c = { .cpus = 1, .null_clears_base = true };

	(void)state;
	build(epyc, COUNT(epyc), 1, 0);
	assert_int_equal(ask(0x80000021, 0, &idle)[EAX] & IDX21A_NULL_SEL, 0);
	cpuid_build(&table, &c, epyc, COUNT(epyc));
	expect(0x80000021, 0, IDX21A_NULL_SEL, 0, 0, 0);
	assert_int_equal(ask(0x80000000, 0, &idle)[EAX], 0x80000021);
	cpuid_build(&table, &c, all_bits, COUNT(all_bits));
	assert_true(ask(0x80000021, 0, &idle)[EAX] & IDX21A_NULL_SEL ||
		    table.intel);
}

static void fsgsbase_can_be_hidden(void **state)
{
	const uint64_t cr4 = 0x10000;

	(void)state;
	build(all_bits, COUNT(all_bits), 1, 0);
	assert_true(ask(7, 0, &idle)[EBX] & ID7B_FSGSBASE);
	assert_true(table.cr4 & cr4);
	build(all_bits, COUNT(all_bits), 1, CPUID_HIDE_FSGSBASE);
	assert_false(ask(7, 0, &idle)[EBX] & ID7B_FSGSBASE);
	assert_false(table.cr4 & cr4);
}

static void a_stock_kernel_finds_what_it_needs(void **state)
{
	const uint32_t edx = ID1D_FPU | ID1D_PSE | ID1D_MSR | ID1D_PAE |
			     ID1D_CX8 | ID1D_CMOV | ID1D_FXSR | ID1D_SSE |
			     ID1D_SSE2 | ID1D_APIC | ID1D_TSC | ID1D_MTRR |
			     ID1D_PAT | ID1D_MCE | ID1D_MCA;
	const uint32_t ecx = ID1C_HYPERVISOR | ID1C_X2APIC | ID1C_DEADLINE;

	(void)state;
	build(epyc, COUNT(epyc), 1, 0);
	assert_int_equal(ask(1, 0, &idle)[EDX] & edx, edx);
	assert_int_equal(ask(1, 0, &idle)[ECX] & ecx, ecx);
	assert_true(ask(0x80000001, 0, &idle)[EDX] & IDX1D_LM);
	assert_true(ask(0x80000001, 0, &idle)[EDX] & IDX1D_NX);
	expect(6, 0, ID6A_ARAT, 0, 0, 0);
}

static void epyc_leaf_by_leaf(void **state)
{
	(void)state;
	build(epyc, COUNT(epyc), 1, 0);
	expect(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
	/* The host's own APIC id 3 is not shown. */
	expect(1, 0, 0x00800f12, 0x00010800, 0xb7f83203, 0x078bfbfd);
	expect(5, 0, 0, 0, 0, 0); /* MONITOR is not offered */
	expect(7, 0, 0, 0x009801a9, 0, 0);
	expect(7, 1, 0, 0, 0, 0);
	expect(0xa, 0, 0, 0, 0, 0);
	expect(0xd, 0, 7, 576, 0x340, 0);
	expect(0xd, 2, 0x100, 0x240, 0, 0);
	expect(0xd, 3, 0, 0, 0, 0);
	expect(0xd, 63, 0, 0, 0, 0);
	expect(0x80000000, 0, 0x8000001e, 0x68747541, 0x444d4163, 0x69746e65);
	/* No SVM, no extended APIC space. */
	expect(0x80000001, 0, 0x00800f12, 0, 0x71, 0x2dd3fbfd);
	expect(0x80000002, 0, 0x20444d41, 0x43595045, 0x6f725020, 0x73736563);
	expect(0x80000008, 0, 0x3028, 0, 0, 0);
	expect(0x8000000a, 0, 0, 0, 0, 0);
	expect(0x8000001d, 3, 0x163, 0x03c0003f, 0x1fff, 6);
	expect(0x8000001d, 4, 0, 0, 0, 0);
	assert_int_equal(table.paging.maxphyaddr, 40);
	assert_true(table.paging.nx && table.paging.gib_pages);
}

static void hypervisor_leaves(void **state)
{
	char name[13] = { 0 };
	uint32_t r[4];

	(void)state;
	build(epyc, COUNT(epyc), 1, 0);
	memcpy(r, ask(0x40000000, 0, &idle), sizeof(r));
	memcpy(name, &r[EBX], 12);
	assert_string_equal(name, "KVMKVMKVM");
	assert_int_equal(r[EAX], 0x40000001);
	expect(0x40000001, 0, 1u << 1 | 1u << 3 | 1u << 24, 0, 0, 0);
	expect(0x40000002, 0, 0, 0, 0, 0);
	expect(0x40000100, 0, 0, 0, 0, 0);
}

static void vcpu_state_shows(void **state)
{
	struct cpuid_dynamic now = idle;

	(void)state;
	build(max, COUNT(max), 4, 0);
	assert_false(ask(1, 0, &now)[ECX] & ID1C_OSXSAVE);
	assert_false(ask(7, 0, &now)[ECX] & ID7C_OSPKE);
	now.cr4 = CR4_OSXSAVE | CR4_PKE;
	now.apic_id = 2;
	now.apic_enabled = false;
	assert_true(ask(1, 0, &now)[ECX] & ID1C_OSXSAVE);
	assert_true(ask(7, 0, &now)[ECX] & ID7C_OSPKE);
	assert_false(ask(7, 1, &now)[ECX] & ID7C_OSPKE);
	assert_false(ask(1, 0, &now)[EDX] & ID1D_APIC);
	assert_false(ask(0x80000001, 0, &now)[EDX] & ID1D_APIC);
	assert_int_equal(ask(1, 0, &now)[EBX], 0x02040800);
	assert_int_equal(ask(0xb, 0, &now)[EDX], 2);
	assert_int_equal(ask(0xb, 1, &now)[EAX], 2);
	assert_int_equal(ask(0xb, 1, &now)[EBX], 4);
	assert_int_equal(ask(0xb, 1, &now)[ECX], 0x201);
	assert_int_equal(ask(0xb, 7, &now)[ECX], 7);
	assert_int_equal(ask(0xb, 7, &now)[EBX], 0);
	assert_int_equal(ask(0xb, 7, &now)[EDX], 2);
}

static void xsave_areas(void **state)
{
	struct cpuid_dynamic now = idle;

	(void)state;
	build(max, COUNT(max), 1, 0);
	/* x87, SSE, AVX, PKRU; not MPX, which the host has. */
	assert_int_equal(table.xcr0, 0x207);
	assert_int_equal(ask(0xd, 0, &now)[ECX], 0xa88);
	assert_int_equal(ask(0xd, 0, &now)[EBX], 576);
	now.xcr0 = 7;
	assert_int_equal(ask(0xd, 0, &now)[EBX], 0x340);
	now.xcr0 = 0x207;
	assert_int_equal(ask(0xd, 0, &now)[EBX], 0xa88);
	assert_int_equal(ask(0xd, 1, &now)[EAX], 5);
	assert_int_equal(ask(0xd, 1, &now)[EBX], 0); /* no XSAVEC */
	expect(0xd, 3, 0, 0, 0, 0);
	expect(0xd, 9, 8, 0xa80, 0, 0);
	build(all_bits, COUNT(all_bits), 1, 0);
	now.xcr0 = 0x207;
	/* No XSAVES, and so no XSAVEC. */
	assert_int_equal(ask(0xd, 1, &now)[EAX], 5);
	assert_int_equal(ask(0xd, 1, &now)[EBX], 0);
}

static void xcr0_rules(void **state)
{
	(void)state;
	build(max, COUNT(max), 1, 0);
	assert_true(cpuid_xcr0_valid(&table, 1));
	assert_true(cpuid_xcr0_valid(&table, 3));
	assert_true(cpuid_xcr0_valid(&table, 7));
	assert_true(cpuid_xcr0_valid(&table, 0x207));
	assert_false(cpuid_xcr0_valid(&table, 0));
	assert_false(cpuid_xcr0_valid(&table, 2));
	assert_false(cpuid_xcr0_valid(&table, 5));
	assert_false(cpuid_xcr0_valid(&table, 0x1f));
	assert_false(cpuid_xcr0_valid(&table, 0xe7));
}

static void schemes_hide(void **state)
{
	(void)state;
	build(max, COUNT(max), 1, 0);
	assert_true(ask(7, 0, &idle)[ECX] & ID7C_LA57);
	assert_int_equal(ask(0x80000008, 0, &idle)[EAX], 0x3928);
	build(max, COUNT(max), 1,
	      CPUID_HIDE_PAGING | CPUID_HIDE_LA57 | CPUID_HIDE_PKU |
		      CPUID_HIDE_SMAP | CPUID_HIDE_SMEP | CPUID_HIDE_NX |
		      CPUID_HIDE_X2APIC | CPUID_HIDE_MTRR | CPUID_HIDE_PSE);
	assert_false(ask(7, 0, &idle)[ECX] & (ID7C_LA57 | ID7C_PKU));
	assert_false(ask(7, 0, &idle)[EBX] &
		     (ID7B_SMEP | ID7B_SMAP | ID7B_INVPCID));
	assert_false(ask(1, 0, &idle)[ECX] & (ID1C_PCID | ID1C_X2APIC));
	assert_false(ask(1, 0, &idle)[EDX] &
		     (ID1D_MTRR | ID1D_PSE | ID1D_PSE36));
	assert_false(ask(0x80000001, 0, &idle)[EDX] &
		     (IDX1D_PDPE1GB | IDX1D_NX | ID1D_PSE | ID1D_MTRR));
	assert_int_equal(ask(0x80000008, 0, &idle)[EAX], 0x3028);
	assert_int_equal(table.xcr0, 7);
	assert_false(table.paging.gib_pages || table.paging.nx ||
		     table.paging.pse36);
	assert_false(table.efer & VMMU_EFER_NXE);
}

static void fast_strings_may_be_off(void **state)
{
	(void)state;
	build(all_bits, COUNT(all_bits), 1, 0);
	assert_true(ask(7, 0, &idle)[EBX] & ID7B_ERMS);
	assert_true(ask(7, 0, &idle)[EDX] & ID7D_FSRM);
	build(all_bits, COUNT(all_bits), 1, CPUID_HIDE_FAST_STRINGS);
	assert_false(ask(7, 0, &idle)[EBX] & ID7B_ERMS);
	assert_false(ask(7, 0, &idle)[EDX] & ID7D_FSRM);
}

static void tsc_adjust_may_be_hidden(void **state)
{
	(void)state;
	build(all_bits, COUNT(all_bits), 1, 0);
	assert_true(ask(7, 0, &idle)[EBX] & ID7B_TSC_ADJUST);
	build(all_bits, COUNT(all_bits), 1, CPUID_HIDE_TSC_ADJUST);
	assert_false(ask(7, 0, &idle)[EBX] & ID7B_TSC_ADJUST);
}

/* Bits by which a guest would reach for what we do not virtualize. */
static void nothing_else_is_shown(void **state)
{
	const uint32_t *r;

	(void)state;
	build(all_bits, COUNT(all_bits), 1, 0);
	r = ask(1, 0, &idle);
	/* DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM DCA */
	assert_int_equal(r[ECX] & 0x0005cdfc, 0);
	assert_int_equal(r[EDX] & 0xf8740400, 0); /* PSN DS ACPI SS TM IA64 */
	assert_int_equal(r[EBX], 0x0001ff00);
	assert_int_equal(ask(7, 0, &idle)[EAX], 1);
	/* SGX HLE RTM PQM MPX PQE PT, AVX-512 without its state */
	assert_int_equal(ask(7, 0, &idle)[EBX] & 0xde63d814, 0);
	/* WAITPKG CET TME KL ENQCMD SGX_LC PKS, AVX-512 */
	assert_int_equal(ask(7, 0, &idle)[ECX],
			 ID7C_SHOWN | ID7C_OF_AVX | ID7C_PKU);
	/* PCONFIG LBR AMX CET_IBT IBRS STIBP ARCH_CAP SSBD */
	assert_int_equal(ask(7, 0, &idle)[EDX], ID7D_SHOWN);
	assert_int_equal(ask(7, 1, &idle)[EAX], ID71A_SHOWN | ID71A_AVX_VNNI);
	expect(5, 0, 0, 0, 0, 0);
	expect(6, 0, ID6A_ARAT, 0, 0, 0);
	expect(0xa, 0, 0, 0, 0, 0);
	expect(0x80000007, 0, 0, 0, 0, IDX7D_INVARIANT_TSC);
	/* Intel: only these of AMD's bits. */
	assert_int_equal(ask(0x80000001, 0, &idle)[EDX],
			 IDX1D_SHOWN & ~ID1D_BOTH_VENDORS);
}

static void avx512_by_its_state(void **state)
{
	const struct cpuid_config c = { .cpus = 1, .xcr0 = 0x2e7 };

	(void)state;
	cpuid_build(&table, &c, all_bits, COUNT(all_bits));
	assert_int_equal(table.xcr0, 0x2e7);
	assert_true(ask(7, 0, &idle)[EBX] & ID7B_AVX512F);
	assert_true(cpuid_xcr0_valid(&table, 0xe7));
	assert_false(cpuid_xcr0_valid(&table, 0x67));
	assert_false(cpuid_xcr0_valid(&table, 0xe3));
	/* A guest without AVX gets nothing that needs it. */
	cpuid_build(&table, &(struct cpuid_config){ .cpus = 1, .xcr0 = 3 },
		    all_bits, COUNT(all_bits));
	assert_false(ask(1, 0, &idle)[ECX] & (ID1C_AVX | ID1C_FMA | ID1C_F16C));
	assert_false(ask(7, 0, &idle)[EBX] & (ID7B_AVX2 | ID7B_AVX512F));
	assert_false(ask(7, 0, &idle)[ECX] & ID7C_PKU);
}

static void intel_topology(void **state)
{
	(void)state;
	build(all_bits, COUNT(all_bits), 4, 0);
	/* Level 1 private, level 3 shared by four; four core ids. */
	expect(4, 0, 0x0c000121, 0x1c0003f, 0x3f, 0);
	expect(4, 1, 0x0c00c163, 0x2c0003f, 0x3fff, 6);
	expect(4, 2, 0, 0, 0, 0);
	assert_true(ask(1, 0, &idle)[EDX] & ID1D_HTT);
}

static void past_the_end(void **state)
{
	static const uint32_t leaves[] = { 0x0e,       0x1f,	   0x20,
					   0x3fffffff, 0x40000002, 0x8000001f,
					   0x80000100, 0xc0000000, 0xffffffff };
	struct cpuid_dynamic now = idle;

	(void)state;
	now.xcr0 = 7;
	build(epyc, COUNT(epyc), 1, 0);
	for (unsigned i = 0; i < COUNT(leaves); i++)
		expect(leaves[i], 0, 0, 0, 0, 0);
	build(all_bits, COUNT(all_bits), 1, 0);
	for (unsigned i = 0; i < COUNT(leaves); i++) {
		uint32_t last[4];

		memcpy(last, ask(0xd, 0, &now), sizeof(last));
		assert_memory_equal(ask(leaves[i], 0, &now), last, 16);
	}
}

/* No leaf reads outside the table (the sanitizer looks), even with no host. */
static void every_leaf_answers(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= 8; cpus++)
		for (unsigned i = 0; i < 3; i++) {
			build(i == 0 ? all_bits : epyc,
			      i == 0   ? COUNT(all_bits)
			      : i == 1 ? COUNT(epyc)
				       : 0,
			      cpus, 0);
			for (uint32_t leaf = 0; leaf < 0x200; leaf++)
				for (uint32_t sub = 0; sub < 70; sub++) {
					ask(leaf, sub, &idle);
					ask(leaf | 0x40000000, sub, &idle);
					ask(leaf | 0x80000000, sub, &idle);
					ask(~leaf, ~sub, &idle);
				}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_null_selector_clears_the_base),
		cmocka_unit_test(fsgsbase_can_be_hidden),
		cmocka_unit_test(a_stock_kernel_finds_what_it_needs),
		cmocka_unit_test(epyc_leaf_by_leaf),
		cmocka_unit_test(hypervisor_leaves),
		cmocka_unit_test(vcpu_state_shows),
		cmocka_unit_test(xsave_areas),
		cmocka_unit_test(xcr0_rules),
		cmocka_unit_test(schemes_hide),
		cmocka_unit_test(fast_strings_may_be_off),
		cmocka_unit_test(tsc_adjust_may_be_hidden),
		cmocka_unit_test(nothing_else_is_shown),
		cmocka_unit_test(avx512_by_its_state),
		cmocka_unit_test(intel_topology),
		cmocka_unit_test(past_the_end),
		cmocka_unit_test(every_leaf_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The mode: which format, root and width registers select, what a CPUID
 * withholds, and the permission table against the manual's sentences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmmu/access.h>
#include <vmmu/mode.h>

static const struct vmmu_features all = {
	.maxphyaddr = 46, .pse36 = true, .nx = true, .gib_pages = true
};

static struct vmmu_mode mode_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	const struct vmmu_regs regs = { .cr0 = cr0,
					.cr3 = UINT64_C(0x80003fffffffffff),
					.cr4 = cr4,
					.efer = efer };
	struct vmmu_mode mode;

	vmmu_mode_set(&mode, &regs, &all);
	return mode;
}

static void registers_select_the_format(void **state)
{
	uint64_t pg = VMMU_CR0_PG | VMMU_CR0_PE;
	struct vmmu_mode m;

	(void)state;
	m = mode_of(VMMU_CR0_PE, VMMU_CR4_PAE, VMMU_EFER_LME);
	assert_null(m.format);
	m = mode_of(pg, VMMU_CR4_PSE | VMMU_CR4_LA57, VMMU_EFER_NXE);
	assert_ptr_equal(m.format, &pt_x86_32);
	assert_int_equal(m.root, 0xfffff000);
	assert_int_equal(m.va_bits, 32);
	m = mode_of(pg, VMMU_CR4_PAE | VMMU_CR4_LA57, 0);
	assert_ptr_equal(m.format, &pt_x86_pae);
	assert_int_equal(m.root, 0xffffffe0);
	assert_true(m.pdptes);
	m = mode_of(pg, VMMU_CR4_PAE, VMMU_EFER_LMA);
	assert_ptr_equal(m.format, &pt_x86_64);
	assert_int_equal(m.root, UINT64_C(0x3ffffffff000));
	assert_int_equal(m.va_bits, 48);
	m = mode_of(pg, VMMU_CR4_PAE | VMMU_CR4_LA57, VMMU_EFER_LMA);
	assert_ptr_equal(m.format, &pt_x86_la57);
	assert_int_equal(m.va_bits, 57);
	assert_int_equal(m.levels, 5);
}

static void keys_are_of_long_mode(void **state)
{
	uint64_t pg = VMMU_CR0_PG | VMMU_CR0_PE;
	uint64_t keys = VMMU_CR4_PAE | VMMU_CR4_PKE | VMMU_CR4_PKS;
	struct vmmu_mode m = mode_of(pg, keys, VMMU_EFER_LMA);

	(void)state;
	assert_true(m.pku && m.pks);
	m = mode_of(pg, keys, 0);
	assert_false(m.pku || m.pks);
}

static void the_error_code_shows_fetches_or_not(void **state)
{
	uint64_t pg = VMMU_CR0_PG | VMMU_CR0_PE;

	(void)state;
	assert_false(mode_of(pg, 0, 0).error_i);
	assert_true(mode_of(pg, VMMU_CR4_SMEP, 0).error_i);
	assert_false(mode_of(pg, 0, VMMU_EFER_NXE).error_i);
	assert_true(mode_of(pg, VMMU_CR4_PAE, VMMU_EFER_NXE).error_i);
	assert_false(mode_of(pg, VMMU_CR4_PAE, VMMU_EFER_LMA).error_i);
}

/* SDM 3A 4.6.1, sentence by sentence, for an access to a linear address that
 * has a translation. Written apart from mode.c: by who, then what, then to
 * whose page. */
static bool manual_allows(const struct vmmu_regs *r, unsigned access,
			  unsigned perms)
{
	bool wp = r->cr0 & VMMU_CR0_WP;
	bool smep = r->cr4 & VMMU_CR4_SMEP, smap = r->cr4 & VMMU_CR4_SMAP;
	bool implicit = access & VMMU_IMPLICIT;
	bool user_address = perms & VMMU_U, writable = perms & VMMU_W;
	bool executable = perms & VMMU_X;
	bool data = !(access & VMMU_X);

	if ((access & VMMU_U) && !implicit) {
		/* User-mode accesses: never to supervisor addresses. */
		if (!user_address)
			return false;
		if (!data)
			return executable;
		return !(access & VMMU_W) || writable;
	}
	/* Supervisor-mode accesses, to user-mode addresses. */
	if (user_address && data && smap && (implicit || !(access & VMMU_AC)))
		return false;
	if (user_address && !data && smep)
		return false;
	/* To either kind. */
	if (!data)
		return executable;
	if (access & VMMU_W)
		return !wp || writable;
	return true;
}

static void permission_permutations(void **state)
{
	static const uint64_t bits[] = { VMMU_CR4_SMEP, VMMU_CR4_SMAP };

	(void)state;
	for (unsigned regs = 0; regs < 8; regs++) {
		uint64_t cr0 = VMMU_CR0_PG | (regs & 1 ? VMMU_CR0_WP : 0);
		uint64_t cr4 = VMMU_CR4_PAE | (regs & 2 ? bits[0] : 0) |
			       (regs & 4 ? bits[1] : 0);
		struct vmmu_mode m = mode_of(cr0, cr4, VMMU_EFER_LMA);

		for (unsigned a = 0; a < 32; a++) {
			if ((a & 3) == 3)
				continue; /* a write and a fetch at once */
			for (unsigned p = 0; p < 16; p++) {
				bool allowed =
					(p & VMMU_R) &&
					manual_allows(&m.regs, a << 1, p);

				assert_int_equal(m.forbids[a] >> p & 1,
						 !allowed);
			}
		}
	}
}

static void root_changes_alone(void **state)
{
	const uint64_t pdpte[4] = { 1, 2, 3, 4 };
	struct vmmu_mode m = mode_of(VMMU_CR0_PG, VMMU_CR4_PAE, VMMU_EFER_LMA);
	struct vmmu_mode before = m;

	(void)state;
	vmmu_mode_set_root(&m, 0x12345678, pdpte);
	assert_int_equal(m.root, 0x12345000);
	assert_memory_equal(m.regs.pdpte, pdpte, sizeof(pdpte));
	assert_memory_equal(m.forbids, before.forbids, sizeof(m.forbids));
	assert_memory_equal(m.level, before.level, sizeof(m.level));
	m = mode_of(0, 0, 0);
	vmmu_mode_set_root(&m, 0x1000, pdpte);
	assert_null(m.format);
}

static void pdptes_with_reserved_bits(void **state)
{
	uint64_t pdpte[4] = { 0x1001, 0, 0x3019, ~UINT64_C(1) };

	(void)state;
	assert_true(vmmu_pdptes_valid(&all, pdpte));
	for (unsigned bit = 1; bit < 64; bit++) {
		bool ok = (bit >= 3 && bit <= 4) || (bit >= 9 && bit < 46);

		pdpte[2] = 1 | UINT64_C(1) << bit;
		assert_int_equal(vmmu_pdptes_valid(&all, pdpte), ok);
	}
}

/* The straight way of gwalk.c counts on this geometry. */
static void long_mode_is_nine_bits_a_level(void **state)
{
	struct vmmu_mode m = mode_of(VMMU_CR0_PG, VMMU_CR4_PAE | VMMU_CR4_LA57,
				     VMMU_EFER_LMA);

	(void)state;
	assert_int_equal(m.straight, 5);
	assert_int_equal(m.entry_size, 8);
	for (unsigned n = 1; n <= 5; n++) {
		assert_int_equal(m.level[n].shift, 12 + 9 * (n - 1));
		assert_int_equal(m.level[n].index_mask, 511);
	}
	assert_int_equal(m.flip, 0x67);
	/* No entry that may hold anything reserved, or a leaf, is plain. */
	for (unsigned n = 2; n <= 5; n++) {
		uint64_t not_plain = m.level[n].reserved_table |
				     m.level[n].leaf_mask | 0x21;

		assert_int_equal(not_plain & ~m.plain_table, 0);
	}
	assert_int_equal(m.level[1].reserved_leaf & ~m.level[1].plain_leaf[0],
			 0);
}

static void in_ring_3_every_entry_has_u(void **state)
{
	const struct vmmu_regs regs = { .cr0 = VMMU_CR0_PG | VMMU_CR0_WP,
					.cr4 = VMMU_CR4_PAE,
					.efer = VMMU_EFER_LMA };
	struct vmmu_features features = all;
	struct vmmu_mode m;

	(void)state;
	features.ring_3 = true;
	vmmu_mode_set(&m, &regs, &features);
	for (unsigned n = 1; n <= 4; n++) {
		assert_int_equal(m.level[n].rights & 4, 0);
		assert_int_equal(m.level[n].rights & 2, 2);
	}
	/* Bit 3 of an index: U withheld; bit 2: W. */
	assert_int_equal(m.granted[((VMMU_R | VMMU_U) & 0x3e) * 8 | 8],
			 VMMU_RWXU);
	assert_int_equal(m.granted[((VMMU_W | VMMU_U) & 0x3e) * 8 | 8],
			 VMMU_RWXU);
	assert_int_equal(m.granted[((VMMU_W | VMMU_U) & 0x3e) * 8 | 12], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_select_the_format),
		cmocka_unit_test(keys_are_of_long_mode),
		cmocka_unit_test(the_error_code_shows_fetches_or_not),
		cmocka_unit_test(permission_permutations),
		cmocka_unit_test(root_changes_alone),
		cmocka_unit_test(pdptes_with_reserved_bits),
		cmocka_unit_test(in_ring_3_every_entry_has_u),
		cmocka_unit_test(long_mode_is_nine_bits_a_level),
	};

	return cmocka_run_group_tests_name("mode", tests, NULL, NULL);
}

/*
 * Rights as the walk answers them: every combination of W, U and NX at two
 * levels, of WP, SMEP, SMAP and NXE, and of accesses, in every paging mode;
 * and protection keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/walk_rig.h"

#define GVA 0x00c03123u

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

enum paging { LEGACY, PAE, LONG_4, LONG_5 };

static void set_paging(enum paging paging, unsigned bits)
{
	rig.regs.cr0 = VMMU_CR0_PG | (bits & 1 ? VMMU_CR0_WP : 0);
	rig.regs.cr4 = (bits & 2 ? VMMU_CR4_SMEP : 0) |
		       (bits & 4 ? VMMU_CR4_SMAP : 0);
	rig.regs.efer = bits & 8 ? VMMU_EFER_NXE : 0;
	rig.regs.cr3 = 0x2000;
	rig.regs.pdpte[0] = 0x2000 | P;
	if (paging >= PAE)
		rig.regs.cr4 |= VMMU_CR4_PAE;
	if (paging >= LONG_4) {
		rig.regs.efer |= VMMU_EFER_LMA;
		rig.regs.cr3 = 0x4000;
	}
	if (paging == LONG_5) {
		rig.regs.cr4 |= VMMU_CR4_LA57;
		rig.regs.cr3 = 0x5000;
	}
	rig_set_mode(&rig);
}

/* Entry bits of one level out of three: W, U, NX. */
static uint64_t attributes(unsigned choice)
{
	return (choice & 1 ? W : 0) | (choice & 2 ? U : 0) |
	       (choice & 4 ? NX : 0);
}

static void set_entries(enum paging paging, uint64_t upper, uint64_t leaf)
{
	if (paging == LEGACY) {
		*rig_entry_4(&rig, 2, GVA >> 22) =
			(uint32_t)(0x1000 | P | A | upper);
		*rig_entry_4(&rig, 1, GVA >> 12 & 1023) =
			(uint32_t)(0x9000 | P | A | D | leaf);
		return;
	}
	rig_map(&rig, GVA, 5, 1, 0x9000 | P | A | D | leaf);
	*rig_entry(&rig, 2, rig_index(GVA, 2)) = 0x1000 | P | A | upper;
}

/* The #PF that the manual foresees, or 0. */
static uint32_t predict(enum paging paging, unsigned bits, unsigned access,
			uint64_t upper, uint64_t leaf)
{
	bool wp = bits & 1, smep = bits & 2, smap = bits & 4, nxe = bits & 8;
	bool user = (access & VMMU_U) && !(access & VMMU_IMPLICIT);
	bool ac = (access & VMMU_AC) && !(access & VMMU_IMPLICIT);
	bool write = access & VMMU_W, fetch = access & VMMU_X;
	bool writable = upper & leaf & W, user_page = upper & leaf & U;
	bool nx = (upper | leaf) & NX;
	uint32_t code = (write ? VMMU_PF_W : 0) | (user ? VMMU_PF_U : 0);
	bool bad = false;

	if (fetch && (smep || (nxe && paging != LEGACY)))
		code |= VMMU_PF_I;
	if (nx && !nxe)
		return code | VMMU_PF_P | VMMU_PF_RSVD;
	bad |= user && !user_page;
	bad |= write && !writable && (user || wp);
	bad |= fetch && nx;
	bad |= !user && user_page && fetch && smep;
	bad |= !user && user_page && !fetch && smap && !ac;
	return bad ? code | VMMU_PF_P : 0;
}

static void check(enum paging paging, unsigned bits, unsigned upper,
		  unsigned leaf)
{
	uint64_t up = attributes(upper), low = attributes(leaf);

	set_entries(paging, up, low);
	for (unsigned a = 0; a < 24; a++) {
		unsigned access = 1u << a % 3 | (a / 3 & 1 ? VMMU_U : 0) |
				  (a / 3 & 2 ? VMMU_IMPLICIT : 0) |
				  (a / 3 & 4 ? VMMU_AC : 0);
		uint32_t code = predict(paging, bits, access, up, low);
		enum vmmu_gwalk_status status = rig_walk(&rig, GVA, access);

		if (!code) {
			assert_int_equal(status, VMMU_GWALK_OK);
			assert_int_equal(rig.out.gpa.v, 0x9123);
			continue;
		}
		assert_int_equal(status, VMMU_GWALK_FAULT);
		assert_int_equal(rig.out.error_code, code);
	}
}

static void permission_permutations(void **state)
{
	(void)state;
	for (int paging = LEGACY; paging <= LONG_5; paging++) {
		/* 32-bit entries have no NX. */
		unsigned choices = paging == LEGACY ? 4 : 8;

		for (unsigned bits = 0; bits < 16; bits++) {
			set_paging((enum paging)paging, bits);
			for (unsigned c = 0; c < choices * choices; c++)
				check((enum paging)paging, bits, c / choices,
				      c % choices);
		}
	}
}

/* One key's rights (AD 1, WD 2) in a register where all others forbid. */
static uint32_t key_register(unsigned key, unsigned rights)
{
	return ~(UINT32_C(3) << key * 2) | rights << key * 2;
}

/* SDM 3A 4.6.2. */
static bool key_allows(unsigned rights, unsigned access, bool wp)
{
	bool write = access & VMMU_W;

	if (access & VMMU_X)
		return true;
	if (rights & 1)
		return false;
	return !((rights & 2) && write && ((access & VMMU_U) || wp));
}

static void check_key(unsigned key, unsigned rights, bool user_page, bool wp)
{
	static const unsigned accesses[] = {
		VMMU_R,		 VMMU_W,	  VMMU_X,
		VMMU_R | VMMU_U, VMMU_W | VMMU_U, VMMU_X | VMMU_U,
	};

	set_entries(LONG_4, W | U, W | (user_page ? U : 0) | KEY(key));
	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		unsigned access = accesses[i];
		bool rights_ok = user_page || !(access & VMMU_U);
		bool key_ok = key_allows(rights, access, wp);
		enum vmmu_gwalk_status status = rig_walk(&rig, GVA, access);

		assert_int_equal(status == VMMU_GWALK_OK, rights_ok && key_ok);
		if (status == VMMU_GWALK_OK)
			assert_int_equal(rig.out.pkey, key);
		else
			assert_int_equal(!!(rig.out.error_code & VMMU_PF_PK),
					 !key_ok);
		if (status != VMMU_GWALK_OK)
			assert_true(rig.out.error_code & VMMU_PF_P);
	}
}

/* Key 0 among them: it takes the straight way when it restricts nothing. */
static void protection_keys(void **state)
{
	static const unsigned keys[] = { 0, 1, 7, 15 };

	(void)state;
	for (unsigned i = 0; i < 4 * 4 * 4; i++) {
		unsigned key = keys[i / 16], rights = i / 4 % 4;
		bool user_page = i & 1, wp = i & 2;

		set_paging(LONG_4, 8 | wp);
		rig.regs.cr4 |= user_page ? VMMU_CR4_PKE : VMMU_CR4_PKS;
		/* The other register forbids all, and must not count. */
		rig.regs.pkru = user_page ? key_register(key, rights) : ~0u;
		rig.regs.pkrs = user_page ? ~0u : key_register(key, rights);
		rig_set_mode(&rig);
		check_key(key, rights, user_page, wp);
	}
}

static void keys_that_are_off_are_ignored_bits(void **state)
{
	(void)state;
	set_paging(LONG_4, 1 | 8);
	rig.regs.pkru = ~0u;
	rig.regs.pkrs = ~0u;
	rig_set_mode(&rig);
	set_entries(LONG_4, W | U, W | U | KEY(9));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_walk(&rig, GVA, VMMU_W | VMMU_U),
				 VMMU_GWALK_OK);
		assert_int_equal(rig.out.pkey, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(permission_permutations),
		TEST(protection_keys),
		TEST(keys_that_are_off_are_ignored_bits),
	};

	return cmocka_run_group_tests_name("gwalk_rights", tests, NULL, NULL);
}

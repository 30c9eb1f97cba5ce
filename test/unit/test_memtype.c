/*
 * Memory types: table 11-7 of the manual written out, PAT selection in each
 * place where a leaf has its PAT bit, and the MTRRs' ranges and overlaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmmu/gwalk.h>

enum { UC = VMMU_UC, WC = VMMU_WC, WT = VMMU_WT, WP = VMMU_WP, WB = VMMU_WB };

static void table_11_7(void **state)
{
	static const int pats[] = { UC, VMMU_UC_MINUS, WC, WT, WB, WP };
	static const struct {
		int mtrr;
		int effective[6]; /* in the order of pats[] */
	} rows[] = {
		{ UC, { UC, UC, WC, UC, UC, UC } },
		{ WC, { UC, WC, WC, UC, WC, UC } },
		{ WT, { UC, UC, WC, WT, WT, WP } },
		{ WB, { UC, UC, WC, WT, WB, WP } },
		{ WP, { UC, WC, WC, WT, WP, WP } },
	};

	(void)state;
	for (size_t r = 0; r < 5; r++)
		for (size_t p = 0; p < 6; p++)
			assert_int_equal(
				vmmu_memtype_combine(
					(enum vmmu_memtype)pats[p],
					(enum vmmu_memtype)rows[r].mtrr),
				rows[r].effective[p]);
}

static void mode_with_pat(struct vmmu_mode *mode, uint64_t pat, bool on)
{
	const struct vmmu_features features = { .maxphyaddr = 40,
						.gib_pages = true };
	const struct vmmu_regs regs = {
		.cr0 = VMMU_CR0_PE | (on ? VMMU_CR0_PG : 0),
		.cr4 = VMMU_CR4_PAE,
		.efer = VMMU_EFER_LMA,
		.pat = pat,
	};

	vmmu_mode_set(mode, &regs, &features);
}

/* PAT entry i holds a type that tells it from its neighbours. */
static void each_leaf_selects_its_pat_entry(void **state)
{
	static const int type[8] = {
		WB, WT, VMMU_UC_MINUS, UC, WP, WC, WB, WT
	};
	static const unsigned pat_bit[] = { 0, 7, 12, 12 };
	struct vmmu_mode mode;
	uint64_t pat = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		pat |= (uint64_t)type[i] << i * 8;
	mode_with_pat(&mode, pat, true);
	for (unsigned level = 1; level <= 3; level++) {
		for (unsigned i = 0; i < 8; i++) {
			uint64_t leaf = (i & 1) << 3 | (i & 2) << 3 |
					(uint64_t)(i >> 2) << pat_bit[level] |
					(level > 1 ? 0x80 : 0);

			assert_int_equal(
				vmmu_memtype_of_leaf(&mode, level, leaf | 0x63),
				type[i]);
		}
	}
}

static void without_paging_the_mtrrs_decide(void **state)
{
	struct vmmu_mode mode;

	(void)state;
	mode_with_pat(&mode, 0, false);
	for (int mtrr = 0; mtrr < 7; mtrr++)
		if (mtrr != 2 && mtrr != 3)
			assert_int_equal(
				vmmu_memtype_combine(
					vmmu_memtype_of_leaf(&mode, 0, 0),
					(enum vmmu_memtype)mtrr),
				mtrr);
}

static enum vmmu_memtype type_at(const struct vmmu_mtrrs *m, uint64_t gpa)
{
	return vmmu_mtrr_type(m, mk_gpa(gpa));
}

static void disabled_mtrrs_are_uncacheable(void **state)
{
	struct vmmu_mtrrs m = { .def_type = WB, .maxphyaddr = 36 };

	(void)state;
	assert_int_equal(type_at(&m, 0), UC);
	m.def_type = WB | 0x800;
	assert_int_equal(type_at(&m, 0), WB);
	assert_int_equal(type_at(&m, 0xfffff000), WB);
}

static void fixed_ranges(void **state)
{
	struct vmmu_mtrrs m = { .def_type = WB | 0xc00, .maxphyaddr = 36 };

	(void)state;
	m.fixed[0] = (uint64_t)WC << 56 | WT; /* 0 and 0x70000 */
	m.fixed[1] = (uint64_t)WP << 8;	      /* 0x84000 */
	m.fixed[2] = (uint64_t)WC << 56;      /* 0xbc000 */
	m.fixed[3] = (uint64_t)WT << 8;	      /* 0xc1000 */
	m.fixed[10] = (uint64_t)WB << 56;     /* 0xff000 */
	assert_int_equal(type_at(&m, 0xffff), WT);
	assert_int_equal(type_at(&m, 0x10000), UC);
	assert_int_equal(type_at(&m, 0x70000), WC);
	assert_int_equal(type_at(&m, 0x7ffff), WC);
	assert_int_equal(type_at(&m, 0x80000), UC);
	assert_int_equal(type_at(&m, 0x84000), WP);
	assert_int_equal(type_at(&m, 0x87fff), WP);
	assert_int_equal(type_at(&m, 0xbc000), WC);
	assert_int_equal(type_at(&m, 0xbffff), WC);
	assert_int_equal(type_at(&m, 0xc0000), UC);
	assert_int_equal(type_at(&m, 0xc1fff), WT);
	assert_int_equal(type_at(&m, 0xff000), WB);
	assert_int_equal(type_at(&m, 0xfefff), UC);
	assert_int_equal(type_at(&m, 0x100000), WB);
	/* Without FE they do not count. */
	m.def_type = WP | 0x800;
	assert_int_equal(type_at(&m, 0), WP);
}

static void range(struct vmmu_mtrrs *m, uint64_t base, uint64_t size, int type)
{
	unsigned i = m->variable_count++;

	m->base[i] = base | (uint64_t)type;
	m->mask[i] = (~(size - 1) & 0xfffffffff) | 0x800;
}

static void variable_ranges_and_overlaps(void **state)
{
	struct vmmu_mtrrs m = { .def_type = UC | 0x800, .maxphyaddr = 36 };

	(void)state;
	range(&m, 0, 0x80000000, WB);
	range(&m, 0x40000000, 0x10000000, UC);
	range(&m, 0x20000000, 0x10000000, WT);
	range(&m, 0x10000000, 0x1000000, WC);
	range(&m, 0x8000000, 0x1000000, WB);
	range(&m, 0x100000000, 0x2000, WT);
	range(&m, 0x100000000, 0x1000, WB);
	assert_int_equal(type_at(&m, 0x1000), WB);
	assert_int_equal(type_at(&m, 0x7fffffff), WB);
	assert_int_equal(type_at(&m, 0x80000000), UC);
	assert_int_equal(type_at(&m, 0x4fffffff), UC);
	assert_int_equal(type_at(&m, 0x50000000), WB);
	assert_int_equal(type_at(&m, 0x20000000), WT);
	assert_int_equal(type_at(&m, 0x100000000), WT);
	assert_int_equal(type_at(&m, 0x10000000), UC); /* undefined: UC */
	assert_int_equal(type_at(&m, 0x8000000), WB);
	m.mask[1] &= ~UINT64_C(0x800); /* not valid any more */
	assert_int_equal(type_at(&m, 0x4fffffff), WB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_11_7),
		cmocka_unit_test(each_leaf_selects_its_pat_entry),
		cmocka_unit_test(without_paging_the_mtrrs_decide),
		cmocka_unit_test(disabled_mtrrs_are_uncacheable),
		cmocka_unit_test(fixed_ranges),
		cmocka_unit_test(variable_ranges_and_overlaps),
	};

	return cmocka_run_group_tests_name("memtype", tests, NULL, NULL);
}

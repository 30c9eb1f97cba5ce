/*
 * The formats' rows are consistent, encode and decode are inverse in each,
 * and single entries have the bits that the manuals draw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmmu/access.h>
#include <vmmu/format.h>

#include "test/unit/format_madeup.h"

static const struct pt_format *const formats[] = {
	&pt_x86_32, &pt_x86_pae, &pt_x86_64, &pt_x86_la57,
	&pt_npt,    &pt_ept,	 &pt_madeup,
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

/* Calls `check` with every row of every format, from level 1 up. */
static void each_row(void (*check)(const struct pt_format *f, unsigned level))
{
	for (size_t i = 0; i < FORMAT_COUNT; i++)
		for (unsigned level = 1; level <= formats[i]->levels; level++)
			check(formats[i], level);
}

/* The permissions that come along when `perms` are granted in this row. */
static unsigned closure(const struct pt_level *l, unsigned perms)
{
	uint64_t set = 0;
	unsigned all = 0;

	for (unsigned p = 0; p < PT_PERMS; p++)
		if (perms >> p & 1)
			set |= l->allow[p];
	for (unsigned p = 0; p < PT_PERMS; p++) {
		if ((perms >> p & 1) ||
		    ((set & l->allow[p]) == l->allow[p] && !l->deny[p]))
			all |= 1u << p;
	}
	return all;
}

static uint64_t memtype_bits_of(const struct pt_level *l)
{
	uint64_t field = l->memtype_shift ? UINT64_C(7) << l->memtype_shift : 0;

	return l->pwt | l->pcd | l->pat | field | l->ignore_pat;
}

static uint64_t rights_of(const struct pt_level *l)
{
	uint64_t bits = 0;

	for (unsigned p = 0; p < PT_PERMS; p++)
		bits |= l->allow[p] | l->deny[p];
	return bits;
}

static uint64_t high_of(const struct pt_level *l)
{
	return ((UINT64_C(1) << l->high_bits) - 1) << l->high_from;
}

static void check_geometry(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];
	const struct pt_level *below = &f->level[level - 1];

	if (level == 1)
		assert_int_equal(l->shift, 12);
	else
		assert_int_equal(l->shift, below->shift + below->index_bits);
	assert_true(f->entry_size << l->index_bits <= 4096);
	if (l->leaf)
		assert_int_equal(l->leaf_addr & (pt_span(l) - 1), 0);
	assert_int_equal(l->leaf_value & ~l->leaf_mask, 0);
}

static void rows_stack_up(void **state)
{
	(void)state;
	each_row(check_geometry);
}

/* No bit of an entry has two jobs. */
static void check_disjoint(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];
	uint64_t width = f->entry_size == 4 ? UINT32_MAX : UINT64_MAX;
	uint64_t table[] = { l->table_addr,	rights_of(l), l->accessed,
			     l->reserved_table, l->soft,      l->leaf_mask };
	uint64_t leaf[] = {
		l->leaf_addr, high_of(l),	rights_of(l),	    l->accessed,
		l->dirty,     l->global,	memtype_bits_of(l), l->soft,
		l->leaf_mask, l->reserved_leaf,
	};
	uint64_t seen = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(seen & table[i], 0);
		seen |= table[i];
	}
	assert_int_equal(seen & ~width, 0);
	seen = 0;
	for (size_t i = 0; l->leaf && i < sizeof(leaf) / sizeof(leaf[0]); i++) {
		assert_int_equal(seen & leaf[i], 0);
		seen |= leaf[i];
	}
	assert_int_equal(seen & ~width, 0);
}

static void no_bit_has_two_jobs(void **state)
{
	(void)state;
	each_row(check_disjoint);
}

static void check_leaf(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];
	uint64_t addr = l->leaf_addr & UINT64_C(0x000a5a5a5a5a5000);

	if (!l->leaf)
		return;
	for (unsigned perms = 0; perms <= VMMU_RWXU; perms++) {
		uint64_t e = pt_make_leaf(l, addr, perms, VMMU_WB);

		assert_true(pt_entry_is_leaf(l, e));
		assert_int_equal(pt_leaf_addr(l, e), addr);
		assert_int_equal(e & l->reserved_leaf, 0);
		assert_int_equal(e & (l->soft | l->accessed | l->dirty), 0);
		if (e & l->present)
			assert_int_equal(pt_entry_perms(l, e),
					 closure(l, perms));
		else
			assert_int_equal(perms & VMMU_RWX, 0);
	}
}

static void leaves_round_trip(void **state)
{
	(void)state;
	each_row(check_leaf);
}

/* From any permissions to any others, whatever else the entry holds. */
static void check_set_perms(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];
	uint64_t noise = UINT64_C(0x5555555555555555) & ~rights_of(l);

	if (!l->leaf)
		return;
	for (unsigned from = 0; from <= VMMU_RWXU; from++) {
		uint64_t e = pt_set_perms(l, noise, from);

		for (unsigned to = 1; to <= VMMU_RWXU; to++) {
			uint64_t again = pt_set_perms(l, e, to);

			assert_int_equal(again & ~rights_of(l), noise);
			assert_int_equal(pt_set_perms(l, again, from), e);
			if (again & l->present)
				assert_int_equal(pt_entry_perms(l, again),
						 closure(l, to));
		}
	}
}

static void permissions_change_alone(void **state)
{
	(void)state;
	each_row(check_set_perms);
}

static void check_table(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];
	uint64_t addr = l->table_addr & UINT64_C(0x0005a5a5a5a5a000);
	uint64_t e = pt_make_table(l, addr);

	if (level == 1)
		return;
	assert_false(pt_entry_is_leaf(l, e));
	assert_true(e & l->present);
	assert_int_equal(pt_entry_perms(l, e), VMMU_RWXU);
	assert_int_equal(pt_table_addr(l, e), addr);
	assert_int_equal(e & (l->reserved_table | l->soft), 0);
}

static void tables_round_trip(void **state)
{
	(void)state;
	each_row(check_table);
}

static void check_absent(const struct pt_format *f, unsigned level)
{
	const struct pt_level *l = &f->level[level];

	assert_int_equal(pt_entry_perms(l, 0), 0);
	assert_int_equal(pt_entry_perms(l, ~l->present), 0);
}

static void absent_grants_nothing(void **state)
{
	(void)state;
	each_row(check_absent);
}

/* Entries as the manuals draw them, written out by hand. */
static void known_x86_entries(void **state)
{
	const struct pt_level *l = pt_x86_64.level;

	(void)state;
	assert_int_equal(pt_make_leaf(&l[1], 0x1234000, VMMU_RWXU, VMMU_WB),
			 0x1234007);
	assert_int_equal(pt_make_leaf(&l[1], 0x1234000, VMMU_R, VMMU_UC),
			 UINT64_C(0x8000000001234019));
	assert_int_equal(
		pt_make_leaf(&l[2], 0x40200000, VMMU_R | VMMU_X, VMMU_WT),
		0x40200089);
	assert_int_equal(
		pt_make_leaf(&l[3], 0xc0000000, VMMU_RWX, VMMU_UC_MINUS),
		0xc0000093);
	assert_int_equal(pt_make_table(&l[4], 0x5000), 0x5027);
	assert_int_equal(pt_entry_perms(&l[1], UINT64_C(0x8000000000000007)),
			 VMMU_R | VMMU_W | VMMU_U);
	/* Bit 7 of a PTE is PAT, not PS. */
	assert_true(pt_entry_is_leaf(&l[1], 0x81));
	assert_true(pt_entry_is_leaf(&l[1], 0x01));
	assert_false(pt_entry_is_leaf(&l[2], 0x01));
	assert_false(pt_entry_is_leaf(&l[4], 0x81));
}

static void pse36_takes_address_bits_from_below(void **state)
{
	const struct pt_level *l = &pt_x86_32.level[2];
	uint64_t addr = UINT64_C(0xa5c0400000);

	(void)state;
	assert_int_equal(pt_make_leaf(l, addr, VMMU_RWXU, VMMU_WB),
			 0xc0400087 | 0xa5u << 13);
	assert_int_equal(pt_leaf_addr(l, 0xc0400087 | 0xa5u << 13), addr);
	assert_int_equal(pt_make_table(l, 0xfffff000), 0xfffff027);
}

static void known_second_level_entries(void **state)
{
	const struct pt_level *ept = pt_ept.level, *npt = pt_npt.level;

	(void)state;
	assert_int_equal(pt_make_leaf(&ept[1], 0x7000, VMMU_RWX, VMMU_WB),
			 0x7037);
	assert_int_equal(
		pt_make_leaf(&ept[2], 0x200000, VMMU_R | VMMU_X, VMMU_UC),
		0x200085);
	/* Write without read is a misconfiguration: never made. */
	assert_int_equal(pt_make_leaf(&ept[1], 0x7000, VMMU_W, VMMU_WC),
			 0x700b);
	assert_int_equal(pt_entry_perms(&ept[1], 0x7002), VMMU_U);
	assert_int_equal(pt_make_table(&ept[4], 0x9000), 0x9107);
	/* Without U an NPT entry is of no use to a guest. */
	assert_int_equal(pt_make_leaf(&npt[1], 0x7000, VMMU_RWX, VMMU_WB),
			 0x7007);
	assert_int_equal(pt_entry_perms(&npt[1], 0x7003) & VMMU_RWX, 0);
	assert_int_equal(pt_make_table(&npt[4], 0x9000), 0x9027);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_stack_up),
		cmocka_unit_test(no_bit_has_two_jobs),
		cmocka_unit_test(leaves_round_trip),
		cmocka_unit_test(permissions_change_alone),
		cmocka_unit_test(tables_round_trip),
		cmocka_unit_test(absent_grants_nothing),
		cmocka_unit_test(known_x86_entries),
		cmocka_unit_test(pse36_takes_address_bits_from_below),
		cmocka_unit_test(known_second_level_entries),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}

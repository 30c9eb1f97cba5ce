/*
 * A page-table format that nobody makes. Attributes are scattered and lie at
 * other bits on each level, some permissions are allowed by bits and some
 * denied, tables have different sizes, a leaf is told by a set bit, by a clear
 * bit or by a two-bit value, and pages are 4 KiB, 2 MiB and 512 MiB. Code that
 * confuses two levels, or knows x86, fails on it.
 *
 * Addresses translated: 45 bits (7 + 9 + 8 + 9 + 12).
 */
#ifndef TEST_UNIT_FORMAT_MADEUP_H
#define TEST_UNIT_FORMAT_MADEUP_H

#include <vmmu/format.h>

#define MADEUP_BIT(n)  (UINT64_C(1) << (n))
#define MADEUP_ADDR(n) (((UINT64_C(1) << 52) - 1) & ~(MADEUP_BIT(n) - 1))

static const struct pt_format pt_madeup = {
	.name = "made-up",
	.levels = 4,
	.entry_size = 8,
	.level = {
		[4] = {
			.shift = 38,
			.index_bits = 7,
			.present = MADEUP_BIT(55),
			.table_addr = MADEUP_ADDR(12),
			.allow = { [PT_R] = MADEUP_BIT(55),
				   [PT_U] = MADEUP_BIT(2) },
			.deny = { [PT_W] = MADEUP_BIT(54),
				  [PT_X] = MADEUP_BIT(1) },
			.table_fixed = MADEUP_BIT(55) | MADEUP_BIT(57),
			.accessed = MADEUP_BIT(63),
			.reserved_table = MADEUP_BIT(10),
			.soft = MADEUP_BIT(4) | MADEUP_BIT(5),
		},
		/* A leaf when bits 5:4 are 01. */
		[3] = {
			.shift = 29,
			.index_bits = 9,
			.leaf = true,
			.leaf_mask = MADEUP_BIT(4) | MADEUP_BIT(5),
			.leaf_value = MADEUP_BIT(4),
			.present = MADEUP_BIT(1) | MADEUP_BIT(62),
			.table_addr = MADEUP_ADDR(12),
			.leaf_addr = MADEUP_ADDR(29),
			.allow = { [PT_R] = MADEUP_BIT(1),
				   [PT_X] = MADEUP_BIT(0) },
			.deny = { [PT_W] = MADEUP_BIT(60),
				  [PT_U] = MADEUP_BIT(59) },
			.table_fixed = MADEUP_BIT(62),
			.leaf_fixed = MADEUP_BIT(62),
			.accessed = MADEUP_BIT(3),
			.dirty = MADEUP_BIT(57),
			.pwt = MADEUP_BIT(9),
			.pcd = MADEUP_BIT(10),
			.pat = MADEUP_BIT(11),
			.soft = MADEUP_BIT(6) | MADEUP_BIT(7) | MADEUP_BIT(8),
		},
		/* A leaf when bit 0 is clear; written when bits 2 and 3 are
		 * set both; the memory type in a field. */
		[2] = {
			.shift = 21,
			.index_bits = 8,
			.leaf = true,
			.leaf_mask = MADEUP_BIT(0),
			.leaf_value = 0,
			.present = MADEUP_BIT(63),
			.table_addr = MADEUP_ADDR(12),
			.leaf_addr = MADEUP_ADDR(21),
			.allow = { [PT_R] = MADEUP_BIT(63),
				   [PT_W] = MADEUP_BIT(63) | MADEUP_BIT(2) |
					    MADEUP_BIT(3),
				   [PT_X] = MADEUP_BIT(63) | MADEUP_BIT(61),
				   [PT_U] = MADEUP_BIT(58) },
			.table_fixed = MADEUP_BIT(63),
			.accessed = MADEUP_BIT(11),
			.dirty = MADEUP_BIT(10),
			.memtype_shift = 53,
			.soft = MADEUP_BIT(7) | MADEUP_BIT(8),
		},
		[1] = {
			.shift = 12,
			.index_bits = 9,
			.leaf = true,
			.present = MADEUP_BIT(9),
			.leaf_addr = MADEUP_ADDR(12),
			.allow = { [PT_R] = MADEUP_BIT(9),
				   [PT_W] = MADEUP_BIT(9) | MADEUP_BIT(60),
				   [PT_X] = MADEUP_BIT(9) },
			.deny = { [PT_X] = MADEUP_BIT(3),
				  [PT_U] = MADEUP_BIT(61) },
			.accessed = MADEUP_BIT(0),
			.dirty = MADEUP_BIT(62),
			.global = MADEUP_BIT(8),
			.pwt = MADEUP_BIT(2),
			.pcd = MADEUP_BIT(5),
			.pat = MADEUP_BIT(63),
			.soft = MADEUP_BIT(4) | MADEUP_BIT(6) | MADEUP_BIT(7),
		},
	},
};

#endif

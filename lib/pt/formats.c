/*
 * The page-table formats as data. Compare rows, not functions.
 *
 *      63 62..59 58..52 51 ........ 12  11..9 8 7  6 5 4   3   2 1 0
 * PTE  NX  key    soft   address        soft  G PAT D A PCD PWT U W P
 * PDE  NX         soft   table          soft    0     A PCD PWT U W P
 * 2M   NX  key    soft   address  PAT*  soft  G 1   D A PCD PWT U W P
 *                        (* bit 12; bits up to the page size are reserved)
 * EPT  -                 address              - 1 | 6 IPAT, 5:3 type, 2:0 XWR
 *
 * Sources: SDM 3A 4.3 (32-bit, tables 4-4 to 4-6), 4.4.2 (PAE, tables 4-8 to
 * 4-11), 4.5.4 (4- and 5-level, tables 4-14 to 4-20), SDM 3C 28.3.2 (EPT,
 * tables 28-1 to 28-7), APM 2 15.25 (NPT: the long-mode format, every access
 * counts as a user access).
 *
 * The rows hold what the format fixes. What a processor's MAXPHYADDR, its
 * missing features or EFER.NXE make reserved besides is added by mode.c.
 */
#include <vmmu/format.h>

#define BIT(n) (UINT64_C(1) << (n))
#define BITS(high, low)                                                        \
	((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))

#define X86_P	BIT(0)
#define X86_W	BIT(1)
#define X86_U	BIT(2)
#define X86_PWT BIT(3)
#define X86_PCD BIT(4)
#define X86_A	BIT(5)
#define X86_D	BIT(6)
#define X86_PS	BIT(7)
#define X86_G	BIT(8)
#define X86_NX	BIT(63)

#define PAT_PTE	  BIT(7) /* of an entry that maps 4 KiB */
#define PAT_LARGE BIT(12)

#define SOFT_32 BITS(11, 9)
#define SOFT_64 (BITS(11, 9) | BITS(57, 52))

#define ADDR_4K_32 BITS(31, 12)
#define ADDR_4M_32 BITS(31, 22)
#define ADDR_4K	   BITS(51, 12)
#define ADDR_2M	   BITS(51, 21)
#define ADDR_1G	   BITS(51, 30)

/* Attributes that rows share: fragments of initializers, nothing more. */
#define X86_ENTRY .present = X86_P, .accessed = X86_A

#define RIGHTS_32                                                              \
	.allow = { [PT_R] = X86_P,                                             \
		   [PT_W] = X86_P | X86_W,                                     \
		   [PT_X] = X86_P,                                             \
		   [PT_U] = X86_U }

#define RIGHTS_64 RIGHTS_32, .deny = { [PT_X] = X86_NX }

/* Under NPT an entry without U grants nothing at all. */
#define RIGHTS_NPT                                                             \
	.allow = { [PT_R] = X86_P | X86_U,                                     \
		   [PT_W] = X86_P | X86_U | X86_W,                             \
		   [PT_X] = X86_P | X86_U,                                     \
		   [PT_U] = X86_U },                                           \
	.deny = { [PT_X] = X86_NX }

/* A is set beforehand in our entries to tables: no one looks at it, and the
 * processor need not set it by a locked write. */
#define X86_TABLE .table_fixed = X86_P | X86_A

#define X86_LEAF(pat_bit)                                                      \
	.leaf = true, .dirty = X86_D, .global = X86_G, .pwt = X86_PWT,         \
	.pcd = X86_PCD, .pat = (pat_bit)
#define X86_LARGE .leaf_mask = X86_PS, .leaf_value = X86_PS

const struct pt_format pt_x86_32 = {
	.name = "x86-32",
	.levels = 2,
	.entry_size = 4,
	.level = {
		[2] = { .shift = 22, .index_bits = 10, X86_ENTRY, RIGHTS_32,
			X86_TABLE, X86_LEAF(PAT_LARGE), X86_LARGE,
			.table_addr = ADDR_4K_32, .leaf_addr = ADDR_4M_32,
			.high_from = 13, .high_bits = 8, .high_to = 32,
			.reserved_leaf = BIT(21), .soft = SOFT_32 },
		[1] = { .shift = 12, .index_bits = 10, X86_ENTRY, RIGHTS_32,
			X86_LEAF(PAT_PTE), .leaf_addr = ADDR_4K_32,
			.soft = SOFT_32 },
	},
};

const struct pt_format pt_x86_pae = {
	.name = "x86-pae",
	.levels = 3,
	.entry_size = 8,
	.level = {
		/* A PDPTE has no rights and no A: it only is there or not. */
		[3] = { .shift = 30, .index_bits = 2, .present = X86_P,
			.allow = { [PT_R] = X86_P },
			.table_fixed = X86_P, .table_addr = ADDR_4K,
			.reserved_table = BITS(2, 1) | BITS(8, 5) |
					  BITS(63, 52),
			.soft = BITS(11, 9) },
		[2] = { .shift = 21, .index_bits = 9, X86_ENTRY, RIGHTS_64,
			X86_TABLE, X86_LEAF(PAT_LARGE), X86_LARGE,
			.table_addr = ADDR_4K, .leaf_addr = ADDR_2M,
			.reserved_table = BITS(62, 52),
			.reserved_leaf = BITS(62, 52) | BITS(20, 13),
			.soft = SOFT_32 },
		[1] = { .shift = 12, .index_bits = 9, X86_ENTRY, RIGHTS_64,
			X86_LEAF(PAT_PTE), .leaf_addr = ADDR_4K,
			.reserved_leaf = BITS(62, 52), .soft = SOFT_32 },
	},
};

/* Rows 1 to 4 of long mode, which 5-level paging only adds a row to. */
#define LONG_MODE_1                                                            \
	{                                                                      \
		.shift = 12, .index_bits = 9, X86_ENTRY, RIGHTS_64,            \
		X86_LEAF(PAT_PTE), .leaf_addr = ADDR_4K, .soft = SOFT_64       \
	}
#define LONG_MODE_2                                                            \
	{                                                                      \
		.shift = 21, .index_bits = 9, X86_ENTRY, RIGHTS_64, X86_TABLE, \
		X86_LEAF(PAT_LARGE), X86_LARGE, .table_addr = ADDR_4K,         \
		.leaf_addr = ADDR_2M, .reserved_leaf = BITS(20, 13),           \
		.soft = SOFT_64                                                \
	}
#define LONG_MODE_3                                                            \
	{                                                                      \
		.shift = 30, .index_bits = 9, X86_ENTRY, RIGHTS_64, X86_TABLE, \
		X86_LEAF(PAT_LARGE), X86_LARGE, .table_addr = ADDR_4K,         \
		.leaf_addr = ADDR_1G, .reserved_leaf = BITS(29, 13),           \
		.soft = SOFT_64                                                \
	}
/* Never a leaf: PS is reserved. */
#define LONG_MODE_UPPER(bit)                                                   \
	{                                                                      \
		.shift = (bit), .index_bits = 9, X86_ENTRY, RIGHTS_64,         \
		X86_TABLE, .table_addr = ADDR_4K, .reserved_table = X86_PS,    \
		.soft = SOFT_64                                                \
	}

const struct pt_format pt_x86_64 = {
	.name = "x86-64",
	.levels = 4,
	.entry_size = 8,
	.level = {
		[4] = LONG_MODE_UPPER(39),
		[3] = LONG_MODE_3,
		[2] = LONG_MODE_2,
		[1] = LONG_MODE_1,
	},
};

const struct pt_format pt_x86_la57 = {
	.name = "x86-la57",
	.levels = 5,
	.entry_size = 8,
	.level = {
		[5] = LONG_MODE_UPPER(48),
		[4] = LONG_MODE_UPPER(39),
		[3] = LONG_MODE_3,
		[2] = LONG_MODE_2,
		[1] = LONG_MODE_1,
	},
};

/* Long mode, but every entry must have U, and nothing is global. */
#define NPT_LEAF(pat_bit)                                                      \
	.leaf = true, .dirty = X86_D, .pwt = X86_PWT, .pcd = X86_PCD,          \
	.pat = (pat_bit)

const struct pt_format pt_npt = {
	.name = "npt",
	.levels = 4,
	.entry_size = 8,
	.level = {
		[4] = { .shift = 39, .index_bits = 9, X86_ENTRY, RIGHTS_NPT,
			X86_TABLE, .table_addr = ADDR_4K,
			.reserved_table = X86_PS, .soft = SOFT_64 },
		[3] = { .shift = 30, .index_bits = 9, X86_ENTRY, RIGHTS_NPT,
			X86_TABLE, NPT_LEAF(PAT_LARGE), X86_LARGE,
			.table_addr = ADDR_4K, .leaf_addr = ADDR_1G,
			.reserved_leaf = BITS(29, 13), .soft = SOFT_64 },
		[2] = { .shift = 21, .index_bits = 9, X86_ENTRY, RIGHTS_NPT,
			X86_TABLE, NPT_LEAF(PAT_LARGE), X86_LARGE,
			.table_addr = ADDR_4K, .leaf_addr = ADDR_2M,
			.reserved_leaf = BITS(20, 13), .soft = SOFT_64 },
		[1] = { .shift = 12, .index_bits = 9, X86_ENTRY, RIGHTS_NPT,
			NPT_LEAF(PAT_PTE), .leaf_addr = ADDR_4K,
			.soft = SOFT_64 },
	},
};

#define EPT_R	 BIT(0)
#define EPT_W	 BIT(1)
#define EPT_X	 BIT(2)
#define EPT_IPAT BIT(6)
#define EPT_PS	 BIT(7)
#define EPT_A	 BIT(8)
#define EPT_D	 BIT(9)
#define EPT_SOFT (BIT(11) | BITS(56, 52))

/* Present when any of the three is set. EPT knows no user bit. */
#define EPT_ENTRY                                                              \
	.present = EPT_R | EPT_W | EPT_X, .accessed = EPT_A,                   \
	.allow = { [PT_R] = EPT_R, [PT_W] = EPT_R | EPT_W, [PT_X] = EPT_X },   \
	.soft = EPT_SOFT
#define EPT_LEAF                                                               \
	.leaf = true, .dirty = EPT_D, .memtype_shift = 3, .ignore_pat = EPT_IPAT
#define EPT_LARGE .leaf_mask = EPT_PS, .leaf_value = EPT_PS

const struct pt_format pt_ept = {
	.name = "ept",
	.levels = 4,
	.entry_size = 8,
	.level = {
		[4] = { .shift = 39, .index_bits = 9, EPT_ENTRY,
			.table_fixed = EPT_A, .table_addr = ADDR_4K,
			.reserved_table = BITS(7, 3) },
		[3] = { .shift = 30, .index_bits = 9, EPT_ENTRY, EPT_LEAF,
			EPT_LARGE, .table_fixed = EPT_A,
			.table_addr = ADDR_4K, .leaf_addr = ADDR_1G,
			.reserved_table = BITS(6, 3),
			.reserved_leaf = BITS(29, 12) },
		[2] = { .shift = 21, .index_bits = 9, EPT_ENTRY, EPT_LEAF,
			EPT_LARGE, .table_fixed = EPT_A,
			.table_addr = ADDR_4K, .leaf_addr = ADDR_2M,
			.reserved_table = BITS(6, 3),
			.reserved_leaf = BITS(20, 12) },
		[1] = { .shift = 12, .index_bits = 9, EPT_ENTRY, EPT_LEAF,
			.leaf_addr = ADDR_4K },
	},
};

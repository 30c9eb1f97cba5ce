/*
 * Seam 1, formats are data: one const row set per page-table format.
 *
 * A level is a row. Level 1 is the table whose entries map 4 KiB; numbers go
 * up toward the root. The walker and the table engine read rows; neither
 * knows the name of any format.
 *
 *   entry: | high attributes | address bits | low attributes |
 *
 * A permission p (R, W, X, U) is granted by an entry when all bits of
 * allow[p] are set and no bit of deny[p] is. To grant: set allow[p], clear
 * deny[p]. To withhold: clear those allow[p] bits that no granted permission
 * needs, set deny[p].
 */
#ifndef VMMU_FORMAT_H
#define VMMU_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define PT_LEVELS_MAX 5

/* Indices of allow[] and deny[]: bit numbers of VMMU_R, W, X, U. */
enum { PT_R, PT_W, PT_X, PT_U, PT_PERMS };

/* Memory types by their architectural numbers: SDM 3A table 11-2. */
enum vmmu_memtype {
	VMMU_UC = 0,
	VMMU_WC = 1,
	VMMU_WT = 4,
	VMMU_WP = 5,
	VMMU_WB = 6,
	VMMU_UC_MINUS = 7, /* PAT only */
};

struct pt_level {
	uint8_t shift; /* lowest address bit that this level's index uses */
	uint8_t index_bits; /* log2 of the entries in one table */
	bool leaf;	    /* entries of this level may map memory */
	/* An entry is a leaf when leaf is true and
	 * (entry & leaf_mask) == leaf_value. Level 1: mask 0, value 0. */
	uint64_t leaf_mask;
	uint64_t leaf_value;
	uint64_t present;    /* absent when (entry & present) == 0 */
	uint64_t table_addr; /* address bits of an entry that refers to a table
			      */
	uint64_t leaf_addr;  /* address bits of a leaf, without high_* below */
	/* A leaf's further address bits, PSE-36: entry bits
	 * [high_from, high_from + high_bits) are address bits from high_to. */
	uint8_t high_from, high_bits, high_to;
	uint64_t allow[PT_PERMS];
	uint64_t deny[PT_PERMS];
	uint64_t table_fixed;	 /* set in every present entry to a table */
	uint64_t leaf_fixed;	 /* set in every leaf */
	uint64_t accessed;	 /* 0: this level has none */
	uint64_t dirty;		 /* of a leaf; 0: none */
	uint64_t global;	 /* of a leaf; 0: none */
	uint64_t reserved_table; /* must be 0, besides bits above MAXPHYADDR */
	uint64_t reserved_leaf;
	/* Memory type of a leaf: three PAT index bits (PWT, PCD, PAT) for x86;
	 * EPT has the type itself in a field instead: memtype_shift != 0. */
	uint64_t pwt, pcd, pat;
	uint8_t memtype_shift;
	uint64_t ignore_pat; /* EPT's IPAT */
	uint64_t soft;	     /* bits that hardware ignores: ours to use */
};

struct pt_format {
	const char *name;
	uint8_t levels;	    /* level number of the root table */
	uint8_t entry_size; /* 4 or 8 bytes */
	struct pt_level level[PT_LEVELS_MAX + 1]; /* [1] .. [levels] */
};

extern const struct pt_format pt_x86_32;   /* 2 levels, PSE, PSE-36 */
extern const struct pt_format pt_x86_pae;  /* 3 levels; 4 PDPTEs on top */
extern const struct pt_format pt_x86_64;   /* 4 levels */
extern const struct pt_format pt_x86_la57; /* 5 levels */
extern const struct pt_format pt_ept;	   /* 4 levels, SDM 3C 28.3 */
extern const struct pt_format pt_npt;	   /* 4 levels, APM 2 15.25 */

/* VMMU_R.. that this entry grants by itself; 0 when it is absent. */
unsigned pt_entry_perms(const struct pt_level *l, uint64_t entry);
bool pt_entry_is_leaf(const struct pt_level *l, uint64_t entry);

/* A leaf for `addr` (aligned to the level's span) with these permissions. */
uint64_t pt_make_leaf(const struct pt_level *l, uint64_t addr, unsigned perms,
		      enum vmmu_memtype type);
/* An entry that refers to the table at `addr` and withholds nothing. */
uint64_t pt_make_table(const struct pt_level *l, uint64_t addr);
/* The machine (or guest-physical) address in a leaf, or in a table entry. */
uint64_t pt_leaf_addr(const struct pt_level *l, uint64_t leaf);
uint64_t pt_table_addr(const struct pt_level *l, uint64_t entry);
/* The same leaf with other permissions; all else is kept. */
uint64_t pt_set_perms(const struct pt_level *l, uint64_t leaf, unsigned perms);

/* Bytes that one entry of this level covers. */
static inline uint64_t pt_span(const struct pt_level *l)
{
	return UINT64_C(1) << l->shift;
}

#endif

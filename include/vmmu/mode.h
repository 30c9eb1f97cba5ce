/*
 * The paging mode: everything that CR0, CR3, CR4, EFER, PKRU, PKRS and the
 * guest's CPUID decide, computed once, so that a walk tests no register.
 */
#ifndef VMMU_MODE_H
#define VMMU_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>
#include <vmmu/format.h>

/* What the guest's CPUID tells it about paging. */
struct vmmu_features {
	uint8_t maxphyaddr; /* 32 .. 52 */
	bool pse36;
	bool nx;
	bool gib_pages;	       /* 1 GiB leaves in 4- and 5-level paging */
	bool pdptes_in_memory; /* PAE: read the PDPTEs on each walk, as AMD
				* does under nested paging, not from regs */
	/* Kernel and users of the guest are both in ring 3, with roots of
	 * their own: each entry is taken to have U. */
	bool ring_3;
};

/* The registers that decide, as the guest sees them. */
struct vmmu_regs {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pat;	   /* IA32_PAT */
	uint32_t pkru;	   /* protection keys of user pages */
	uint32_t pkrs;	   /* IA32_PKRS */
	uint64_t pdpte[4]; /* PAE: loaded with CR3, SDM 3A 4.4.1 */
};

#define VMMU_CR0_PE    (UINT64_C(1) << 0)
#define VMMU_CR0_WP    (UINT64_C(1) << 16)
#define VMMU_CR0_NW    (UINT64_C(1) << 29)
#define VMMU_CR0_CD    (UINT64_C(1) << 30)
#define VMMU_CR0_PG    (UINT64_C(1) << 31)
#define VMMU_CR4_PSE   (UINT64_C(1) << 4)
#define VMMU_CR4_PAE   (UINT64_C(1) << 5)
#define VMMU_CR4_PGE   (UINT64_C(1) << 7)
#define VMMU_CR4_LA57  (UINT64_C(1) << 12)
#define VMMU_CR4_PCIDE (UINT64_C(1) << 17)
#define VMMU_CR4_SMEP  (UINT64_C(1) << 20)
#define VMMU_CR4_SMAP  (UINT64_C(1) << 21)
#define VMMU_CR4_PKE   (UINT64_C(1) << 22)
#define VMMU_CR4_PKS   (UINT64_C(1) << 24)
#define VMMU_EFER_LME  (UINT64_C(1) << 8)
#define VMMU_EFER_LMA  (UINT64_C(1) << 10)
#define VMMU_EFER_NXE  (UINT64_C(1) << 11)

/* One level of the mode, derived from the format's row. */
struct vmmu_mode_level {
	uint8_t shift;
	uint16_t index_mask;
	uint64_t leaf_mask, leaf_value; /* never equal where no leaf may be */
	uint64_t reserved_table, reserved_leaf;
	uint64_t table_addr, leaf_addr;
	/* Of this level's entries: W, U, NX; 0 where they have none. */
	uint64_t rights;
	/* What must be clear in entry ^ flip of a leaf that needs nothing to
	 * be done, for [VMMU_W] a write, [0] any other access. */
	uint64_t plain_leaf[VMMU_W + 1];
};

struct vmmu_mode {
	const struct pt_format *format; /* NULL: paging is off, gva = gpa */
	struct vmmu_regs regs;		/* what this was computed from */
	struct vmmu_features features;
	uint8_t levels; /* level of the table that root refers to */
	uint8_t entry_size;
	uint8_t va_bits; /* 32, 48 or 57 */
	bool pdptes;	 /* PAE: start at regs.pdpte[gva >> 30] */
	bool pku, pks;	 /* protection keys are looked at */
	bool error_i;	 /* fetches set I in error codes: NXE or SMEP */
	uint64_t root;	 /* gpa of the root table: CR3's root_bits */
	uint64_t root_bits;
	uint64_t global; /* a leaf's G bit, where CR4.PGE is set */
	/* A gva is canonical when (gva + add) & mask is 0. */
	uint64_t canonical_add, canonical_mask;
	/* Bit p of forbids[a] is set when an access a is a fault on a page
	 * whose table entries together grant p. p: VMMU_RWXU set, 0 .. 15;
	 * a: the access shifted right by one (W X U IMPLICIT AC), 0 .. 31. */
	uint16_t forbids[32];
	struct vmmu_mode_level level[PT_LEVELS_MAX + 1];

	/* For the straight way down of long mode: lib/pt/gwalk.c. How many
	 * levels it goes, 0 where it is not to be taken. */
	uint8_t straight;
	/* Inverts the bits that grant, so that in entry ^ flip a set bit is
	 * one that withholds. */
	uint64_t flip;
	/* What must be clear in entry ^ flip of an entry to a table. */
	uint64_t plain_table;
	/* What an access is granted where the entries together withhold these
	 * bits: VMMU_R.., or 0 if it is forbidden. Bits 8:4 of the index: as in
	 * forbids[]; bits 3, 2, 0: U, W, X withheld. */
	uint8_t granted[32 * 16];
};

/* Computes all of *mode. Never fails: what the architecture would refuse on
 * the register write itself (#GP) is the caller's to refuse. */
void vmmu_mode_set(struct vmmu_mode *mode, const struct vmmu_regs *regs,
		   const struct vmmu_features *features);

/* The same mode with another CR3 (and PDPTEs, which only PAE looks at): what
 * a task switch changes, without computing the rest again. */
static inline void vmmu_mode_set_cr3(struct vmmu_mode *mode, uint64_t cr3)
{
	mode->regs.cr3 = cr3;
	mode->root = cr3 & mode->root_bits;
}

void vmmu_mode_set_root(struct vmmu_mode *mode, uint64_t cr3,
			const uint64_t pdpte[4]);

/* True when the gva is canonical in this mode (always, outside long mode). */
static inline bool vmmu_mode_canonical(const struct vmmu_mode *mode, gva_t gva)
{
	return !((gva.v + mode->canonical_add) & mode->canonical_mask);
}

/* PAE: true when no reserved bit is set in these four PDPTEs; loading CR3
 * with false is #GP: SDM 3A 4.4.1. */
bool vmmu_pdptes_valid(const struct vmmu_features *features,
		       const uint64_t pdpte[4]);

#endif

/*
 * The guest walk: gva -> gpa by the guest's own tables, as the processor
 * would do it, with accessed and dirty bits set and the exact error code.
 */
#ifndef VMMU_GWALK_H
#define VMMU_GWALK_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>
#include <vmmu/gmem.h>
#include <vmmu/mode.h>

enum vmmu_gwalk_status {
	VMMU_GWALK_OK,
	VMMU_GWALK_FAULT,	  /* the guest's tables forbid: error_code */
	VMMU_GWALK_NON_CANONICAL, /* #GP or #SS, not #PF */
	VMMU_GWALK_NO_SLOT,	  /* a table lies where no memory is: table */
	VMMU_GWALK_READ_ONLY,	  /* A/D to be set in a read-only slot: table */
	VMMU_GWALK_NOT_NOW,	  /* the host asks to retry */
	VMMU_GWALK_NONE,	  /* the host has no memory */
};

/* Set in `flags`: read only, set neither A nor D (a debugger's look). */
#define VMMU_GWALK_PEEK 0x1u
/* With PEEK: an entry on the way whose A is clear ends the walk: NOT_NOW. What
 * it answers may therefore be cached without setting anything. */
#define VMMU_GWALK_SETTLED 0x2u

struct vmmu_gwalk {
	gpa_t gpa;	    /* of the byte at gva, when OK */
	gpa_t table;	    /* of the entry the walk ended at */
	uint64_t entry;	    /* with OK and FAULT: that entry, A/D as now set */
	uint8_t level;	    /* its level; 0: paging is off */
	uint8_t page_shift; /* log2 of the page's size: 12, 21, 22, 30 */
	uint8_t pkey;
	uint8_t perms;	     /* VMMU_RWXU that all levels grant together */
	bool dirty;	     /* the leaf's D is set */
	bool global;	     /* the leaf's G is set and CR4.PGE too */
	uint32_t error_code; /* VMMU_PF_*, with FAULT */
	/* [l]: the table that was read at level l, for the levels from the
	 * root's down to `level`; the others are left as they were. */
	gpa_t tables[PT_LEVELS_MAX + 1];
};

/* Walks for one access. The TLB's freedom is the caller's: this reads memory
 * anew each time. A and D are set by compare-and-swap, as SDM 3A 4.8 says: A
 * in each entry that refers to a table as soon as it was used, as hardware
 * does, so also when the access turns out to be forbidden; A, and D for a
 * write, in the entry that maps the page only when the access is allowed. If
 * an entry changes under the swap the walk starts again; if that goes on and
 * on, NOT_NOW. */
enum vmmu_gwalk_status vmmu_gwalk(struct vmmu_gmem *mem,
				  const struct vmmu_mode *mode, gva_t gva,
				  unsigned access, unsigned flags,
				  struct vmmu_gwalk *walk);

/* The effective type of a guest access from its PAT type and the MTRR type
 * of the range: SDM 3A table 11-7. */
enum vmmu_memtype vmmu_memtype_combine(enum vmmu_memtype pat,
				       enum vmmu_memtype mtrr);
/* The PAT type that this leaf selects in this mode. */
enum vmmu_memtype vmmu_memtype_of_leaf(const struct vmmu_mode *mode,
				       unsigned level, uint64_t leaf);

/* The MTRRs as the guest wrote them: SDM 3A 11.11. */
struct vmmu_mtrrs {
	uint64_t def_type;  /* IA32_MTRR_DEF_TYPE */
	uint64_t fixed[11]; /* 64K, 16K x2, 4K x8, in MSR order */
	uint64_t base[8], mask[8];
	uint8_t variable_count;
	uint8_t maxphyaddr;
};
enum vmmu_memtype vmmu_mtrr_type(const struct vmmu_mtrrs *m, gpa_t gpa);

#endif

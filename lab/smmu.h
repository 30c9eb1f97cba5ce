/*
 * A software MMU, written from the manuals and sharing nothing with lib/pt:
 * one function for each paging structure of each mode, each a transcription
 * of one figure, calling the function of the structure below it.
 *
 *   smmu_legacy.c  32-bit paging            SDM 3A 4.3
 *   smmu_pae.c     PAE paging               SDM 3A 4.4
 *   smmu_long.c    4-level, 5-level paging  SDM 3A 4.5
 *   rights.c       access rights, keys, error code   SDM 3A 4.6, 4.7
 *   smmu.c         which of them; accessed and dirty flags   SDM 3A 4.1, 4.8
 *
 * It is the oracle that the library's walker is judged by, and the guest
 * dimension of the two-dimensional walk (twodim.h). Slow, and meant to be
 * read beside the manual.
 */
#ifndef LAB_SMMU_H
#define LAB_SMMU_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>

/* What the processor's registers and CPUID say about paging. */
struct smmu_regs {
	uint64_t cr0, cr3, cr4, efer;
	uint32_t pkru, pkrs;
	uint64_t pdpte[4]; /* the PDPTE registers, SDM 3A 4.4.1 */
	unsigned maxphyaddr;
	bool has_pse36, has_nx, has_1g;
	/* AMD under nested paging: PDPTEs are memory, not registers. */
	bool pdpte_in_memory;
};

enum smmu_mem_status {
	SMMU_MEM_OK,
	SMMU_MEM_NONE,	    /* nothing there, or the dimension below stops */
	SMMU_MEM_READ_ONLY, /* swap: may not be written */
	SMMU_MEM_CHANGED,   /* swap: the old value is not there any more */
};

/* Guest-physical memory. Entries are 4 or 8 bytes, aligned. */
struct smmu_mem {
	enum smmu_mem_status (*load)(void *ctx, gpa_t gpa, unsigned size,
				     uint64_t *value);
	enum smmu_mem_status (*swap)(void *ctx, gpa_t gpa, unsigned size,
				     uint64_t old, uint64_t now);
	void *ctx;
};

enum smmu_outcome {
	SMMU_OK,
	SMMU_FAULT,	    /* #PF with `error` */
	SMMU_NON_CANONICAL, /* #GP or #SS */
	SMMU_STOPPED,	    /* memory said no at `entry_gpa`: `why` */
};

struct smmu_used {
	gpa_t gpa;
	uint64_t value;
	unsigned size;	/* bytes */
	bool has_flags; /* PDPTEs of PAE paging have no accessed flag */
};

struct smmu_result {
	enum smmu_outcome outcome;
	enum smmu_mem_status why;
	gpa_t entry_gpa; /* the entry that the walk ended at */
	uint32_t error;
	/* The translation, complete when OK (and for faults on rights). */
	gpa_t gpa;
	unsigned page_shift;
	bool write, user, exec; /* all entries together */
	bool global, dirty;
	unsigned key;
	/* The entries used, root first. */
	struct smmu_used used[5];
	unsigned used_count;
};

#define SMMU_UPDATE 0x1u /* set accessed and dirty flags */

/* One access: exactly one of VMMU_R, W, X, with U, IMPLICIT, AC. */
void smmu_access(const struct smmu_regs *regs, const struct smmu_mem *mem,
		 gva_t gva, unsigned access, unsigned flags,
		 struct smmu_result *out);

/* SDM 3A 4.6: 0 when `page` (its write, user, exec, key) allows the access,
 * else the #PF error code. Also what a TLB hit is checked with. */
uint32_t smmu_rights(const struct smmu_regs *regs,
		     const struct smmu_result *page, unsigned access);

#endif

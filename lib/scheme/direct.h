/*
 * What the files of the scheme `direct` share.
 *
 *   direct.c           the scheme's events, birth and death
 *   direct_frames.c    owners: give, share, release, p2m and m2p
 *   direct_type.c      types and their counts: get, put, change, settle
 *   direct_leaf.h      the same for a leaf's page, inline
 *   direct_table.c     promote and demote of one table
 *   direct_segments.c  of a page of segment descriptors
 *   direct_update.c    changes of single entries
 *   direct_trap.c      writes to read-only L1 tables
 *   direct_root.c      pin, unpin, the roots of vCPUs
 *   direct_walk.c      the guest's tables as hardware walks them
 *   direct_audit.c     the counts, worked out anew
 *
 * Every public operation begins with direct_begin, which takes doomed tables
 * apart, and ends with direct_end, which counts refusals.
 */
#ifndef LIB_SCHEME_DIRECT_H
#define LIB_SCHEME_DIRECT_H

#include <stddef.h>

#include <vmmu/direct.h>

#include "scheme/vm_events.h"

#define ENTRY_P	 UINT64_C(0x001)
#define ENTRY_W	 UINT64_C(0x002)
#define ENTRY_U	 UINT64_C(0x004)
#define ENTRY_A	 UINT64_C(0x020)
#define ENTRY_D	 UINT64_C(0x040)
#define ENTRY_G	 UINT64_C(0x100)
#define ENTRY_NX (UINT64_C(1) << 63)
/* The frame's address, however wide the processor's is: what lies above its
 * width is refused as a bit that may not be set. */
#define ENTRY_ADDR UINT64_C(0x000ffffffffff000)

#define ENTRIES	    512u
#define ENTRY_SHIFT 3

/* The budget of operations that are given none: they only have to go on with
 * what earlier ones left. */
#define DIRECT_SLICE 4096u

static inline uint64_t entry_frame(uint64_t entry)
{
	return (entry & ENTRY_ADDR) >> VMMU_PAGE_SHIFT;
}

/* NULL: not the VM's. Refused before anything else of it is looked at. */
static inline struct vmmu_frame *direct_own(const struct vmmu_direct_vm *d,
					    uint64_t hfn)
{
	uint64_t i = hfn - d->table.first;

	if (i >= d->table.count || d->table.frame[i].owner != d->config.owner)
		return NULL;
	return &d->table.frame[i];
}

/* In use as this type now, and checked. */
static inline bool direct_is(const struct vmmu_frame *f, unsigned type)
{
	return f->type == type && f->flags & VMMU_FRAME_VALIDATED;
}

/* Of a frame that an entry refers to which was checked before. */
static inline struct vmmu_frame *direct_frame(const struct vmmu_direct_vm *d,
					      uint64_t hfn)
{
	return &d->table.frame[hfn - d->table.first];
}

/* Where an entry of a frame of the table is: at is its hpa. */
static inline uint64_t *direct_slot(const struct vmmu_direct_vm *d, uint64_t at)
{
	return (uint64_t *)(d->bias + (uintptr_t)at);
}

static inline uint64_t *direct_entries(const struct vmmu_direct_vm *d,
				       uint64_t hfn)
{
	return direct_slot(d, hfn << VMMU_PAGE_SHIFT);
}

static inline uint64_t direct_hfn(const struct vmmu_direct_vm *d,
				  const struct vmmu_frame *f)
{
	return d->table.first + (uint64_t)(f - d->table.frame);
}

static inline uint64_t entry_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static inline void entry_store(uint64_t *slot, uint64_t entry)
{
	__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

static inline bool direct_is_table(unsigned type)
{
	return type >= VMMU_FRAME_L1 && type <= VMMU_FRAME_L4;
}

/* The hypervisor's own slot of an L4. */
static inline bool direct_is_ours(const struct vmmu_direct_vm *d,
				  unsigned level, unsigned index)
{
	return level == 4 &&
	       index - d->config.slot_first < (unsigned)d->config.slot_count;
}

/* 1. Budgets. */

static inline bool direct_spent(const uint32_t *budget)
{
	return budget && !*budget;
}

static inline void direct_spend(uint32_t *budget, uint32_t entries)
{
	if (budget)
		*budget -= *budget < entries ? *budget : entries;
}

/* 2. Beginning and end of an operation. */

/* False: AGAIN, the budget went into what is left of earlier ones. */
bool direct_settle(struct vmmu_direct_vm *d, uint32_t *budget);

static inline bool direct_begin(struct vmmu_direct_vm *d, uint32_t *budget)
{
	return __builtin_expect(!d->doomed_count, 1) ||
	       direct_settle(d, budget);
}

enum vmmu_direct_status direct_refused(struct vmmu_direct_vm *d,
				       enum vmmu_direct_status status,
				       uint32_t *budget);

static inline enum vmmu_direct_status direct_end(struct vmmu_direct_vm *d,
						 enum vmmu_direct_status status,
						 uint32_t *budget)
{
	return __builtin_expect(status == VMMU_DIRECT_OK, 1)
		       ? status
		       : direct_refused(d, status, budget);
}

/* 3. Types. */

/* One more use that needs the type: promoted or changed as necessary. */
enum vmmu_direct_status direct_get_type(struct vmmu_direct_vm *d, uint64_t hfn,
					unsigned type, uint32_t *budget);
/* One less. A table that no one needs is taken apart, what the budget does not
 * cover later. */
void direct_put_type(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		     uint32_t *budget);
/* The same where the use was no way for hardware to come here: a pin. */
void direct_put_pin(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		    uint32_t *budget);
/* A use that needs no type. */
enum vmmu_direct_status direct_get_any(struct vmmu_direct_vm *d, uint64_t hfn);
void direct_put_any(struct vmmu_direct_vm *d, struct vmmu_frame *f);

/* No translation of before is used by any of the VM's processors. */
void direct_flush(struct vmmu_direct_vm *d);

/* All checked and counted: OK, AGAIN with PARTIAL set, or a refusal: then
 * nothing is left of it, or PARTIAL is set and the frame is doomed. */
enum vmmu_direct_status direct_promote(struct vmmu_direct_vm *d,
				       struct vmmu_frame *f, uint32_t *budget);
/* Gives up all that the table refers to. False: PARTIAL, call again. */
bool direct_demote(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		   uint32_t *budget);
void direct_doom(struct vmmu_direct_vm *d, const struct vmmu_frame *f);

/* Checks all of a page of descriptors, and gives them DPL 3. */
enum vmmu_direct_status direct_segments_check(uint64_t *page);

/* 4. Entries. */

enum vmmu_direct_status direct_machphys(struct vmmu_direct_vm *d, uint64_t hfn,
					uint64_t gfn);
/* 5. The audit: I1, I2 and I5 for all tables of the VM. */
uint32_t direct_audit(struct vmmu_vm *vm, const struct vmmu_audit_sink *sink);

#endif

/*
 * Memory slots: which ranges of guest-physical memory exist, and which host
 * virtual memory backs them. The semantics of KVM_SET_USER_MEMORY_REGION:
 *
 *   new id, size > 0        add
 *   known id, size 0        delete
 *   known id, other gpa     move (same size)
 *   known id, other flags   change flags
 *
 *   gpa -> hva:  hva = slot.hva + (gpa - slot.gpa)
 *
 * Ranges never overlap. The arrays are the client's; nothing is allocated.
 * This code knows nothing of page tables: those who keep derived entries
 * listen.
 */
#ifndef VMMU_SLOTS_H
#define VMMU_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmmu/addr.h>

#define VMMU_SLOT_LOG_DIRTY 0x1u /* as KVM_MEM_LOG_DIRTY_PAGES */
#define VMMU_SLOT_READ_ONLY 0x2u /* as KVM_MEM_READONLY */

struct vmmu_slot {
	uint32_t id;
	uint32_t flags;
	gpa_t gpa;	 /* 4 KiB-aligned */
	uint64_t size;	 /* bytes, a multiple of 4 KiB */
	hva_t hva;	 /* 4 KiB-aligned */
	uint64_t *dirty; /* one bit a page, the client's memory; needed with
			  * VMMU_SLOT_LOG_DIRTY, else NULL */
};

enum vmmu_slot_error {
	VMMU_SLOT_OK,
	VMMU_SLOT_MISALIGNED,	/* gpa, size or hva not 4 KiB-aligned */
	VMMU_SLOT_WRAPS,	/* gpa + size or hva + size passes the end */
	VMMU_SLOT_OVERLAPS,	/* another slot has part of the range */
	VMMU_SLOT_FULL,		/* the client's array has no room */
	VMMU_SLOT_BAD_FLAGS,	/* a flag this library does not know */
	VMMU_SLOT_NO_BITMAP,	/* log-dirty asked for, no bitmap given */
	VMMU_SLOT_NOT_FOUND,	/* deleting an id that does not exist */
	VMMU_SLOT_SIZE_CHANGED, /* a known id keeps its size and hva */
};

/* "slot ranges overlap", ...: a fragment for the caller's message. */
const char *vmmu_slot_error_name(enum vmmu_slot_error e);

/* What a change does: `old` is NULL for add, `now` NULL for delete. */
struct vmmu_slot_change {
	const struct vmmu_slot *old;
	const struct vmmu_slot *now;
};

/* Told of every change, in order of registration; memory is the caller's.
 * `before` runs while the old slot is still in force, `after` when the new
 * one is. Either may be NULL. */
struct vmmu_slot_listener {
	void (*before)(void *ctx, const struct vmmu_slot_change *change);
	void (*after)(void *ctx, const struct vmmu_slot_change *change);
	void *ctx;
	struct vmmu_slot_listener *next; /* the library's */
};

struct vmmu_slots {
	/* Sorted by gpa; the client's array. From slot[count] up to the next
	 * power of two lie empty slots at the highest gpa. */
	struct vmmu_slot *slot;
	uint32_t count;
	uint32_t capacity;
	/* The search among so many slots: lib/mem/slots_search.c. The answer
	 * is the only slot that can hold the gpa; does it? */
	const struct vmmu_slot *(*nearest)(const struct vmmu_slots *s,
					   uint64_t gpa);
	uint64_t generation; /* goes up with every change */
	struct vmmu_slot_listener *listeners;
};

/* An empty set over the client's array of `capacity` slots, at least one. A
 * capacity that is not a power of two is rounded down to one. */
void vmmu_slots_init(struct vmmu_slots *s, struct vmmu_slot *slot,
		     uint32_t capacity);

void vmmu_slots_listen(struct vmmu_slots *s, struct vmmu_slot_listener *l);

/* Adds, deletes, moves or re-flags, as KVM_SET_USER_MEMORY_REGION would.
 * On error nothing has changed and no listener was called. */
enum vmmu_slot_error vmmu_slots_set(struct vmmu_slots *s,
				    const struct vmmu_slot *want);

/* The slot that holds this frame, or NULL: no memory there (MMIO). As in
 * gfn_gpa, a frame number has 52 bits. The last question is inline because
 * vmmu_slot_hva begins with the same subtraction. */
static inline const struct vmmu_slot *vmmu_slots_find(
	const struct vmmu_slots *s, gfn_t gfn)
{
	uint64_t gpa = gfn_gpa(gfn).v;
	const struct vmmu_slot *slot = s->nearest(s, gpa);

	return gpa - slot->gpa.v < slot->size ? slot : NULL;
}

/* The slot with this id, or NULL. */
const struct vmmu_slot *vmmu_slots_by_id(const struct vmmu_slots *s,
					 uint32_t id);

static inline hva_t vmmu_slot_hva(const struct vmmu_slot *slot, gpa_t gpa)
{
	return mk_hva(slot->hva.v + (gpa.v - slot->gpa.v));
}

/* Sets the page's bit if the slot logs. Atomic: vCPUs share the bitmap. */
void vmmu_slot_mark_dirty(const struct vmmu_slot *slot, gfn_t gfn);

#endif

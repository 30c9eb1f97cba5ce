/*
 * The pages that L1 entries map: checked, counted, given up. Inline, because
 * a guest changes hundreds of entries to make one process.
 *
 *   entry                     what the page needs
 *   absent                    nothing
 *   present, not writable     to be the VM's own: total_count
 *   present, writable         besides, to be WRITABLE or SHARED: type_count
 *
 * A page's last type stays with it at a count of zero, so that a page which
 * is mapped, unmapped and mapped again as what it was needs no flush.
 */
#ifndef LIB_SCHEME_DIRECT_LEAF_H
#define LIB_SCHEME_DIRECT_LEAF_H

#include "scheme/direct.h"

/* What is really written for the guest's entry. See kernel_leaf in direct.h of
 * the interface. */
static inline uint64_t leaf_adjust(const struct vmmu_direct_vm *d,
				   uint64_t entry)
{
	uint64_t kernel = d->config.kernel_leaf, user = d->config.user_leaf;

	if (!(entry & ENTRY_U) || entry & kernel)
		return (entry & ~user) | ENTRY_U | kernel;
	return entry | user;
}

/* L1TF: the processor may look an absent entry's address up in its cache. */
static inline bool leaf_absent_ok(const struct vmmu_direct_vm *d,
				  uint64_t entry)
{
	uint64_t addr = entry & ENTRY_ADDR;

	return !addr || addr >= d->config.absent_limit;
}

/* The page of a present entry is used once more. Not every caller has to see
 * a page through that is something else so far: one that does not needs no
 * registers saved for a call. */
static inline __attribute__((always_inline)) enum vmmu_direct_status leaf_get(
	struct vmmu_direct_vm *d, uint64_t entry, bool change_type)
{
	uint64_t hfn = entry_frame(entry);
	struct vmmu_frame *f = direct_own(d, hfn);

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (entry & ENTRY_W) {
		if (__builtin_expect(f->type < VMMU_FRAME_WRITABLE, 0))
			return change_type
				       ? direct_get_type(d, hfn,
							 VMMU_FRAME_WRITABLE,
							 NULL)
				       : VMMU_DIRECT_TYPE;
		if (f->total_count >= d->table.count_limit)
			return VMMU_DIRECT_COUNT;
		f->type_count++;
	} else if (f->total_count >= d->table.count_limit) {
		return VMMU_DIRECT_COUNT;
	}
	f->total_count++;
	return VMMU_DIRECT_OK;
}

static inline void leaf_put(struct vmmu_direct_vm *d, uint64_t entry)
{
	struct vmmu_frame *f = direct_frame(d, entry_frame(entry));

	f->total_count--;
	if (entry & ENTRY_W && !--f->type_count)
		f->mark = d->epoch;
	else if (!f->total_count && !(f->flags & VMMU_FRAME_PARTIAL))
		f->mark = d->epoch;
}

/* What two leaves must have in common for their uses to be the same. */
#define LEAF_USE (ENTRY_P | ENTRY_W | ENTRY_ADDR)

/* Writes an entry whose uses are got; to keep A and D is to take them as
 * hardware has them at that very moment. */
static inline void entry_put(uint64_t *slot, uint64_t old, uint64_t entry,
			     bool keep_ad)
{
	uint64_t keep = ENTRY_A | ENTRY_D;

	if (__builtin_expect(!keep_ad, 1) || !(old & entry & ENTRY_P)) {
		entry_store(slot, entry);
		return;
	}
	while (!__atomic_compare_exchange_n(slot, &old, entry | (old & keep),
					    false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED))
		;
}

/* Only the right to write differs: no use begins or ends but that one. */
static inline bool leaf_is_same_page(uint64_t old, uint64_t entry)
{
	return (old & ENTRY_P) && !((old ^ entry) & (ENTRY_P | ENTRY_ADDR));
}

static inline void leaf_put_write(struct vmmu_direct_vm *d, uint64_t entry)
{
	struct vmmu_frame *f = direct_frame(d, entry_frame(entry));

	if (!--f->type_count)
		f->mark = d->epoch;
}

/* As leaf_get does for one that is mapped: type_count stays within
 * total_count, which is within its limit. False: it has another type. */
static inline bool leaf_get_write(const struct vmmu_direct_vm *d,
				  uint64_t entry)
{
	struct vmmu_frame *f = direct_frame(d, entry_frame(entry));

	if (f->type < VMMU_FRAME_WRITABLE)
		return false;
	f->type_count++;
	return true;
}

/* What the guest wrote becomes what is really written, and its page is got:
 * OK, or nothing has changed. */
static inline __attribute__((always_inline)) enum vmmu_direct_status leaf_take(
	struct vmmu_direct_vm *d, uint64_t *value, bool change_type)
{
	if (!(*value & ENTRY_P))
		return leaf_absent_ok(d, *value) ? VMMU_DIRECT_OK
						 : VMMU_DIRECT_BITS;
	*value = leaf_adjust(d, *value);
	return *value & d->leaf_bad ? VMMU_DIRECT_BITS
				    : leaf_get(d, *value, change_type);
}

/* An entry whose page is got takes the place of *old, whose page is put.
 * False: another is there by now, in *old; the page is put again. */
static inline bool leaf_exchange(struct vmmu_direct_vm *d, uint64_t *slot,
				 uint64_t *old, uint64_t entry)
{
	uint64_t gone = *old;
	bool done = __atomic_compare_exchange_n(
		slot, old, entry, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);

	if (!done)
		gone = entry;
	if (gone & ENTRY_P)
		leaf_put(d, gone);
	return done;
}

/* The L1 entry at *slot becomes value; its frame is a validated L1. */
static inline __attribute__((always_inline)) enum vmmu_direct_status
leaf_update(struct vmmu_direct_vm *d, uint64_t *slot, uint64_t value,
	    bool keep_ad, bool change_type)
{
	uint64_t old = entry_load(slot);
	enum vmmu_direct_status s;

	if (value & ENTRY_P) {
		value = leaf_adjust(d, value);
		if (value & d->leaf_bad)
			return VMMU_DIRECT_BITS;
		if (!old) {
			s = leaf_get(d, value, change_type);
			if (s == VMMU_DIRECT_OK)
				entry_store(slot, value);
			return s;
		}
		if (!((old ^ value) & LEAF_USE)) {
			entry_put(slot, old, value, keep_ad);
			return VMMU_DIRECT_OK;
		}
		if (leaf_is_same_page(old, value) &&
		    (old & ENTRY_W || leaf_get_write(d, value))) {
			entry_put(slot, old, value, keep_ad);
			if (old & ENTRY_W)
				leaf_put_write(d, old);
			return VMMU_DIRECT_OK;
		}
		s = leaf_get(d, value, change_type);
		if (__builtin_expect(s != VMMU_DIRECT_OK, 0))
			return s;
	} else if (!leaf_absent_ok(d, value)) {
		return VMMU_DIRECT_BITS;
	}
	entry_put(slot, old, value, keep_ad);
	if (old & ENTRY_P)
		leaf_put(d, old);
	return VMMU_DIRECT_OK;
}

_Static_assert(VMMU_FRAME_WRITABLE + 1 == VMMU_FRAME_SHARED &&
		       VMMU_FRAME_SHARED + 1 == VMMU_FRAME_TYPES,
	       "types from WRITABLE on are those that may be mapped writable");

#endif

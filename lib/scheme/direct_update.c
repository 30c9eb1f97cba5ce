/*
 * Changes of single entries: decode, which may fail, then perform, which
 * cannot.
 *
 *   decode    the entry's frame is the VM's; the new entry has no bit that it
 *             may not have; what it refers to is got, with the type it needs
 *   perform   the entry is written; what the old one referred to is put
 *
 * Between the two only hardware can write the entry, and only A and D: no
 * processor has a writable mapping of a table, and calls on one VM are
 * serialised. So what the old entry refers to is still what was read.
 *
 * An entry that refers to the same page with the same right to write needs
 * nothing got and nothing put: the most frequent case, after making a page
 * present and taking it away.
 */
#include "scheme/direct_leaf.h"

/* What two links must have in common for their uses to be the same. */
#define LINK_USE (ENTRY_P | ENTRY_ADDR)

/* 1. L2, L3, L4. */

static enum vmmu_direct_status link_update(struct vmmu_direct_vm *d,
					   unsigned level, uint64_t *slot,
					   uint64_t value, bool keep_ad,
					   uint32_t *budget)
{
	unsigned index = (unsigned)((uintptr_t)slot & VMMU_PAGE_MASK) >>
			 ENTRY_SHIFT;
	uint64_t old = entry_load(slot);
	bool other = true;

	if (direct_is_ours(d, level, index))
		return VMMU_DIRECT_SLOT;
	if (value & ENTRY_P) {
		enum vmmu_direct_status s = VMMU_DIRECT_OK;

		if (value & d->link_bad)
			return VMMU_DIRECT_BITS;
		value |= ENTRY_U;
		other = (old ^ value) & LINK_USE;
		if (other)
			s = direct_get_type(d, entry_frame(value), level - 1,
					    budget);
		if (s != VMMU_DIRECT_OK)
			return s;
	} else if (!leaf_absent_ok(d, value)) {
		return VMMU_DIRECT_BITS;
	}
	entry_put(slot, old, value, keep_ad);
	d->links++;
	if (other && old & ENTRY_P)
		direct_put_type(d, direct_frame(d, entry_frame(old)), budget);
	return VMMU_DIRECT_OK;
}

/* 2. What is no table: a guest prepares tables before it links them. */

/* Where the type changes, the use is put without a mark: no processor came to
 * have a translation by it. */
static enum vmmu_direct_status data_update(struct vmmu_direct_vm *d,
					   struct vmmu_frame *f, uint64_t *slot,
					   uint64_t value)
{
	if (f->type < VMMU_FRAME_WRITABLE) {
		enum vmmu_direct_status s;

		s = direct_get_type(d, direct_hfn(d, f), VMMU_FRAME_WRITABLE,
				    NULL);
		if (s != VMMU_DIRECT_OK)
			return s;
		direct_put_pin(d, f, NULL);
	}
	entry_store(slot, value);
	return VMMU_DIRECT_OK;
}

/* 3. Any entry. */

static __attribute__((noinline)) enum vmmu_direct_status update_other(
	struct vmmu_direct_vm *d, const struct vmmu_direct_update *u,
	struct vmmu_frame *f, uint64_t *slot, uint32_t *budget)
{
	bool keep_ad = u->how == VMMU_DIRECT_PRESERVE_AD;

	if (direct_is_table(f->type) && direct_is(f, f->type)) {
		d->stats.update_level[f->type]++;
		return link_update(d, f->type, slot, u->value, keep_ad, budget);
	}
	d->stats.update_level[0]++;
	return data_update(d, f, slot, u->value);
}

/* Inline, and first an L1 entry, then one of a page that is to be a table and
 * still is writable: together nearly all that a guest asks for. */
static inline enum vmmu_direct_status update(struct vmmu_direct_vm *d,
					     const struct vmmu_direct_update *u,
					     uint32_t *budget)
{
	uint64_t hfn = hpa_hfn(u->at).v;
	struct vmmu_frame *f = direct_own(d, hfn);
	bool keep_ad = u->how == VMMU_DIRECT_PRESERVE_AD;
	uint64_t *slot;

	if (u->how == VMMU_DIRECT_MACHPHYS)
		return direct_machphys(d, hfn, u->value);
	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (u->at.v % sizeof(*slot))
		return VMMU_DIRECT_ADDRESS;
	slot = direct_slot(d, u->at.v);
	d->stats.preserve_ad += keep_ad;
	if (direct_is(f, VMMU_FRAME_L1)) {
		d->stats.update_level[1]++;
		return leaf_update(d, slot, u->value, keep_ad, true);
	}
	if (f->type < VMMU_FRAME_WRITABLE)
		return update_other(d, u, f, slot, budget);
	d->stats.update_level[0]++;
	entry_store(slot, u->value);
	return VMMU_DIRECT_OK;
}

/* Apart, so that what is no table needs no registers saved. */
static __attribute__((noinline)) bool quick_leaf(struct vmmu_direct_vm *d,
						 uint64_t *slot, uint64_t value,
						 bool keep_ad)
{
	if (leaf_update(d, slot, value, keep_ad, false) != VMMU_DIRECT_OK)
		return false;
	d->stats.update_single++;
	d->stats.update_level[1]++;
	d->stats.preserve_ad += keep_ad;
	return true;
}

bool vmmu_direct_update_quick(struct vmmu_vm *vm, uint64_t at, uint64_t value,
			      bool keep_ad)
{
	struct vmmu_direct_vm *d = vm->direct;
	const struct vmmu_frame *f = direct_own(d, at >> VMMU_PAGE_SHIFT);
	uint64_t *slot = direct_slot(d, at);

	if (!f || d->doomed_count || at % sizeof(*slot))
		return false;
	if (direct_is(f, VMMU_FRAME_L1))
		return quick_leaf(d, slot, value, keep_ad);
	if (f->type < VMMU_FRAME_WRITABLE)
		return false;
	entry_store(slot, value);
	d->stats.update_single++;
	d->stats.update_level[0]++;
	d->stats.preserve_ad += keep_ad;
	return true;
}

enum vmmu_direct_status vmmu_direct_update(struct vmmu_cpu *cpu,
					   const struct vmmu_direct_update *u,
					   uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	d->stats.update_single++;
	return direct_end(d, update(d, u, budget), budget);
}

enum vmmu_direct_status vmmu_direct_update_batch(
	struct vmmu_cpu *cpu, const struct vmmu_direct_update *u,
	uint32_t count, uint32_t *done, uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	enum vmmu_direct_status s = VMMU_DIRECT_OK;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (!direct_begin(d, budget) || direct_spent(budget))
			s = VMMU_DIRECT_AGAIN;
		else
			s = update(d, &u[i], budget);
		if (s != VMMU_DIRECT_OK)
			break;
		direct_spend(budget, 1);
	}
	*done = i;
	d->stats.update_batched += i;
	return direct_end(d, s, budget);
}

/* 4. Descriptors. */

static enum vmmu_direct_status descriptor(struct vmmu_direct_vm *d, hpa_t at,
					  uint64_t value)
{
	struct vmmu_frame *f = direct_own(d, hpa_hfn(at).v);
	uint64_t *slot;

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (at.v % sizeof(*slot))
		return VMMU_DIRECT_ADDRESS;
	if (!vmmu_direct_segment_ok(&value))
		return VMMU_DIRECT_BITS;
	slot = direct_slot(d, at.v);
	d->stats.descriptors++;
	if (!direct_is(f, VMMU_FRAME_SEGMENTS))
		return data_update(d, f, slot, value);
	entry_store(slot, value);
	return VMMU_DIRECT_OK;
}

enum vmmu_direct_status vmmu_direct_descriptor(struct vmmu_cpu *cpu, hpa_t at,
					       uint64_t value)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint32_t slice = DIRECT_SLICE;

	if (!direct_begin(d, &slice))
		return direct_end(d, VMMU_DIRECT_AGAIN, &slice);
	return direct_end(d, descriptor(d, at, value), NULL);
}

/*
 * The types of frames and their counts.
 *
 *                get_type                        put_type
 *   type_count 0 ───────► promote ──► count 1..n ───────► 0: demote
 *        │                   │                               │
 *   another type:            └── refused: undone             └── the type
 *   only at count 0                                              stays, unused
 *
 * 1. While type_count is not zero the type cannot change. A promotion counts
 *    itself first, so that a table which refers to itself meets a frame in
 *    use, of the wrong level.
 * 2. A processor may remember a translation through a use that was given up:
 *    f->mark is the VM's epoch at that moment, and a change of type in the
 *    same epoch flushes. So a page that was writable cannot be written behind
 *    the back of its validation, and a table that was taken apart cannot be
 *    walked once it can be written (SDM 3A 4.10.4.3, paging-structure caches).
 * 3. A table is taken apart within the budget of the operation that gave it
 *    up. What is left is doomed: later operations go on first with that.
 */
#include "scheme/direct.h"

void direct_flush(struct vmmu_direct_vm *d)
{
	vm_flush_all(d->vm);
	d->epoch++;
}

void vmmu_direct_flushed(struct vmmu_vm *vm)
{
	vm->direct->epoch++;
}

/* 1. One more. */

/* The frame is not of this type now. */
static enum vmmu_direct_status change_type(struct vmmu_direct_vm *d,
					   struct vmmu_frame *f, unsigned type)
{
	if (f->type_count || f->flags & VMMU_FRAME_PARTIAL ||
	    f->type == VMMU_FRAME_SHARED)
		return VMMU_DIRECT_TYPE;
	if (f->type != VMMU_FRAME_NONE && f->mark == d->epoch) {
		d->stats.type_flush++;
		direct_flush(d);
	}
	f->type = (uint8_t)type;
	f->flags = type == VMMU_FRAME_WRITABLE ? VMMU_FRAME_VALIDATED : 0;
	return VMMU_DIRECT_OK;
}

static bool is_of(const struct vmmu_frame *f, unsigned type)
{
	return f->type == type ||
	       (type == VMMU_FRAME_WRITABLE && f->type == VMMU_FRAME_SHARED);
}

enum vmmu_direct_status direct_get_type(struct vmmu_direct_vm *d, uint64_t hfn,
					unsigned type, uint32_t *budget)
{
	struct vmmu_frame *f = direct_own(d, hfn);
	enum vmmu_direct_status s = VMMU_DIRECT_OK;

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (f->total_count >= d->table.count_limit)
		return VMMU_DIRECT_COUNT;
	if (!is_of(f, type))
		s = change_type(d, f, type);
	if (s != VMMU_DIRECT_OK)
		return s;
	f->type_count++;
	f->total_count++;
	if (f->flags & VMMU_FRAME_VALIDATED)
		return VMMU_DIRECT_OK;
	s = direct_promote(d, f, budget);
	if (s != VMMU_DIRECT_OK) {
		f->type_count--;
		f->total_count--;
	}
	return s;
}

enum vmmu_direct_status direct_get_any(struct vmmu_direct_vm *d, uint64_t hfn)
{
	struct vmmu_frame *f = direct_own(d, hfn);

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (f->total_count >= d->table.count_limit)
		return VMMU_DIRECT_COUNT;
	f->total_count++;
	return VMMU_DIRECT_OK;
}

/* 2. One less. */

void direct_put_any(struct vmmu_direct_vm *d, struct vmmu_frame *f)
{
	if (!--f->total_count && !(f->flags & VMMU_FRAME_PARTIAL))
		f->mark = d->epoch;
}

void direct_put_pin(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		    uint32_t *budget)
{
	f->total_count--;
	if (--f->type_count || f->type >= VMMU_FRAME_WRITABLE)
		return;
	if (!direct_demote(d, f, budget))
		direct_doom(d, f);
}

void direct_put_type(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		     uint32_t *budget)
{
	f->mark = d->epoch;
	direct_put_pin(d, f, budget);
}

/* 3. What is left over. */

void direct_doom(struct vmmu_direct_vm *d, const struct vmmu_frame *f)
{
	d->doomed[d->doomed_count++] = direct_hfn(d, f);
}

bool direct_settle(struct vmmu_direct_vm *d, uint32_t *budget)
{
	while (d->doomed_count) {
		uint64_t hfn = d->doomed[d->doomed_count - 1];

		if (!direct_demote(d, direct_frame(d, hfn), budget))
			return false;
		d->doomed_count--;
	}
	return true;
}

/* What a refused promotion left behind goes at once, if the budget allows. */
enum vmmu_direct_status direct_refused(struct vmmu_direct_vm *d,
				       enum vmmu_direct_status status,
				       uint32_t *budget)
{
	d->stats.status[status]++;
	if (d->doomed_count)
		direct_settle(d, budget);
	return status;
}

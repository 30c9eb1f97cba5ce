/*
 * Dirty logging by hardware (Intel's page-modification logging: SDM 3C
 * 28.3.6). When a write sets D in a leaf of the nested table, hardware puts
 * the page's address down in a buffer of the engine's. So in a slot that logs
 *
 *   a leaf is of 4 KiB and has W, and D clear until the page is written;
 *   D set means: the page's bit is set, or will be when the buffer is drained;
 *   reading the log drains, takes the bits, and clears D again where they were.
 *
 * A page that is written after the drain and before its D is cleared is
 * either in the buffer again, for the next reading, or its D was set already:
 * then the caller was told of it and has not looked yet. Where write-protection
 * costs a violation for each page, this costs one exit in 512.
 */
#include "scheme/hwlog.h"

#include "pt/tree.h"

void vmmu_vm_logged(struct vmmu_vm *vm, gpa_t gpa)
{
	const struct vmmu_slot *slot =
		vmmu_slots_find(&vm->slots, gpa_gfn(gpa));

	if (slot)
		vmmu_slot_mark_dirty(slot, gpa_gfn(gpa));
}

void hwlog_drain(struct vmmu_vm *vm)
{
	if (vm->logging)
		vm->host.ops->log_drain(vm->host.cookie);
}

void hwlog_update(struct vmmu_vm *vm)
{
	bool logging = false;

	for (uint32_t i = 0; i < vm->slots.count; i++)
		logging |= hwlog_has(vm, &vm->slots.slot[i]);
	if (logging == vm->logging)
		return;
	vm->logging = logging;
	vm->host.ops->log_writes(vm->host.cookie, logging);
}

struct renewal {
	const struct pt_table *t;
	bool changed, large;
};

static bool clear_dirty(void *ctx, const struct pt_visit *v)
{
	struct renewal *r = ctx;
	const struct pt_format *f = r->t->format;
	uint64_t dirty = f->level[1].dirty, old = v->entry;

	if (v->level > 1) {
		r->large = true;
		return false;
	}
	while (old & dirty && !pt_swap(f, v->slot, &old, old & ~dirty))
		;
	r->changed |= v->entry & dirty;
	return true;
}

/* Large leaves are from the time before the slot began to log. They go, with
 * all of it: 4 KiB leaves come back a table at a time. */
bool hwlog_renew(struct pt_table *t, uint64_t addr, uint64_t size)
{
	struct renewal r = { .t = t };

	pt_visit(t, addr, size, PT_VISIT_LEAF, clear_dirty, &r);
	if (r.large)
		pt_unmap(t, addr, size, &r.changed);
	return r.changed;
}

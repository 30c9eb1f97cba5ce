/*
 * The dirty log: which pages of a slot were written since it was last read.
 *
 * In a slot that logs, a page is writable only while its bit is set (the
 * audit checks it). Reading the log therefore
 *
 *   1. takes the bits, word by word, by atomic exchange
 *   2. write-protects from the first dirty page to the last: those between
 *      that were clean are protected already, and one visit and one flush
 *      cost less than one for each
 *
 * A write between 1 and 2 is to a page that the caller was told of, and is
 * in memory before the caller looks: nothing is lost. Software that writes
 * for the guest keeps no pointer into such a slot (gmem.c).
 *
 * Where hardware logs, the nested scheme has another rule: hwlog.c.
 */
#include "scheme/hwlog.h"
#include "scheme/vm_events.h"

/* Answers how many words have a bit; *first and *last: which. */
static uint64_t take_bits(const struct vmmu_slot *slot, uint64_t *out,
			  uint64_t *first, uint64_t *last)
{
	uint64_t pages = slot->size >> VMMU_PAGE_SHIFT, found = 0;

	for (uint64_t i = 0; i < (pages + 63) / 64; i++) {
		out[i] = __atomic_exchange_n(&slot->dirty[i], 0,
					     __ATOMIC_ACQ_REL);
		if (!out[i])
			continue;
		if (!found++)
			*first = i;
		*last = i;
	}
	return found;
}

bool vmmu_vm_get_dirty_log(struct vmmu_vm *vm, uint32_t slot_id, uint64_t *out)
{
	const struct vmmu_slot *slot = vmmu_slots_by_id(&vm->slots, slot_id);
	uint64_t pages, first = 0, last = 0, end;

	if (!slot || !(slot->flags & VMMU_SLOT_LOG_DIRTY))
		return false;
	hwlog_drain(vm);
	if (!take_bits(slot, out, &first, &last))
		return true;
	pages = slot->size >> VMMU_PAGE_SHIFT;
	end = (last + 1) * 64 < pages ? (last + 1) * 64 : pages;
	vm_gpa_changed(vm, mk_gfn(gpa_gfn(slot->gpa).v + first * 64),
		       end - first * 64, VMMU_GPA_READ_ONLY);
	return true;
}

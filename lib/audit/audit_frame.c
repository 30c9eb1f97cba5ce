/*
 * Which slots show a frame: slots have no index by frame, so all that each has
 * is asked for, run by run.
 */
#include "audit/audit.h"

bool audit_any_clean(const struct vmmu_slot *slot, uint64_t gpa, uint64_t size)
{
	uint64_t n = (gpa - slot->gpa.v) >> VMMU_PAGE_SHIFT;
	uint64_t end = n + (size >> VMMU_PAGE_SHIFT);

	for (; n < end; n++)
		if (!(slot->dirty[n / 64] >> n % 64 & 1))
			return true;
	return false;
}

/* Bytes of the slot from this page on, of so many that are backed by this run,
 * which may be written. */
static uint64_t writable(const struct vmmu_slot *slot, uint64_t gpa,
			 uint64_t size, const struct vmmu_extent *run)
{
	if (slot->flags & VMMU_SLOT_READ_ONLY || run->read_only)
		return 0;
	if (!(slot->flags & VMMU_SLOT_LOG_DIRTY))
		return size;
	return audit_any_clean(slot, gpa, VMMU_PAGE_SIZE) ? 0 : VMMU_PAGE_SIZE;
}

static uint64_t slot_gives(const struct audit *a, const struct vmmu_slot *slot,
			   uint64_t hpa, unsigned access)
{
	uint64_t gpa = slot->gpa.v, end = gpa + slot->size, size;
	struct vmmu_extent run;

	for (; gpa < end; gpa += size) {
		uint64_t into, found;

		size = VMMU_PAGE_SIZE;
		if (audit_resolve(a, slot, gpa, &run) != VMMU_RESOLVE_OK)
			continue;
		into = vmmu_slot_hva(slot, mk_gpa(gpa)).v - run.hva.v;
		size = audit_run_rest(slot, gpa, &run);
		into = hpa - (run.hpa.v + into);
		if (into >= size)
			continue;
		found = size - into;
		if (access == VMMU_W)
			found = writable(slot, gpa + into, found, &run);
		if (found)
			return found;
	}
	return 0;
}

uint64_t audit_find_frame(struct audit *a, uint64_t hpa, unsigned access)
{
	const struct vmmu_slots *slots = &a->vm->slots;
	uint64_t found = 0;

	for (uint32_t i = 0; i < slots->count && !found; i++)
		found = slot_gives(a, &slots->slot[i], hpa, access);
	return found;
}

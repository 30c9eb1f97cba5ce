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

/* May this page of the slot, which is backed by this run, be written? */
static bool may_write(const struct vmmu_slot *slot, uint64_t gpa,
		      const struct vmmu_extent *run)
{
	if (slot->flags & VMMU_SLOT_READ_ONLY || run->read_only)
		return false;
	return !(slot->flags & VMMU_SLOT_LOG_DIRTY) ||
	       !audit_any_clean(slot, gpa, VMMU_PAGE_SIZE);
}

static bool slot_gives(const struct audit *a, const struct vmmu_slot *slot,
		       uint64_t hpa, unsigned access)
{
	uint64_t gpa = slot->gpa.v, end = gpa + slot->size;
	struct vmmu_extent run;

	while (gpa < end) {
		uint64_t size = VMMU_PAGE_SIZE, first;

		if (audit_resolve(a, slot, gpa, &run) == VMMU_RESOLVE_OK) {
			first = run.hpa.v +
				(vmmu_slot_hva(slot, mk_gpa(gpa)).v -
				 run.hva.v);
			size = audit_run_rest(slot, gpa, &run);
			if (hpa - first < size &&
			    (access != VMMU_W ||
			     may_write(slot, gpa + (hpa - first), &run)))
				return true;
		}
		gpa += size;
	}
	return false;
}

bool audit_find_frame(struct audit *a, uint64_t hpa, unsigned access)
{
	const struct vmmu_slots *slots = &a->vm->slots;

	for (uint32_t i = 0; i < slots->count; i++)
		if (slot_gives(a, &slots->slot[i], hpa, access))
			return true;
	return false;
}

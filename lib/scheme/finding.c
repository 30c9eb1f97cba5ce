/*
 * The rare parts of finding.h: slots that log, and hosts without memory.
 */
#include "scheme/finding.h"

static bool page_is_clean(const struct vmmu_slot *slot, uint64_t gpa)
{
	uint64_t n = (gpa - slot->gpa.v) >> VMMU_PAGE_SHIFT;
	uint64_t word = __atomic_load_n(&slot->dirty[n / 64], __ATOMIC_RELAXED);

	return !(word >> n % 64 & 1);
}

void finding_log(struct finding *f, bool writes)
{
	bool clean = page_is_clean(f->slot, f->gpa);

	if (clean && writes) {
		vmmu_slot_mark_dirty(f->slot, gpa_gfn(mk_gpa(f->gpa)));
		f->logged = true;
		clean = false;
	}
	f->writable &= !clean;
	f->may_widen = false;
	f->before = 0;
	f->after = VMMU_PAGE_MASK;
}

void finding_no_backing(struct vmmu_vm *vm, enum vmmu_resolve r,
			struct vmmu_answer *a)
{
	if (r == VMMU_RESOLVE_NOT_NOW) {
		vm->stats.pf_retry++;
		a->verdict = VMMU_RETRY;
		return;
	}
	finding_kill(a, "the host has no memory for the guest");
}

/*
 * Hardware that walks the table at cpu->root, with the registers that the
 * library says the processor must have: lab/rootwalk.h.
 *
 * Its TLB is flushed when the library asks and at no other time; so a flush
 * that the guest asked for and the library forgot to pass on is found.
 */
#include "hw.h"

#include <string.h>

static bool real_regs(struct world *w, struct smmu_regs *real)
{
	w->root.cpu = &w->cpu;
	w->root.host = &w->host;
	if (rootwalk_regs(&w->root, real))
		return true;
	return world_fail(w, "CR3 %llx does not fit the mode",
			  (unsigned long long)real->cr3);
}

/* 1. Obeying. */

/* Where the guest's access would go now: only to tell what may be dirty. */
static void note_write(struct world *w, gva_t gva, unsigned access)
{
	struct smmu_mem mem = truth_mem(w);
	struct smmu_result r;

	if (!(access & VMMU_W))
		return;
	smmu_access(&w->sregs, &mem, gva, access, 0, &r);
	if (r.outcome == SMMU_OK)
		truth_may(w, r.gpa);
}

static bool obey(struct world *w, gva_t gva, unsigned access, uint32_t error,
		 struct hw_done *done, bool *again)
{
	const struct vmmu_fault fault = { .gva = gva,
					  .access = access,
					  .error_code = error };
	struct vmmu_answer a = { .verdict = VMMU_KILL };

	w->count.violations++;
	done->cached = false;
	*again = false;
	note_write(w, gva, access);
	vmmu_cpu_fault(&w->cpu, &fault, &a);
	switch (a.verdict) {
	case VMMU_RETRY:
		if (!w->absent_count)
			return world_fail(w, "RETRY, but all backing is there");
		world_backing_arrives(w);
		*again = true;
		return true;
	case VMMU_RESUME:
		*again = true;
		return true;
	case VMMU_MMIO:
		done->place = (struct place){ .where = AT_MMIO, .gpa = a.gpa };
		return true;
	case VMMU_EMULATE:
		return hw_emulate(w, gva, access, done);
	case VMMU_INJECT:
		if (a.gva.v != gva.v)
			return world_fail(w, "CR2 %llx, should be %llx",
					  (unsigned long long)a.gva.v,
					  (unsigned long long)gva.v);
		done->place = (struct place){ .where = AT_FAULT,
					      .error = a.error_code };
		return true;
	case VMMU_KILL:
		break;
	}
	return world_fail(w, "killed: %s", a.reason ? a.reason : "no reason");
}

/* 2. Walking. */

static void into_tlb(struct world *w, const struct smmu_regs *real, gva_t gva,
		     const struct smmu_result *r)
{
	const struct tlb_entry e = { .page = gva.v,
				     .page_shift = r->page_shift,
				     .rights = *r,
				     .nested_write = true,
				     .nested_exec = true,
				     .hpa = mk_hpa(r->gpa.v) };

	tlb_fill(&w->tlb, real, &e);
}

/* One walk; `fresh`: the library was asked before, in this access. */
static bool walk(struct world *w, gva_t gva, unsigned access, bool fresh,
		 struct hw_done *done, bool *again)
{
	struct smmu_regs real;
	struct smmu_result r;

	*again = false;
	if (!real_regs(w, &real))
		return false;
	rootwalk_access(&w->root, &real, gva, access, &r);
	switch (r.outcome) {
	case SMMU_OK:
		into_tlb(w, &real, gva, &r);
		done->cached = !fresh;
		done->place = (struct place){ .where = AT_MEMORY,
					      .hpa = mk_hpa(r.gpa.v) };
		return true;
	case SMMU_NON_CANONICAL:
		done->place.where = AT_GP;
		return true;
	case SMMU_FAULT:
		/* SDM 3A 4.10.4.1: a page fault drops what was cached. */
		tlb_invlpg(&w->tlb, &real, gva);
		if (r.error & VMMU_PF_RSVD && !w->vm.hw.filters_faults)
			return world_fail(w, "reserved bits in our table");
		if (!(r.error & VMMU_PF_P) && w->vm.hw.filters_faults &&
		    vmmu_cpu_direct_faults(&w->cpu)) {
			w->count.direct++;
			done->place = (struct place){ .where = AT_FAULT,
						      .error = r.error };
			return true;
		}
		return obey(w, gva, access, r.error, done, again);
	case SMMU_STOPPED:
		break;
	}
	return world_fail(w, "our tables lead nowhere for gva %llx",
			  (unsigned long long)gva.v);
}

static bool go_on(struct world *w, gva_t gva, unsigned access, bool fresh,
		  struct hw_done *done)
{
	bool again = true;

	for (unsigned i = 0; i < HW_ROUNDS_MAX && again; i++) {
		if (!walk(w, gva, access, fresh, done, &again))
			return false;
		fresh = true;
	}
	if (again)
		return world_fail(w, "gva %llx: resumed %u times, no progress",
				  (unsigned long long)gva.v, HW_ROUNDS_MAX);
	return true;
}

bool hw_root_access(struct world *w, gva_t gva, unsigned access, bool evict,
		    struct hw_done *done)
{
	struct smmu_regs real;

	if (!real_regs(w, &real))
		return false;
	if (evict)
		tlb_invlpg(&w->tlb, &real, gva);
	else if (hw_from_tlb(w, &real, gva, access, done))
		return true;
	return go_on(w, gva, access, false, done);
}

bool hw_root_fault(struct world *w, gva_t gva, unsigned access,
		   struct hw_done *done)
{
	bool again;

	memset(done, 0, sizeof(*done));
	if (!vmmu_mode_canonical(&w->cpu.mode, gva))
		return hw_root_access(w, gva, access, true, done);
	if (!obey(w, gva, access, VMMU_PF_P, done, &again))
		return false;
	return !again || go_on(w, gva, access, true, done);
}

/*
 * Hardware under the nested scheme: the TLB model, then the two-dimensional
 * walk over the guest's tables and the table that the library made, both read
 * as raw machine memory. A violation goes to the library and its verdict is
 * obeyed, until the access ends somewhere.
 */
#include "hw.h"

#include <string.h>

static struct nest nested_table(struct world *w,
				const struct lab_machine *machine)
{
	return (struct nest){ .kind = (enum nest_kind)w->config.nested,
			      .root = w->cpu.root,
			      .maxphyaddr = 46,
			      .has_1g = true,
			      .machine = machine };
}

static void walk_two(struct world *w, gva_t gva, unsigned access,
		     struct twodim_result *r)
{
	struct lab_machine machine = hw_machine(w);
	struct twodim t = { .guest = &w->sregs,
			    .nest = nested_table(w, &machine) };
	twodim_access(&t, gva, access, r);
	w->count.refs += r->guest_refs + r->nested_refs;
}

static void into_tlb(struct world *w, gva_t gva, const struct twodim_result *r)
{
	struct tlb_entry e = {
		.page = gva.v,
		.page_shift = r->page_shift,
		.rights = r->guest,
		.nested_write = r->nested_perms & VMMU_W,
		.nested_exec = r->nested_perms & VMMU_X,
		.gpa = r->guest.gpa,
		.hpa = r->hpa,
	};

	tlb_fill(&w->tlb, &w->sregs, &e);
}

/* Is "MMIO" true of this violation: no slot, or a write to one that is
 * read-only? */
static bool mmio_is_true(struct world *w, const struct twodim_result *r)
{
	struct truth_slot *t = truth_find(w, r->violation_gpa);

	return !t || ((r->violation_access & VMMU_W) &&
		      (t->slot.flags & VMMU_SLOT_READ_ONLY));
}

static bool mmio(struct world *w, gva_t gva, unsigned access,
		 const struct twodim_result *r, const struct vmmu_answer *a,
		 struct hw_done *done)
{
	if (!mmio_is_true(w, r))
		return world_fail(w, "gpa %llx: MMIO where memory is",
				  (unsigned long long)r->violation_gpa.v);
	if (a->gpa.v != r->violation_gpa.v)
		return world_fail(w, "MMIO at gpa %llx, should be %llx",
				  (unsigned long long)a->gpa.v,
				  (unsigned long long)r->violation_gpa.v);
	if (r->during_walk && truth_find(w, r->violation_gpa))
		return hw_emulate(w, gva, access, done);
	done->place.where = r->during_walk ? AT_NO_TABLE : AT_MMIO;
	done->place.gpa = a->gpa;
	return true;
}

/* Hands a violation to the library. *again: the guest runs on. */
static bool obey(struct world *w, gva_t gva, unsigned access,
		 const struct twodim_result *r, struct hw_done *done,
		 bool *again)
{
	unsigned how = r->during_walk ? VMMU_U : access & ~VMMU_RWX;
	struct vmmu_fault fault = { .gpa = r->violation_gpa,
				    .access = r->violation_access | how,
				    .during_walk = r->during_walk };
	struct vmmu_answer answer = { .verdict = VMMU_KILL };

	w->count.violations++;
	if (w->config.nested != NEST_NPT)
		fault.gva = gva;
	if (r->violation_access & VMMU_W)
		truth_may(w, r->violation_gpa);
	vmmu_cpu_fault(&w->cpu, &fault, &answer);
	switch (answer.verdict) {
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
		return mmio(w, gva, access, r, &answer, done);
	case VMMU_EMULATE:
		return hw_emulate(w, gva, access, done);
	case VMMU_INJECT:
		return world_fail(w, "nested never injects, error code %x",
				  answer.error_code);
	case VMMU_KILL:
		break;
	}
	return world_fail(w, "killed: %s",
			  answer.reason ? answer.reason : "no reason");
}

static bool ended(struct world *w, gva_t gva, unsigned access,
		  const struct twodim_result *r, struct hw_done *done,
		  bool *again)
{
	*again = false;
	switch (r->outcome) {
	case TWODIM_OK:
		into_tlb(w, gva, r);
		done->place = (struct place){ .where = AT_MEMORY,
					      .gpa = r->guest.gpa,
					      .hpa = r->hpa };
		return true;
	case TWODIM_FAULT:
		tlb_invlpg(&w->tlb, &w->sregs, gva);
		done->place.where = AT_FAULT;
		done->place.error = r->guest.error;
		return true;
	case TWODIM_NON_CANONICAL:
		done->place.where = AT_GP;
		return true;
	case TWODIM_VIOLATION:
		return obey(w, gva, access, r, done, again);
	case TWODIM_MISCONFIG:
		return world_fail(w, "reserved bits in our table for gpa %llx",
				  (unsigned long long)r->violation_gpa.v);
	case TWODIM_LOST:
		break;
	}
	return world_fail(w, "our tables lead nowhere for gpa %llx",
			  (unsigned long long)r->violation_gpa.v);
}

bool hw_nested_access(struct world *w, gva_t gva, unsigned access, bool evict,
		      struct hw_done *done)
{
	struct twodim_result r;
	bool again = true;

	memset(done, 0, sizeof(*done));
	if (evict)
		tlb_invlpg(&w->tlb, &w->sregs, gva);
	else if (hw_from_tlb(w, &w->sregs, gva, access, done))
		return true;
	for (unsigned i = 0; i < HW_ROUNDS_MAX && again; i++) {
		walk_two(w, gva, access, &r);
		if (!ended(w, gva, access, &r, done, &again))
			return false;
	}
	if (again)
		return world_fail(w, "gpa %llx: resumed %u times, no progress",
				  (unsigned long long)r.violation_gpa.v,
				  HW_ROUNDS_MAX);
	return true;
}

bool hw_nested_violation(struct world *w, gpa_t gpa, unsigned access)
{
	struct lab_machine machine = hw_machine(w);
	struct nest nest = nested_table(w, &machine);
	struct twodim_result r = { .violation_gpa = gpa,
				   .violation_access = access };
	struct hw_done done;
	struct nest_result n;
	bool again = true;

	for (unsigned i = 0; i < HW_ROUNDS_MAX && again; i++) {
		again = false;
		if (!obey(w, mk_gva(0), access, &r, &done, &again))
			return false;
		if (!again)
			return true;
		nest_walk(&nest, gpa, access, &n);
		again = n.outcome == NEST_VIOLATION;
	}
	if (n.outcome != NEST_OK)
		return world_fail(w, "gpa %llx: violations make no progress",
				  (unsigned long long)gpa.v);
	return true;
}

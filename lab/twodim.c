/*
 * The two-dimensional walk, by handing the software MMU a memory whose every
 * reference goes through the nested tables.
 *
 * What a reference to a guest table asks of the nested table: APM 2 15.25.5,
 * NPT: a user write, always. SDM 3C 28.3.3.2, EPT: a read, or a write where a
 * flag is set; with EPT's own accessed and dirty flags a write, always.
 */
#include "twodim.h"

#include <string.h>

struct through {
	const struct twodim *t;
	struct twodim_result *out;
};

/* One reference through the nested dimension. False: out tells why not. */
static bool translate(struct through *th, gpa_t gpa, unsigned access,
		      bool during_walk, struct nest_result *r)
{
	struct twodim_result *out = th->out;

	nest_walk(&th->t->nest, gpa, access, r);
	out->nested_refs += r->refs;
	if (r->outcome == NEST_OK)
		return true;
	out->outcome = r->outcome == NEST_VIOLATION   ? TWODIM_VIOLATION
		       : r->outcome == NEST_MISCONFIG ? TWODIM_MISCONFIG
						      : TWODIM_LOST;
	out->violation_gpa = gpa;
	out->violation_access = access;
	out->during_walk = during_walk;
	return false;
}

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	struct through *th = ctx;
	const struct lab_machine *machine = th->t->nest.machine;
	bool as_write = th->t->nest.kind != NEST_EPT;
	struct nest_result r;

	if (!translate(th, gpa, as_write ? VMMU_W : VMMU_R, true, &r))
		return SMMU_MEM_NONE;
	th->out->guest_refs++;
	if (machine->load(machine->ctx, r.hpa, size, value))
		return SMMU_MEM_OK;
	th->out->outcome = TWODIM_LOST;
	return SMMU_MEM_NONE;
}

static enum smmu_mem_status swap(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t old, uint64_t now)
{
	struct through *th = ctx;
	const struct lab_machine *machine = th->t->nest.machine;
	unsigned refs = th->out->nested_refs;
	struct nest_result r;

	if (!translate(th, gpa, VMMU_W, true, &r))
		return SMMU_MEM_NONE;
	/* The translation of the load is still at hand: no new references. */
	th->out->nested_refs = refs;
	th->out->updates++;
	if (machine->swap(machine->ctx, r.hpa, size, old, now))
		return SMMU_MEM_OK;
	return SMMU_MEM_CHANGED;
}

static void final(struct through *th, unsigned access)
{
	struct twodim_result *out = th->out;
	struct nest_result r;

	if (!translate(th, out->guest.gpa, access & VMMU_RWX, false, &r))
		return;
	out->outcome = TWODIM_OK;
	out->hpa = r.hpa;
	out->nested_perms = r.perms;
	out->page_shift = r.page_shift < out->guest.page_shift
				  ? r.page_shift
				  : out->guest.page_shift;
}

void twodim_access(const struct twodim *t, gva_t gva, unsigned access,
		   struct twodim_result *out)
{
	struct through th = { .t = t, .out = out };
	struct smmu_mem mem = { .load = load, .swap = swap, .ctx = &th };

	memset(out, 0, sizeof(*out));
	smmu_access(t->guest, &mem, gva, access, SMMU_UPDATE, &out->guest);
	switch (out->guest.outcome) {
	case SMMU_OK:
		final(&th, access);
		break;
	case SMMU_FAULT:
		out->outcome = TWODIM_FAULT;
		break;
	case SMMU_NON_CANONICAL:
		out->outcome = TWODIM_NON_CANONICAL;
		break;
	case SMMU_STOPPED:
		break; /* translate() or load() said why */
	}
}

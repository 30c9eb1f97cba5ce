/*
 * The oracle: where an access ends, by the software MMU over the truth's
 * slots and memory. It asks nothing of the library.
 */
#include "world.h"

static const char *const names[] = {
	[AT_MEMORY] = "memory",	    [AT_MMIO] = "MMIO",
	[AT_FAULT] = "#PF",	    [AT_GP] = "#GP",
	[AT_NO_TABLE] = "no table", [AT_RO_TABLE] = "read-only table",
};

const char *where_name(enum where where)
{
	return names[where];
}

/* The slots' part: gpa to machine memory, or MMIO. */
static void through_slots(struct world *w, unsigned access, struct place *p)
{
	struct truth_slot *t = truth_find(w, p->gpa);
	hva_t hva;

	p->where = AT_MMIO;
	if (!t)
		return;
	if ((access & VMMU_W) && (t->slot.flags & VMMU_SLOT_READ_ONLY))
		return;
	hva = vmmu_slot_hva(&t->slot, p->gpa);
	if (lab_host_peek(&w->host, hva, &p->hpa))
		p->where = AT_MEMORY;
	else
		world_fail(w, "gpa %llx: the access went on with no frame",
			   (unsigned long long)p->gpa.v);
}

struct place oracle_access(struct world *w, gva_t gva, unsigned access,
			   unsigned flags, struct smmu_result *r)
{
	struct smmu_mem mem = truth_mem(w);
	struct place p = { .where = AT_FAULT };

	smmu_access(&w->sregs, &mem, gva, access, flags, r);
	switch (r->outcome) {
	case SMMU_OK:
		p.gpa = r->gpa;
		through_slots(w, access, &p);
		break;
	case SMMU_FAULT:
		p.error = r->error;
		break;
	case SMMU_NON_CANONICAL:
		p.where = AT_GP;
		break;
	case SMMU_STOPPED:
		p.where = r->why == SMMU_MEM_READ_ONLY ? AT_RO_TABLE
						       : AT_NO_TABLE;
		p.gpa = r->entry_gpa;
		break;
	}
	return p;
}

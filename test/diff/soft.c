/*
 * An access by software: the library's guest walk and its checked accessors,
 * with no hardware. What an engine does when it emulates an instruction, and
 * what OP_WALK compares with the oracle.
 */
#include "world.h"

#define RETRIES_MAX 64

static hpa_t hpa_of(struct world *w, const uint8_t *byte)
{
	return mk_hpa(w->host.hpa_base.v + (uint64_t)(byte - w->host.arena));
}

/* gpa to machine memory, by the accessors. False: failed, or retry. */
static enum vmmu_gmem_status reach(struct world *w, gpa_t gpa, unsigned access,
				   struct place *p)
{
	unsigned kind = access & VMMU_W ? VMMU_W : VMMU_R;
	enum vmmu_gmem_status status;
	uint8_t *page;

	p->gpa = gpa;
	p->where = AT_MMIO;
	status = vmmu_gmem_page(&w->cpu.mem, gpa_gfn(gpa), kind, &page);
	if (status == VMMU_GMEM_OK) {
		p->where = AT_MEMORY;
		p->hpa = hpa_of(w, page + (gpa.v & VMMU_PAGE_MASK));
	}
	return status;
}

/* One try. *again: the backing was not there. */
static bool once(struct world *w, gva_t gva, unsigned access, unsigned flags,
		 struct vmmu_gwalk *walk, struct place *p, bool *again)
{
	switch (vmmu_cpu_walk(&w->cpu, gva, access, flags, walk)) {
	case VMMU_GWALK_OK:
		switch (reach(w, walk->gpa, access, p)) {
		case VMMU_GMEM_NOT_NOW:
			*again = true;
			return true;
		case VMMU_GMEM_NONE:
			return world_fail(w, "the accessor found no backing");
		default:
			return true;
		}
	case VMMU_GWALK_FAULT:
		p->where = AT_FAULT;
		p->error = walk->error_code;
		return true;
	case VMMU_GWALK_NON_CANONICAL:
		p->where = AT_GP;
		return true;
	case VMMU_GWALK_NO_SLOT:
		p->where = AT_NO_TABLE;
		p->gpa = walk->table;
		return true;
	case VMMU_GWALK_READ_ONLY:
		p->where = AT_RO_TABLE;
		p->gpa = walk->table;
		return true;
	case VMMU_GWALK_NOT_NOW:
		*again = true;
		return true;
	case VMMU_GWALK_NONE:
		break;
	}
	return world_fail(w, "the guest walk found no backing");
}

bool soft_access(struct world *w, gva_t gva, unsigned access, unsigned flags,
		 struct vmmu_gwalk *walk, struct place *p)
{
	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		bool again = false;

		*p = (struct place){ .where = AT_MEMORY };
		if (!once(w, gva, access, flags, walk, p, &again))
			return false;
		if (!again)
			return true;
		world_backing_arrives(w);
	}
	return world_fail(w, "the guest walk never got its backing");
}

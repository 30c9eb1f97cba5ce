/*
 * Questions to the host by who has pages of the cache in hand. The host may
 * take backing from elsewhere to answer (host.h): then shadow_gpa_changed parks
 * pages instead of freeing them, and what was known before of links, sync and
 * backing must be asked again.
 */
#ifndef LIB_SCHEME_SHADOW_ASK_H
#define LIB_SCHEME_SHADOW_ASK_H

#include "scheme/shadow_page.h"

/* For the host's pointer to a page of the guest's. */
static inline bool shadow_ask(struct vmmu_cpu *cpu, struct shadow_vm *s,
			      uint64_t gfn, unsigned access, uint8_t **page)
{
	enum vmmu_gmem_status status;

	s->asking++;
	status = vmmu_gmem_page(&cpu->mem, mk_gfn(gfn), access, page);
	s->asking--;
	return status == VMMU_GMEM_OK;
}

/* For memory that a leaf is to map. */
static inline enum vmmu_resolve shadow_look_up(struct vmmu_cpu *cpu,
					       struct shadow_vm *s,
					       struct finding *f, bool writes)
{
	enum vmmu_resolve r;

	s->asking++;
	r = finding_look_up(cpu->vm, f, writes);
	s->asking--;
	return r;
}

#endif

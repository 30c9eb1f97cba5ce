/*
 * What the parts of the audit share: who is asked, where it was found, and how
 * far one answer of the host's reaches.
 */
#ifndef LIB_AUDIT_AUDIT_H
#define LIB_AUDIT_AUDIT_H

#include <vmmu/audit.h>

#include "pt/tree.h"

struct audit {
	struct vmmu_audit *out;
	struct vmmu_vm *vm;
	struct vmmu_cpu *cpu; /* whose own table it is */
	const struct pt_table *t;
	void (*check_leaf)(struct audit *a, const struct pt_visit *v);
	uint64_t leaves[PT_LEVELS_MAX + 1];
	uint64_t tables; /* reached, over all schemes */
};

void audit_breach(struct audit *a, unsigned invariant, const char *sentence,
		  uint64_t addr, uint64_t entry);

static inline enum vmmu_resolve audit_resolve(const struct audit *a,
					      const struct vmmu_slot *slot,
					      uint64_t gpa,
					      struct vmmu_extent *run)
{
	const struct vmmu_host *host = &a->vm->host;

	return host->ops->resolve(
		host->cookie, vmmu_slot_hva(slot, mk_gpa(gpa)), VMMU_R, run);
}

static inline uint64_t audit_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the run from this gpa on, as far as the slot shows them. */
static inline uint64_t audit_run_rest(const struct vmmu_slot *slot,
				      uint64_t gpa,
				      const struct vmmu_extent *run)
{
	uint64_t at = vmmu_slot_hva(slot, mk_gpa(gpa)).v - run->hva.v;

	return audit_least(run->size - at, slot->size - (gpa - slot->gpa.v));
}

/* Is the dirty bit of one of these pages clear? */
bool audit_any_clean(const struct vmmu_slot *slot, uint64_t gpa, uint64_t size);

/* Bytes from this frame on that some slot gives, and for VMMU_W lets be
 * written; 0: none does. Asks the host for all that the slots have: only where
 * there is a doubt. */
uint64_t audit_find_frame(struct audit *a, uint64_t hpa, unsigned access);

/* audit_gva.c: a leaf of a->cpu's own table. */
void audit_gva_leaf(struct audit *a, const struct pt_visit *v);

#endif

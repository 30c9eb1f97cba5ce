/*
 * Hardware's parts: what it has in common, and its two kinds. It reads tables
 * as raw machine memory, hands faults and violations to the library, and obeys
 * until the access ends somewhere.
 */
#ifndef DIFF_HW_H
#define DIFF_HW_H

#include "world.h"

/* A walk maps one page more at each exit: no access needs this many. */
#define HW_ROUNDS_MAX 64

struct lab_machine hw_machine(struct world *w);

/* True: the TLB serves this access. `regs` are the real ones. */
bool hw_from_tlb(struct world *w, const struct smmu_regs *regs, gva_t gva,
		 unsigned access, struct hw_done *done);

/* Carries the access out by software. */
bool hw_emulate(struct world *w, gva_t gva, unsigned access,
		struct hw_done *done);

/* hw_nested.c: the guest's tables over the nested table. */
bool hw_nested_access(struct world *w, gva_t gva, unsigned access, bool evict,
		      struct hw_done *done);
bool hw_nested_violation(struct world *w, gpa_t gpa, unsigned access);

/* hw_root.c: the table at cpu->root in place of the guest's. */
bool hw_root_access(struct world *w, gva_t gva, unsigned access, bool evict,
		    struct hw_done *done);
/* A #PF for which hardware has no reason any more; then the access. */
bool hw_root_fault(struct world *w, gva_t gva, unsigned access,
		   struct hw_done *done);

#endif

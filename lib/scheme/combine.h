/*
 * A guest's translation and what slots and backing say of it, combined into
 * the one that hardware may have: the first half of every fill by a scheme
 * whose tables translate gvas.
 *
 *   gva --guest's tables--> gpa --slot, host--> hpa, and what is granted
 */
#ifndef LIB_SCHEME_COMBINE_H
#define LIB_SCHEME_COMBINE_H

#include "scheme/finding.h"

struct combined {
	struct vmmu_gwalk walk;
	struct finding found;
	unsigned perms; /* VMMU_RWXU: the guest's and slot's and backing's */
	uint64_t generation; /* of the slots, when all this was true */
};

/* For one #PF. False: nothing may be mapped, and *a says what to do. */
bool combine(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
	     struct combined *c, struct vmmu_answer *a);

/* For an address that nobody asked for: as above, but nothing is set in the
 * guest's tables, and false wherever anything would have to be. */
bool combine_quietly(struct vmmu_cpu *cpu, gva_t gva, struct combined *c);

/* The fault's entry is there already: is it the last one again, though the TLB
 * has forgotten the address since? Then the access is one of the processor's
 * own to GDT, LDT, IDT or TSS, which SMAP binds whatever AC is (SDM 3A 4.6.1)
 * and no error code tells of. True: answered as that; *c is of no use. */
bool combine_again(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		   struct combined *c, struct vmmu_answer *a);

/* May pages be lent to the supervisor: cpu->lent? */
bool combine_may_lend(const struct vmmu_cpu *cpu);

#endif

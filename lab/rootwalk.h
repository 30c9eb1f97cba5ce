/*
 * A processor that runs a guest on a table of the hypervisor's: it walks what
 * vmmu_cpu.root refers to, with the registers of vmmu_cpu_real_regs(), and
 * knows neither the guest's tables nor its registers. The software MMU again,
 * over machine memory.
 */
#ifndef LAB_ROOTWALK_H
#define LAB_ROOTWALK_H

#include <vmmu/vm.h>

#include "host.h"
#include "smmu.h"

struct rootwalk {
	const struct vmmu_cpu *cpu;
	struct lab_host *host;
	/* PAE: as they were when CR3 was loaded, SDM 3A 4.4.1. */
	uint64_t pdpte[4];
	bool pdptes_loaded;
};

/* The processor's registers now. False: CR3 does not fit its mode. */
bool rootwalk_regs(struct rootwalk *w, struct smmu_regs *real);

/* One access: `out->gpa` is a machine address. Sets accessed and dirty flags
 * in the table, as the processor does. */
void rootwalk_access(struct rootwalk *w, const struct smmu_regs *real,
		     gva_t gva, unsigned access, struct smmu_result *out);

#endif

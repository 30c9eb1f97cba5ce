/*
 * The invariants of the design, checked by number, on request. Slow: for
 * tests, and for a monitor's command.
 */
#ifndef VMMU_AUDIT_H
#define VMMU_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/vm.h>

struct vmmu_audit {
	/* Each breach, e.g. 2, "I2: leaf maps a frame the slots do not give",
	 * with the guest address and the entry. */
	void (*breach)(void *ctx, unsigned invariant, const char *sentence,
		       uint64_t addr, uint64_t entry);
	void *ctx;
	uint64_t breaches;
	uint64_t entries; /* looked at */
};

/* True when nothing is wrong. Calls host resolve for reads only, which must
 * leave all backing where it is. */
bool vmmu_audit(struct vmmu_vm *vm, struct vmmu_audit *audit);

#endif

/*
 * What is said of a VM when it has ended: breaches of the library's
 * invariants, a line each, and its statistics on one line.
 */
#include <vmmu/audit.h>

#include "cpu/print.h"
#include "vm/stats.h"

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	(void)ctx;
	(void)invariant;
	say("%s: address 0x%llx, entry 0x%llx", sentence,
	    (unsigned long long)addr, (unsigned long long)entry);
}

void vm_audit(struct vm *vm)
{
	struct vmmu_audit audit = { .breach = breach };

	vmmu_audit(&vm->mmu, &audit);
	vm->audited_entries += audit.entries;
	vm->audit_breaches += audit.breaches;
}

void vm_report(struct vm *vm)
{
	bool whole = vm->cpus && vm->vcpu[0]->mmu.scheme;

	if (whole)
		vm_audit(vm);
	stats_put(vm, whole, &report_sink);
	report_write("\n", 1);
}

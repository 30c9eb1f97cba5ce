/*
 * The library's invariants, checked over a VM's tables: a sentence for each
 * breach, and counts for the report.
 */
#include <vmmu/audit.h>

#include "cpu/print.h"
#include "vm/vm.h"

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

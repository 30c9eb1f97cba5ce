/*
 * What is said of a VM when it has ended: its statistics, on one line, with
 * what its audits found.
 */
#include "cpu/print.h"
#include "vm/stats.h"

void vm_report(struct vm *vm)
{
	bool whole = vm->cpus && vm->vcpu[0]->mmu.scheme;

	if (whole)
		vm_audit(vm);
	stats_put(vm, whole, &report_sink);
	report_write("\n", 1);
}

/*
 * The life of a VM as one JSON object on one line of the report channel. Keys
 * are stable: the command and its users read them.
 */
#include "cpu/cpu.h"
#include "cpu/print.h"
#include "cpu/timer.h"
#include "mm/space.h"
#include "vm/vm.h"

#include <vmmu/audit.h>

typedef unsigned long long ull;

const char *exit_kind_name(enum exit_kind kind)
{
	static const char *const names[EXIT_KINDS] = {
		[EXIT_INTERRUPT] = "interrupt",
		[EXIT_WINDOW] = "window",
		[EXIT_CPUID] = "cpuid",
		[EXIT_HLT] = "hlt",
		[EXIT_IO] = "io",
		[EXIT_RDMSR] = "rdmsr",
		[EXIT_WRMSR] = "wrmsr",
		[EXIT_VIOLATION] = "violation",
		[EXIT_PAGE_FAULT] = "page_fault",
		[EXIT_INVLPG] = "invlpg",
		[EXIT_TASK_SWITCH] = "task_switch",
		[EXIT_CR] = "cr",
		[EXIT_IRET] = "iret",
		[EXIT_XSETBV] = "xsetbv",
		[EXIT_HYPERCALL] = "hypercall",
		[EXIT_CACHE] = "cache",
		[EXIT_EXCEPTION] = "exception",
		[EXIT_UNDEFINED] = "undefined",
		[EXIT_PMC] = "pmc",
		[EXIT_INIT] = "init",
		[EXIT_SHUTDOWN] = "shutdown",
		[EXIT_INVALID] = "invalid",
	};

	return names[kind];
}

static const char *end_name(enum vm_end end)
{
	static const char *const names[] = {
		[VM_RUNNING] = "running",
		[VM_POWEROFF] = "poweroff",
		[VM_EXIT_PORT] = "exit",
		[VM_RESET] = "reset",
		[VM_TRIPLE_FAULT] = "triple-fault",
		[VM_HALTED] = "halted",
		[VM_KILLED] = "killed",
		[VM_REFUSED] = "refused",
	};

	return names[end];
}

static void report_exits(const struct vm *vm)
{
	ull sum[EXIT_KINDS] = { 0 }, total = 0;

	for (unsigned i = 0; i < vm->cpus; i++)
		for (unsigned k = 0; k < EXIT_KINDS; k++)
			sum[k] += vm->vcpu[i]->exits[k];
	for (unsigned k = 0; k < EXIT_KINDS; k++)
		total += sum[k];
	report_print(",\"exits\":{\"total\":%llu", total);
	for (unsigned k = 0; k < EXIT_KINDS; k++)
		report_print(",\"%s\":%llu", exit_kind_name((enum exit_kind)k),
			     sum[k]);
	report_print("}");
}

static void report_memory(const struct vm *vm)
{
	const struct vmmu_stats *s = &vm->mmu.stats;
	const struct vmmu_scheme *scheme = vm->vcpu[0]->mmu.scheme;
	const struct pt_table *t = NULL;
	ull leaves[4] = { 0 };

	if (scheme->table)
		t = scheme->table(&vm->mmu);
	if (scheme->cpu_table)
		t = scheme->cpu_table(&vm->vcpu[0]->mmu);
	for (unsigned level = 1; t && level <= 3; level++)
		leaves[level] = t->leaves[level];
	report_print(",\"memory\":{\"violations\":%llu,\"pf_taken\":%llu,"
		     "\"pf_fixed\":%llu,\"pf_spurious\":%llu,"
		     "\"pf_guest\":%llu,\"pf_mmio\":%llu,"
		     "\"pf_emulate\":%llu,\"pf_dirty\":%llu,"
		     "\"pf_retry\":%llu,\"pf_prefetched\":%llu",
		     (ull)s->violations, (ull)s->pf_taken, (ull)s->pf_fixed,
		     (ull)s->pf_spurious, (ull)s->pf_guest, (ull)s->pf_mmio,
		     (ull)s->pf_emulate, (ull)s->pf_dirty, (ull)s->pf_retry,
		     (ull)s->pf_prefetched);
	report_print(",\"mmu_pte_write\":%llu,\"mmu_unsync\":%llu,"
		     "\"mmu_shadow_zapped\":%llu,\"mmu_cache_miss\":%llu,"
		     "\"root_hits\":%llu,\"root_misses\":%llu",
		     (ull)s->mmu_pte_write, (ull)s->mmu_unsync,
		     (ull)s->mmu_shadow_zapped, (ull)s->mmu_cache_miss,
		     (ull)s->root_hits, (ull)s->root_misses);
	report_print(",\"invlpg\":%llu,\"tlb_flush\":%llu,"
		     "\"mmu_recycled\":%llu}",
		     (ull)s->invlpg, (ull)s->tlb_flush, (ull)s->mmu_recycled);
	if (t) /* shadow has many tables, and counts none of them */
		report_print(
			",\"mapped\":{\"4k\":%llu,\"2m\":%llu,\"1g\":%llu}",
			leaves[1], leaves[2], leaves[3]);
	report_print(",\"table_pages\":%u,\"table_pages_peak\":%u",
		     vm->mmu.pool.used, vm->mmu.pool.peak);
	report_print(",\"memory_given\":%llu", (ull)space_given());
}

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	(void)ctx;
	(void)invariant;
	say("%s: address 0x%llx, entry 0x%llx", sentence, (ull)addr,
	    (ull)entry);
}

/* The library's invariants, on what the guest has left behind. Breaches are
 * said before the report, which is one line. */
static struct vmmu_audit audit_vm(struct vm *vm)
{
	struct vmmu_audit audit = { .breach = breach };

	vmmu_audit(&vm->mmu, &audit);
	return audit;
}

void vm_report(struct vm *vm, const struct config *config)
{
	bool whole = vm->cpus && vm->vcpu[0]->mmu.scheme;
	struct vmmu_audit audit = { .entries = 0 };

	if (whole)
		audit = audit_vm(vm);
	report_print("{\"vmmu\":1,\"mmu\":\"%s\",\"engine\":\"%s\"",
		     config->mmu, vm->engine ? vm->engine->name : "none");
	if (vm->engine && vm_needs(vm, VMMU_NEEDS_SECOND))
		report_print(",\"format\":\"%s\"",
			     vm->mmu.hw.nested_format->name);
	report_print(",\"end\":{\"how\":\"%s\",\"code\":%u,\"sentence\":"
		     "\"%s\"}",
		     end_name(vm->end), vm->end_code, vm->sentence);
	if (vm->switch_ticks)
		report_print(",\"switches\":%llu", (ull)vm->switches);
	if (whole) {
		report_exits(vm);
		report_memory(vm);
		report_print(",\"audit\":{\"entries\":%llu,"
			     "\"breaches\":%llu}",
			     (ull)audit.entries, (ull)audit.breaches);
	}
	report_print(",\"time\":{\"tsc_khz\":%llu,\"tsc\":%llu}}\n",
		     (ull)host_tsc_khz, (ull)vm_now(vm, rdtsc()));
}

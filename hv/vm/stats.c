/*
 * The statistics of a VM as one JSON object. Keys are stable: the command and
 * its users read them.
 *
 * Two figures are worked out here, because each has one right way:
 *
 *   root_reuse        root_hits / (root_hits + root_misses): loads of CR3 that
 *                     found their tables ready
 *   exits_per_fault   exits for the guest's paging (page_fault, cr, invlpg)
 *                     for each page fault that the guest takes (pf_guest,
 *                     pf_direct)
 *
 * null: nothing to divide by.
 */
#include "vm/stats.h"

#include "cpu/cpu.h"
#include "cpu/timer.h"
#include "mm/space.h"

typedef unsigned long long ull;

static const char *const kind_names[EXIT_KINDS] = {
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
	[EXIT_NMI_OVER] = "nmi_over",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_CACHE] = "cache",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_UNDEFINED] = "undefined",
	[EXIT_PMC] = "pmc",
	[EXIT_LOG_FULL] = "log_full",
	[EXIT_INIT] = "init",
	[EXIT_SHUTDOWN] = "shutdown",
	[EXIT_INVALID] = "invalid",
};

static const char *const end_names[] = {
	[VM_RUNNING] = "running",
	[VM_POWEROFF] = "poweroff",
	[VM_EXIT_PORT] = "exit",
	[VM_RESET] = "reset",
	[VM_TRIPLE_FAULT] = "triple-fault",
	[VM_HALTED] = "halted",
	[VM_KILLED] = "killed",
	[VM_REFUSED] = "refused",
};

const char *exit_kind_name(enum exit_kind kind)
{
	return kind_names[kind];
}

static uint64_t exits_of(const struct vm *vm, unsigned kind)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vm->cpus; i++)
		sum += vm->vcpu[i]->exits[kind];
	return sum;
}

static void put_exits(const struct vm *vm, const struct fmt_sink *sink)
{
	uint64_t total = 0;

	for (unsigned k = 0; k < EXIT_KINDS; k++)
		total += exits_of(vm, k);
	fmt_print(sink, ",\"exits\":{\"total\":%llu", (ull)total);
	for (unsigned k = 0; k < EXIT_KINDS; k++)
		fmt_print(sink, ",\"%s\":%llu", kind_names[k],
			  (ull)exits_of(vm, k));
	fmt_print(sink, "}");
}

/* a / b to four places. */
static void put_ratio(const struct fmt_sink *sink, const char *key, uint64_t a,
		      uint64_t b)
{
	uint64_t n;

	if (!b) {
		fmt_print(sink, ",\"%s\":null", key);
		return;
	}
	n = (a * 10000 + b / 2) / b;
	fmt_print(sink, ",\"%s\":%llu.%04llu", key, (ull)(n / 10000),
		  (ull)(n % 10000));
}

static void put_counters(const struct vmmu_stats *s,
			 const struct fmt_sink *sink)
{
	const struct {
		const char *key;
		uint64_t value;
	} all[] = {
		{ "violations", s->violations },
		{ "pf_taken", s->pf_taken },
		{ "pf_guest", s->pf_guest },
		{ "pf_direct", s->pf_direct },
		{ "pf_fixed", s->pf_fixed },
		{ "pf_spurious", s->pf_spurious },
		{ "pf_dirty", s->pf_dirty },
		{ "pf_mmio", s->pf_mmio },
		{ "pf_emulate", s->pf_emulate },
		{ "pf_retry", s->pf_retry },
		{ "pf_prefetched", s->pf_prefetched },
		{ "pf_prefetch_wasted", s->pf_prefetch_wasted },
		{ "mmu_pte_write", s->mmu_pte_write },
		{ "mmu_unsync", s->mmu_unsync },
		{ "mmu_shadow_zapped", s->mmu_shadow_zapped },
		{ "mmu_cache_miss", s->mmu_cache_miss },
		{ "root_hits", s->root_hits },
		{ "root_misses", s->root_misses },
		{ "invlpg", s->invlpg },
		{ "tlb_flush", s->tlb_flush },
		{ "mmu_recycled", s->mmu_recycled },
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		fmt_print(sink, "%s\"%s\":%llu", i ? "," : "", all[i].key,
			  (ull)all[i].value);
}

/* Present leaves by level, of the scheme that the first vCPU runs under. */
static void count_mapped(const struct vm *vm,
			 uint64_t leaves[PT_LEVELS_MAX + 1])
{
	const struct vmmu_cpu *cpu = &vm->vcpu[0]->mmu;
	const struct vmmu_scheme *scheme = cpu->scheme;
	const struct pt_table *t = NULL;

	if (scheme->mapped) {
		scheme->mapped(cpu, leaves);
		return;
	}
	if (scheme->table)
		t = scheme->table(&vm->mmu);
	if (scheme->cpu_table)
		t = scheme->cpu_table(cpu);
	for (unsigned level = 1; t && level <= PT_LEVELS_MAX; level++)
		leaves[level] = t->leaves[level];
}

static void put_memory(const struct vm *vm, const struct fmt_sink *sink)
{
	const struct vmmu_stats *s = &vm->mmu.stats;
	uint64_t leaves[PT_LEVELS_MAX + 1] = { 0 };

	fmt_print(sink, ",\"memory\":{");
	put_counters(s, sink);
	put_ratio(sink, "root_reuse", s->root_hits,
		  s->root_hits + s->root_misses);
	put_ratio(sink, "exits_per_fault",
		  exits_of(vm, EXIT_PAGE_FAULT) + exits_of(vm, EXIT_CR) +
			  exits_of(vm, EXIT_INVLPG),
		  s->pf_guest + s->pf_direct);
	count_mapped(vm, leaves);
	fmt_print(sink,
		  "},\"mapped\":{\"4k\":%llu,\"2m\":%llu,\"1g\":%llu}"
		  ",\"table_pages\":%u,\"table_pages_peak\":%u"
		  ",\"memory_given\":%llu",
		  (ull)leaves[1], (ull)leaves[2], (ull)leaves[3],
		  vm->mmu.pool.used, vm->mmu.pool.peak, (ull)space_given());
}

static void put_head(const struct vm *vm, const struct fmt_sink *sink)
{
	fmt_print(sink, "{\"vmmu\":1,\"mmu\":\"%s\",\"engine\":\"%s\"",
		  vm->config->mmu, vm->engine ? vm->engine->name : "none");
	if (vm->engine && vm_needs(vm, VMMU_NEEDS_SECOND))
		fmt_print(sink, ",\"format\":\"%s\"",
			  vm->mmu.hw.nested_format->name);
	fmt_print(sink,
		  ",\"end\":{\"how\":\"%s\",\"code\":%u,\"sentence\":\"%s\"}",
		  end_names[vm->end], vm->end_code, vm->sentence);
}

void stats_put(const struct vm *vm, bool audited, const struct fmt_sink *sink)
{
	put_head(vm, sink);
	if (vm->engine && vm->engine->para && vm->cpus)
		vm->engine->para->count(vm);
	if (vm->cpus && vm->vcpu[0]->mmu.scheme) {
		fmt_print(sink, ",\"scheme\":\"%s\",\"switches\":%llu",
			  vm->vcpu[0]->mmu.scheme->name, (ull)vm->switches);
		put_exits(vm, sink);
		put_memory(vm, sink);
	}
	if (vm->engine && vm->engine->para && vm->cpus)
		vm->engine->para->report(vm, sink);
	if (audited)
		fmt_print(sink,
			  ",\"audit\":{\"entries\":%llu,\"breaches\":%llu}",
			  (ull)vm->audited_entries, (ull)vm->audit_breaches);
	fmt_print(sink, ",\"time\":{\"tsc_khz\":%llu,\"tsc\":%llu}}",
		  (ull)host_tsc_khz, (ull)vm_now(vm, rdtsc()));
}

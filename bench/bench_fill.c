/*
 * What one nested fill costs: a violation on a page that is not mapped, whose
 * tables exist, backed by 4 KiB extents.
 *
 *   bench_fill COUNT
 *
 * The setup does not depend on COUNT, so the instructions of a run with 2N
 * less those of a run with N, over N, are the cost of one fill, with all that
 * belongs to it: look-up of the slot, the host's answer, statistics.
 */
#include <stdio.h>
#include <stdlib.h>

#include <vmmu/vmmu.h>

#define TABLE_PAGES 1024u
#define REGION	    VMMU_1G /* one slot, 512 tables of level 1 */
#define HVA	    UINT64_C(0x100000000)

struct host {
	uint8_t *tables; /* machine memory begins here, at 0 */
	uint64_t next;
};

static bool table_alloc(void *cookie, hpa_t *page)
{
	struct host *h = cookie;

	if (h->next == TABLE_PAGES)
		return false;
	*page = mk_hpa(++h->next * VMMU_PAGE_SIZE);
	return true;
}

static void table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	(void)page;
}

static void *ptr(void *cookie, hpa_t hpa)
{
	struct host *h = cookie;

	return h->tables + hpa.v;
}

/* Guest memory lies a gigabyte up; no one looks into it here. */
static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	(void)cookie;
	(void)access;
	*out = (struct vmmu_extent){
		.hva = hva,
		.hpa = mk_hpa(hva.v - HVA + VMMU_1G),
		.size = VMMU_PAGE_SIZE,
	};
	return VMMU_RESOLVE_OK;
}

static void flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	(void)cookie;
	(void)cpu;
}

static void flush_all(void *cookie)
{
	(void)cookie;
}

static const struct vmmu_host_ops ops = {
	.table_alloc = table_alloc,
	.table_free = table_free,
	.ptr = ptr,
	.resolve = resolve,
	.flush_cpu = flush_cpu,
	.flush_all = flush_all,
};

static void fill(struct vmmu_cpu *cpu, uint64_t gpa)
{
	static struct vmmu_fault f = { .access = VMMU_W };
	struct vmmu_answer a;

	f.gpa = mk_gpa(gpa);
	vmmu_cpu_fault(cpu, &f, &a);
	if (a.verdict != VMMU_RESUME)
		abort();
}

int main(int argc, char **argv)
{
	static struct vmmu_vm vm;
	static struct vmmu_cpu cpu;
	static struct vmmu_slot storage[1];
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	struct host host = { .tables = NULL };
	const struct vmmu_slot slot = { .size = REGION, .hva = mk_hva(HVA) };
	const struct vmmu_vm_config config = {
		.host = { .ops = &ops, .cookie = &host },
		.hw = { .nested_format = &pt_npt, .nested_max_leaf = 3 },
		.slot_storage = storage,
		.slot_capacity = 1,
		.table_limit = TABLE_PAGES,
		.fault_around = 64 * 1024 * 1024,
	};

	host.tables = calloc(TABLE_PAGES + 1, VMMU_PAGE_SIZE);
	if (!host.tables || !vmmu_vm_init(&vm, &config) ||
	    !vmmu_cpu_init(&cpu, &vm, &vmmu_nested) ||
	    vmmu_vm_set_slot(&vm, &slot) != VMMU_SLOT_OK)
		return 1;
	/* The tables, by the first page of each. */
	for (uint64_t gpa = 0; gpa < REGION; gpa += VMMU_2M)
		fill(&cpu, gpa);
	if (count > REGION / VMMU_PAGE_SIZE * 511 / 512) {
		fprintf(stderr, "bench_fill: at most %lu\n",
			(unsigned long)(REGION / VMMU_PAGE_SIZE * 511 / 512));
		return 2;
	}
	for (uint64_t gpa = 0; count; gpa += VMMU_PAGE_SIZE) {
		if (!(gpa & (VMMU_2M - 1)))
			continue;
		fill(&cpu, gpa);
		count--;
	}
	if (vm.stats.pf_fixed != vm.stats.violations || vm.stats.mmu_recycled)
		return 1;
	return 0;
}

/*
 * What one nested fill costs: a violation on a page that is not mapped, whose
 * tables exist, backed by 4 KiB extents. All that belongs to it counts: the
 * look-up of the slot, the host's answer, statistics.
 *
 *   near, far            one page after the other, as guests mostly touch
 *                        them; each in another gigabyte than the one before:
 *                        a whole descent
 *   near-loop, far-loop  the same without a fill, for callgrind.py to subtract
 */
#include <string.h>

#include <vmmu/vmmu.h>

#include "bench.h"

#define TABLE_PAGES 2048u
#define SLOT_SIZE   (2 * VMMU_1G) /* 1024 tables of level 1 */
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

/* The i-th page to fill. The first of each 2 MiB is taken: it made the
 * tables. */
static uint64_t near(uint64_t i)
{
	return (i + i / 511 + 1) * VMMU_PAGE_SIZE;
}

static uint64_t far(uint64_t i)
{
	return near(i / 2) + i % 2 * VMMU_1G;
}

static volatile uint64_t sink;

static void run(struct vmmu_cpu *cpu, uint64_t (*page)(uint64_t i),
		uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		fill(cpu, page(i));
}

static void loop_alone(uint64_t (*page)(uint64_t i), uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		sink = page(i);
}

static void set_up(struct vmmu_cpu *cpu, struct vmmu_vm *vm, struct host *host)
{
	static struct vmmu_slot storage[1];
	const struct vmmu_slot slot = { .size = SLOT_SIZE, .hva = mk_hva(HVA) };
	const struct vmmu_vm_config config = {
		.host = { .ops = &ops, .cookie = host },
		.hw = { .nested_format = &pt_npt, .nested_max_leaf = 3 },
		.slot_storage = storage,
		.slot_capacity = 1,
		.table_limit = TABLE_PAGES,
		.fault_around = 64 * 1024 * 1024,
	};

	host->tables = calloc(TABLE_PAGES + 1, VMMU_PAGE_SIZE);
	if (!host->tables || !vmmu_vm_init(vm, &config) ||
	    !vmmu_cpu_init(cpu, vm, &vmmu_nested) ||
	    vmmu_vm_set_slot(vm, &slot) != VMMU_SLOT_OK)
		abort();
	for (uint64_t gpa = 0; gpa < SLOT_SIZE; gpa += VMMU_2M)
		fill(cpu, gpa);
}

int main(int argc, char **argv)
{
	static struct vmmu_vm vm;
	static struct vmmu_cpu cpu;
	uint64_t count = bench_count(argc, argv);
	const char *op = argc > 1 ? argv[1] : "";
	struct host host = { .tables = NULL };

	if (count > 2 * 511 * 511)
		return bench_usage(argv[0], "near|far|*-loop, at most 522242");
	set_up(&cpu, &vm, &host);
	if (!strcmp(op, "near"))
		run(&cpu, near, count);
	else if (!strcmp(op, "far"))
		run(&cpu, far, count);
	else if (!strcmp(op, "near-loop"))
		loop_alone(near, count);
	else if (!strcmp(op, "far-loop"))
		loop_alone(far, count);
	else
		return bench_usage(argv[0], "near|far|near-loop|far-loop");
	/* Every violation was a fill, and no table was made or lost. */
	if (vm.stats.pf_fixed != vm.stats.violations || vm.stats.mmu_recycled)
		abort();
	return bench_done(op, count);
}

/*
 * What one hidden fault costs under vtlb: the guest's walk over warm tables,
 * slot, host and the new leaf, where our own tables exist. Guest: 4-level
 * paging, 4 KiB pages, A and D set; backing: 4 KiB extents.
 *
 *   fill    one page of each eight, where the others are not the guest's
 *   drop    the same, and a load of CR3 after each 64
 *   around  one page of each eight, and the other seven with it
 *   loop    no fault at all, for callgrind.py to subtract
 */
#include <string.h>

#include <vmmu/vmmu.h>

#include "bench.h"

#define TABLE_PAGES 1024u
#define LEAF_TABLES 128u	       /* of the guest */
#define GUEST_TABLE (LEAF_TABLES + 4u) /* pages, from gpa 0 */
#define DATA	    (16 * 1024 * UINT64_C(1024))
#define PAGES	    (LEAF_TABLES * 512u)
#define GROUP	    8u
#define HVA	    UINT64_C(0x100000000)
#define RAM	    VMMU_1G /* hpa of gpa 0 */

struct host {
	uint8_t *tables; /* machine memory from 0 */
	uint8_t *guest;	 /* and from RAM: the guest's tables alone */
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

	return hpa.v >= RAM ? h->guest + (hpa.v - RAM) : h->tables + hpa.v;
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	(void)cookie;
	(void)access;
	*out = (struct vmmu_extent){
		.hva = hva,
		.hpa = mk_hpa(hva.v - HVA + RAM),
		.size = VMMU_PAGE_SIZE,
	};
	return VMMU_RESOLVE_OK;
}

static void flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	(void)cookie;
	(void)cpu;
	(void)gva;
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
	.flush_gva = flush_gva,
	.flush_cpu = flush_cpu,
	.flush_all = flush_all,
};

/* 1. The guest: gva n * 4 KiB is gpa DATA + n * 4 KiB. */

static void guest_entry(struct host *h, uint64_t table, uint64_t index,
			uint64_t to)
{
	uint64_t entry = to | 0x67; /* P W U A D */

	memcpy(h->guest + table * VMMU_PAGE_SIZE + index * 8, &entry, 8);
}

static void guest_tables(struct host *h, uint64_t step)
{
	guest_entry(h, 0, 0, 1 * VMMU_PAGE_SIZE);
	guest_entry(h, 1, 0, 2 * VMMU_PAGE_SIZE);
	for (uint64_t i = 0; i < LEAF_TABLES; i++)
		guest_entry(h, 2, i, (4 + i) * VMMU_PAGE_SIZE);
	for (uint64_t i = 0; i < PAGES; i += step)
		guest_entry(h, 4 + i / 512, i % 512, DATA + i * VMMU_PAGE_SIZE);
}

static const struct vmmu_features features = { .maxphyaddr = 40, .nx = true };
static const struct vmmu_regs regs = {
	.cr0 = VMMU_CR0_PE | VMMU_CR0_PG | VMMU_CR0_WP,
	.cr4 = VMMU_CR4_PAE | VMMU_CR4_PGE,
	.efer = VMMU_EFER_LME | VMMU_EFER_LMA | VMMU_EFER_NXE,
};

static void fault(struct vmmu_cpu *cpu, uint64_t page)
{
	static struct vmmu_fault f = { .access = VMMU_W | VMMU_U };
	struct vmmu_answer a;

	f.gva = mk_gva(page * VMMU_PAGE_SIZE);
	vmmu_cpu_fault(cpu, &f, &a);
	if (a.verdict != VMMU_RESUME)
		abort();
}

static void set_up(struct vmmu_cpu *cpu, struct vmmu_vm *vm, struct host *h,
		   uint64_t step)
{
	static struct vmmu_slot storage[1];
	const struct vmmu_slot slot = { .size = VMMU_1G, .hva = mk_hva(HVA) };
	const struct vmmu_vm_config config = {
		.host = { .ops = &ops, .cookie = h },
		.hw = { .host_max_leaf = 2 },
		.slot_storage = storage,
		.slot_capacity = 1,
		.table_limit = TABLE_PAGES,
	};

	h->tables = calloc(TABLE_PAGES + 1, VMMU_PAGE_SIZE);
	h->guest = calloc(GUEST_TABLE, VMMU_PAGE_SIZE);
	if (!h->tables || !h->guest || !vmmu_vm_init(vm, &config) ||
	    !vmmu_cpu_init(cpu, vm, &vmmu_vtlb) ||
	    vmmu_vm_set_slot(vm, &slot) != VMMU_SLOT_OK)
		abort();
	guest_tables(h, step);
	vmmu_cpu_set_regs(cpu, &regs, &features);
	for (uint64_t page = 0; page < PAGES; page += 512)
		fault(cpu, page);
	vmmu_cpu_flush(cpu, VMMU_FLUSH_ALL);
}

/* 2. What is measured. */

static volatile uint64_t sink;

static void run(struct vmmu_cpu *cpu, uint64_t count, uint64_t each)
{
	for (uint64_t i = 0; i < count; i++) {
		fault(cpu, i * GROUP);
		if (each && i % each == each - 1)
			vmmu_cpu_flush(cpu, VMMU_FLUSH_NON_GLOBAL);
	}
}

static void loop_alone(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		sink = i * VMMU_PAGE_SIZE;
}

int main(int argc, char **argv)
{
	static struct vmmu_vm vm;
	static struct vmmu_cpu cpu;
	uint64_t count = bench_count(argc, argv);
	const char *op = argc > 1 ? argv[1] : "";
	struct host host = { .tables = NULL };

	if (count > PAGES / GROUP)
		return bench_usage(argv[0],
				   "fill|drop|around|loop, at most 8192");
	set_up(&cpu, &vm, &host, strcmp(op, "around") ? GROUP : 1);
	if (!strcmp(op, "fill") || !strcmp(op, "around"))
		run(&cpu, count, 0);
	else if (!strcmp(op, "drop"))
		run(&cpu, count, 64);
	else if (!strcmp(op, "loop"))
		loop_alone(count);
	else
		return bench_usage(argv[0], "fill|drop|around|loop");
	if (vm.stats.pf_fixed != vm.stats.pf_taken || vm.stats.mmu_recycled)
		abort();
	return bench_done(op, count);
}

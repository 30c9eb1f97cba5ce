/*
 * The guest walk, warm: all tables in the cache of frames, A and D set. Random
 * addresses over 512 pages behind one page table, so that the last level's
 * entry is another each time. walk4, walk5: 4 and 5 levels; write: for a write;
 * large: the entry above maps 2 MiB; pae, x86-32: the other modes; loop: the
 * loop without the walk.
 */
#include <string.h>

#include <vmmu/access.h>
#include <vmmu/gwalk.h>

#include "bench.h"

#define PAGES 16
#define ENTRY 0x67u /* P, W, U, A, D */
#define PS    0x80u

/* Guest memory, frame 0 up: tables of levels 1 to 5. gpa, hva and hpa of this
 * host are offsets into it. */
static _Alignas(4096) uint8_t ram[PAGES * VMMU_PAGE_SIZE];
static volatile uint64_t sink;

static void *ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return ram + hpa.v;
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	(void)cookie;
	(void)access;
	*out = (struct vmmu_extent){ .hva = mk_hva(hva.v & ~VMMU_PAGE_MASK),
				     .hpa = mk_hpa(hva.v & ~VMMU_PAGE_MASK),
				     .size = VMMU_PAGE_SIZE };
	return VMMU_RESOLVE_OK;
}

/* A table of 8-byte entries at each level; all entries of a level alike, but
 * for the last, which maps 512 pages in a row. */
static void fill_tables(bool large)
{
	for (uint64_t level = 1; level <= 5; level++) {
		uint64_t *table = (uint64_t *)(ram + level * VMMU_PAGE_SIZE);

		for (uint64_t i = 0; i < 512; i++) {
			uint64_t below = (level - 1) * VMMU_PAGE_SIZE;

			if (level == 1)
				below = (i + 256) * VMMU_PAGE_SIZE;
			else if (level == 2 && large)
				below = i * VMMU_2M | PS;
			table[i] = below | ENTRY;
		}
	}
}

static void fill_tables_32(void)
{
	uint32_t *directory = (uint32_t *)(ram + 2 * VMMU_PAGE_SIZE);
	uint32_t *table = (uint32_t *)(ram + VMMU_PAGE_SIZE);

	for (uint32_t i = 0; i < 1024; i++) {
		directory[i] = (uint32_t)VMMU_PAGE_SIZE | ENTRY;
		table[i] = (i + 256) * (uint32_t)VMMU_PAGE_SIZE | ENTRY;
	}
}

static void set_mode(struct vmmu_mode *mode, const char *op)
{
	struct vmmu_features features = {
		.maxphyaddr = 40, .nx = true, .pse36 = true, .gib_pages = true
	};
	struct vmmu_regs regs = { .cr0 = VMMU_CR0_PE | VMMU_CR0_PG |
					 VMMU_CR0_WP,
				  .cr4 = VMMU_CR4_PSE,
				  .cr3 = 2 * VMMU_PAGE_SIZE };

	if (strcmp(op, "x86-32")) {
		regs.cr4 |= VMMU_CR4_PAE;
		regs.efer = VMMU_EFER_NXE;
		for (int i = 0; i < 4; i++)
			regs.pdpte[i] = 2 * VMMU_PAGE_SIZE | 1;
	}
	if (strcmp(op, "x86-32") && strcmp(op, "pae")) {
		regs.efer |= VMMU_EFER_LME | VMMU_EFER_LMA;
		regs.cr3 = 4 * VMMU_PAGE_SIZE;
	}
	if (!strcmp(op, "walk5")) {
		regs.cr4 |= VMMU_CR4_LA57;
		regs.cr3 = 5 * VMMU_PAGE_SIZE;
	}
	vmmu_mode_set(mode, &regs, &features);
}

static gva_t address(uint64_t i)
{
	return mk_gva((i * 0x9e3779b1 & 0x1ff) << VMMU_PAGE_SHIFT | 0x123);
}

static void walk(struct vmmu_gmem *mem, const struct vmmu_mode *mode,
		 unsigned access, uint64_t count)
{
	struct vmmu_gwalk result;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (vmmu_gwalk(mem, mode, address(i), access, 0, &result))
			abort();
		sum += result.gpa.v;
	}
	sink = sum;
}

static void loop_alone(uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += address(i).v;
	sink = sum;
}

int main(int argc, char **argv)
{
	static const char *const ops[] = { "walk4", "walk5",  "write", "large",
					   "pae",   "x86-32", "loop" };
	static const struct vmmu_host_ops host_ops = { .resolve = resolve,
						       .ptr = ptr };
	const struct vmmu_host host = { &host_ops, NULL };
	const struct vmmu_slot slot = { .size = sizeof(ram) };
	const char *op = argc > 1 ? argv[1] : "";
	uint64_t count = bench_count(argc, argv);
	struct vmmu_slot storage[1];
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct vmmu_mode mode;
	bool known = false;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		known |= !strcmp(op, ops[i]);
	if (!known)
		return bench_usage(argv[0],
				   "walk4|walk5|write|large|pae|x86-32|loop");
	vmmu_slots_init(&slots, storage, 1);
	if (vmmu_slots_set(&slots, &slot) != VMMU_SLOT_OK)
		abort();
	vmmu_gmem_init(&mem, &slots, &host);
	set_mode(&mode, op);
	if (!strcmp(op, "x86-32"))
		fill_tables_32();
	else
		fill_tables(!strcmp(op, "large"));
	if (!strcmp(op, "loop"))
		loop_alone(count);
	else
		walk(&mem, &mode, !strcmp(op, "write") ? VMMU_W : VMMU_R,
		     count);
	return bench_done(op, count);
}

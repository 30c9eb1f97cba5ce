/*
 * What the tests of `vtlb` share: a guest with tables in its own memory, in
 * each of its paging modes, on a processor that walks cpu->root.
 */
#ifndef TEST_UNIT_VTLB_RIG_H
#define TEST_UNIT_VTLB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmmu/vmmu.h>

#include "lab/host.h"
#include "lab/rootwalk.h"

#define MIB   (UINT64_C(1) << 20)
#define HOLE  (64 * MIB)  /* no slot */
#define ROM   (128 * MIB) /* a read-only slot, 4 MiB */
#define LOG   (160 * MIB) /* a slot that logs, 64 KiB */
#define TABLE 0x10000	  /* guest tables, one page a level */

#define P  UINT64_C(0x001)
#define W  UINT64_C(0x002)
#define U  UINT64_C(0x004)
#define A  UINT64_C(0x020)
#define D  UINT64_C(0x040)
#define PS UINT64_C(0x080)
#define G  UINT64_C(0x100)
#define NX (UINT64_C(1) << 63)

enum mode { OFF, BITS32, PAE, LEVEL4, LEVEL5, MODES };

struct guest {
	struct lab_host lab;
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct vmmu_slot storage[4];
	struct rootwalk root;
	struct vmmu_regs regs;
	struct vmmu_features features;
	enum mode mode;
	unsigned levels, size; /* of an entry */
	uint64_t dirty[1];
	uint64_t page_offset; /* in the host's memory, next free */
	struct vmmu_answer answer;
	uint64_t hpa;
};

static inline void changed(void *ctx, hva_t hva, uint64_t size)
{
	struct guest *g = ctx;

	vmmu_vm_backing_changed(&g->vm, hva, size);
}

static inline void slot(struct guest *g, uint32_t id, uint32_t flags,
			uint64_t gpa, uint64_t size)
{
	const struct vmmu_slot s = { .id = id,
				     .flags = flags,
				     .gpa = mk_gpa(gpa),
				     .size = size,
				     .hva = mk_hva(g->lab.hva_base.v +
						   g->page_offset),
				     .dirty = g->dirty };

	g->page_offset += size;
	assert_int_equal(vmmu_vm_set_slot(&g->vm, &s), VMMU_SLOT_OK);
}

static inline void set_regs(struct guest *g)
{
	vmmu_cpu_set_regs(&g->cpu, &g->regs, &g->features);
}

static inline void enter(struct guest *g, enum mode mode)
{
	g->mode = mode;
	g->levels = (unsigned)mode + 1;
	g->size = mode == BITS32 ? 4 : 8;
	g->regs.cr0 = VMMU_CR0_PE | VMMU_CR0_WP |
		      (mode == OFF ? 0 : VMMU_CR0_PG);
	g->regs.cr4 = VMMU_CR4_PSE | VMMU_CR4_PGE |
		      (mode >= PAE ? VMMU_CR4_PAE : 0) |
		      (mode == LEVEL5 ? VMMU_CR4_LA57 : 0);
	g->regs.efer = VMMU_EFER_NXE |
		       (mode >= LEVEL4 ? VMMU_EFER_LME | VMMU_EFER_LMA : 0);
	g->regs.cr3 = TABLE;
	set_regs(g);
}

struct shape {
	uint64_t extent;
	uint32_t tables;
};

static inline struct guest *guest_of(enum mode mode, struct shape shape)
{
	struct lab_host_config c = { .memory = 48 * MIB,
				     .spare = 4 * MIB,
				     .extent = shape.extent,
				     .table_pages = 256 };
	struct vmmu_vm_config vc = { .hw.host_max_leaf = 3,
				     .slot_capacity = 4,
				     .table_limit = shape.tables };
	struct guest *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	assert_true(lab_host_init(&g->lab, &c));
	g->lab.hooks.backing_changed = changed;
	g->lab.hooks.ctx = g;
	vc.host = lab_host_ops(&g->lab);
	vc.slot_storage = g->storage;
	assert_true(vmmu_vm_init(&g->vm, &vc));
	assert_true(vmmu_cpu_init(&g->cpu, &g->vm, &vmmu_vtlb));
	slot(g, 0, 0, 0, 32 * MIB);
	slot(g, 1, VMMU_SLOT_READ_ONLY, ROM, 4 * MIB);
	slot(g, 2, VMMU_SLOT_LOG_DIRTY, LOG, 0x10000);
	g->root = (struct rootwalk){ .cpu = &g->cpu, .host = &g->lab };
	g->features = (struct vmmu_features){
		.maxphyaddr = 40, .pse36 = true, .nx = true, .gib_pages = true
	};
	enter(g, mode);
	return g;
}

static inline struct guest *guest(enum mode mode)
{
	return guest_of(mode, (struct shape){ 2 * MIB, 128 });
}

static inline void breach(void *ctx, unsigned invariant, const char *sentence,
			  uint64_t addr, uint64_t entry)
{
	(void)ctx;
	(void)invariant;
	print_error("%s: %#llx %#llx\n", sentence, (unsigned long long)addr,
		    (unsigned long long)entry);
}

static inline bool audit(struct guest *g)
{
	struct vmmu_audit a = { .breach = breach };

	return vmmu_audit(&g->vm, &a);
}

static inline void end(struct guest *g)
{
	assert_true(audit(g));
	vmmu_cpu_fini(&g->cpu);
	assert_int_equal(g->vm.pool.used, 0);
	vmmu_vm_fini(&g->vm);
	assert_int_equal(g->lab.count.tables_out, 0);
	lab_host_fini(&g->lab);
	free(g);
}

static inline unsigned shift_of(const struct guest *g, unsigned level)
{
	return 12 + (g->size == 4 ? 10 : 9) * (level - 1);
}

static inline void write_entry(struct guest *g, uint64_t gpa, uint64_t entry)
{
	assert_int_equal(
		vmmu_gmem_write(&g->cpu.mem, mk_gpa(gpa), &entry, g->size),
		VMMU_GMEM_OK);
}

static inline uint64_t place(const struct guest *g, uint64_t gva,
			     unsigned level)
{
	uint64_t index = gva >> shift_of(g, level) &
			 (VMMU_PAGE_SIZE / g->size - 1);

	if (g->mode == PAE && level == 3)
		index &= 3;
	return TABLE + (g->levels - level) * VMMU_PAGE_SIZE + index * g->size;
}

/* Plain tables down to `level`, and the leaf there. One table a level serves
 * all addresses. */
static inline void map_at(struct guest *g, uint64_t gva, unsigned level,
			  uint64_t leaf)
{
	for (unsigned n = g->levels; n > level; n--)
		write_entry(
			g, place(g, gva, n),
			(TABLE + (g->levels - n + 1) * VMMU_PAGE_SIZE) |
				(g->mode == PAE && n == 3 ? P : P | W | U | A));
	write_entry(g, place(g, gva, level), leaf);
	if (g->mode == PAE) {
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE), g->regs.pdpte, 32);
		set_regs(g);
	}
}

static inline void map(struct guest *g, uint64_t gva, uint64_t leaf)
{
	if (g->mode != OFF)
		map_at(g, gva, 1, leaf);
}

static inline uint64_t leaf_now(struct guest *g, uint64_t gva)
{
	uint64_t entry = 0;

	vmmu_gmem_read(&g->cpu.mem, mk_gpa(place(g, gva, 1)), &entry, g->size);
	return entry;
}

/* Hardware alone: does our table let this through? */
static inline bool reaches(struct guest *g, uint64_t gva, unsigned access)
{
	struct smmu_regs real;
	struct smmu_result r;

	assert_true(rootwalk_regs(&g->root, &real));
	rootwalk_access(&g->root, &real, mk_gva(gva), access, &r);
	assert_true(r.outcome == SMMU_OK || r.outcome == SMMU_FAULT);
	assert_false(r.outcome == SMMU_FAULT && r.error & VMMU_PF_RSVD);
	g->hpa = r.gpa.v;
	return r.outcome == SMMU_OK;
}

/* The guest accesses: RESUME when it did, else the verdict. */
static inline enum vmmu_verdict touch(struct guest *g, uint64_t gva,
				      unsigned access)
{
	const struct vmmu_fault f = { .gva = mk_gva(gva), .access = access };

	for (unsigned i = 0; i < 3; i++) {
		if (reaches(g, gva, access))
			return VMMU_RESUME;
		vmmu_cpu_fault(&g->cpu, &f, &g->answer);
		if (g->answer.verdict != VMMU_RESUME)
			return g->answer.verdict;
	}
	fail_msg("no progress at %#llx", (unsigned long long)gva);
	return VMMU_KILL;
}

/* Flushes until tables that the guest does not write to are in sync. */
static inline void quiet(struct guest *g)
{
	for (unsigned i = 0; i < 3; i++)
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
}

static inline uint64_t hpa_of(struct guest *g, uint64_t gpa)
{
	const struct vmmu_slot *s =
		vmmu_slots_find(&g->vm.slots, gpa_gfn(mk_gpa(gpa)));
	hpa_t hpa;

	assert_non_null(s);
	assert_true(
		lab_host_peek(&g->lab, vmmu_slot_hva(s, mk_gpa(gpa)), &hpa));
	return hpa.v;
}

#define EACH(name)                                                             \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		for (int mode = BITS32; mode < MODES; mode++)                  \
			name##_in((enum mode)mode);                            \
	}

#endif

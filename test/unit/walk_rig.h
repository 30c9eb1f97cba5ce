/*
 * A guest for tests of the walk: RAM from gpa 0, its tables written by hand,
 * one frame a table. Frame n holds the table of level n.
 */
#ifndef TEST_UNIT_WALK_RIG_H
#define TEST_UNIT_WALK_RIG_H

#include <string.h>

#include <vmmu/access.h>
#include <vmmu/gwalk.h>

#include "test/unit/flat_host.h"

/* Bits of an entry, by the manual's names. */
#define P      UINT64_C(0x001)
#define W      UINT64_C(0x002)
#define U      UINT64_C(0x004)
#define A      UINT64_C(0x020)
#define D      UINT64_C(0x040)
#define PS     UINT64_C(0x080)
#define G      UINT64_C(0x100)
#define NX     (UINT64_C(1) << 63)
#define KEY(k) ((uint64_t)(k) << 59)

struct walk_rig {
	struct flat_host host;
	struct vmmu_slot storage[4];
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct vmmu_features features;
	struct vmmu_regs regs;
	struct vmmu_mode mode;
	uint64_t bitmap[1];
	struct vmmu_gwalk out;
};

static inline void rig_slot(struct walk_rig *r, uint32_t id, uint32_t flags,
			    uint64_t gpa, uint64_t size, uint64_t arena)
{
	const struct vmmu_slot slot = { .id = id,
					.flags = flags,
					.gpa = mk_gpa(gpa),
					.size = size,
					.hva = mk_hva(FLAT_HVA + arena),
					.dirty = r->bitmap };

	if (vmmu_slots_set(&r->slots, &slot) != VMMU_SLOT_OK)
		abort();
}

static inline void rig_set_mode(struct walk_rig *r)
{
	vmmu_mode_set(&r->mode, &r->regs, &r->features);
}

/* Long mode, 4 levels, everything offered, WP and NXE on. */
static inline void rig_init(struct walk_rig *r)
{
	memset(r, 0, sizeof(*r));
	flat_host_init(&r->host);
	vmmu_slots_init(&r->slots, r->storage, 4);
	rig_slot(r, 0, 0, 0, FLAT_PAGES * VMMU_PAGE_SIZE, 0);
	vmmu_gmem_init(&r->mem, &r->slots, &r->host.host);
	r->features = (struct vmmu_features){
		.maxphyaddr = 40, .pse36 = true, .nx = true, .gib_pages = true
	};
	r->regs.cr0 = VMMU_CR0_PE | VMMU_CR0_PG | VMMU_CR0_WP;
	r->regs.cr4 = VMMU_CR4_PAE;
	r->regs.efer = VMMU_EFER_LME | VMMU_EFER_LMA | VMMU_EFER_NXE;
	r->regs.cr3 = 0x4000;
	rig_set_mode(r);
}

static inline void rig_fini(struct walk_rig *r)
{
	flat_host_fini(&r->host);
}

/* Entry i of the table in frame `level`. */
static inline uint64_t *rig_entry(struct walk_rig *r, unsigned level,
				  unsigned i)
{
	return (uint64_t *)(r->host.arena + level * VMMU_PAGE_SIZE) + i;
}

static inline uint32_t *rig_entry_4(struct walk_rig *r, unsigned level,
				    unsigned i)
{
	return (uint32_t *)(r->host.arena + level * VMMU_PAGE_SIZE) + i;
}

/* Indices of a gva at level n. */
static inline unsigned rig_index(uint64_t gva, unsigned level)
{
	return gva >> (12 + 9 * (level - 1)) & 511;
}

/* gva through plain tables from `top` down to the leaf at `level`. */
static inline void rig_map(struct walk_rig *r, uint64_t gva, unsigned top,
			   unsigned level, uint64_t leaf)
{
	for (unsigned n = top; n > level; n--)
		*rig_entry(r, n, rig_index(gva, n)) = (n - 1) * VMMU_PAGE_SIZE |
						      P | W | U | A;
	*rig_entry(r, level, rig_index(gva, level)) = leaf;
}

static inline enum vmmu_gwalk_status rig_walk(struct walk_rig *r, uint64_t gva,
					      unsigned access)
{
	r->out.error_code = 0xdead;
	return vmmu_gwalk(&r->mem, &r->mode, mk_gva(gva), access, 0, &r->out);
}

#endif

/*
 * The guest's tables as hardware walks them, and changes that are given by
 * address.
 *
 *   gva   63..48 sign | 47..39 L4 | 38..30 L3 | 29..21 L2 | 20..12 L1 | 11..0
 *
 * Every table that a root leads to is validated, so an entry's frame needs no
 * check here. The hypervisor's own slots are never walked.
 */
#include "scheme/direct_leaf.h"

static unsigned index_at(gva_t gva, unsigned level)
{
	return (unsigned)(gva.v >> (3 + 9 * level)) & (ENTRIES - 1);
}

static bool is_guests(const struct vmmu_direct_vm *d, gva_t gva)
{
	uint64_t high = (uint64_t)((int64_t)gva.v >> 47);

	return high + 1 <= 1 && !direct_is_ours(d, 4, index_at(gva, 4));
}

struct way {
	uint64_t at;  /* hpa of the entry that is reached */
	uint64_t all; /* bits that all entries above have, */
	uint64_t any; /* and those that any has */
	unsigned level;
};

/* One level down; false: there is no table. Inline, so that the level is a
 * constant. */
static inline bool step(const struct vmmu_direct_vm *d, struct way *w,
			gva_t gva, unsigned level)
{
	uint64_t entry = entry_load(direct_slot(d, w->at));

	if (!(entry & ENTRY_P))
		return false;
	w->all &= entry;
	w->any |= entry;
	w->at = (entry & ENTRY_ADDR) | index_at(gva, level) << ENTRY_SHIFT;
	w->level = level;
	return true;
}

/* The way to the L1 entry for a gva that is the guest's; false: no table. */
static inline bool find_leaf(const struct vmmu_cpu *cpu, gva_t gva,
			     struct way *w)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;

	w->at = cpu->root.v | index_at(gva, 4) << ENTRY_SHIFT;
	w->all = UINT64_MAX;
	w->any = 0;
	w->level = 4;
	return step(d, w, gva, 3) && step(d, w, gva, 2) && step(d, w, gva, 1);
}

static unsigned perms_of(uint64_t all, uint64_t any)
{
	unsigned perms = VMMU_R;

	if (all & ENTRY_W)
		perms |= VMMU_W;
	if (!(any & ENTRY_NX))
		perms |= VMMU_X;
	if (all & ENTRY_U)
		perms |= VMMU_U;
	return perms;
}

bool vmmu_direct_walk(const struct vmmu_cpu *cpu, gva_t gva,
		      struct vmmu_direct_walk *out)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	struct way w;
	bool found;

	*out = (struct vmmu_direct_walk){ .level = 4 };
	if (!cpu->root.v || !is_guests(d, gva))
		return false;
	found = find_leaf(cpu, gva, &w);
	out->at = mk_hpa(w.at);
	out->level = w.level;
	out->entry = entry_load(direct_slot(d, w.at));
	if (!found || !(out->entry & ENTRY_P))
		return false;
	out->perms = perms_of(w.all & out->entry, w.any | out->entry);
	return true;
}

uint64_t vmmu_direct_entry(const struct vmmu_cpu *cpu, hpa_t at)
{
	return entry_load(direct_slot(cpu->vm->direct, at.v & ~(uint64_t)7));
}

/* The way down to the L1 entry that maps gva, if the levels above let it be
 * written. A guest writes one page's entries one after another, so it is kept
 * for the next. */
static __attribute__((noinline)) bool find_way(const struct vmmu_cpu *cpu,
					       gva_t gva)
{
	struct vmmu_direct_cpu *seat = cpu->state;
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	struct way w;

	if (!cpu->root.v || !is_guests(d, gva) || !find_leaf(cpu, gva, &w) ||
	    !(w.all & ENTRY_W))
		return false;
	seat->way.page = gva.v & ~VMMU_PAGE_MASK;
	seat->way.leaf = w.at;
	seat->way.root = cpu->root.v;
	seat->way.links = d->links;
	return true;
}

static inline bool is_on_way(const struct vmmu_cpu *cpu, gva_t gva)
{
	const struct vmmu_direct_cpu *seat = cpu->state;

	return seat->way.page == (gva.v & ~VMMU_PAGE_MASK) &&
	       seat->way.links == cpu->vm->direct->links &&
	       seat->way.root == cpu->root.v;
}

/* The hpa of the byte at gva, where that is in an L1 which only the leaf keeps
 * from being written, as it must. False: not so. */
static inline bool trapped_at(const struct vmmu_cpu *cpu, gva_t gva,
			      uint64_t *at)
{
	const struct vmmu_direct_cpu *seat = cpu->state;
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t entry;

	if (!is_on_way(cpu, gva) && !find_way(cpu, gva))
		return false;
	entry = entry_load(direct_slot(d, seat->way.leaf));
	if ((entry & (ENTRY_P | ENTRY_W)) != ENTRY_P ||
	    !direct_is(direct_frame(d, entry_frame(entry)), VMMU_FRAME_L1))
		return false;
	*at = (entry & ENTRY_ADDR) | (gva.v & VMMU_PAGE_MASK);
	return true;
}

bool vmmu_direct_is_trapped(struct vmmu_cpu *cpu, gva_t gva, hpa_t *at)
{
	return trapped_at(cpu, gva, &at->v);
}

/* The way down once, then as direct_trap.c does it: the frame is an L1 and
 * stays one meanwhile, so only what the new entry refers to is to be asked.
 * False: not such a write. */
static inline bool trapped_slot(const struct vmmu_cpu *cpu, gva_t gva,
				uint64_t **slot)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t at;

	if (gva.v % sizeof(uint64_t) || d->doomed_count ||
	    !trapped_at(cpu, gva, &at))
		return false;
	*slot = direct_slot(d, at);
	return true;
}

/* The new entry does not depend on the old one, so it is got first, and then
 * takes the place of whatever is there. */
bool vmmu_direct_trapped_quick(struct vmmu_cpu *cpu, gva_t gva, uint64_t value,
			       uint64_t *old)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t *slot, was;

	if (!trapped_slot(cpu, gva, &slot) ||
	    leaf_take(d, &value, false) != VMMU_DIRECT_OK)
		return false;
	was = __atomic_exchange_n(slot, value, __ATOMIC_ACQ_REL);
	if (was & ENTRY_P)
		leaf_put(d, was);
	*old = was;
	d->stats.trapped_writes++;
	return true;
}

/* A page is made read-only, as all of a process that forks are. */
static inline bool is_protection(uint64_t old, uint64_t entry)
{
	return (old ^ entry) == ENTRY_W && old & ENTRY_W && old & ENTRY_P;
}

static inline bool protect(struct vmmu_direct_vm *d, uint64_t *slot,
			   uint64_t *old, uint64_t entry)
{
	if (!__atomic_compare_exchange_n(slot, old, entry, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	leaf_put_write(d, entry);
	return true;
}

bool vmmu_direct_trapped_and(struct vmmu_cpu *cpu, gva_t gva, uint64_t keep,
			     uint64_t *old)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t *slot, was, entry;
	bool done;

	if (!trapped_slot(cpu, gva, &slot))
		return false;
	was = entry_load(slot);
	do {
		*old = was;
		entry = was & keep;
		if (is_protection(was, entry))
			done = protect(d, slot, &was, entry);
		else if (leaf_take(d, &entry, false) != VMMU_DIRECT_OK)
			return false;
		else
			done = leaf_exchange(d, slot, &was, entry);
	} while (!done);
	d->stats.trapped_writes++;
	return true;
}

enum vmmu_direct_status vmmu_direct_update_va(struct vmmu_cpu *cpu, gva_t gva,
					      uint64_t value)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint32_t slice = DIRECT_SLICE;
	struct way w;

	if (!direct_begin(d, &slice))
		return direct_end(d, VMMU_DIRECT_AGAIN, &slice);
	d->stats.update_va++;
	if (!is_guests(d, gva))
		return direct_end(d, VMMU_DIRECT_ADDRESS, NULL);
	if (!cpu->root.v || !find_leaf(cpu, gva, &w))
		return direct_end(d, VMMU_DIRECT_ABSENT, NULL);
	return direct_end(
		d, leaf_update(d, direct_slot(d, w.at), value, false, true),
		NULL);
}

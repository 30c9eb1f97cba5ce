/*
 * One leaf of level 1, in as few instructions as it takes: what faults that
 * need no walk and neighbours have in common. Everything here is inline; the
 * general forms are in shadow_fill.c and shadow_rmap.c.
 */
#ifndef LIB_SCHEME_SHADOW_LEAF_H
#define LIB_SCHEME_SHADOW_LEAF_H

#include "pt/gpte.h"
#include "scheme/shadow_page.h"

/* 1. Chains. */

static inline uint32_t *shadow_bucket(const struct shadow_vm *s,
				      uint32_t number)
{
	return &s->bucket[number / 1024][number % 1024];
}

static inline uint32_t shadow_bucket_of(const struct shadow_vm *s,
					uint64_t frame, unsigned level)
{
	uint64_t region = frame >> 9 * (level - 1);
	uint64_t mixed = (region * 4 + level) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(mixed >> 40) & (s->bucket_count * 1024 - 1);
}

static inline struct shadow_link *shadow_link_of(const struct shadow_vm *s,
						 uint32_t node)
{
	return &shadow_at(s, node / SHADOW_ENTRIES)
			->links[node % SHADOW_ENTRIES];
}

/* Into the chain of its frame. Not for a PAE root, which has no leaves. */
static inline void shadow_chain_leaf(struct shadow_vm *s, struct shadow_page *p,
				     unsigned index, uint64_t frame,
				     unsigned level)
{
	uint32_t number = shadow_bucket_of(s, frame, level);
	uint32_t *head = shadow_bucket(s, number), first = *head;
	uint32_t node = p->id * SHADOW_ENTRIES + index;

	p->links[index] = (struct shadow_link){ first, SHADOW_BUCKET | number };
	if (first)
		shadow_link_of(s, first)->other = node;
	*head = node;
	p->present++;
	p->rows |= UINT64_C(1) << index / 8;
	s->large[level]++;
}

/* 2. The leaf. */

/* What a guest's leaf with A set would be made of, beside the frame. */
struct shadow_small {
	uint64_t entry; /* the guest's */
	uint64_t frame, hpa;
	unsigned perms; /* that the guest's tables grant */
	bool writable;	/* slot and host let it be written */
	bool tables;	/* one lies there */
};

/* W where D is set, all allow it, and no table that is in sync is there. */
static inline uint64_t shadow_small_leaf(const struct shadow_vm *s,
					 const struct shadow_small *l)
{
	uint64_t leaf = l->hpa | SHADOW_P | SHADOW_A;

	leaf |= (l->perms & VMMU_U) >> 1;
	leaf |= (uint64_t)(~l->perms & VMMU_X) << 61;
	if (!l->writable)
		return leaf;
	leaf |= SHADOW_MAY_W;
	if (!(l->perms & VMMU_W) || !(l->entry & SHADOW_D) ||
	    (l->tables && shadow_protects(s, l->frame)))
		return leaf;
	return leaf | SHADOW_W | SHADOW_D;
}

static inline void shadow_put_small(struct shadow_vm *s, struct shadow_page *p,
				    unsigned index,
				    const struct shadow_small *l, uint64_t leaf)
{
	if (!shadow_is_direct(p))
		p->snap[index] = l->entry;
	shadow_chain_leaf(s, p, index, l->frame, 1);
	shadow_store(p, index, leaf);
	s->vm->stats.mapped[1]++;
}

/* 3. Where it is. */

/* Slot and host, where no question needs to be put to the host. */
static inline bool shadow_small_find(const struct shadow_vm *s,
				     const struct vmmu_slot *slot, uint64_t gpa,
				     struct shadow_small *l)
{
	const struct vmmu_vm *vm = s->vm;
	uint64_t hva = vmmu_slot_hva(slot, mk_gpa(gpa)).v;
	const struct vmmu_run *run = finding_run(vm, hva);

	if (!run || slot->flags & VMMU_SLOT_LOG_DIRTY)
		return false;
	l->frame = hva >> VMMU_PAGE_SHIFT;
	l->hpa = run->hpa + (hva - run->hva);
	l->writable = !(slot->flags & VMMU_SLOT_READ_ONLY);
	l->tables = shadow_first(s, l->frame) != 0;
	return true;
}

#endif

/*
 * Chains of entries: who refers to a shadow page, and which leaves map a
 * frame.
 *
 *   bucket -> node -> node -> 0     leaves, both ways: a frame may be mapped
 *                                   by very many, and one goes at a time
 *   page.parents -> node -> 0       entries to it, one way; the other field
 *                                   names the child. A guest could make them
 *                                   as many as all tables have places, and
 *                                   each that goes is looked for: so they are
 *                                   kept few, the oldest makes room
 *
 * A leaf of level n is in the bucket of its first frame / 512^(n-1). It need
 * not begin at a multiple in host memory, so a frame is looked for in two
 * buckets of each level that has leaves.
 */
#include <stddef.h>

#include "scheme/shadow_leaf.h"

static uint32_t node_of(const struct shadow_vm *s, const struct shadow_page *p,
			unsigned index)
{
	return shadow_id(s, p) * SHADOW_ENTRIES + index;
}

/* 1. Putting in. */

void shadow_put_leaf(struct shadow_vm *s, struct shadow_page *p, unsigned index,
		     uint64_t entry, uint64_t frame)
{
	shadow_chain_leaf(s, p, index, frame, p->key.level);
	shadow_store(p, index, entry);
}

static __attribute__((noinline)) void drop_oldest_parent(
	struct shadow_vm *s, const struct shadow_page *child)
{
	uint32_t node = child->parents, next;

	while ((next = shadow_link_of(s, node)->next) != 0)
		node = next;
	shadow_drop(s, shadow_at(s, node / SHADOW_ENTRIES),
		    node % SHADOW_ENTRIES);
}

void shadow_put_table(struct shadow_vm *s, struct shadow_page *p,
		      unsigned index, struct shadow_page *child)
{
	/* PAE's top level has no rights: SDM 3A table 4-8. */
	uint64_t rights = shadow_is_pae_root(p) ? SHADOW_P : SHADOW_P | 6;

	if (child->parent_count == SHADOW_PARENTS)
		drop_oldest_parent(s, child);
	child->parent_count++;
	p->links[index] =
		(struct shadow_link){ child->parents, shadow_id(s, child) };
	child->parents = node_of(s, p, index);
	p->present++;
	if (!shadow_is_pae_root(p))
		p->rows |= UINT64_C(1) << index / 8;
	if (s->unsync_count)
		shadow_disown(s);
	shadow_store(p, index, child->table_page.v | rights);
}

/* 2. Taking out. */

static void out_of_bucket(struct shadow_vm *s, const struct shadow_link *link)
{
	if (link->other & SHADOW_BUCKET)
		*shadow_bucket(s, link->other & ~SHADOW_BUCKET) = link->next;
	else
		shadow_link_of(s, link->other)->next = link->next;
	if (link->next)
		shadow_link_of(s, link->next)->other = link->other;
}

static void out_of_parents(struct shadow_vm *s, uint32_t node,
			   const struct shadow_link *link)
{
	struct shadow_page *child = shadow_at(s, link->other);
	uint32_t *at = &child->parents;

	while (*at != node)
		at = &shadow_link_of(s, *at)->next;
	*at = link->next;
	child->parent_count--;
	/* There may be leaves below that are parts of a guest page, which the
	 * guest flushes as one by any address in it. */
	if (child->key.level > 1 || shadow_is_direct(child))
		s->stale = true;
}

void shadow_drop(struct shadow_vm *s, struct shadow_page *p, unsigned index)
{
	uint64_t entry = shadow_load(p, index);

	if (!(entry & SHADOW_P))
		return;
	shadow_store(p, index, shadow_is_pae_root(p) ? 0 : s->absent);
	p->present--;
	if (!shadow_is_leaf(p, entry)) {
		struct shadow_page *child = shadow_child(s, p, index);

		if (child->present || child->key.level == 1)
			shadow_quick_forget(s, child);
		out_of_parents(s, node_of(s, p, index), &p->links[index]);
		return;
	}
	if ((entry & (SHADOW_BESIDE | SHADOW_A)) == SHADOW_BESIDE)
		s->vm->stats.pf_prefetch_wasted++;
	out_of_bucket(s, &p->links[index]);
	s->large[p->key.level]--;
	if (p->key.level == 1)
		return;
	s->stale = true;
	/* Empty, it may go without a word: see above. */
	if (s->code.page == p)
		s->code.page = NULL;
}

/* 3. What a leaf maps. */

uint64_t shadow_leaf_gpa(const struct shadow_page *p, unsigned index)
{
	unsigned shift = 9 * (p->key.level - 1u);

	if (shadow_is_direct(p))
		return (p->key.gfn + ((uint64_t)index << shift))
		       << VMMU_PAGE_SHIFT;
	if (p->key.level > 1)
		return p->snap[index];
	return p->snap[index] &
	       (p->key.format == 2 ? UINT64_C(0xfffff000) : SHADOW_ADDR);
}

static bool maps(const struct shadow_vm *s, uint32_t node, uint64_t frame)
{
	const struct shadow_page *p = shadow_at(s, node / SHADOW_ENTRIES);
	uint64_t gpa = shadow_leaf_gpa(p, node % SHADOW_ENTRIES);
	uint64_t first = shadow_frame(s->vm, gpa >> VMMU_PAGE_SHIFT);

	return frame - first < UINT64_C(1) << 9 * (p->key.level - 1);
}

static void protect(struct shadow_vm *s, uint32_t node)
{
	struct shadow_page *p = shadow_at(s, node / SHADOW_ENTRIES);
	unsigned index = node % SHADOW_ENTRIES;

	if (p->key.level > 1) {
		shadow_drop(s, p, index);
	} else if (shadow_load(p, index) & SHADOW_W) {
		__atomic_fetch_and(&p->table[index], ~SHADOW_W,
				   __ATOMIC_RELEASE);
		s->stale = true;
	}
}

/* Was W taken from this leaf for the frame's tables alone? */
static bool may_grant(const struct shadow_page *p, unsigned index,
		      uint64_t entry)
{
	uint64_t guest = shadow_is_direct(p)
				 ? SHADOW_W | (p->key.part & 1) * SHADOW_D
				 : p->snap[index];

	return (entry & (SHADOW_P | SHADOW_MAY_W)) ==
		       (SHADOW_P | SHADOW_MAY_W) &&
	       p->key.access & VMMU_W &&
	       (guest & (SHADOW_W | SHADOW_D)) == (SHADOW_W | SHADOW_D);
}

static void grant(struct shadow_vm *s, uint32_t node)
{
	struct shadow_page *p = shadow_at(s, node / SHADOW_ENTRIES);
	unsigned index = node % SHADOW_ENTRIES;

	if (p->key.level == 1 && may_grant(p, index, shadow_load(p, index)))
		__atomic_fetch_or(&p->table[index], SHADOW_W | SHADOW_D,
				  __ATOMIC_RELEASE);
}

static void read_only(struct shadow_vm *s, uint32_t node)
{
	struct shadow_page *p = shadow_at(s, node / SHADOW_ENTRIES);

	protect(s, node);
	__atomic_fetch_and(&p->table[node % SHADOW_ENTRIES], ~SHADOW_MAY_W,
			   __ATOMIC_RELEASE);
}

static void drop(struct shadow_vm *s, uint32_t node)
{
	shadow_drop(s, shadow_at(s, node / SHADOW_ENTRIES),
		    node % SHADOW_ENTRIES);
	s->stale = true;
}

static __attribute__((noinline)) void each_from(struct shadow_vm *s,
						uint32_t node, uint64_t frame,
						void (*act)(struct shadow_vm *s,
							    uint32_t node))
{
	uint32_t next;

	for (; node; node = next) {
		next = shadow_link_of(s, node)->next;
		if (maps(s, node, frame))
			act(s, node);
	}
}

/* Mostly nothing is in a bucket. */
static inline void each_in(struct shadow_vm *s, uint32_t number, uint64_t frame,
			   void (*act)(struct shadow_vm *s, uint32_t node))
{
	uint32_t node = *shadow_bucket(s, number);

	if (node)
		each_from(s, node, frame, act);
}

static void each(struct shadow_vm *s, uint64_t frame,
		 void (*act)(struct shadow_vm *s, uint32_t node))
{
	each_in(s, shadow_bucket_of(s, frame, 1), frame, act);
	for (unsigned level = 2; level <= 3; level++) {
		uint64_t size = UINT64_C(1) << 9 * (level - 1);

		if (!s->large[level])
			continue;
		each_in(s, shadow_bucket_of(s, frame, level), frame, act);
		each_in(s, shadow_bucket_of(s, frame - size, level), frame,
			act);
	}
}

/* What the guest took away and has not flushed yet is in no chain, and may be
 * in a TLB with W: SDM 3A 4.10.4.3. */
void shadow_protect(struct shadow_vm *s, uint64_t frame)
{
	each(s, frame, protect);
	s->stale = true;
}

void shadow_unprotect(struct shadow_vm *s, uint64_t frame)
{
	each_in(s, shadow_bucket_of(s, frame, 1), frame, grant);
}

void shadow_read_only(struct shadow_vm *s, uint64_t frame)
{
	each(s, frame, read_only);
}

void shadow_drop_frame(struct shadow_vm *s, uint64_t frame)
{
	each(s, frame, drop);
}

/* 4. For the audit. A guest may have all leaves in one chain: none is searched
 * for another's sake. */

static uint32_t bucket_for(const struct shadow_vm *s,
			   const struct shadow_page *p, unsigned index)
{
	uint64_t gfn = shadow_leaf_gpa(p, index) >> VMMU_PAGE_SHIFT;

	return shadow_bucket_of(s, shadow_frame(s->vm, gfn), p->key.level);
}

static bool is_leaf(const struct shadow_vm *s, uint32_t node)
{
	const struct shadow_page *p = shadow_at(s, node / SHADOW_ENTRIES);
	uint64_t entry = shadow_load(p, node % SHADOW_ENTRIES);

	return entry & SHADOW_P && shadow_is_leaf(p, entry);
}

static bool is_node(const struct shadow_vm *s, uint32_t node)
{
	uint32_t id = node / SHADOW_ENTRIES;

	return id && id / SHADOW_IN_PAGE < s->desc_count &&
	       shadow_at(s, id)->used;
}

bool shadow_rmap_has(const struct shadow_vm *s, const struct shadow_page *p,
		     unsigned index)
{
	uint32_t node = node_of(s, p, index), other = p->links[index].other;

	if (other & SHADOW_BUCKET)
		return other == (SHADOW_BUCKET | bucket_for(s, p, index)) &&
		       *shadow_bucket(s, other & ~SHADOW_BUCKET) == node;
	return is_node(s, other) && shadow_link_of(s, other)->next == node;
}

uint64_t shadow_rmap_count(const struct shadow_vm *s, uint64_t most)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < s->bucket_count * 1024; i++)
		for (uint32_t n = *shadow_bucket(s, i); n;
		     n = shadow_link_of(s, n)->next) {
			const struct shadow_page *p =
				shadow_at(s, n / SHADOW_ENTRIES);

			if (++count > most || !is_leaf(s, n) ||
			    bucket_for(s, p, n % SHADOW_ENTRIES) != i)
				return most + 1;
		}
	return count;
}

/*
 * Promote and demote: a frame's 512 entries become a table's, and no longer.
 *
 *   PARTIAL, mark = n:  | 0 .. n-1 checked and counted | n .. 511 not |
 *                         promote: n goes up   demote: n goes down
 *
 * So a promotion that ran out of budget, one that was refused on its way, and
 * a demotion that ran out of budget are one state, and each can go on either
 * way. An L1 and a page of descriptors are done in one go. While a table is
 * PARTIAL nothing links it and it cannot be written.
 *
 * An entry of a table of level n, n above 1, is a link to one of level n - 1,
 * never a large page: SDM 3A 4.5.4. A table that gives up the last use of
 * the one below takes that apart first and then counts it down, so that where
 * to go on is in the marks alone. Depth: four levels, so recursion is bounded.
 */
#include "scheme/direct_leaf.h"

/* 1. Most entries of most tables are zero and need nothing. What is in use is
 * said by a bit for each block of entries: the table is looked through once,
 * and as nobody can write it, but us what is not zero, that holds. */

#define BLOCK  16u
#define BLOCKS (ENTRIES / BLOCK)
#define SPAN   4u /* blocks */

static inline uint64_t any_of(const uint64_t *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7] | e[8] |
	       e[9] | e[10] | e[11] | e[12] | e[13] | e[14] | e[15];
}

static uint32_t blocks_in_use(const uint64_t *e)
{
	uint32_t used = 0;

	for (unsigned i = 0; i < BLOCKS; i += SPAN, e += SPAN * BLOCK) {
		uint64_t a = any_of(e), b = any_of(e + BLOCK);
		uint64_t c = any_of(e + 2 * BLOCK), d = any_of(e + 3 * BLOCK);

		if (a | b | c | d)
			used |= ((a ? 1u : 0) | (b ? 2u : 0) | (c ? 4u : 0) |
				 (d ? 8u : 0))
				<< i;
	}
	return used;
}

static inline unsigned first_entry(uint32_t blocks)
{
	return (unsigned)__builtin_ctz(blocks) * BLOCK;
}

static inline unsigned last_block(uint32_t blocks)
{
	return 31 - (unsigned)__builtin_clz(blocks);
}

/* 2. L1: pages. */

static inline void block_put(struct vmmu_direct_vm *d, const uint64_t *entries,
			     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t entry = entry_load(&entries[i]);

		if (entry & ENTRY_P)
			leaf_put(d, entry);
	}
}

static void leaves_put(struct vmmu_direct_vm *d, const uint64_t *entries)
{
	for (uint32_t used = blocks_in_use(entries); used; used &= used - 1)
		block_put(d, &entries[first_entry(used)], BLOCK);
}

/* The page of a present entry, as promote meets it. */
static enum vmmu_direct_status leaf_admit(struct vmmu_direct_vm *d,
					  uint64_t *slot, uint64_t entry)
{
	uint64_t real = leaf_adjust(d, entry);
	enum vmmu_direct_status s;

	if (real & d->leaf_bad)
		return VMMU_DIRECT_BITS;
	s = leaf_get(d, real, true);
	if (s == VMMU_DIRECT_OK && real != entry)
		entry_store(slot, real);
	return s;
}

static inline enum vmmu_direct_status block_admit(struct vmmu_direct_vm *d,
						  uint64_t *entries,
						  unsigned *done)
{
	enum vmmu_direct_status s = VMMU_DIRECT_OK;

	for (*done = 0; *done < BLOCK; ++*done) {
		uint64_t entry = entry_load(&entries[*done]);

		if (entry & ENTRY_P)
			s = leaf_admit(d, &entries[*done], entry);
		else if (!leaf_absent_ok(d, entry))
			s = VMMU_DIRECT_BITS;
		if (s != VMMU_DIRECT_OK)
			return s;
	}
	return VMMU_DIRECT_OK;
}

static enum vmmu_direct_status promote_leaves(struct vmmu_direct_vm *d,
					      uint64_t *entries)
{
	const uint32_t used = blocks_in_use(entries);

	for (uint32_t left = used; left; left &= left - 1) {
		enum vmmu_direct_status s;
		unsigned done, at = first_entry(left);

		s = block_admit(d, &entries[at], &done);
		if (s == VMMU_DIRECT_OK)
			continue;
		block_put(d, &entries[at], done);
		for (uint32_t got = used & ~left; got; got &= got - 1)
			block_put(d, &entries[first_entry(got)], BLOCK);
		return s;
	}
	return VMMU_DIRECT_OK;
}

/* 3. L2, L3, L4: links. */

/* The frame of one that is nothing but counted: to a table which is one
 * already, as a kernel's part of each root is. NULL: link_get says. */
static inline struct vmmu_frame *ready_link(const struct vmmu_direct_vm *d,
					    uint64_t entry, unsigned level)
{
	struct vmmu_frame *f;

	if ((entry & (d->link_bad | ENTRY_P | ENTRY_U)) != (ENTRY_P | ENTRY_U))
		return NULL;
	f = direct_own(d, entry_frame(entry));
	return f && direct_is(f, level) && f->total_count < d->table.count_limit
		       ? f
		       : NULL;
}

static enum vmmu_direct_status link_get(struct vmmu_direct_vm *d,
					const struct vmmu_frame *parent,
					uint64_t *slot, uint32_t *budget)
{
	uint64_t entry = entry_load(slot);
	enum vmmu_direct_status s;

	if (!(entry & ENTRY_P))
		return leaf_absent_ok(d, entry) ? VMMU_DIRECT_OK
						: VMMU_DIRECT_BITS;
	if (entry & d->link_bad)
		return VMMU_DIRECT_BITS;
	s = direct_get_type(d, entry_frame(entry), parent->type - 1u, budget);
	if (s == VMMU_DIRECT_OK && !(entry & ENTRY_U))
		entry_store(slot, entry | ENTRY_U);
	return s;
}

/* False: the one below is not yet taken apart; call again. */
static bool link_put(struct vmmu_direct_vm *d, uint64_t entry, uint32_t *budget)
{
	struct vmmu_frame *f;

	if (!(entry & ENTRY_P))
		return true;
	f = direct_frame(d, entry_frame(entry));
	if (f->type_count == 1 && !direct_demote(d, f, budget))
		return false;
	f->type_count--;
	f->total_count--;
	f->mark = d->epoch;
	return true;
}

static void pause_at(struct vmmu_frame *f, unsigned done)
{
	f->flags |= VMMU_FRAME_PARTIAL;
	f->mark = done;
}

/* The entries that were done when it was paused, or `otherwise`. The pause
 * lost what the mark said before: who finishes says that it was just now. */
static unsigned go_on(struct vmmu_frame *f, unsigned otherwise)
{
	unsigned done = f->flags & VMMU_FRAME_PARTIAL ? f->mark : otherwise;

	f->flags &= (uint8_t)~VMMU_FRAME_PARTIAL;
	return done;
}

/* Entry i of a table on its way. */
static inline enum vmmu_direct_status link_admit(struct vmmu_direct_vm *d,
						 struct vmmu_frame *f,
						 uint64_t *slot, unsigned type,
						 uint32_t *budget)
{
	uint64_t entry = entry_load(slot);
	enum vmmu_direct_status s = VMMU_DIRECT_OK;
	struct vmmu_frame *child;

	if (!entry)
		return VMMU_DIRECT_OK;
	if (direct_spent(budget))
		return VMMU_DIRECT_AGAIN;
	child = ready_link(d, entry, type - 1);
	if (child) {
		child->type_count++;
		child->total_count++;
	} else {
		s = link_get(d, f, slot, budget);
	}
	if (s == VMMU_DIRECT_OK)
		direct_spend(budget, BLOCK);
	return s;
}

static enum vmmu_direct_status promote_links(struct vmmu_direct_vm *d,
					     struct vmmu_frame *f,
					     uint64_t *entries,
					     uint32_t *budget)
{
	const bool was_paused = f->flags & VMMU_FRAME_PARTIAL;
	const unsigned type = f->type, from = go_on(f, 0);
	uint32_t left = from < ENTRIES ? blocks_in_use(entries) &
						 UINT32_MAX << from / BLOCK
				       : 0;

	for (unsigned i = from; left; left &= left - 1, i = 0) {
		unsigned at = first_entry(left), end = at + BLOCK;

		for (i = i > at ? i : at; i < end; i++) {
			enum vmmu_direct_status s = VMMU_DIRECT_OK;

			if (!direct_is_ours(d, type, i))
				s = link_admit(d, f, &entries[i], type, budget);
			if (s == VMMU_DIRECT_OK)
				continue;
			pause_at(f, i);
			if (s != VMMU_DIRECT_AGAIN)
				direct_doom(d, f);
			return s;
		}
	}
	direct_spend(budget, BLOCK);
	if (was_paused)
		f->mark = d->epoch;
	return VMMU_DIRECT_OK;
}

static bool demote_links(struct vmmu_direct_vm *d, struct vmmu_frame *f,
			 const uint64_t *entries, uint32_t *budget)
{
	const bool was_paused = f->flags & VMMU_FRAME_PARTIAL;
	const unsigned type = f->type, from = go_on(f, ENTRIES);
	uint32_t left = blocks_in_use(entries);

	while (left) {
		unsigned block = last_block(left), at = block * BLOCK;

		left &= ~(UINT32_C(1) << block);
		for (unsigned i = from < at + BLOCK ? from : at + BLOCK; i > at;
		     i--) {
			uint64_t entry = entry_load(&entries[i - 1]);

			if (!entry || direct_is_ours(d, type, i - 1))
				continue;
			if (direct_spent(budget) ||
			    !link_put(d, entry, budget)) {
				pause_at(f, i);
				return false;
			}
			direct_spend(budget, BLOCK);
		}
	}
	direct_spend(budget, BLOCK);
	if (was_paused)
		f->mark = d->epoch;
	return true;
}

/* 4. The hypervisor's slots: written last, when nothing can fail, so that no
 * frame which the guest may write ever has them. */

static void slots_fill(const struct vmmu_direct_vm *d, uint64_t *entries)
{
	for (unsigned i = 0; i < d->config.slot_count; i++)
		entry_store(&entries[d->config.slot_first + i],
			    d->config.template[i]);
}

static void slots_clear(const struct vmmu_direct_vm *d, uint64_t *entries)
{
	for (unsigned i = 0; i < d->config.slot_count; i++)
		entry_store(&entries[d->config.slot_first + i], 0);
}

/* 5. Any type. */

enum vmmu_direct_status direct_promote(struct vmmu_direct_vm *d,
				       struct vmmu_frame *f, uint32_t *budget)
{
	uint64_t *entries = direct_entries(d, direct_hfn(d, f));
	enum vmmu_direct_status s;

	if (direct_spent(budget))
		return VMMU_DIRECT_AGAIN;
	if (f->type == VMMU_FRAME_L1)
		s = promote_leaves(d, entries);
	else if (f->type == VMMU_FRAME_SEGMENTS)
		s = direct_segments_check(entries);
	else
		s = promote_links(d, f, entries, budget);
	if (f->type == VMMU_FRAME_L1 || f->type == VMMU_FRAME_SEGMENTS)
		direct_spend(budget, ENTRIES);
	if (s != VMMU_DIRECT_OK)
		return s;
	if (f->type == VMMU_FRAME_L4)
		slots_fill(d, entries);
	f->flags |= VMMU_FRAME_VALIDATED;
	d->links++;
	d->stats.promoted[f->type]++;
	return VMMU_DIRECT_OK;
}

bool direct_demote(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		   uint32_t *budget)
{
	uint64_t *entries = direct_entries(d, direct_hfn(d, f));

	d->links++;
	if (f->flags & VMMU_FRAME_VALIDATED) {
		f->flags &= (uint8_t)~VMMU_FRAME_VALIDATED;
		d->stats.demoted[f->type]++;
		if (f->type == VMMU_FRAME_L4)
			slots_clear(d, entries);
	}
	if (f->type == VMMU_FRAME_SEGMENTS)
		return true;
	if (f->type != VMMU_FRAME_L1)
		return demote_links(d, f, entries, budget);
	leaves_put(d, entries);
	direct_spend(budget, ENTRIES);
	return true;
}

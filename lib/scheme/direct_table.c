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

/* 1. Most entries of most tables are zero and need nothing: they are passed
 * over so many at a time. */

#define STRIDE 16u

static inline uint64_t any_of(const uint64_t *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

static inline bool all_zero(const uint64_t *e)
{
	return !(any_of(e) | any_of(e + STRIDE / 2));
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

static void leaves_put(struct vmmu_direct_vm *d, const uint64_t *entries,
		       unsigned count)
{
	unsigned at;

	for (at = 0; at + STRIDE <= count; at += STRIDE)
		if (!all_zero(&entries[at]))
			block_put(d, &entries[at], STRIDE);
	block_put(d, &entries[at], count - at);
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

	for (*done = 0; *done < STRIDE; ++*done) {
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
	for (unsigned at = 0; at < ENTRIES; at += STRIDE) {
		enum vmmu_direct_status s;
		unsigned done;

		if (all_zero(&entries[at]))
			continue;
		s = block_admit(d, &entries[at], &done);
		if (s != VMMU_DIRECT_OK) {
			leaves_put(d, entries, at + done);
			return s;
		}
	}
	return VMMU_DIRECT_OK;
}

/* 3. L2, L3, L4: links. */

/* One that is a table already, as a kernel's part of each root is, takes the
 * short way. */
static inline enum vmmu_direct_status use_table(struct vmmu_direct_vm *d,
						uint64_t hfn, unsigned level,
						uint32_t *budget)
{
	struct vmmu_frame *f = direct_own(d, hfn);

	if (!f || !direct_is(f, level) ||
	    f->total_count >= d->table.count_limit)
		return direct_get_type(d, hfn, level, budget);
	f->type_count++;
	f->total_count++;
	return VMMU_DIRECT_OK;
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
	s = use_table(d, entry_frame(entry), parent->type - 1u, budget);
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

static enum vmmu_direct_status promote_links(struct vmmu_direct_vm *d,
					     struct vmmu_frame *f,
					     uint64_t *entries,
					     uint32_t *budget)
{
	bool was_paused = f->flags & VMMU_FRAME_PARTIAL;

	for (unsigned i = go_on(f, 0); i < ENTRIES; i++) {
		enum vmmu_direct_status s = VMMU_DIRECT_AGAIN;

		if (i % STRIDE == 0 && all_zero(&entries[i])) {
			i += STRIDE - 1;
			continue;
		}
		if (!entries[i] || direct_is_ours(d, f->type, i))
			continue;
		if (!direct_spent(budget))
			s = link_get(d, f, &entries[i], budget);
		if (s != VMMU_DIRECT_OK) {
			pause_at(f, i);
			if (s != VMMU_DIRECT_AGAIN)
				direct_doom(d, f);
			return s;
		}
		direct_spend(budget, STRIDE);
	}
	direct_spend(budget, STRIDE);
	if (was_paused)
		f->mark = d->epoch;
	return VMMU_DIRECT_OK;
}

static bool demote_links(struct vmmu_direct_vm *d, struct vmmu_frame *f,
			 const uint64_t *entries, uint32_t *budget)
{
	bool was_paused = f->flags & VMMU_FRAME_PARTIAL;

	for (unsigned i = go_on(f, ENTRIES); i; i--) {
		if (i % STRIDE == 0 && all_zero(&entries[i - STRIDE])) {
			i -= STRIDE - 1;
			continue;
		}
		if (!entries[i - 1] || direct_is_ours(d, f->type, i - 1))
			continue;
		if (direct_spent(budget) ||
		    !link_put(d, entry_load(&entries[i - 1]), budget)) {
			pause_at(f, i);
			return false;
		}
		direct_spend(budget, STRIDE);
	}
	direct_spend(budget, STRIDE);
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
	d->stats.promoted[f->type]++;
	return VMMU_DIRECT_OK;
}

bool direct_demote(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		   uint32_t *budget)
{
	uint64_t *entries = direct_entries(d, direct_hfn(d, f));

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
	leaves_put(d, entries, ENTRIES);
	direct_spend(budget, ENTRIES);
	return true;
}

/*
 * Tables that we own: making, freeing, and putting leaves in.
 *
 * A leaf is placed by one descent. Where a table is missing one is made (or
 * a larger leaf is split into one); all the pages that the descent needs are
 * reserved before the first is linked, so that running out leaves nothing
 * half done. Where the leaf replaces a table, the leaf is written first and
 * the table freed after, because hardware may be walking it.
 *
 * No page is freed before one is taken within a call; with the caller's flush
 * after it, a page never serves in two places for a stale paging-structure
 * cache (SDM 3A 4.10.4).
 */
#include <stddef.h>

#include "pt/tree.h"

/* 1. Making and freeing. */

enum pt_status pt_table_init(struct pt_table *t, const struct pt_format *format,
			     struct pt_pool *pool, uint8_t max_leaf_level)
{
	uint64_t *entries;
	hpa_t root;

	if (!pt_pool_get(pool, &root, &entries))
		return PT_NO_MEMORY;
	*t = (struct pt_table){ .format = format,
				.pool = pool,
				.root = root,
				.max_leaf_level = max_leaf_level };
	return PT_OK;
}

static bool free_entry(void *ctx, const struct pt_visit *v)
{
	struct pt_table *t = ctx;
	const struct pt_level *row = &t->format->level[v->level];

	if (v->when == PT_VISIT_LEAF)
		t->leaves[v->level]--;
	else
		pt_pool_put(t->pool, mk_hpa(pt_table_addr(row, v->entry)));
	return true;
}

void pt_free_below(struct pt_table *t, hpa_t table, unsigned level,
		   uint64_t addr)
{
	const struct pt_level *row = &t->format->level[level];
	uint64_t covers = pt_span(row) << row->index_bits;
	struct pt_scan s = { t, PT_VISIT_LEAF | PT_VISIT_POST, free_entry, t };

	addr &= ~(covers - 1);
	pt_scan_table(&s, table, level, addr, addr + covers - 1);
	pt_pool_put(t->pool, table);
}

void pt_table_fini(struct pt_table *t)
{
	pt_free_below(t, t->root, t->format->levels, 0);
	t->root = mk_hpa(0);
}

/* 2. One leaf. */

static enum pt_status link_table(struct pt_table *t, void *slot, unsigned level)
{
	const struct pt_level *row = &t->format->level[level];
	uint64_t *entries, entry;
	hpa_t page;

	if (!pt_pool_get(t->pool, &page, &entries))
		return PT_NO_MEMORY;
	entry = pt_make_table(row, page.v);
	if (pt_table_addr(row, entry) != page.v) {
		/* A 4-byte entry cannot hold an address above 4 GiB. */
		pt_pool_put(t->pool, page);
		return PT_NO_MEMORY;
	}
	pt_store(t->format, slot, entry);
	return PT_OK;
}

/* The entry at `level` is not a table but must be: `down` levels below it a
 * leaf will go. */
static enum pt_status make_table(struct pt_table *t, void *slot, unsigned level,
				 unsigned down)
{
	const struct pt_level *row = &t->format->level[level];

	if (!pt_pool_reserve(t->pool, down))
		return PT_NO_MEMORY;
	if (pt_is_present(row, pt_load(t->format, slot)))
		return pt_split(t, slot, level);
	return link_table(t, slot, level);
}

static enum pt_status descend(struct pt_table *t, uint64_t addr, unsigned stop,
			      void **slot)
{
	const struct pt_format *f = t->format;
	const struct pt_level *row = &f->level[f->levels];
	hpa_t table = t->root;

	for (unsigned level = f->levels;; level--, row--) {
		enum pt_status status;
		uint64_t entry;

		*slot = pt_slot(f, row, pt_ptr(t, table), addr);
		if (level == stop)
			return PT_OK;
		entry = pt_load(f, *slot);
		if (!pt_is_table(row, entry)) {
			status = make_table(t, *slot, level, level - stop);
			if (status != PT_OK)
				return status;
			entry = pt_load(f, *slot);
		}
		table = mk_hpa(pt_table_addr(row, entry));
	}
}

static void replace(struct pt_table *t, const struct pt_level *row, void *slot,
		    uint64_t *old, uint64_t leaf)
{
	uint64_t now;

	do {
		now = leaf;
		if (pt_is_leaf(row, *old) &&
		    pt_leaf_addr(row, *old) == pt_leaf_addr(row, leaf))
			now |= *old & pt_ad_bits(row);
	} while (now != *old && !pt_swap(t->format, slot, old, now));
}

enum pt_status pt_place(struct pt_table *t, uint64_t addr, unsigned level,
			uint64_t leaf, void **slot, uint64_t *old)
{
	const struct pt_level *row = &t->format->level[level];
	enum pt_status status;

	if (addr & (pt_span(row) - 1) || addr > pt_last_addr(t->format) ||
	    !pt_is_present(row, leaf))
		return PT_BAD_RANGE;
	status = descend(t, addr, level, slot);
	if (status != PT_OK)
		return status;
	*old = pt_load(t->format, *slot);
	if (!pt_is_present(row, *old)) {
		pt_store(t->format, *slot, leaf);
		t->leaves[level]++;
		return PT_OK;
	}
	replace(t, row, *slot, old, leaf);
	if (!pt_is_leaf(row, *old)) {
		t->leaves[level]++;
		pt_free_below(t, mk_hpa(pt_table_addr(row, *old)), level - 1,
			      addr);
	}
	return PT_OK;
}

bool pt_takes_away(const struct pt_level *l, uint64_t old, uint64_t now)
{
	if (!pt_is_present(l, old))
		return false;
	if (!pt_is_leaf(l, old))
		return true;
	if (pt_leaf_addr(l, old) != pt_leaf_addr(l, now))
		return true;
	if ((old ^ now) & pt_memtype_bits(l))
		return true;
	return (pt_entry_perms(l, old) & ~pt_entry_perms(l, now)) != 0;
}

enum pt_status pt_map_leaf(struct pt_table *t, uint64_t addr, hpa_t hpa,
			   unsigned level, unsigned perms,
			   enum vmmu_memtype type, bool *replaced)
{
	const struct pt_level *row = &t->format->level[level];
	enum pt_status status;
	uint64_t leaf, old;
	void *slot;

	if (!pt_may_be_leaf(t, level))
		return PT_BAD_RANGE;
	if (hpa.v & (pt_span(row) - 1))
		return PT_BAD_RANGE;
	leaf = pt_make_leaf(row, hpa.v, perms, type);
	if (pt_leaf_addr(row, leaf) != hpa.v)
		return PT_BAD_RANGE;
	status = pt_place(t, addr, level, leaf, &slot, &old);
	if (status == PT_OK && replaced)
		*replaced = pt_takes_away(row, old, leaf);
	return status;
}

/* 3. A range. */

/* The largest leaf that may stand at addr and needs no table freed: the walk
 * ends at the lowest level that is reached through tables. */
static unsigned level_at(const struct pt_table *t, uint64_t addr, uint64_t size,
			 hpa_t hpa)
{
	struct pt_walk w;
	unsigned level;

	pt_walk_to(t, addr, 1, &w);
	for (level = w.level; level > 1; level--) {
		uint64_t span = pt_span(&t->format->level[level]);

		if (pt_may_be_leaf(t, level) && size >= span &&
		    ((addr | hpa.v) & (span - 1)) == 0)
			break;
	}
	return level;
}

enum pt_status pt_map(struct pt_table *t, uint64_t addr, uint64_t size,
		      hpa_t hpa, unsigned perms, enum vmmu_memtype type)
{
	if (!pt_range_ok(t, addr, size))
		return PT_BAD_RANGE;
	while (size) {
		unsigned level = level_at(t, addr, size, hpa);
		uint64_t span = pt_span(&t->format->level[level]);
		enum pt_status status =
			pt_map_leaf(t, addr, hpa, level, perms, type, NULL);

		if (status != PT_OK)
			return status;
		addr += span;
		hpa.v += span;
		size -= span;
	}
	return PT_OK;
}

uint32_t pt_map_beside(struct pt_table *t, const struct pt_beside *b)
{
	const struct pt_format *f = t->format;
	const struct pt_level *row = &f->level[b->level];
	uint64_t covers = pt_span(row) << row->index_bits;
	uint64_t first = b->addr & ~(covers - 1), last = first + covers - 1;
	uint8_t *table = (uint8_t *)b->slot -
			 ((b->addr - first) >> row->shift) * f->entry_size;
	uint32_t count = 0;

	if (first < b->first)
		first = b->first;
	if (last > b->last)
		last = b->last;
	first = (first + pt_span(row) - 1) & ~(pt_span(row) - 1);
	for (uint64_t a = first; a < last && last - a >= pt_span(row) - 1;
	     a += pt_span(row)) {
		void *slot = pt_slot(f, row, table, a);

		if (pt_is_present(row, pt_load(f, slot)))
			continue;
		pt_store(f, slot,
			 pt_make_leaf(row, b->hpa.v + (a - b->addr), b->perms,
				      b->type));
		t->leaves[b->level]++;
		count++;
	}
	return count;
}

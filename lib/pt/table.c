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

/* Of no address. */
#define NO_TAG UINT64_MAX

static struct pt_step step_of(const struct pt_format *f, unsigned level)
{
	const struct pt_level *row = &f->level[level];
	unsigned log2_size = f->entry_size == 4 ? 2 : 3;
	unsigned entries = 1u << row->index_bits;
	uint64_t kind = row->present | (row->leaf ? row->leaf_mask : 0);

	return (struct pt_step){
		.shift = (uint8_t)(row->shift - log2_size),
		.mask = (uint16_t)((entries - 1) << log2_size),
		.kind = kind,
		.table = pt_make_table(row, 0) & kind,
		.table_addr = row->table_addr,
	};
}

void pt_table_begin(struct pt_table *t, const struct pt_format *format,
		    struct pt_pool *pool, uint8_t max_leaf_level, hpa_t root)
{
	const struct pt_level *second = &format->level[2];

	*t = (struct pt_table){
		.format = format,
		.pool = pool,
		.root = root,
		.top = pool->host->ops->ptr(pool->host->cookie, root),
		.last = pt_last_addr(format),
		.near_tag = NO_TAG,
		.near_shift = (uint8_t)(second->shift + second->index_bits),
		.max_leaf_level = max_leaf_level
	};
	for (unsigned level = 1; level <= format->levels; level++)
		t->step[level] = step_of(format, level);
}

enum pt_status pt_table_init(struct pt_table *t, const struct pt_format *format,
			     struct pt_pool *pool, uint8_t max_leaf_level)
{
	uint64_t *entries;
	hpa_t root;

	if (!pt_pool_get(pool, &root, &entries))
		return PT_NO_MEMORY;
	pt_table_begin(t, format, pool, max_leaf_level, root);
	return PT_OK;
}

void pt_give_back(struct pt_table *t, hpa_t table)
{
	t->near_tag = NO_TAG;
	pt_pool_put(t->pool, table);
}

static bool free_entry(void *ctx, const struct pt_visit *v)
{
	struct pt_table *t = ctx;
	const struct pt_level *row = &t->format->level[v->level];

	if (v->when == PT_VISIT_LEAF)
		t->leaves[v->level]--;
	else
		pt_give_back(t, pt_table_of(row, v->entry));
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
	pt_give_back(t, table);
}

void pt_table_fini(struct pt_table *t)
{
	pt_free_below(t, t->root, t->format->levels, 0);
	t->root = mk_hpa(0);
	t->top = NULL;
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
 * leaf will go. Answers the entry, 0: no memory. Kept out of line, as is
 * replace: they are rare, and would cost each descent its registers. */
static __attribute__((noinline)) uint64_t make_table(struct pt_table *t,
						     void *slot, unsigned level,
						     unsigned down)
{
	const struct pt_level *row = &t->format->level[level];
	enum pt_status status;

	if (!pt_pool_reserve(t->pool, down))
		return 0;
	if (!pt_is_present(row, pt_load(t->format, slot))) {
		status = link_table(t, slot, level);
	} else if (t->drops_large) {
		t->leaves[level]--;
		status = link_table(t, slot, level);
	} else {
		status = pt_split(t, slot, level);
	}
	return status == PT_OK ? pt_load(t->format, slot) : 0;
}

/* Where the entry for addr is in a table of this step's level. */
static inline void *slot_in(uint8_t *table, const struct pt_step *step,
			    uint64_t addr)
{
	return table + (addr >> step->shift & step->mask);
}

/* From `table`, of level `from`, down to the table of level `to` over addr,
 * through tables that are made where they are missing, on the way to a leaf
 * at `stop`. NULL: no memory for one, and nothing has changed. What does not
 * change from level to level is read before the first: the compiler cannot
 * know that the host's ptr leaves it alone. */
static inline uint8_t *descend(struct pt_table *t, uint8_t *table,
			       uint64_t addr, unsigned from, unsigned to,
			       unsigned stop)
{
	const struct pt_step *step = &t->step[from], *last = &t->step[to];
	const struct vmmu_host *host = t->pool->host;
	void *(*ptr)(void *cookie, hpa_t hpa) = host->ops->ptr;
	void *cookie = host->cookie;

	for (; step != last; step--) {
		void *slot = slot_in(table, step, addr);
		uint64_t entry = pt_load(t->format, slot);

		if ((entry & step->kind) != step->table) {
			unsigned level = (unsigned)(step - t->step);

			entry = make_table(t, slot, level, level - stop);
			if (!entry)
				return NULL;
		}
		table = ptr(cookie, mk_hpa(entry & step->table_addr));
	}
	return table;
}

/* The rare leaf that is an entry of a table above level 2. */
static __attribute__((noinline)) void *reach_high(struct pt_table *t,
						  uint64_t addr, unsigned stop)
{
	uint8_t *table =
		descend(t, t->top, addr, t->format->levels, stop, stop);

	return table ? slot_in(table, &t->step[stop], addr) : NULL;
}

/* Down to level 2, unless the last descent was there too, and then the last
 * step: two descents in a row, so that none asks at each level whether it is
 * one to remember. */
void *pt_reach(struct pt_table *t, uint64_t addr, unsigned stop)
{
	uint64_t tag = addr >> t->near_shift;
	uint8_t *table = t->near;

	if (stop > 2)
		return reach_high(t, addr, stop);
	if (tag != t->near_tag) {
		table = descend(t, t->top, addr, t->format->levels, 2, stop);
		if (!table)
			return NULL;
		t->near = table;
		t->near_tag = tag;
	}
	if (stop == 2)
		return slot_in(table, &t->step[2], addr);
	table = descend(t, table, addr, 2, 1, 1);
	return table ? slot_in(table, &t->step[1], addr) : NULL;
}

uint64_t pt_replace(struct pt_table *t, void *slot, uint64_t addr,
		    unsigned level, uint64_t leaf)
{
	const struct pt_level *row = &t->format->level[level];
	uint64_t old = pt_load(t->format, slot), now;

	do {
		now = leaf;
		if (pt_is_leaf(row, old) &&
		    pt_addr_of(row, old) == pt_addr_of(row, leaf))
			now |= old & pt_ad_bits(row);
	} while (now != old && !pt_swap(t->format, slot, &old, now));
	if (!pt_is_leaf(row, old)) {
		t->leaves[level]++;
		pt_free_below(t, pt_table_of(row, old), level - 1, addr);
	}
	return old;
}

bool pt_takes_away(const struct pt_level *l, uint64_t old, uint64_t now)
{
	if (!pt_is_present(l, old))
		return false;
	if (!pt_is_leaf(l, old))
		return true;
	if (pt_addr_of(l, old) != pt_addr_of(l, now))
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
	uint64_t leaf, old = 0;
	void *slot;

	if (!pt_may_be_leaf(t, level) || addr > t->last ||
	    (addr | hpa.v) & (pt_span(row) - 1))
		return PT_BAD_RANGE;
	leaf = pt_make_leaf(row, hpa.v, perms, type);
	if (!pt_is_present(row, leaf) || pt_addr_of(row, leaf) != hpa.v)
		return PT_BAD_RANGE;
	slot = pt_reach(t, addr, level);
	if (!slot)
		return PT_NO_MEMORY;
	if (!pt_put_absent(t, slot, level, leaf))
		old = pt_replace(t, slot, addr, level, leaf);
	if (replaced)
		*replaced = pt_takes_away(row, old, leaf);
	return PT_OK;
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
			 pt_leaf_for(row, b->blank, b->hpa + (a - b->addr)));
		t->leaves[b->level]++;
		count++;
	}
	return count;
}

/*
 * What the files of the table engine share: reading and writing entries in
 * place, and the steps that the public verbs are made of.
 *
 *   root --entry--> table --entry--> ... --entry--> leaf
 *    ^ level n                                       ^ level 1, 2 or 3
 *
 * Hardware walks these tables while they are changed, so an entry is read
 * and written whole, and a table is filled before it is linked. Entries are
 * 4 or 8 bytes: hence void *.
 */
#ifndef LIB_PT_TREE_H
#define LIB_PT_TREE_H

#include <vmmu/table.h>

static inline uint64_t pt_load(const struct pt_format *f, const void *slot)
{
	if (f->entry_size == 4)
		return __atomic_load_n((const uint32_t *)slot,
				       __ATOMIC_RELAXED);
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED);
}

/* Release: what the entry refers to is in memory before the entry is. */
static inline void pt_store(const struct pt_format *f, void *slot, uint64_t e)
{
	if (f->entry_size == 4)
		__atomic_store_n((uint32_t *)slot, (uint32_t)e,
				 __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint64_t *)slot, e, __ATOMIC_RELEASE);
}

/* Stores only if the entry is still `*old`, else reads it into *old: so that
 * an A or D bit that hardware sets meanwhile is never lost. */
static inline bool pt_swap(const struct pt_format *f, void *slot, uint64_t *old,
			   uint64_t e)
{
	uint32_t old32 = (uint32_t)*old;
	bool done;

	if (f->entry_size == 8)
		return __atomic_compare_exchange_n((uint64_t *)slot, old, e,
						   false, __ATOMIC_ACQ_REL,
						   __ATOMIC_RELAXED);
	done = __atomic_compare_exchange_n((uint32_t *)slot, &old32,
					   (uint32_t)e, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
	*old = old32;
	return done;
}

static inline bool pt_is_present(const struct pt_level *l, uint64_t entry)
{
	return (entry & l->present) != 0;
}

/* Of a present entry. Inline, unlike pt_entry_is_leaf, because it is asked at
 * every step of every descent. */
static inline bool pt_is_leaf(const struct pt_level *l, uint64_t entry)
{
	return l->leaf && (entry & l->leaf_mask) == l->leaf_value;
}

/* As pt_table_addr and pt_leaf_addr, inline for the same reason. */
static inline hpa_t pt_table_of(const struct pt_level *l, uint64_t entry)
{
	return mk_hpa(entry & l->table_addr);
}

static inline uint64_t pt_addr_of(const struct pt_level *l, uint64_t leaf)
{
	return l->high_bits ? pt_leaf_addr(l, leaf) : leaf & l->leaf_addr;
}

/* A leaf for addr like `blank`, which is one for address 0. */
static inline uint64_t pt_leaf_for(const struct pt_level *l, uint64_t blank,
				   uint64_t addr)
{
	uint64_t leaf = blank | (addr & l->leaf_addr), mask;

	if (!l->high_bits)
		return leaf;
	mask = (UINT64_C(1) << l->high_bits) - 1;
	return leaf | (addr >> l->high_to & mask) << l->high_from;
}

static inline bool pt_is_table(const struct pt_level *l, uint64_t entry)
{
	return pt_is_present(l, entry) && !pt_is_leaf(l, entry);
}

static inline void *pt_slot_at(const struct pt_format *f, void *table,
			       uint64_t index)
{
	return (uint8_t *)table + index * f->entry_size;
}

static inline void *pt_slot(const struct pt_format *f, const struct pt_level *l,
			    void *table, uint64_t addr)
{
	uint64_t mask = (UINT64_C(1) << l->index_bits) - 1;

	return pt_slot_at(f, table, (addr >> l->shift) & mask);
}

static inline void *pt_ptr(const struct pt_table *t, hpa_t hpa)
{
	const struct vmmu_host *host = t->pool->host;

	return host->ops->ptr(host->cookie, hpa);
}

/* The bits of a leaf that hardware sets by itself. */
static inline uint64_t pt_ad_bits(const struct pt_level *l)
{
	return l->accessed | l->dirty;
}

static inline bool pt_may_be_leaf(const struct pt_table *t, unsigned level)
{
	return level && level <= t->max_leaf_level &&
	       level <= t->format->levels && t->format->level[level].leaf;
}

/* The last address that the format can translate. */
static inline uint64_t pt_last_addr(const struct pt_format *f)
{
	const struct pt_level *root = &f->level[f->levels];
	unsigned width = root->shift + root->index_bits;

	return (UINT64_C(1) << width) - 1;
}

/* addr .. addr + size - 1 is page-aligned, not empty, and translatable. */
static inline bool pt_range_ok(const struct pt_table *t, uint64_t addr,
			       uint64_t size)
{
	uint64_t last = t->last;

	return ((addr | size) & VMMU_PAGE_MASK) == 0 && size && addr <= last &&
	       size - 1 <= last - addr;
}

/* Memory type bits, as they stand in a leaf of this level. */
uint64_t pt_memtype_bits(const struct pt_level *l);
/* The type that a leaf of ours asks for, with the PAT as after power-on. */
enum vmmu_memtype pt_leaf_memtype(const struct pt_level *l, uint64_t leaf);

/* pt_walk that goes no further down than to the entry at level `stop`. */
bool pt_walk_to(const struct pt_table *t, uint64_t addr, unsigned stop,
		struct pt_walk *out);

/* pt_visit for one table, at any level, that need not be linked. Covers
 * addr .. last, which lie inside what the table covers. The callback may
 * change the entry that it is called for. */
struct pt_scan {
	const struct pt_table *t;
	unsigned flags;
	bool (*visit)(void *ctx, const struct pt_visit *v);
	void *ctx;
};
bool pt_scan_table(const struct pt_scan *s, hpa_t table, unsigned level,
		   uint64_t addr, uint64_t last);

/* pt_table_init over a root page that the caller has, empty. */
void pt_table_begin(struct pt_table *t, const struct pt_format *format,
		    struct pt_pool *pool, uint8_t max_leaf_level, hpa_t root);

/* One page, no longer linked. */
void pt_give_back(struct pt_table *t, hpa_t table);
/* Gives back a table that is no longer linked, and all tables below it, and
 * takes their leaves off the count. */
void pt_free_below(struct pt_table *t, hpa_t table, unsigned level,
		   uint64_t addr);

/* The leaf in this entry becomes a table of leaves that say the same.
 * PT_NO_MEMORY: nothing has changed. */
enum pt_status pt_split(struct pt_table *t, void *slot, unsigned level);

/* The entry for addr at level `stop`, through tables that are made where they
 * are missing; NULL: no memory for one, and nothing has changed. addr is at
 * most t->last. */
void *pt_reach(struct pt_table *t, uint64_t addr, unsigned stop);

/* Writes a leaf there: where nothing is, or over what is there, which is the
 * answer. Both addresses fit the level, and the leaf is present. */
static inline bool pt_put_absent(struct pt_table *t, void *slot, unsigned level,
				 uint64_t leaf)
{
	const struct pt_format *f = t->format;

	if (pt_is_present(&f->level[level], pt_load(f, slot)))
		return false;
	pt_store(f, slot, leaf);
	t->leaves[level]++;
	return true;
}
uint64_t pt_replace(struct pt_table *t, void *slot, uint64_t addr,
		    unsigned level, uint64_t leaf);

/* Absent entries beside one that was just written, in the same
 * table, become leaves that go on where it ends: all whose pages lie within
 * first .. last. Needs no page and no descent. Answers how many. */
struct pt_beside {
	uint64_t addr, hpa; /* what was placed, where, at which level */
	void *slot;
	unsigned level;
	uint64_t blank; /* the leaf for address 0: pt_leaf_for */
	uint64_t first, last;
};
uint32_t pt_map_beside(struct pt_table *t, const struct pt_beside *b);

/* True when replacing `old` by the leaf `now` takes something away that
 * hardware may have cached. */
bool pt_takes_away(const struct pt_level *l, uint64_t old, uint64_t now);

#endif

/*
 * Tables that we own: a radix tree in any format, from a bounded pool.
 *
 * Verbs: map, unmap, protect, visit, walk. Large leaves are split when a part
 * of them changes, and merged when asked to.
 */
#ifndef VMMU_TABLE_H
#define VMMU_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>
#include <vmmu/format.h>
#include <vmmu/host.h>

/* Table pages of one VM: at most `limit` at a time, so that the host memory
 * used for tables is bounded (I4). Freed pages are kept for reuse. */
struct pt_pool {
	const struct vmmu_host *host;
	uint32_t limit;	     /* pages */
	uint32_t used;	     /* pages in tables now */
	uint32_t peak;	     /* highest `used` seen */
	uint32_t spare;	     /* freed, kept for reuse, zeroed */
	uint64_t spare_head; /* hpa of the first spare page, 0: none */
};

void pt_pool_init(struct pt_pool *p, const struct vmmu_host *host,
		  uint32_t limit);
void pt_pool_fini(struct pt_pool *p); /* gives spare pages back; used == 0 */
/* Spare pages beyond it go back; those in use stay. */
void pt_pool_set_limit(struct pt_pool *p, uint32_t limit);
/* The next `count` gets cannot fail after this; false: too much for the limit
 * or for the host. */
bool pt_pool_reserve(struct pt_pool *p, uint32_t count);
bool pt_pool_get(struct pt_pool *p, hpa_t *page, uint64_t **entries);
/* Hardware may still walk a page that was just unlinked, and finds it empty.
 * Flush before the next get, which may link it elsewhere. */
void pt_pool_put(struct pt_pool *p, hpa_t page);

/* What a descent asks of a row, worked out once: where in a table of this
 * level the entry for an address is, and whether it refers to a table. */
struct pt_step {
	uint8_t shift;	/* of the address, for an offset in bytes */
	uint16_t mask;	/* of that offset */
	uint64_t kind;	/* an entry is to a table when (entry & kind) */
	uint64_t table; /* == table: all were made by pt_make_table */
	uint64_t table_addr;
};

struct pt_table {
	const struct pt_format *format;
	struct pt_pool *pool;
	hpa_t root;
	uint64_t last;		/* highest address that the format translates */
	uint8_t max_leaf_level; /* highest level that may hold leaves: 1..3 */
	/* A leaf in the way of a smaller one goes, instead of being split: for
	 * tables whose leaves can be had again. */
	bool drops_large;
	struct pt_step step[PT_LEVELS_MAX + 1];
	/* The root's entries. */
	void *top;
	/* The entries of the level 2 table that was last descended to, as
	 * hardware's paging-structure caches would: it covers the addresses
	 * that are near_tag when shifted. Forgotten when a table page is
	 * freed. */
	void *near;
	uint64_t near_tag;
	uint8_t near_shift;
	/* Present leaves by level: pages mapped by size. */
	uint64_t leaves[PT_LEVELS_MAX + 1];
};

enum pt_status {
	PT_OK,
	PT_NO_MEMORY, /* the pool is used up; nothing half done */
	PT_BAD_RANGE, /* not aligned, or past the format's address width */
};

enum pt_status pt_table_init(struct pt_table *t, const struct pt_format *format,
			     struct pt_pool *pool, uint8_t max_leaf_level);
void pt_table_fini(struct pt_table *t);

/* One leaf at `level` for the page at addr, whatever was there before: a
 * larger leaf is split, a table below is freed. A and D bits of a leaf for
 * the same frame are kept. *replaced (may be NULL): something was taken away
 * (a frame, a permission, a table), so flush before the next call. Granting
 * more alone needs no flush: hardware looks again before it faults. */
enum pt_status pt_map_leaf(struct pt_table *t, uint64_t addr, hpa_t hpa,
			   unsigned level, unsigned perms,
			   enum vmmu_memtype type, bool *replaced);

/* Any range, with the largest leaves that alignment allows and that need no
 * table freed: where a table is, leaves go into it (pt_merge is the opposite).
 * On PT_NO_MEMORY the range's beginning may be mapped; mapping it again goes
 * on. If the range was not empty before, flush. */
enum pt_status pt_map(struct pt_table *t, uint64_t addr, uint64_t size,
		      hpa_t hpa, unsigned perms, enum vmmu_memtype type);

/* Removes leaves in the range, splitting at its ends and freeing tables that
 * became empty. *changed: something present went away, so flush. If a split
 * finds no memory the whole large leaf goes: absent is always safe. */
enum pt_status pt_unmap(struct pt_table *t, uint64_t addr, uint64_t size,
			bool *changed);

/* Takes permissions away from all leaves in the range, splitting at its ends
 * (same rule without memory as pt_unmap). Never grants any. */
enum pt_status pt_protect(struct pt_table *t, uint64_t addr, uint64_t size,
			  unsigned take_away, bool *changed);

/* Replaces the 512 (or 1024) leaves of the table below the entry for addr at
 * `level` by one leaf in that entry, where they are contiguous and alike but
 * for A and D, which are joined. False: they are not. Flush after true. */
bool pt_merge(struct pt_table *t, uint64_t addr, unsigned level);

/* Read-only descent. Returns false when absent; *level is where it ended. */
struct pt_walk {
	uint64_t *slot; /* the entry's address */
	uint64_t entry;
	uint64_t out; /* address of the byte, when it is a present leaf */
	uint8_t level;
	uint8_t perms; /* all levels together */
	enum vmmu_memtype type;
};
bool pt_walk(const struct pt_table *t, uint64_t addr, struct pt_walk *out);

/* One visitor for dump, audit, count: called for present entries only. */
#define PT_VISIT_LEAF 0x1u /* at each leaf */
#define PT_VISIT_PRE  0x2u /* at an entry to a table, before what is below */
#define PT_VISIT_POST 0x4u /* the same, after it */
struct pt_visit {
	uint64_t addr; /* first address that the entry covers */
	uint64_t *slot;
	uint64_t entry;
	uint8_t level;
	unsigned when; /* one of the flags above */
};
/* Returns false as soon as the callback does. */
bool pt_visit(const struct pt_table *t, uint64_t addr, uint64_t size,
	      unsigned flags,
	      bool (*visit)(void *ctx, const struct pt_visit *v), void *ctx);

#endif

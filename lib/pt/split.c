/*
 * Split and merge: one leaf, or a table of leaves that say the same.
 *
 *   [ leaf 2 MiB at A ]  <-->  [ table ] -> [A][A+4K][A+8K] ... [A+2M-4K]
 *
 * Both sides translate alike at every moment, so hardware may use either
 * meanwhile. A split copies permissions, memory type, G, A and D to every
 * part: a set D on a part that was not written is allowed, a lost one is not.
 * A merge joins A and D by OR. The leaf is replaced by compare-and-swap, so a
 * D that hardware sets while the parts are written is not lost: they are
 * written again.
 */
#include "pt/tree.h"

/* 1. One leaf's attributes in another level's bits. */

struct bit {
	uint64_t from, to;
};

static uint64_t carry(const struct bit *bits, unsigned count, uint64_t leaf,
		      uint64_t made)
{
	for (unsigned i = 0; i < count; i++) {
		made &= ~bits[i].to;
		if (leaf & bits[i].from)
			made |= bits[i].to;
	}
	return made;
}

/* The memory type: as it stands where both levels say it in the same way,
 * so that the PAT's meaning does not matter, else by its name. */
static uint64_t carry_memtype(const struct pt_level *from,
			      const struct pt_level *to, uint64_t leaf,
			      uint64_t made)
{
	const struct bit bits[] = {
		{ from->pwt, to->pwt },
		{ from->pcd, to->pcd },
		{ from->pat, to->pat },
	};
	uint64_t type = leaf >> from->memtype_shift & 7;

	if (!from->memtype_shift && !to->memtype_shift)
		return carry(bits, 3, leaf, made);
	if (!from->memtype_shift || !to->memtype_shift)
		return made;
	made &= ~(UINT64_C(7) << to->memtype_shift);
	return made | type << to->memtype_shift;
}

static uint64_t recast(const struct pt_level *from, const struct pt_level *to,
		       uint64_t leaf, uint64_t addr)
{
	const struct bit bits[] = {
		{ from->accessed, to->accessed },
		{ from->dirty, to->dirty },
		{ from->global, to->global },
		{ from->ignore_pat, to->ignore_pat },
	};
	unsigned perms = pt_entry_perms(from, leaf);
	uint64_t made =
		pt_make_leaf(to, addr, perms, pt_leaf_memtype(from, leaf));

	made = carry_memtype(from, to, leaf, carry(bits, 4, leaf, made));
	return made | (leaf & from->soft & to->soft);
}

/* 2. Split. */

static void fill(const struct pt_format *f, unsigned level, uint64_t leaf,
		 void *table)
{
	const struct pt_level *from = &f->level[level], *to = from - 1;
	uint64_t addr = pt_addr_of(from, leaf);

	for (uint64_t i = 0; i < UINT64_C(1) << to->index_bits; i++)
		pt_store(f, pt_slot_at(f, table, i),
			 recast(from, to, leaf, addr + i * pt_span(to)));
}

enum pt_status pt_split(struct pt_table *t, void *slot, unsigned level)
{
	const struct pt_format *f = t->format;
	const struct pt_level *row = &f->level[level];
	uint64_t leaf = pt_load(f, slot), *entries, link;
	hpa_t page;

	if (!pt_pool_get(t->pool, &page, &entries))
		return PT_NO_MEMORY;
	link = pt_make_table(row, page.v);
	if (pt_table_addr(row, link) != page.v) {
		pt_pool_put(t->pool, page);
		return PT_NO_MEMORY;
	}
	do {
		fill(f, level, leaf, entries);
	} while (!pt_swap(f, slot, &leaf, link));
	t->leaves[level]--;
	t->leaves[level - 1] += UINT64_C(1) << row[-1].index_bits;
	return PT_OK;
}

/* 3. Merge. */

/* Bits in which parts of one large leaf may differ. */
static uint64_t own_bits(const struct pt_level *l)
{
	uint64_t high = ((UINT64_C(1) << l->high_bits) - 1) << l->high_from;

	return l->leaf_addr | high | pt_ad_bits(l);
}

/* The leaf that says what all entries of this table say; false: none does. */
static bool gather(const struct pt_format *f, unsigned level, void *table,
		   uint64_t *leaf)
{
	const struct pt_level *row = &f->level[level], *part = row - 1;
	uint64_t first = pt_load(f, table), all = first, addr;

	if (!pt_is_present(part, first) || !pt_is_leaf(part, first))
		return false;
	addr = pt_addr_of(part, first);
	if (addr & (pt_span(row) - 1))
		return false;
	for (uint64_t i = 1; i < UINT64_C(1) << part->index_bits; i++) {
		uint64_t entry = pt_load(f, pt_slot_at(f, table, i));

		if ((entry ^ first) & ~own_bits(part) ||
		    pt_addr_of(part, entry) != addr + i * pt_span(part))
			return false;
		all |= entry & pt_ad_bits(part);
	}
	*leaf = recast(part, row, all, addr);
	return pt_addr_of(row, *leaf) == addr &&
	       pt_entry_perms(row, *leaf) == pt_entry_perms(part, first) &&
	       pt_leaf_memtype(row, *leaf) == pt_leaf_memtype(part, first);
}

bool pt_merge(struct pt_table *t, uint64_t addr, unsigned level)
{
	const struct pt_level *row = &t->format->level[level];
	struct pt_walk w;
	uint64_t leaf;
	hpa_t table;

	if (level < 2 || !pt_may_be_leaf(t, level))
		return false;
	if (pt_walk_to(t, addr, level, &w) || w.level != level ||
	    !pt_is_table(row, w.entry))
		return false;
	table = pt_table_of(row, w.entry);
	if (!gather(t->format, level, pt_ptr(t, table), &leaf))
		return false;
	pt_store(t->format, w.slot, leaf);
	pt_free_below(t, table, level - 1, addr);
	t->leaves[level]++;
	return true;
}

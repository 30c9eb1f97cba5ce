/*
 * Taking away: unmap and protect over any range.
 *
 *   1. cut at both ends of the range, so that every leaf is inside or out
 *   2. visit the leaves inside: clear, or withhold permissions
 *   3. (unmap) on the way up, free tables that became empty
 *
 * Cutting splits the large leaf that straddles an end. If there is no page to
 * split it into, the whole leaf goes: an absent entry costs a fault, a wrong
 * one costs the guest's memory. All pages are taken in step 1, before any is
 * freed in step 3.
 */
#include "pt/tree.h"

struct change {
	struct pt_table *t;
	unsigned take_away; /* permissions to withhold */
	bool unmap;	    /* or the leaves altogether */
	bool changed;
};

/* 1. Cut. */

static void drop_leaf(struct change *c, void *slot, unsigned level)
{
	pt_store(c->t->format, slot, 0);
	c->t->leaves[level]--;
	c->changed = true;
}

/* Makes addr a boundary between leaves, if the leaf that crosses it has
 * something that is to go. */
static void cut(struct change *c, uint64_t addr)
{
	const struct pt_format *f = c->t->format;
	struct pt_walk w;

	while (pt_walk_to(c->t, addr, 1, &w)) {
		if (!(addr & (pt_span(&f->level[w.level]) - 1)))
			return;
		if (!c->unmap && !(w.perms & c->take_away))
			return;
		if (pt_split(c->t, w.slot, w.level) != PT_OK)
			drop_leaf(c, w.slot, w.level);
	}
}

/* 2. Unmap. */

static bool table_is_empty(const struct pt_table *t, hpa_t table,
			   unsigned level)
{
	const struct pt_level *row = &t->format->level[level];
	void *node = pt_ptr(t, table);

	for (uint64_t i = 0; i < UINT64_C(1) << row->index_bits; i++)
		if (pt_is_present(row, pt_load(t->format,
					       pt_slot_at(t->format, node, i))))
			return false;
	return true;
}

static bool unmap_entry(void *ctx, const struct pt_visit *v)
{
	struct change *c = ctx;
	hpa_t table;

	if (v->when == PT_VISIT_LEAF) {
		drop_leaf(c, v->slot, v->level);
		return true;
	}
	table = pt_table_of(&c->t->format->level[v->level], v->entry);
	if (table_is_empty(c->t, table, v->level - 1u)) {
		pt_store(c->t->format, v->slot, 0);
		pt_give_back(c->t, table);
		c->changed = true;
	}
	return true;
}

static enum pt_status change(struct change *c, uint64_t addr, uint64_t size,
			     unsigned flags,
			     bool (*visit)(void *ctx, const struct pt_visit *v),
			     bool *changed)
{
	if (!pt_range_ok(c->t, addr, size))
		return PT_BAD_RANGE;
	cut(c, addr);
	cut(c, addr + size);
	pt_visit(c->t, addr, size, flags, visit, c);
	if (changed)
		*changed = c->changed;
	return PT_OK;
}

enum pt_status pt_unmap(struct pt_table *t, uint64_t addr, uint64_t size,
			bool *changed)
{
	struct change c = { .t = t, .unmap = true };

	return change(&c, addr, size, PT_VISIT_LEAF | PT_VISIT_POST,
		      unmap_entry, changed);
}

/* 3. Protect. */

static bool protect_entry(void *ctx, const struct pt_visit *v)
{
	struct change *c = ctx;
	const struct pt_format *f = c->t->format;
	const struct pt_level *row = &f->level[v->level];
	uint64_t old = v->entry, now;

	do {
		unsigned perms = pt_entry_perms(row, old);

		if (!(perms & c->take_away))
			return true;
		now = pt_set_perms(row, old, perms & ~c->take_away);
		if (now == old)
			return true; /* the format cannot withhold these */
	} while (!pt_swap(f, v->slot, &old, now));
	if (!pt_is_present(row, now))
		drop_leaf(c, v->slot, v->level);
	c->changed = true;
	return true;
}

enum pt_status pt_protect(struct pt_table *t, uint64_t addr, uint64_t size,
			  unsigned take_away, bool *changed)
{
	struct change c = { .t = t, .take_away = take_away };

	return change(&c, addr, size, PT_VISIT_LEAF, protect_entry, changed);
}

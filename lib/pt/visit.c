/*
 * Reading tables that we own: walk (one address) and visit (a range).
 *
 * A visit is one recursive scan, as deep as the format has levels:
 *
 *   for each present entry of the table that covers part of the range
 *     a leaf:  LEAF
 *     a table: PRE, scan it, POST
 *
 * The entry is read once, before its callback, which may therefore change or
 * clear it; POST may free the table that was scanned. Unmap, protect, free,
 * audit and dump are callbacks of a few lines.
 */
#include "pt/tree.h"

/* 1. Walk. */

bool pt_walk_to(const struct pt_table *t, uint64_t addr, unsigned stop,
		struct pt_walk *out)
{
	const struct pt_format *f = t->format;
	const struct pt_level *row = &f->level[f->levels];
	void *node = pt_ptr(t, t->root);
	unsigned perms = VMMU_RWXU;

	*out = (struct pt_walk){ .level = f->levels };
	if (addr > pt_last_addr(f))
		return false;
	for (;; row--) {
		void *slot = pt_slot(f, row, node, addr);

		out->slot = slot;
		out->entry = pt_load(f, slot);
		perms &= pt_entry_perms(row, out->entry);
		if (!pt_is_present(row, out->entry))
			return false;
		if (pt_is_leaf(row, out->entry))
			break;
		if (out->level == stop)
			return false;
		node = pt_ptr(t, pt_table_of(row, out->entry));
		out->level--;
	}
	out->perms = (uint8_t)perms;
	out->out = pt_addr_of(row, out->entry) + (addr & (pt_span(row) - 1));
	return true;
}

uint64_t pt_memtype_bits(const struct pt_level *l)
{
	uint64_t field = l->memtype_shift ? UINT64_C(7) << l->memtype_shift : 0;

	return l->pwt | l->pcd | l->pat | l->ignore_pat | field;
}

/* The inverse of what pt_make_leaf writes. The PAT bit does not count: the
 * power-on PAT, which pt_make_leaf relies on, has its entries twice. */
enum vmmu_memtype pt_leaf_memtype(const struct pt_level *l, uint64_t leaf)
{
	static const uint8_t types[] = { VMMU_WB,	VMMU_UC, VMMU_WT,
					 VMMU_UC_MINUS, VMMU_WC, VMMU_WP };
	uint64_t mask = pt_memtype_bits(l) & ~(l->pat | l->ignore_pat);

	for (unsigned i = 0; i < sizeof(types); i++) {
		enum vmmu_memtype type = (enum vmmu_memtype)types[i];

		if (!((leaf ^ pt_make_leaf(l, 0, VMMU_R, type)) & mask))
			return type;
	}
	return VMMU_UC;
}

bool pt_walk(const struct pt_table *t, uint64_t addr, struct pt_walk *out)
{
	if (!pt_walk_to(t, addr, 1, out))
		return false;
	out->type = pt_leaf_memtype(&t->format->level[out->level], out->entry);
	return true;
}

/* 2. Visit. */

static bool call(const struct pt_scan *s, const struct pt_visit *v,
		 unsigned when)
{
	struct pt_visit now = *v;

	if (!(s->flags & when))
		return true;
	now.when = when;
	return s->visit(s->ctx, &now);
}

static bool scan_entry(const struct pt_scan *s, const struct pt_visit *v,
		       uint64_t addr, uint64_t last)
{
	const struct pt_level *row = &s->t->format->level[v->level];

	if (!pt_is_present(row, v->entry))
		return true;
	if (pt_is_leaf(row, v->entry))
		return call(s, v, PT_VISIT_LEAF);
	return call(s, v, PT_VISIT_PRE) &&
	       pt_scan_table(s, pt_table_of(row, v->entry), v->level - 1u, addr,
			     last) &&
	       call(s, v, PT_VISIT_POST);
}

bool pt_scan_table(const struct pt_scan *s, hpa_t table, unsigned level,
		   uint64_t addr, uint64_t last)
{
	const struct pt_format *f = s->t->format;
	const struct pt_level *row = &f->level[level];
	void *node = pt_ptr(s->t, table);
	uint64_t below = pt_span(row) - 1;

	for (;;) {
		void *slot = pt_slot(f, row, node, addr);
		uint64_t end = (addr | below) < last ? addr | below : last;
		struct pt_visit v = { .addr = addr & ~below,
				      .slot = slot,
				      .entry = pt_load(f, slot),
				      .level = (uint8_t)level };

		if (!scan_entry(s, &v, addr, end))
			return false;
		if (end == last)
			return true;
		addr = end + 1;
	}
}

bool pt_visit(const struct pt_table *t, uint64_t addr, uint64_t size,
	      unsigned flags,
	      bool (*visit)(void *ctx, const struct pt_visit *v), void *ctx)
{
	struct pt_scan s = { t, flags, visit, ctx };
	uint64_t last = t->last;

	if (!size || addr > last)
		return true;
	if (size - 1 < last - addr)
		last = addr + size - 1;
	return pt_scan_table(&s, t->root, t->format->levels, addr, last);
}

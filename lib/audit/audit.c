/*
 * The audit: the design's invariants, checked by number.
 *
 * For the table that a scheme keeps for the whole VM (gpa -> hpa):
 *
 * I1 Every leaf says what slots and backing say now: each of its pages has
 *    the frame that the host answers, and no permission that slot, sharing
 *    or a clean dirty bit withholds; no reserved bit is set, and every vCPU
 *    under the scheme uses this very table.
 * I2 No leaf maps a page that no slot has, or a frame that no slot gives.
 * I4 The pool counts right and holds its limit: used pages are those that can
 *    be reached from the roots and the schemes' state, each once; spare pages
 *    are chained, zeroed, and within the limit together with the used; leaf
 *    counters are true.
 *
 * I3 is hardware's under nested, I5 concerns direct. A large leaf is checked
 * run by run, not page by page, except for its dirty bits.
 */
#include <stddef.h>

#include <vmmu/audit.h>

#include "pt/tree.h"

struct audit {
	struct vmmu_audit *out;
	struct vmmu_vm *vm;
	const struct pt_table *t;
	uint64_t leaves[PT_LEVELS_MAX + 1];
	uint64_t tables; /* reached, over all schemes */
};

static void breach(struct audit *a, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	a->out->breaches++;
	if (a->out->breach)
		a->out->breach(a->out->ctx, invariant, sentence, addr, entry);
}

/* 1. One leaf: I1 and I2. */

/* A part of a leaf that lies in one slot and one run of the host's. */
struct part {
	const struct pt_visit *v;
	const struct vmmu_slot *slot;
	uint64_t gpa, hpa, size;
	unsigned perms;
};

static enum vmmu_resolve resolve(const struct audit *a,
				 const struct vmmu_slot *slot, uint64_t gpa,
				 struct vmmu_extent *run)
{
	const struct vmmu_host *host = &a->vm->host;

	return host->ops->resolve(
		host->cookie, vmmu_slot_hva(slot, mk_gpa(gpa)), VMMU_R, run);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the run from this gpa on, as far as the slot shows them. */
static uint64_t run_rest(const struct vmmu_slot *slot, uint64_t gpa,
			 const struct vmmu_extent *run)
{
	uint64_t at = vmmu_slot_hva(slot, mk_gpa(gpa)).v - run->hva.v;

	return least(run->size - at, slot->size - (gpa - slot->gpa.v));
}

static bool slot_gives(const struct audit *a, const struct vmmu_slot *slot,
		       uint64_t hpa)
{
	uint64_t gpa = slot->gpa.v, end = gpa + slot->size;
	struct vmmu_extent run;

	while (gpa < end) {
		uint64_t size = VMMU_PAGE_SIZE;

		if (resolve(a, slot, gpa, &run) == VMMU_RESOLVE_OK) {
			uint64_t at =
				vmmu_slot_hva(slot, mk_gpa(gpa)).v - run.hva.v;

			size = run_rest(slot, gpa, &run);
			if (hpa - (run.hpa.v + at) < size)
				return true;
		}
		gpa += size;
	}
	return false;
}

static bool any_slot_gives(const struct audit *a, uint64_t hpa)
{
	const struct vmmu_slots *slots = &a->vm->slots;

	for (uint32_t i = 0; i < slots->count; i++)
		if (slot_gives(a, &slots->slot[i], hpa))
			return true;
	return false;
}

static bool any_clean(const struct part *p)
{
	uint64_t n = (p->gpa - p->slot->gpa.v) >> VMMU_PAGE_SHIFT;
	uint64_t end = n + (p->size >> VMMU_PAGE_SHIFT);

	for (; n < end; n++)
		if (!(p->slot->dirty[n / 64] >> n % 64 & 1))
			return true;
	return false;
}

static bool part_ok(struct audit *a, const struct part *p,
		    const struct vmmu_extent *run)
{
	uint64_t at = vmmu_slot_hva(p->slot, mk_gpa(p->gpa)).v - run->hva.v;
	const char *why = NULL;

	if (p->hpa != run->hpa.v + at) {
		why = "I1: leaf maps another frame than slot and backing give";
		if (!any_slot_gives(a, p->hpa))
			breach(a, 2, "I2: leaf maps a frame that no slot gives",
			       p->gpa, p->v->entry);
	} else if (!(p->perms & VMMU_W)) {
		return true;
	} else if (p->slot->flags & VMMU_SLOT_READ_ONLY) {
		why = "I1: page of a read-only slot is writable";
	} else if (run->read_only) {
		why = "I1: page that the host shares is writable";
	} else if (p->slot->flags & VMMU_SLOT_LOG_DIRTY && any_clean(p)) {
		why = "I1: logged page is writable while its bit is clear";
	}
	if (why)
		breach(a, 1, why, p->gpa, p->v->entry);
	return !why;
}

/* Takes the part at p->gpa off the leaf's rest; false: one breach will do. */
static bool check_part(struct audit *a, struct part *p, uint64_t rest)
{
	struct vmmu_extent run;

	p->slot = vmmu_slots_find(&a->vm->slots, gpa_gfn(mk_gpa(p->gpa)));
	if (!p->slot) {
		breach(a, 2, "I2: leaf at an address that no slot has", p->gpa,
		       p->v->entry);
		return false;
	}
	if (resolve(a, p->slot, p->gpa, &run) != VMMU_RESOLVE_OK) {
		breach(a, 1, "I1: leaf for a page that has no backing", p->gpa,
		       p->v->entry);
		return false;
	}
	p->size = least(rest, run_rest(p->slot, p->gpa, &run));
	return part_ok(a, p, &run);
}

static void check_leaf(struct audit *a, const struct pt_visit *v)
{
	const struct pt_level *row = &a->t->format->level[v->level];
	struct part p = {
		.v = v,
		.gpa = v->addr,
		.hpa = pt_leaf_addr(row, v->entry),
		.perms = pt_entry_perms(row, v->entry),
	};
	uint64_t end = v->addr + pt_span(row);

	if (v->entry & row->reserved_leaf)
		breach(a, 1, "I1: leaf has a reserved bit set", v->addr,
		       v->entry);
	while (p.gpa < end && check_part(a, &p, end - p.gpa)) {
		p.gpa += p.size;
		p.hpa += p.size;
	}
}

/* 2. One table: counts for I4. */

static bool check_entry(void *ctx, const struct pt_visit *v)
{
	struct audit *a = ctx;
	const struct pt_level *row = &a->t->format->level[v->level];

	a->out->entries++;
	if (v->when == PT_VISIT_LEAF) {
		a->leaves[v->level]++;
		check_leaf(a, v);
		return true;
	}
	if (v->entry & row->reserved_table)
		breach(a, 1, "I1: entry to a table has a reserved bit set",
		       v->addr, v->entry);
	/* More than there are: a loop, or one table in two places. */
	return ++a->tables <= a->vm->pool.used;
}

static void check_table(struct audit *a, const struct pt_table *t)
{
	a->t = t;
	a->tables++;
	for (unsigned level = 0; level <= PT_LEVELS_MAX; level++)
		a->leaves[level] = 0;
	if (!pt_visit(t, 0, t->last + 1, PT_VISIT_LEAF | PT_VISIT_PRE,
		      check_entry, a))
		return; /* the page counts will say so */
	for (unsigned level = 1; level <= t->format->levels; level++)
		if (a->leaves[level] != t->leaves[level])
			breach(a, 4, "I4: a leaf counter is wrong", level,
			       t->leaves[level]);
}

/* 3. The pool: I4. */

static bool page_is_zero(const uint64_t *page)
{
	/* The first word is the link. */
	for (unsigned i = 1; i < VMMU_PAGE_SIZE / sizeof(*page); i++)
		if (page[i])
			return false;
	return true;
}

static void check_spare(struct audit *a)
{
	const struct pt_pool *p = &a->vm->pool;
	uint64_t at = p->spare_head;
	uint32_t count = 0;

	for (; at && count < p->limit; count++) {
		uint64_t *page = p->host->ops->ptr(p->host->cookie, mk_hpa(at));

		if (!page_is_zero(page))
			breach(a, 4, "I4: a spare page is not zero", at,
			       page[1]);
		at = *page;
	}
	if (at || count != p->spare)
		breach(a, 4, "I4: the chain of spare pages is broken", at,
		       count);
}

static void check_pool(struct audit *a)
{
	const struct pt_pool *p = &a->vm->pool;

	if (p->used > p->limit || p->spare > p->limit - p->used)
		breach(a, 4, "I4: more table pages than the limit", p->used,
		       p->spare);
	if (a->tables > p->used)
		breach(a, 4, "I4: a table is linked twice", a->tables, p->used);
	if (a->tables < p->used)
		breach(a, 4, "I4: a table page is lost", a->tables, p->used);
	check_spare(a);
}

/* 4. All of a VM. */

static void check_use(struct audit *a, const struct vmmu_scheme_use *use)
{
	const struct pt_table *t;

	a->tables++; /* its state */
	if (!use->scheme->table)
		return;
	t = use->scheme->table(a->vm);
	check_table(a, t);
	for (struct vmmu_cpu *c = a->vm->cpus; c; c = c->next)
		if (c->use == use && c->root.v != t->root.v)
			breach(a, 1, "I1: a vCPU uses another root", c->root.v,
			       t->root.v);
}

bool vmmu_audit(struct vmmu_vm *vm, struct vmmu_audit *audit)
{
	struct audit a = { .out = audit, .vm = vm };

	audit->breaches = 0;
	audit->entries = 0;
	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++)
		if (vm->use[i].scheme)
			check_use(&a, &vm->use[i]);
	check_pool(&a);
	return audit->breaches == 0;
}

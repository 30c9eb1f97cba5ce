/*
 * The audit: the design's invariants, checked by number.
 *
 * For the table that a scheme keeps for the whole VM (gpa -> hpa), and, with
 * the guest's walk before it, for a vCPU's own (gva -> hpa: audit_cpu.c):
 *
 * I1 Every leaf says what slots and backing say now: each of its pages has
 *    the frame that the host answers, and no permission that slot, sharing
 *    or a clean dirty bit withholds; no reserved bit is set, and every vCPU
 *    under the scheme uses this very table. Where hardware logs, a clean
 *    page may have W in a 4 KiB leaf whose D is clear.
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

#include "audit/audit.h"
#include "scheme/hwlog.h"

void audit_breach(struct audit *a, unsigned invariant, const char *sentence,
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

static bool any_clean(const struct part *p)
{
	return audit_any_clean(p->slot, p->gpa, p->size);
}

/* Hardware puts down the first write to it, and D is set by that. */
static bool is_logged(const struct audit *a, const struct part *p)
{
	return hwlog_has(a->vm, p->slot) && p->v->level == 1 &&
	       !(p->v->entry & a->t->format->level[1].dirty);
}

static bool part_ok(struct audit *a, const struct part *p,
		    const struct vmmu_extent *run)
{
	uint64_t at = vmmu_slot_hva(p->slot, mk_gpa(p->gpa)).v - run->hva.v;
	const char *why = NULL;

	if (p->hpa != run->hpa.v + at) {
		why = "I1: leaf maps another frame than slot and backing give";
		if (!audit_find_frame(a, p->hpa, VMMU_R))
			audit_breach(a, 2,
				     "I2: leaf maps a frame that no slot gives",
				     p->gpa, p->v->entry);
	} else if (!(p->perms & VMMU_W)) {
		return true;
	} else if (p->slot->flags & VMMU_SLOT_READ_ONLY) {
		why = "I1: page of a read-only slot is writable";
	} else if (run->read_only) {
		why = "I1: page that the host shares is writable";
	} else if (p->slot->flags & VMMU_SLOT_LOG_DIRTY && !is_logged(a, p) &&
		   any_clean(p)) {
		why = "I1: logged page is writable while its bit is clear";
	}
	if (why)
		audit_breach(a, 1, why, p->gpa, p->v->entry);
	return !why;
}

/* Takes the part at p->gpa off the leaf's rest; false: one breach will do. */
static bool check_part(struct audit *a, struct part *p, uint64_t rest)
{
	struct vmmu_extent run;

	p->slot = vmmu_slots_find(&a->vm->slots, gpa_gfn(mk_gpa(p->gpa)));
	if (!p->slot) {
		audit_breach(a, 2, "I2: leaf at an address that no slot has",
			     p->gpa, p->v->entry);
		return false;
	}
	if (audit_resolve(a, p->slot, p->gpa, &run) != VMMU_RESOLVE_OK) {
		audit_breach(a, 1, "I1: leaf for a page that has no backing",
			     p->gpa, p->v->entry);
		return false;
	}
	p->size = audit_least(rest, audit_run_rest(p->slot, p->gpa, &run));
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
		audit_breach(a, 1, "I1: leaf has a reserved bit set", v->addr,
			     v->entry);
	while (p.gpa < end && check_part(a, &p, end - p.gpa)) {
		p.gpa += p.size;
		p.hpa += p.size;
	}
}

/* 2. One table: counts for I4. */

/* QEMU's emulation takes bit 5 of a PDPTE, reserved in PAE paging, for A. */
static uint64_t hardware_sets(const struct pt_format *f, unsigned level)
{
	return f == &pt_x86_pae && level == 3 ? UINT64_C(0x20) : 0;
}

static bool check_entry(void *ctx, const struct pt_visit *v)
{
	struct audit *a = ctx;
	const struct pt_level *row = &a->t->format->level[v->level];

	a->out->entries++;
	if (v->when == PT_VISIT_LEAF) {
		a->leaves[v->level]++;
		a->check_leaf(a, v);
		return true;
	}
	if (v->entry & row->reserved_table &
	    ~hardware_sets(a->t->format, v->level))
		audit_breach(a, 1,
			     "I1: entry to a table has a reserved bit set",
			     v->addr, v->entry);
	/* More than there are: a loop, or one table in two places. */
	return ++a->tables <= a->vm->pool.used;
}

static void check_table(struct audit *a, const struct pt_table *t,
			void (*leaf)(struct audit *a, const struct pt_visit *v))
{
	a->check_leaf = leaf;
	a->t = t;
	a->tables++;
	for (unsigned level = 0; level <= PT_LEVELS_MAX; level++)
		a->leaves[level] = 0;
	if (!pt_visit(t, 0, t->last + 1, PT_VISIT_LEAF | PT_VISIT_PRE,
		      check_entry, a))
		return; /* the page counts will say so */
	for (unsigned level = 1; level <= t->format->levels; level++)
		if (a->leaves[level] != t->leaves[level])
			audit_breach(a, 4, "I4: a leaf counter is wrong", level,
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
			audit_breach(a, 4, "I4: a spare page is not zero", at,
				     page[1]);
		at = *page;
	}
	if (at || count != p->spare)
		audit_breach(a, 4, "I4: the chain of spare pages is broken", at,
			     count);
}

static void check_pool(struct audit *a)
{
	const struct pt_pool *p = &a->vm->pool;

	if (p->used > p->limit || p->spare > p->limit - p->used)
		audit_breach(a, 4, "I4: more table pages than the limit",
			     p->used, p->spare);
	if (a->tables > p->used)
		audit_breach(a, 4, "I4: a table is linked twice", a->tables,
			     p->used);
	if (a->tables < p->used)
		audit_breach(a, 4, "I4: a table page is lost", a->tables,
			     p->used);
	check_spare(a);
}

/* 4. All of a VM. */

static void check_root(struct audit *a, const struct vmmu_cpu *c,
		       const struct pt_table *t)
{
	if (c->root.v != t->root.v)
		audit_breach(a, 1, "I1: a vCPU uses another root", c->root.v,
			     t->root.v);
}

static void check_own(struct audit *a, struct vmmu_cpu *c)
{
	const struct pt_table *t = c->scheme->cpu_table(c);

	a->tables++; /* its state */
	a->cpu = c;
	check_table(a, t, audit_gva_leaf);
	check_root(a, c, t);
}

static void sink_breach(void *ctx, unsigned invariant, const char *sentence,
			uint64_t addr, uint64_t entry)
{
	audit_breach(ctx, invariant, sentence, addr, entry);
}

static void sink_entry(void *ctx)
{
	struct audit *a = ctx;

	a->out->entries++;
}

static void check_use(struct audit *a, const struct vmmu_scheme_use *use)
{
	const struct vmmu_audit_sink sink = { sink_breach, sink_entry, a };
	const struct pt_table *t = NULL;

	a->tables++; /* its state */
	if (use->scheme->audit)
		a->tables += use->scheme->audit(a->vm, &sink);
	if (use->scheme->table) {
		t = use->scheme->table(a->vm);
		check_table(a, t, check_leaf);
	}
	for (struct vmmu_cpu *c = a->vm->cpus; c; c = c->next) {
		if (c->use != use)
			continue;
		if (t)
			check_root(a, c, t);
		if (use->scheme->cpu_table)
			check_own(a, c);
	}
}

bool vmmu_audit(struct vmmu_vm *vm, struct vmmu_audit *audit)
{
	struct audit a = { .out = audit, .vm = vm };

	audit->breaches = 0;
	audit->entries = 0;
	hwlog_drain(vm);
	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++)
		if (vm->use[i].scheme)
			check_use(&a, &vm->use[i]);
	check_pool(&a);
	return audit->breaches == 0;
}

/*
 * The table of `vtlb`; see vtlb_table.h.
 *
 * 1. Birth and death. The root lies below 4 GiB: outside long mode CR3 has 32
 *    bits. All pages that one fill needs at worst, beside those that stay,
 *    are reserved at birth, so that after vm_recycle() a fill cannot fail.
 * 2. Put. The largest leaf that the guest's page, slot and run allow. A table
 *    in its place goes; a larger leaf in its way goes (pt_table.drops_large).
 *    What the guest's tables said before may stay in hardware's TLB until the
 *    guest flushes it, so neither needs a flush, but a freed table does.
 * 3. Drop. A load of CR3 costs what was filled since the last one: the log
 *    names each place. If there was more than it holds, the table is swept.
 *    Tables stay linked: the next process fills the same places.
 * 4. Frames. There is no map from frames to leaves, but a filter: 2 MiB
 *    granules of which something was mapped.
 */
#include "scheme/vtlb_table.h"

#include <string.h>

#include "scheme/real.h"

/* 1. Birth and death. */

#define LOW_TRIES 16

/* Pages above 4 GiB are put aside until one is found that is not. */
static bool get_low_page(struct pt_pool *pool, hpa_t *page)
{
	hpa_t high[LOW_TRIES];
	unsigned count = 0;
	uint64_t *entries;
	bool found = false;

	while (!found && count < LOW_TRIES &&
	       pt_pool_get(pool, page, &entries)) {
		found = page->v >> 32 == 0;
		if (!found)
			high[count++] = *page;
	}
	while (count)
		pt_pool_put(pool, high[--count]);
	return found;
}

static void set_blanks(struct vtlb *v)
{
	const struct pt_format *f = v->table.format;

	for (unsigned level = 1; level <= 3; level++) {
		const struct pt_level *row = &f->level[level];

		for (unsigned p = 0; p <= VMMU_RWXU; p++)
			v->blank[level][p] = pt_make_leaf(row, 0, p, VMMU_WB) |
					     row->accessed |
					     (p & VMMU_W ? row->dirty : 0);
	}
}

static bool link_directories(struct pt_table *t)
{
	for (unsigned i = 0; i < 4; i++)
		if (!pt_reach(t, i * VMMU_1G, 2))
			return false;
	return true;
}

/* Over the empty root. */
static bool start(struct vmmu_cpu *cpu, struct vtlb *v,
		  const struct pt_format *format)
{
	struct vmmu_vm *vm = cpu->vm;

	pt_table_begin(&v->table, format, &vm->pool, vm->hw.host_max_leaf,
		       v->table.root);
	v->table.drops_large = true;
	set_blanks(v);
	return format != &pt_x86_pae || link_directories(&v->table);
}

/* What stays in either format, and the way down to one leaf: PAE's are 5 and
 * 1 pages, 5-level paging's 1 and 4. */
#define PAGES_AT_WORST 6

bool vtlb_table_begin(struct vmmu_cpu *cpu, struct vtlb *v)
{
	struct pt_pool *pool = &cpu->vm->pool;

	/* Every vCPU may go back to PAE format when all pages are in use. */
	if (pool->limit < cpu->use->cpus * PAGES_AT_WORST + 4 ||
	    !pt_pool_reserve(pool, PAGES_AT_WORST) ||
	    !get_low_page(pool, &v->table.root))
		return false;
	/* Those that were put aside are spare again: this does not fail. */
	return start(cpu, v, real_format(&cpu->mode));
}

struct sweep {
	struct pt_table *t;
	unsigned top; /* entries up to this level may be emptied */
	bool only_empty;
};

static bool is_empty(const struct pt_table *t, hpa_t table)
{
	const uint64_t *entry = pt_ptr(t, table);
	uint64_t any = 0;

	for (unsigned i = 0; i < VMMU_PAGE_SIZE / sizeof(*entry); i++)
		any |= entry[i];
	return !(any & t->format->level[1].present);
}

static bool sweep_entry(void *ctx, const struct pt_visit *v)
{
	const struct sweep *s = ctx;
	hpa_t table;

	if (v->when == PT_VISIT_LEAF) {
		pt_store(s->t->format, v->slot, 0);
		s->t->leaves[v->level]--;
		return true;
	}
	table = pt_table_of(&s->t->format->level[v->level], v->entry);
	if (v->level > s->top || (s->only_empty && !is_empty(s->t, table)))
		return true;
	pt_store(s->t->format, v->slot, 0);
	pt_give_back(s->t, table);
	return true;
}

/* The highest level whose entries may be emptied. */
static unsigned top_of(const struct pt_table *t)
{
	return t->format == &pt_x86_pae ? 2 : t->format->levels;
}

static void forget(struct vtlb *v)
{
	memset(v->touched, 0, sizeof(v->touched));
	v->log_count = 0;
	v->log_full = false;
}

void vtlb_table_give_back(struct vtlb *v)
{
	struct sweep s = { .t = &v->table, .top = top_of(&v->table) };

	pt_visit(&v->table, 0, v->table.last + 1, PT_VISIT_LEAF | PT_VISIT_POST,
		 sweep_entry, &s);
	forget(v);
	v->trimmed = 0;
}

static void empty_root(struct vtlb *v)
{
	struct sweep s = { .t = &v->table, .top = PT_LEVELS_MAX };

	pt_visit(&v->table, 0, v->table.last + 1, PT_VISIT_LEAF | PT_VISIT_POST,
		 sweep_entry, &s);
	forget(v);
}

void vtlb_table_end(struct vtlb *v)
{
	empty_root(v);
	pt_give_back(&v->table, v->table.root);
}

void vtlb_table_format(struct vmmu_cpu *cpu, struct vtlb *v,
		       const struct pt_format *format)
{
	empty_root(v);
	/* What is given back may serve elsewhere at once. */
	vm_flush_cpu(cpu);
	if (start(cpu, v, format))
		return;
	vm_recycle(cpu->vm);
	if (!start(cpu, v, format))
		cpu->vm->poisoned = "no pages for a vCPU's first tables";
}

/* 2. Put. */

static void log_add(struct vtlb *v, void *slot, unsigned level)
{
	if (v->log_count == VTLB_LOG)
		v->log_full = true;
	else
		v->log[v->log_count++] = (uint64_t)(uintptr_t)slot | level;
}

static void touch(struct vtlb *v, uint64_t gpa, unsigned level)
{
	uint64_t n = gpa / VMMU_2M % VTLB_TOUCHED;

	if (level == 3)
		memset(v->touched, 0xff, sizeof(v->touched));
	else
		v->touched[n / 64] |= UINT64_C(1) << n % 64;
}

void vtlb_store(struct vtlb *v, const struct vtlb_place *at, uint64_t leaf,
		uint64_t gpa)
{
	struct pt_table *t = &v->table;
	const struct pt_level *row = &t->format->level[at->level];
	uint64_t old = pt_load(t->format, at->slot);

	if (leaf & VTLB_LOGGED & ~old)
		log_add(v, at->slot, at->level);
	if (!pt_is_present(row, old))
		t->leaves[at->level]++;
	pt_store(t->format, at->slot, leaf);
	touch(v, gpa, at->level);
}

/* The largest level whose span the guest's page has. */
static unsigned level_of_page(const struct vmmu_gwalk *w)
{
	if (!w->level) /* paging is off: no page is the guest's */
		return 3;
	return w->page_shift < 21 ? 1 : w->page_shift < 30 ? 2 : 3;
}

/* A table where a leaf is to stand. What is in the log may lie in it. */
static __attribute__((noinline)) void take_table(struct vmmu_cpu *cpu,
						 struct vtlb *v, uint64_t addr,
						 unsigned level)
{
	struct pt_table *t = &v->table;
	const struct pt_level *row = &t->format->level[level];
	struct sweep s = { .t = t, .top = level };

	vtlb_table_drop_non_global(v);
	pt_visit(t, addr & ~(pt_span(row) - 1), pt_span(row),
		 PT_VISIT_LEAF | PT_VISIT_POST, sweep_entry, &s);
	vm_flush_cpu(cpu);
}

static void *reach(struct vmmu_cpu *cpu, struct vtlb *v, uint64_t addr,
		   unsigned level)
{
	void *slot = pt_reach(&v->table, addr, level);

	if (slot)
		return slot;
	vm_recycle(cpu->vm);
	return pt_reach(&v->table, addr, level);
}

static void mark_piece(struct vtlb *v, uint64_t addr, unsigned level)
{
	const struct pt_format *f = v->table.format;
	void *slot = pt_reach(&v->table, addr, level);

	pt_store(f, slot, pt_load(f, slot) | VTLB_PIECE);
}

enum vtlb_put vtlb_table_put(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva,
			     const struct combined *c, struct vtlb_place *at)
{
	struct pt_table *t = &v->table;
	uint64_t addr = gva.v & t->last, leaf, old;
	unsigned most = level_of_page(&c->walk);
	unsigned level = finding_level(t, &c->found, most);
	const struct pt_level *row = &t->format->level[level];
	bool piece = c->walk.level &&
		     c->walk.page_shift > t->format->level[level].shift;
	void *slot = reach(cpu, v, addr, level);

	if (!slot)
		return VTLB_NO_ROOM;
	leaf = v->blank[level][c->perms] | vtlb_extra(v, &c->walk) |
	       (c->found.hpa & ~(pt_span(row) - 1));
	old = pt_load(t->format, slot);
	if ((old & ~VTLB_PIECE) == leaf) {
		/* Of a smaller page before: INVLPG takes it as a part now. */
		if (piece)
			mark_piece(v, addr, most);
		return VTLB_THERE;
	}
	if (level > 1 && pt_is_table(row, old))
		take_table(cpu, v, addr, level);
	*at = (struct vtlb_place){ slot, level };
	vtlb_store(v, at, leaf, c->found.gpa);
	if (piece)
		mark_piece(v, addr, most);
	cpu->vm->stats.mapped[level]++;
	return VTLB_NEW;
}

/* 3. Drop. */

static void drop_at(struct vtlb *v, uint64_t place)
{
	struct pt_table *t = &v->table;
	unsigned level = place & 7;
	const struct pt_level *row = &t->format->level[level];
	void *slot = (void *)(uintptr_t)(place & ~UINT64_C(7));
	uint64_t entry = pt_load(t->format, slot);

	/* A global leaf may have taken the place, or a table. */
	if (!(entry & VTLB_LOGGED))
		return;
	if (pt_is_present(row, entry))
		t->leaves[level]--;
	pt_store(t->format, slot, 0);
}

static void drop_logged(struct vtlb *v)
{
	for (uint32_t i = 0; i < v->log_count; i++)
		drop_at(v, v->log[i]);
	v->log_count = 0;
}

static bool drop_if_logged(void *ctx, const struct pt_visit *visit)
{
	struct vtlb *v = ctx;

	if (visit->entry & VTLB_LOGGED) {
		pt_store(v->table.format, visit->slot, 0);
		v->table.leaves[visit->level]--;
	}
	return true;
}

void vtlb_table_drop_non_global(struct vtlb *v)
{
	drop_logged(v);
	if (!v->log_full)
		return;
	pt_visit(&v->table, 0, v->table.last + 1, PT_VISIT_LEAF, drop_if_logged,
		 v);
	v->log_full = false;
}

void vtlb_table_drop_all(struct vtlb *v)
{
	struct sweep s = { .t = &v->table };

	drop_logged(v);
	pt_visit(&v->table, 0, v->table.last + 1, PT_VISIT_LEAF, sweep_entry,
		 &s);
	forget(v);
}

void vtlb_table_trim(struct vtlb *v)
{
	struct pt_pool *pool = v->table.pool;
	struct sweep s = { .t = &v->table,
			   .top = top_of(&v->table),
			   .only_empty = true };

	if (pool->limit - pool->used > pool->limit / 4 ||
	    pool->used < v->trimmed + 8)
		return;
	pt_visit(&v->table, 0, v->table.last + 1, PT_VISIT_POST, sweep_entry,
		 &s);
	v->trimmed = pool->used;
}

/* Where the table's descent for an address ends. */
struct spot {
	void *slot;
	uint64_t entry;
	unsigned level;
	unsigned pieces; /* highest level marked PIECE; 0: none */
};

static void find(const struct pt_table *t, uint64_t addr, struct spot *s)
{
	const struct pt_format *f = t->format;
	hpa_t table = t->root;

	s->pieces = 0;
	for (s->level = f->levels;; s->level--) {
		const struct pt_level *row = &f->level[s->level];

		s->slot = pt_slot(f, row, pt_ptr(t, table), addr);
		s->entry = pt_load(f, s->slot);
		if (!pt_is_present(row, s->entry))
			return;
		if (s->entry & VTLB_PIECE && !s->pieces)
			s->pieces = s->level;
		if (pt_is_leaf(row, s->entry))
			return;
		table = pt_table_of(row, s->entry);
	}
}

/* All parts of the guest page. What is in the log may lie in tables that go
 * with them. */
static void drop_pieces(struct vmmu_cpu *cpu, struct vtlb *v, uint64_t addr,
			unsigned level)
{
	struct sweep s = { .t = &v->table, .top = level };
	uint64_t size = pt_span(&v->table.format->level[level]);

	if (v->buddies)
		size *= 2;
	vtlb_table_drop_non_global(v);
	pt_visit(&v->table, addr & ~(size - 1), size,
		 PT_VISIT_LEAF | PT_VISIT_POST, sweep_entry, &s);
	vm_flush_cpu(cpu);
}

static void drop_leaf(struct vtlb *v, const struct spot *s)
{
	uint64_t keep = v->log_full ? 0 : s->entry & VTLB_LOGGED;

	pt_store(v->table.format, s->slot, keep);
	v->table.leaves[s->level]--;
}

bool vtlb_table_drop(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva)
{
	uint64_t addr = gva.v & v->table.last;
	struct spot spot, buddy = { .pieces = 0 };
	bool was_there;

	find(&v->table, addr, &spot);
	if (v->buddies)
		find(&v->table, addr ^ VMMU_2M, &buddy);
	was_there =
		pt_is_present(&v->table.format->level[spot.level], spot.entry);
	if (spot.pieces | buddy.pieces) {
		drop_pieces(cpu, v, addr, spot.pieces | buddy.pieces);
		return was_there;
	}
	if (was_there)
		drop_leaf(v, &spot);
	vm_flush_gva(cpu, gva);
	return was_there;
}

/* 4. Frames. */

bool vtlb_table_may_map(const struct vtlb *v, gfn_t gfn, uint64_t count)
{
	uint64_t first = gfn.v / 512, last = (gfn.v + count - 1) / 512;
	uint64_t any = 0;

	if (last - first >= VTLB_TOUCHED) {
		for (unsigned i = 0; i < VTLB_TOUCHED / 64; i++)
			any |= v->touched[i];
		return any;
	}
	for (uint64_t n = first; n <= last; n++)
		if (v->touched[n % VTLB_TOUCHED / 64] >> n % 64 & 1)
			return true;
	return false;
}

/*
 * One hidden fault: down the shadow tables to the leaf, making what is
 * missing.
 *
 *   at each level   an entry of ours that leads where the walk went is right.
 *                   Else the guest's entry is read again, now that its table
 *                   is shadowed and cannot change unseen; it must lead there,
 *                   or the fault is left to come again. Ours is made to refer
 *                   to the page with the key that follows from it
 *   below a large   direct pages: they shadow no table, but cut the guest's
 *   guest page      page into what the backing allows
 *   at the leaf     W only if no table that is in sync lies in the frame
 *
 * The guest's A bits were set by the walk, and D for a write; a clean page has
 * no W (SDM 3A 4.8, I3).
 */
#include "scheme/shadow_ask.h"

#include "mem/gmem_line.h"
#include "pt/gpte.h"
#include "scheme/real.h"

/* 1. Keys of what is below. */

bool shadow_read(struct vmmu_cpu *cpu, struct shadow_vm *s, uint64_t gpa,
		 unsigned size, uint64_t *entry)
{
	uint64_t in = gpa & VMMU_PAGE_MASK;
	const uint8_t *at;
	uint8_t *page;

	if (gmem_is_current(&cpu->mem) && gmem_hit(&cpu->mem, gpa - in, &at)) {
		*entry = gpte_read(at + in, size);
		return true;
	}
	if (!shadow_ask(cpu, s, gpa >> VMMU_PAGE_SHIFT, VMMU_R, &page))
		return false;
	*entry = gpte_read(page + in, size);
	return true;
}

bool shadow_key_table(const struct vmmu_cpu *cpu, const struct shadow_page *p,
		      uint64_t gpa, uint64_t gva, unsigned access,
		      struct shadow_key *key)
{
	*key = (struct shadow_key){
		.gfn = gpa >> VMMU_PAGE_SHIFT,
		.frame = shadow_frame(cpu->vm, gpa >> VMMU_PAGE_SHIFT),
		.level = (uint8_t)(p->key.level - 1),
		.format = p->key.format,
		.access = (uint8_t)access,
		.mode = p->key.mode,
	};
	if (p->key.format == 2)
		key->part = key->level == 2 ? gva >> 30 & 3 : gva >> 21 & 1;
	return key->frame != SHADOW_NO_FRAME;
}

static void key_direct(const struct shadow_page *p, const struct combined *c,
		       struct shadow_key *key)
{
	uint64_t span = UINT64_C(1) << 9 * (p->key.level - 1);

	*key = (struct shadow_key){
		.gfn = (c->found.gpa >> VMMU_PAGE_SHIFT) & ~(span - 1),
		.frame = SHADOW_NO_FRAME,
		.level = (uint8_t)(p->key.level - 1),
		.part = (uint8_t)(c->walk.pkey << 1 | c->walk.dirty),
		.access = c->walk.perms,
		.mode = p->key.mode,
	};
	if (shadow_is_direct(p)) {
		key->part = p->key.part;
		key->access = p->key.access;
	}
}

/* 2. The way down. */

struct way {
	struct vmmu_cpu *cpu;
	struct shadow_vm *s;
	const struct vmmu_fault *f;
	const struct combined *c;
	struct shadow_page *p;
	unsigned access; /* granted by p's levels above, and by its entry */
	/* Something on the way was made just now: what the walk read there may
	 * have changed before it was protected. */
	bool fresh;
};

/* Backing has changed since it was found: a question to the host did that. */
static bool is_old(const struct vmmu_cpu *cpu, const struct combined *c)
{
	return c->generation != cpu->vm->slots.generation;
}

/* Reads the guest's entry for this level. False: not what the walk saw. */
static bool guest_agrees(struct way *w)
{
	const struct vmmu_mode *m = &w->cpu->mode;
	const struct vmmu_gwalk *walk = &w->c->walk;
	unsigned level = w->p->key.level;
	const struct vmmu_mode_level *l = &m->level[level];
	uint64_t index = w->f->gva.v >> l->shift & l->index_mask, entry;

	if (shadow_is_direct(w->p) || shadow_is_pae_root(w->p))
		return true;
	shadow_settle(w->s); /* no processor writes there unseen any more */
	if (!shadow_read(w->cpu, w->s,
			 walk->tables[level].v + index * m->entry_size,
			 m->entry_size, &entry) ||
	    is_old(w->cpu, w->c))
		return false;
	if (level == walk->level)
		return entry == walk->entry;
	w->access = w->p->key.access &
		    gpte_perms((entry ^ m->flip) & l->rights);
	return entry & SHADOW_P && entry & SHADOW_A &&
	       (entry & l->table_addr) == walk->tables[level - 1].v;
}

static bool same_key(const struct shadow_key *a, const struct shadow_key *b)
{
	return a->gfn == b->gfn && a->frame == b->frame &&
	       a->level == b->level && a->format == b->format &&
	       a->part == b->part && a->access == b->access &&
	       a->mode == b->mode;
}

static bool key_below(const struct way *w, struct shadow_key *key)
{
	const struct vmmu_gwalk *walk = &w->c->walk;
	unsigned level = w->p->key.level - 1u;

	if (shadow_is_direct(w->p) || level < walk->level) {
		key_direct(w->p, w->c, key);
		return true;
	}
	return shadow_key_table(w->cpu, w->p, walk->tables[level].v,
				w->f->gva.v, w->access, key);
}

static enum shadow_fill link_below(struct way *w, unsigned index,
				   const struct shadow_key *key)
{
	struct shadow_page *child;

	shadow_drop(w->s, w->p, index);
	child = shadow_page_get(w->cpu, w->s, key, NULL);
	if (!child)
		return SHADOW_NO_ROOM;
	if (is_old(w->cpu, w->c))
		return SHADOW_CHANGED;
	shadow_put_table(w->s, w->p, index, child);
	/* What is below may be out of date where the guest used it before; not
	 * at an address where it never was. */
	if (w->s->unsync_count && child->present)
		shadow_sync_all(w->cpu, w->s, true);
	if (shadow_is_pae_root(w->p))
		vm_flush_cpu(w->cpu);
	w->p = child;
	return SHADOW_NEW;
}

/* The entry of ours is as the guest's was when it was made, for a table in
 * sync cannot have changed unseen. So does it lead where the walk went? */
static bool leads_there(const struct way *w, const struct shadow_page *child)
{
	const struct vmmu_gwalk *walk = &w->c->walk;
	unsigned level = child->key.level;
	struct shadow_key key;

	if (w->fresh || w->p->unsync)
		return false;
	if (shadow_is_direct(w->p))
		return true;
	if (level >= walk->level)
		return !shadow_is_direct(child) &&
		       child->key.gfn ==
			       walk->tables[level].v >> VMMU_PAGE_SHIFT;
	key_direct(w->p, w->c, &key);
	return same_key(&child->key, &key);
}

static enum shadow_fill step_down(struct way *w)
{
	unsigned index = shadow_index(w->p, w->f->gva.v);
	uint64_t entry = shadow_load(w->p, index);
	struct shadow_page *child;
	struct shadow_key key;

	w->p->writes = 0;
	if (entry & SHADOW_P && !shadow_is_leaf(w->p, entry)) {
		child = shadow_child(w->s, w->p, index);
		if (leads_there(w, child)) {
			w->p = child;
			return SHADOW_NEW;
		}
	}
	w->fresh = true;
	if (!guest_agrees(w) || !key_below(w, &key))
		return SHADOW_CHANGED;
	if (!(entry & SHADOW_P) || shadow_is_leaf(w->p, entry))
		return link_below(w, index, &key);
	child = shadow_child(w->s, w->p, index);
	if (!same_key(&child->key, &key))
		return link_below(w, index, &key);
	w->p = child;
	return SHADOW_NEW;
}

/* 3. The leaf. */

/* What pt_make_leaf and A and D would make in each format that the processor
 * walks, by bits that all of them have alike; test_shadow compares. */
uint64_t shadow_leaf(const struct shadow_page *p, uint64_t hpa, unsigned perms,
		     unsigned pkey)
{
	uint64_t leaf = hpa | SHADOW_P | SHADOW_A | (uint64_t)pkey << 59;

	leaf |= (perms & VMMU_W) | (perms & VMMU_U) >> 1;
	leaf |= (uint64_t)(~perms & VMMU_X) << 61;
	leaf |= (perms & VMMU_W) * (SHADOW_D / VMMU_W);
	return p->key.level > 1 ? leaf | SHADOW_LARGE : leaf;
}

_Static_assert(VMMU_W == SHADOW_W && VMMU_U >> 1 == 4 && VMMU_X == 4,
	       "permissions are moved to where entries have them");

/* The largest leaf: within the guest's page, slot and run, and without any
 * table in it. */
static unsigned level_of(const struct vmmu_cpu *cpu, const struct shadow_vm *s,
			 const struct combined *c)
{
	const struct finding *f = &c->found;
	unsigned most = real_format(&cpu->mode) == &pt_x86_pae ? 2 : 3;
	uint64_t hva = vmmu_slot_hva(f->slot, mk_gpa(f->gpa)).v;

	if (f->before + f->after < VMMU_PAGE_SIZE)
		return 1;
	if (most > cpu->vm->hw.host_max_leaf)
		most = cpu->vm->hw.host_max_leaf;
	if (c->walk.level && c->walk.page_shift < 30)
		most = c->walk.page_shift < 21 ? 1 : most < 2 ? most : 2;
	for (; most > 1; most--) {
		uint64_t in = (VMMU_PAGE_SIZE << 9 * (most - 1)) - 1;
		uint64_t at = f->gpa & in;

		if (at == (f->hpa & in) && at <= f->before &&
		    in - at <= f->after &&
		    !shadow_holds_tables(s, (hva - at) >> VMMU_PAGE_SHIFT,
					 most))
			break;
	}
	return most;
}

/* W may be granted; else *perms loses it. */
static bool settle_w(struct vmmu_cpu *cpu, struct shadow_vm *s, unsigned access,
		     uint64_t frame, unsigned *perms)
{
	if (!(*perms & VMMU_W) || !shadow_protects(s, frame))
		return true;
	if (access & VMMU_W &&
	    shadow_write(cpu, s, frame) != SHADOW_WRITE_EMULATE)
		return true;
	*perms &= ~VMMU_W;
	return !(access & VMMU_W);
}

/* Is the guest's entry what the walk read? While the page is out of sync it
 * need not be: it is compared at the guest's flush. But the table may have come
 * in sync since, and another vCPU have written there before. */
static bool is_still(struct vmmu_cpu *cpu, struct shadow_vm *s,
		     const struct combined *c, const struct shadow_page *p,
		     unsigned index)
{
	uint64_t now;

	if (!shadow_is_direct(p) && !p->unsync &&
	    (!shadow_entry_now(cpu, s, p, index, &now) || now != c->walk.entry))
		return false;
	return !is_old(cpu, c);
}

/* The guest's entry that a leaf is made from, or its gpa: shadow_leaf_gpa. */
static bool note_source(struct shadow_vm *s, struct shadow_page *p,
			unsigned index, const struct combined *c, uint64_t gpa)
{
	uint64_t *entries;

	if (shadow_is_direct(p))
		return true;
	if (p->key.level == 1) {
		p->snap[index] = c->walk.entry;
		return true;
	}
	if (!p->snap) {
		shadow_settle(s);
		if (!pt_pool_get(&s->vm->pool, &p->snap_page, &entries))
			return false;
		p->snap = entries;
	}
	p->snap[index] = gpa;
	return true;
}

enum shadow_fill shadow_fill_leaf(struct vmmu_cpu *cpu, struct shadow_vm *s,
				  const struct vmmu_fault *f,
				  const struct combined *c,
				  struct shadow_page *p)
{
	const struct finding *found = &c->found;
	unsigned level = p->key.level, perms = c->perms;
	uint64_t in = (VMMU_PAGE_SIZE << 9 * (level - 1)) - 1;
	unsigned index = shadow_index(p, f->gva.v);
	uint64_t old, leaf, frame;
	bool may = true;

	frame = (vmmu_slot_hva(found->slot, mk_gpa(found->gpa)).v -
		 (found->gpa & in)) >>
		VMMU_PAGE_SHIFT;
	if (level == 1)
		may = settle_w(cpu, s, f->access, frame, &perms);
	else if (shadow_holds_tables(s, frame, level))
		return SHADOW_AGAIN;
	if (level == 1 ? !is_still(cpu, s, c, p, index) : is_old(cpu, c))
		return SHADOW_CHANGED;
	old = shadow_load(p, index);
	leaf = shadow_leaf(p, found->hpa & ~in, perms, c->walk.pkey);
	if (level == 1 && found->writable &&
	    !(found->slot->flags & VMMU_SLOT_LOG_DIRTY))
		leaf |= SHADOW_MAY_W;
	if (may && old == leaf &&
	    shadow_leaf_gpa(p, index) == (found->gpa & ~in)) {
		if (level == 1)
			note_source(s, p, index, c, found->gpa);
		return SHADOW_THERE;
	}
	if (old & SHADOW_P)
		shadow_drop(s, p, index);
	if (!note_source(s, p, index, c, found->gpa & ~in))
		return SHADOW_NO_ROOM;
	shadow_put_leaf(s, p, index, leaf, frame);
	s->vm->stats.mapped[level]++;
	return may ? SHADOW_NEW : SHADOW_EMULATE;
}

enum shadow_fill shadow_fill(struct vmmu_cpu *cpu, struct shadow_vm *s,
			     const struct vmmu_fault *f,
			     const struct combined *c)
{
	struct way w = { cpu, s, f, c, cpu->state, VMMU_RWXU, false };
	unsigned level = level_of(cpu, s, c);

	while (w.p->key.level > level) {
		enum shadow_fill r = step_down(&w);

		if (r != SHADOW_NEW)
			return r;
	}
	w.p->writes = 0;
	if (w.fresh && !guest_agrees(&w))
		return SHADOW_CHANGED;
	return shadow_fill_leaf(cpu, s, f, c, w.p);
}

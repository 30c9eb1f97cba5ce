/*
 * The fault that needs no walk: nearly every one of a running guest.
 *
 * Tables above level 1 are in sync: what our entries say of the way to a page
 * of level 1 is what the guest's say now, A included, and `key.access` is what
 * they grant together. So the guest's last entry alone decides:
 *
 *   not present              #PF, P = 0
 *   forbids the access       #PF, P = 1
 *   else                     A, and D for a write, are set; the leaf is
 *                            made, or it is MMIO
 *
 * The way is remembered by 2 MiB of addresses under a root, and forgotten
 * whenever an entry to a table goes or a table above level 1 may be written
 * unseen. What is not plain takes the long way: keys, WP = 0, other modes than
 * long mode, slots that log, and the write that ends an upper table's pages.
 *
 * Parts of a large guest page are alike: their page's key says it all.
 */
#include <stddef.h>

#include "scheme/shadow_ask.h"
#include "scheme/shadow_leaf.h"

/* 1. The way. */

void shadow_quick_forget(struct shadow_vm *s, const struct shadow_page *p)
{
	if (!p || p->key.level > 1) {
		for (unsigned i = 0; i < SHADOW_QUICK; i++)
			s->quick[i].tag = 0;
		s->code.page = NULL;
		return;
	}
	for (unsigned i = 0; i < SHADOW_QUICK; i++)
		if (s->quick[i].page == p)
			s->quick[i].tag = 0;
	if (s->code.page == p)
		s->code.page = NULL;
}

static struct shadow_page *descend(const struct shadow_vm *s,
				   struct shadow_page *p, uint64_t gva)
{
	while (p->key.level > 1) {
		unsigned index = shadow_index(p, gva);
		uint64_t entry = shadow_load(p, index);

		if (p->unsync || !(entry & SHADOW_P) ||
		    shadow_is_leaf(p, entry))
			return NULL;
		p = shadow_child(s, p, index);
	}
	return p;
}

/* The guest's table, if the host has it at once. */
static bool find_guest(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       struct shadow_page *p)
{
	const uint64_t *generation = &cpu->vm->slots.generation;
	uint64_t before = *generation;
	uint8_t *page;

	if (p->guest && p->generation == before)
		return true;
	if (shadow_is_direct(p)) {
		p->generation = before;
		return true;
	}
	if (!shadow_ask(cpu, s, p->key.gfn, VMMU_R, &page) ||
	    *generation != before)
		return false;
	p->guest = page;
	p->generation = before;
	return true;
}

static __attribute__((noinline)) struct shadow_page *remember(
	struct vmmu_cpu *cpu, struct shadow_vm *s, uint64_t gva,
	struct shadow_quick *q, uint64_t tag)
{
	struct shadow_page *p = descend(s, cpu->state, gva);

	if (!p || !find_guest(cpu, s, p))
		return NULL;
	*q = (struct shadow_quick){ tag, p };
	return p;
}

static inline struct shadow_page *quick_page(struct vmmu_cpu *cpu,
					     struct shadow_vm *s, uint64_t gva)
{
	const struct shadow_page *root = cpu->state;
	uint64_t region = gva << 7 >> 28, tag;
	struct shadow_quick *q;

	if (!cpu->mode.straight ||
	    !vmmu_mode_canonical(&cpu->mode, mk_gva(gva)))
		return NULL;
	tag = region << 28 | root->id;
	q = &s->quick[(region ^ root->id) % SHADOW_QUICK];
	if (q->tag == tag && q->page->generation == cpu->vm->slots.generation)
		return q->page;
	return remember(cpu, s, gva, q, tag);
}

struct shadow_page *shadow_quick_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
				      uint64_t gva)
{
	return quick_page(cpu, s, gva);
}

static __attribute__((noinline)) bool translate_down(struct shadow_vm *s,
						     struct shadow_page *p,
						     uint64_t gva, hpa_t *hpa)
{
	/* A root of four entries is indexed otherwise. */
	bool plain = !shadow_is_pae_root(p);
	unsigned top = shadow_index(p, gva);
	uint64_t top_entry = shadow_load(p, top), entry, in;

	for (;;) {
		unsigned index = shadow_index(p, gva);

		entry = shadow_load(p, index);
		if (!(entry & SHADOW_P))
			return false;
		if (shadow_is_leaf(p, entry))
			break;
		p = shadow_child(s, p, index);
	}
	if (p->key.level < 3 && plain) {
		s->code.region = gva >> 21;
		s->code.top = (uint16_t)top;
		s->code.top_entry = top_entry;
		s->code.shift = (uint8_t)(3 + 9 * p->key.level);
		s->code.table = p->table;
		s->code.page = p;
	}
	in = (UINT64_C(1) << (3 + 9 * p->key.level)) - 1;
	*hpa = mk_hpa((entry & SHADOW_ADDR & ~in) | (gva & in));
	return true;
}

/* What the processor executes is most often where it was, under whichever
 * root: the kernel's part of all roots is alike. A leaf of a table above level
 * 1 may have become a table. */
bool shadow_translate(const struct vmmu_cpu *cpu, gva_t gva, hpa_t *hpa)
{
	struct shadow_vm *s = shadow_here(cpu);
	struct shadow_page *p = cpu->state;
	unsigned shift = s->code.shift;
	uint64_t in = (UINT64_C(1) << shift) - 1, entry;

	if (!s->code.page || s->code.region != gva.v >> 21 ||
	    s->code.top_entry != p->table[s->code.top])
		return translate_down(s, p, gva.v, hpa);
	entry = __atomic_load_n(
		&s->code.table[gva.v >> shift & (SHADOW_ENTRIES - 1)],
		__ATOMIC_RELAXED);
	*hpa = mk_hpa((entry & SHADOW_ADDR & ~in) | (gva.v & in));
	return entry & SHADOW_P && entry != SHADOW_TRAP &&
	       (shift == VMMU_PAGE_SHIFT || entry & SHADOW_LARGE);
}

/* 2. The fault. */

static void inject(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		   uint32_t cause, struct vmmu_answer *a)
{
	cpu->vm->stats.pf_guest++;
	a->verdict = VMMU_INJECT;
	a->gva = f->gva;
	a->error_code = gpte_fault(&cpu->mode, f->access, cause);
}

/* Sets A, and D for a write. False: the entry is another by now, or lies
 * where not even the processor may write. */
static bool settle(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   const struct shadow_page *p, gva_t gva, uint64_t entry,
		   uint64_t bits)
{
	uint8_t *page;

	return shadow_ask(cpu, s, p->key.gfn, VMMU_W, &page) &&
	       page == p->guest &&
	       gpte_swap(page + (gva.v >> 9 & 0xff8), 8, entry, entry | bits);
}

/* Memory that the host must be asked for. False: not plain. */
static __attribute__((noinline)) bool fill_asking(
	struct vmmu_cpu *cpu, struct shadow_vm *s, const struct vmmu_fault *f,
	struct shadow_page *p, const struct vmmu_slot *slot, uint64_t gpa,
	const struct shadow_small *l)
{
	struct vmmu_vm *vm = cpu->vm;
	uint64_t generation = vm->slots.generation;
	uint64_t frame = vmmu_slot_hva(slot, mk_gpa(gpa)).v >> VMMU_PAGE_SHIFT;
	bool writes = f->access & VMMU_W;
	struct combined c = { .perms = l->perms, .generation = generation };

	if (slot->flags & VMMU_SLOT_LOG_DIRTY ||
	    (writes && shadow_first(s, frame)))
		return false;
	c.walk.gpa = mk_gpa(gpa);
	c.walk.entry = l->entry;
	c.found.gpa = gpa;
	c.found.slot = slot;
	if (shadow_look_up(cpu, s, &c.found, writes) != VMMU_RESOLVE_OK ||
	    vm->slots.generation != generation || (writes && !c.found.writable))
		return false;
	if (!(l->entry & SHADOW_D) || !c.found.writable)
		c.perms &= ~VMMU_W;
	if (shadow_fill_leaf(cpu, s, f, &c, p) != SHADOW_NEW)
		return false;
	vm->stats.pf_fixed++;
	return true;
}

/* Tables lie there. */
static __attribute__((noinline)) enum shadow_write write_table(
	struct vmmu_cpu *cpu, struct shadow_vm *s, uint64_t frame,
	struct vmmu_answer *a, uint64_t gpa)
{
	enum shadow_write w = shadow_write(cpu, s, frame);

	if (w == SHADOW_WRITE_EMULATE) {
		cpu->vm->stats.pf_emulate++;
		a->verdict = VMMU_EMULATE;
		a->gpa = mk_gpa(gpa);
		a->granted = true;
	}
	return w;
}

/* Sync has gone on since the guest's entry was read, and may have asked the
 * host. A table that is in sync must still have that entry: nobody looks again
 * at what another vCPU wrote there before it was. */
static bool is_still(const struct vmmu_cpu *cpu, const struct shadow_page *p,
		     gva_t gva, uint64_t entry)
{
	return p->generation == cpu->vm->slots.generation &&
	       (shadow_is_direct(p) || p->unsync ||
		gpte_read_8(p->guest + (gva.v >> 9 & 0xff8)) == entry);
}

/* The guest's entry lets the access have the page. False: not plain. */
static __attribute__((noinline)) bool fill(struct vmmu_cpu *cpu,
					   struct shadow_vm *s,
					   const struct vmmu_fault *f,
					   struct shadow_page *p, uint64_t gpa,
					   struct shadow_small *l,
					   struct vmmu_answer *a)
{
	struct vmmu_stats *stats = &cpu->vm->stats;
	uint64_t at = gpa | (f->gva.v & VMMU_PAGE_MASK), leaf, old;
	bool writes = f->access & VMMU_W;
	const struct vmmu_slot *slot =
		vmmu_slots_find(&cpu->vm->slots, gpa_gfn(mk_gpa(gpa)));
	unsigned index = f->gva.v >> VMMU_PAGE_SHIFT & (SHADOW_ENTRIES - 1);

	if (!slot || (writes && slot->flags & VMMU_SLOT_READ_ONLY)) {
		stats->pf_mmio++;
		a->verdict = VMMU_MMIO;
		a->gpa = mk_gpa(at);
		return true;
	}
	p->writes = 0;
	if (!shadow_small_find(s, slot, gpa, l))
		return fill_asking(cpu, s, f, p, slot, gpa, l);
	if (l->tables && writes) {
		enum shadow_write w = write_table(cpu, s, l->frame, a, at);

		if (w != SHADOW_WRITE_LET)
			return w == SHADOW_WRITE_EMULATE;
		if (!is_still(cpu, p, f->gva, l->entry))
			return false;
	}
	leaf = shadow_small_leaf(s, l);
	old = shadow_load(p, index);
	if (old & SHADOW_P) {
		if (old == leaf &&
		    (shadow_is_direct(p) || p->snap[index] == l->entry))
			return false; /* spurious */
		shadow_drop(s, p, index);
	}
	shadow_put_small(s, p, index, l, leaf);
	stats->pf_fixed++;
	if (!shadow_is_direct(p))
		shadow_around(cpu, s, p, index, slot);
	return true;
}

/* A part of a large guest page, whose entry is in an upper table, hence in
 * sync: all about it is in the key. */
static bool fault_direct(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 const struct vmmu_fault *f, struct shadow_page *p,
			 struct vmmu_answer *a)
{
	struct shadow_small l = { .entry = SHADOW_P | SHADOW_A,
				  .perms = p->key.access };
	unsigned index = f->gva.v >> VMMU_PAGE_SHIFT & (SHADOW_ENTRIES - 1);

	if (p->key.part & 1)
		l.entry |= SHADOW_D;
	else if (f->access & VMMU_W)
		return false;
	if (mode_forbids(&cpu->mode, f->access, l.perms)) {
		inject(cpu, f, VMMU_PF_P, a);
		return true;
	}
	return fill(cpu, s, f, p, (p->key.gfn + index) << VMMU_PAGE_SHIFT, &l,
		    a);
}

bool shadow_quick(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  const struct vmmu_fault *f, struct vmmu_answer *a)
{
	const struct vmmu_mode *m = &cpu->mode;
	const struct vmmu_mode_level *row = &m->level[1];
	struct shadow_page *p = quick_page(cpu, s, f->gva.v);
	struct shadow_small l;
	uint64_t entry;

	if (!p || m->pku || m->pks || !(m->regs.cr0 & VMMU_CR0_WP))
		return false;
	if (shadow_is_direct(p))
		return fault_direct(cpu, s, f, p, a);
	entry = gpte_read_8(p->guest + (f->gva.v >> 9 & 0xff8));
	if (!(entry & SHADOW_P)) {
		inject(cpu, f, 0, a);
		shadow_absent_learn(s, p);
		return true;
	}
	if (entry & row->reserved_leaf)
		return false;
	l.perms = p->key.access & gpte_perms((entry ^ m->flip) & row->rights);
	if (mode_forbids(m, f->access, l.perms)) {
		inject(cpu, f, VMMU_PF_P, a);
		return true;
	}
	l.entry = entry | (f->access & VMMU_W ? SHADOW_A | SHADOW_D : SHADOW_A);
	if (l.entry != entry && !settle(cpu, s, p, f->gva, entry, l.entry))
		return false;
	return fill(cpu, s, f, p, entry & row->leaf_addr, &l, a);
}

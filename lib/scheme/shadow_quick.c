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
 * long mode, and a write to an upper table, which may end that table's pages.
 */
#include "scheme/shadow_page.h"

#include "pt/gpte.h"

/* 1. The way. */

void shadow_quick_forget(struct shadow_vm *s)
{
	for (unsigned i = 0; i < SHADOW_QUICK; i++)
		s->quick[i].tag = 0;
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
	return shadow_is_direct(p) ? NULL : p;
}

/* The guest's table, if the host has it at once. */
static bool find_guest(struct vmmu_cpu *cpu, struct shadow_page *p)
{
	const uint64_t *generation = &cpu->vm->slots.generation;
	uint64_t before = *generation;
	uint8_t *page;

	if (vmmu_gmem_page(&cpu->mem, mk_gfn(p->key.gfn), VMMU_R, &page) !=
		    VMMU_GMEM_OK ||
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

	if (!p || !find_guest(cpu, p))
		return NULL;
	*q = (struct shadow_quick){ tag, p };
	return p;
}

struct shadow_page *shadow_quick_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
				      uint64_t gva)
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

bool shadow_translate(const struct vmmu_cpu *cpu, gva_t gva, hpa_t *hpa)
{
	const struct shadow_vm *s = shadow_here(cpu);
	const struct shadow_page *p = cpu->state;
	uint64_t entry, in;

	for (;;) {
		unsigned index = shadow_index(p, gva.v);

		entry = shadow_load(p, index);
		if (!(entry & SHADOW_P))
			return false;
		if (shadow_is_leaf(p, entry))
			break;
		p = shadow_child(s, p, index);
	}
	in = (VMMU_PAGE_SIZE << 9 * (p->key.level - 1)) - 1;
	*hpa = mk_hpa((entry & SHADOW_ADDR & ~in) | (gva.v & in));
	return true;
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

/* The slot says that no memory is there for such an access. */
static void device(struct vmmu_cpu *cpu, const struct combined *c,
		   struct vmmu_answer *a)
{
	cpu->vm->stats.pf_mmio++;
	a->verdict = VMMU_MMIO;
	a->gpa = c->walk.gpa;
}

/* Sets A, and D for a write. False: the entry is another by now, or lies
 * where not even the processor may write. */
static bool settle(struct vmmu_cpu *cpu, const struct shadow_page *p, gva_t gva,
		   uint64_t entry, uint64_t bits)
{
	uint8_t *page;

	return vmmu_gmem_page(&cpu->mem, mk_gfn(p->key.gfn), VMMU_W, &page) ==
		       VMMU_GMEM_OK &&
	       page == p->guest &&
	       gpte_swap(page + (gva.v >> 9 & 0xff8), 8, entry, entry | bits);
}

/* Of a page that the guest's entry lets the access have. False: not plain. */
static bool find(struct vmmu_cpu *cpu, const struct shadow_vm *s,
		 const struct vmmu_fault *f, struct combined *c,
		 struct vmmu_answer *a)
{
	struct vmmu_vm *vm = cpu->vm;
	uint64_t generation = vm->slots.generation;
	bool writes = f->access & VMMU_W;

	c->found.gpa = c->walk.gpa.v & ~VMMU_PAGE_MASK;
	c->found.slot = vmmu_slots_find(&vm->slots, gpa_gfn(c->walk.gpa));
	if (!c->found.slot ||
	    (writes && c->found.slot->flags & VMMU_SLOT_READ_ONLY)) {
		device(cpu, c, a);
		return true;
	}
	if (writes &&
	    shadow_has_upper(s, vmmu_slot_hva(c->found.slot, c->walk.gpa).v >>
					VMMU_PAGE_SHIFT))
		return false;
	return finding_look_up(vm, &c->found, writes) == VMMU_RESOLVE_OK &&
	       vm->slots.generation == generation &&
	       (!writes || c->found.writable);
}

static bool fill(struct vmmu_cpu *cpu, struct shadow_vm *s,
		 const struct vmmu_fault *f, struct combined *c,
		 struct shadow_page *p)
{
	if (shadow_fill_leaf(cpu, s, f, c, p) != SHADOW_NEW)
		return false;
	p->writes = 0;
	cpu->vm->stats.pf_fixed++;
	shadow_around(cpu, s, p, f->gva.v >> VMMU_PAGE_SHIFT & 511, &c->found);
	return true;
}

bool shadow_quick(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  const struct vmmu_fault *f, struct vmmu_answer *a)
{
	const struct vmmu_mode *m = &cpu->mode;
	const struct vmmu_mode_level *l = &m->level[1];
	struct shadow_page *p = shadow_quick_page(cpu, s, f->gva.v);
	uint64_t entry, settled = SHADOW_A;
	struct combined c;
	unsigned perms;

	if (!p || m->pku || m->pks || !(m->regs.cr0 & VMMU_CR0_WP))
		return false;
	entry = gpte_read_8(p->guest + (f->gva.v >> 9 & 0xff8));
	if (!(entry & SHADOW_P)) {
		inject(cpu, f, 0, a);
		shadow_absent_learn(s, p);
		return true;
	}
	if (entry & l->reserved_leaf)
		return false;
	perms = p->key.access & gpte_perms((entry ^ m->flip) & l->rights);
	if (mode_forbids(m, f->access, perms)) {
		inject(cpu, f, VMMU_PF_P, a);
		return true;
	}
	if (f->access & VMMU_W)
		settled |= SHADOW_D;
	if ((entry & settled) != settled) {
		if (!settle(cpu, p, f->gva, entry, settled))
			return false;
		entry |= settled;
	}
	c.walk.gpa =
		mk_gpa((entry & l->leaf_addr) | (f->gva.v & VMMU_PAGE_MASK));
	c.walk.entry = entry;
	c.walk.pkey = 0;
	if (!find(cpu, s, f, &c, a))
		return false;
	if (a->verdict != VMMU_RESUME)
		return true;
	c.perms = perms;
	if (!(entry & SHADOW_D) || !c.found.writable)
		c.perms &= ~VMMU_W;
	return fill(cpu, s, f, &c, p);
}

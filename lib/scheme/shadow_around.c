/*
 * Neighbours: what lies beside a page that is used is often used next, and a
 * leaf costs far less than a fault.
 *
 *   sixteen entries of the guest's table, aligned: a row
 *   from the one that was asked for, up to the row's end, then down to its
 *   start; either way stops at the first that is not to be had:
 *
 *     not present, A clear, or a reserved bit   there is nothing to cache
 *     ours is there                             nor to do
 *     the backing is not at hand                asking may take its time
 *
 * SDM 3A 4.10.2.3 lets a processor cache what it likes among translations
 * whose A is set; W is granted where D is set too. Hardware sets A in ours when
 * it is used: one that goes without A was wasted, and is counted.
 */
#include "scheme/shadow_page.h"

#include "pt/gpte.h"

#define ROW 16u

struct beside {
	struct vmmu_cpu *cpu;
	struct shadow_vm *s;
	struct shadow_page *p;
	uint64_t generation;
	struct finding f; /* of the page that was asked for, or the last one */
};

/* The run that was found last often has the page; else the host is asked. */
static inline bool find(struct beside *b, uint64_t gpa)
{
	struct finding *f = &b->f;
	uint64_t first = f->gpa - f->before;

	if (gpa - first <= f->before + f->after && f->may_widen) {
		f->hpa += gpa - f->gpa;
		f->before = gpa - first;
		f->after -= gpa - f->gpa;
		f->gpa = gpa;
		return true;
	}
	f->gpa = gpa;
	f->slot = vmmu_slots_find(&b->cpu->vm->slots, gpa_gfn(mk_gpa(gpa)));
	return f->slot &&
	       finding_look_up(b->cpu->vm, f, false) == VMMU_RESOLVE_OK &&
	       b->cpu->vm->slots.generation == b->generation;
}

static inline bool is_wanted(const struct shadow_page *p, unsigned index,
			     uint64_t entry)
{
	const uint64_t plain = SHADOW_P | SHADOW_A;

	return (entry & plain) == plain && !(shadow_load(p, index) & SHADOW_P);
}

static bool make(struct beside *b, unsigned index)
{
	const struct vmmu_mode *m = &b->cpu->mode;
	const struct vmmu_mode_level *l = &m->level[1];
	struct shadow_page *p = b->p;
	uint64_t entry = gpte_read_8(p->guest + index * 8), leaf, frame;
	unsigned perms;

	if (!is_wanted(p, index, entry) || entry & l->reserved_leaf ||
	    !find(b, entry & l->leaf_addr))
		return false;
	perms = p->key.access & gpte_perms((entry ^ m->flip) & l->rights);
	frame = vmmu_slot_hva(b->f.slot, mk_gpa(b->f.gpa)).v >> VMMU_PAGE_SHIFT;
	if (!(entry & SHADOW_D) || !b->f.writable ||
	    (perms & VMMU_W && shadow_protects(b->s, frame)))
		perms &= ~VMMU_W;
	leaf = shadow_leaf(p, b->f.hpa, perms, 0) & ~SHADOW_A;
	if (b->f.writable && !(b->f.slot->flags & VMMU_SLOT_LOG_DIRTY))
		leaf |= SHADOW_MAY_W;
	p->snap[index] = entry;
	shadow_put_leaf(b->s, p, index, leaf | SHADOW_BESIDE, frame);
	b->cpu->vm->stats.mapped[1]++;
	b->cpu->vm->stats.pf_prefetched++;
	return true;
}

static __attribute__((noinline)) void make_all(struct vmmu_cpu *cpu,
					       struct shadow_vm *s,
					       struct shadow_page *p,
					       unsigned index,
					       const struct finding *found)
{
	struct beside b = { cpu, s, p, cpu->vm->slots.generation, *found };
	unsigned first = index & ~(ROW - 1), end = first + ROW;

	for (unsigned i = index + 1; i < end; i++)
		if (!make(&b, i))
			break;
	if (b.generation != cpu->vm->slots.generation)
		return;
	for (unsigned i = index; i-- > first;)
		if (!make(&b, i))
			break;
}

/* Mostly there is nothing on either side. */
static inline bool wanted_at(const struct shadow_page *p, unsigned index)
{
	return is_wanted(p, index, gpte_read_8(p->guest + index * 8));
}

void shadow_around(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index,
		   const struct finding *found)
{
	unsigned in_row = index % ROW;

	if ((in_row < ROW - 1 && wanted_at(p, index + 1)) ||
	    (in_row > 0 && wanted_at(p, index - 1)))
		make_all(cpu, s, p, index, found);
}

void shadow_beside(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index)
{
	const struct vmmu_mode *m = &cpu->mode;
	struct beside b = { .cpu = cpu,
			    .s = s,
			    .p = p,
			    .generation = cpu->vm->slots.generation };

	if (p->generation == b.generation && p->key.mode == shadow_mode(m) &&
	    m->straight && m->regs.cr0 & VMMU_CR0_WP && !m->pku && !m->pks)
		make(&b, index);
}

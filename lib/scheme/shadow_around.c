/*
 * Neighbours: a program that goes through memory comes to the next page soon,
 * and a leaf costs far less than a fault.
 *
 *   the entries of the guest's table behind the one that was asked for, as far
 *   as the table is known to pay, and up to the first that is not to be had:
 *
 *     not present, A clear, or a reserved bit   there is nothing to cache
 *     ours is there                             nor to do
 *     the backing is not at hand                asking may take its time
 *
 * What pays is learned. Hardware sets A in ours when it is used. A fault right
 * behind a neighbour that was used says that there should have been more: twice
 * as many, 16 at most. A fault anywhere else halves them. One that goes without
 * A was wasted, and is counted.
 *
 * SDM 3A 4.10.2.3 lets a processor cache what it likes among translations
 * whose A is set; W is granted where D is set too.
 */
#include "scheme/shadow_ask.h"
#include "scheme/shadow_leaf.h"

#define MOST_LOG2 4u

struct beside {
	struct vmmu_cpu *cpu;
	struct shadow_vm *s;
	struct shadow_page *p;
	const struct vmmu_slot *slot; /* of the last one */
	uint64_t generation;
};

static __attribute__((noinline)) bool ask(const struct beside *b, uint64_t gpa,
					  struct shadow_small *l)
{
	struct finding f = { .slot = b->slot, .gpa = gpa };

	if (shadow_look_up(b->cpu, b->s, &f, false) != VMMU_RESOLVE_OK ||
	    b->cpu->vm->slots.generation != b->generation)
		return false;
	l->frame = vmmu_slot_hva(b->slot, mk_gpa(gpa)).v >> VMMU_PAGE_SHIFT;
	l->hpa = f.hpa;
	l->writable = f.writable && !(b->slot->flags & VMMU_SLOT_LOG_DIRTY);
	l->tables = shadow_first(b->s, l->frame) != 0;
	return true;
}

static inline bool find(struct beside *b, uint64_t gpa, struct shadow_small *l)
{
	if (!b->slot || gpa - b->slot->gpa.v >= b->slot->size) {
		const struct vmmu_slot *slot = vmmu_slots_find(
			&b->cpu->vm->slots, gpa_gfn(mk_gpa(gpa)));

		if (!slot)
			return false;
		b->slot = slot;
	}
	return shadow_small_find(b->s, b->slot, gpa, l) || ask(b, gpa, l);
}

static inline bool is_wanted(const struct shadow_page *p, unsigned index,
			     uint64_t entry)
{
	const uint64_t plain = SHADOW_P | SHADOW_A;

	return (entry & plain) == plain && !(shadow_load(p, index) & SHADOW_P);
}

static inline bool make(struct beside *b, unsigned index)
{
	const struct vmmu_mode *m = &b->cpu->mode;
	const struct vmmu_mode_level *row = &m->level[1];
	struct shadow_page *p = b->p;
	struct shadow_small l = { .entry = gpte_read_8(p->guest + index * 8) };

	if (!is_wanted(p, index, l.entry) || l.entry & row->reserved_leaf ||
	    !find(b, l.entry & row->leaf_addr, &l))
		return false;
	l.perms = p->key.access & gpte_perms((l.entry ^ m->flip) & row->rights);
	shadow_put_small(b->s, p, index, &l,
			 (shadow_small_leaf(b->s, &l) & ~SHADOW_A) |
				 SHADOW_BESIDE);
	b->cpu->vm->stats.pf_prefetched++;
	return true;
}

static __attribute__((noinline)) void make_all(struct vmmu_cpu *cpu,
					       struct shadow_vm *s,
					       struct shadow_page *p,
					       unsigned index,
					       const struct vmmu_slot *slot)
{
	struct beside b = { cpu, s, p, slot, cpu->vm->slots.generation };
	unsigned end = index + (1u << p->ahead);

	if (end > SHADOW_ENTRIES)
		end = SHADOW_ENTRIES;
	while (index < end && make(&b, index))
		index++;
}

static inline void learn(struct shadow_page *p, unsigned index)
{
	const uint64_t used = SHADOW_P | SHADOW_A | SHADOW_BESIDE;

	if (index && (shadow_load(p, index - 1) & used) == used) {
		if (p->ahead < MOST_LOG2)
			p->ahead++;
	} else if (p->ahead) {
		p->ahead--;
	}
}

void shadow_around(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index,
		   const struct vmmu_slot *slot)
{
	unsigned next = index + 1;

	/* Mostly there is nothing. */
	if (next == SHADOW_ENTRIES ||
	    !is_wanted(p, next, gpte_read_8(p->guest + next * 8)))
		return;
	learn(p, index);
	make_all(cpu, s, p, next, slot);
}

/* As shadow_mode says, which the vCPU's root knows. */
static inline bool is_of_mode(const struct vmmu_cpu *cpu,
			      const struct shadow_page *p)
{
	const struct shadow_page *root = cpu->state;

	return cpu->scheme == &vmmu_shadow && p->key.mode == root->key.mode;
}

void shadow_beside(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index)
{
	const struct vmmu_mode *m = &cpu->mode;
	struct beside b = { .cpu = cpu,
			    .s = s,
			    .p = p,
			    .generation = cpu->vm->slots.generation };

	if (p->generation == b.generation && is_of_mode(cpu, p) &&
	    m->straight && m->regs.cr0 & VMMU_CR0_WP && !m->pku && !m->pks)
		make(&b, index);
}

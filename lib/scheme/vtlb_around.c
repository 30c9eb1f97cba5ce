/*
 * Neighbours: what lies beside a page that is used is often used next, and a
 * leaf costs far less than a fault. Only guest entries that the processor
 * itself could cache without setting anything are taken:
 *
 *   the eight in one aligned group of the guest's table, of which
 *   P and A are set, no reserved bit is, and U, NX, G and the key are those
 *   of the entry that was walked
 *
 * So the levels above grant them what they granted that one. W is granted
 * where D is set too, and the walk found that W is granted above. Slot and
 * host are asked for each as for a read; the run that was found serves those
 * that lie in it.
 *
 * Bounded by the group. SDM 3A 4.10.2.3 lets a processor cache what it likes
 * among translations whose A is set.
 */
#include "mem/gmem_line.h"
#include "pt/gpte.h"
#include "scheme/vtlb_table.h"

#define GROUP 8u

/* What must be the same as in the entry that was walked. */
static uint64_t alike_bits(const struct vmmu_mode *m)
{
	const struct pt_level *row = &m->format->level[1];
	uint64_t keys = m->pku || m->pks ? UINT64_C(15) << 59 : 0;

	return row->present | row->accessed | row->allow[PT_U] |
	       row->deny[PT_X] | row->global | keys;
}

/* The group's entries, read at once: asking the host may move them. The walk
 * left their page in the cache. Answers which may be taken, a bit each. */
static unsigned read_group(struct vmmu_cpu *cpu, const struct vmmu_gwalk *walk,
			   uint64_t *entry)
{
	const struct vmmu_mode *m = &cpu->mode;
	unsigned size = m->entry_size, take = 0;
	uint64_t at = walk->table.v & ~(uint64_t)(GROUP * size - 1);
	uint64_t alike = alike_bits(m), reserved = m->level[1].reserved_leaf;
	const uint8_t *page;

	if (!gmem_is_current(&cpu->mem) ||
	    !gmem_hit(&cpu->mem, at & ~VMMU_PAGE_MASK, &page))
		return 0;
	page += at & VMMU_PAGE_MASK;
	for (unsigned i = 0; i < GROUP; i++, page += size) {
		uint64_t e = gpte_read(page, size);

		entry[i] = e;
		if (!(((e ^ walk->entry) & alike) | (e & reserved)))
			take |= 1u << i;
	}
	return take;
}

/* From the run that was found, if the page lies in it; else by asking. */
static inline bool find(struct vmmu_cpu *cpu, const struct finding *run,
			struct finding *f)
{
	f->slot = run->slot;
	if (f->gpa - (run->gpa - run->before) <= run->before + run->after &&
	    run->may_widen) {
		f->hpa = run->hpa + (f->gpa - run->gpa);
		f->writable = run->writable;
		return true;
	}
	if (f->gpa - f->slot->gpa.v >= f->slot->size)
		f->slot = vmmu_slots_find(&cpu->vm->slots,
					  gpa_gfn(mk_gpa(f->gpa)));
	return f->slot && finding_look_up(cpu->vm, f, false) == VMMU_RESOLVE_OK;
}

struct group {
	struct vmmu_cpu *cpu;
	struct vtlb *v;
	const struct combined *c;
	uint64_t extra;
};

static void neighbour(const struct group *g, uint64_t entry,
		      const struct vtlb_place *at)
{
	const struct vmmu_mode *m = &g->cpu->mode;
	const struct pt_level *row = &m->format->level[1];
	uint64_t writes = row->dirty | row->allow[PT_W];
	unsigned perms = g->c->walk.perms;
	struct finding f;

	f.gpa = entry & m->level[1].leaf_addr;
	if (!find(g->cpu, &g->c->found, &f))
		return;
	if ((entry & writes) != writes || !f.writable)
		perms &= ~VMMU_W;
	vtlb_store(g->v, at, g->v->blank[1][perms] | g->extra | f.hpa, f.gpa);
	g->cpu->vm->stats.mapped[1]++;
	g->cpu->vm->stats.pf_prefetched++;
}

void vtlb_around(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva,
		 const struct combined *c, const struct vtlb_place *at)
{
	const struct vmmu_mode *m = &cpu->mode;
	const struct group g = { cpu, v, c, vtlb_extra(v, &c->walk) };
	unsigned self = gva.v / VMMU_PAGE_SIZE % GROUP;
	uint64_t *first = (uint64_t *)at->slot - self;
	uint64_t entry[GROUP];
	unsigned take;

	if (c->walk.level != 1 || !(m->regs.cr0 & VMMU_CR0_WP))
		return;
	take = read_group(cpu, &c->walk, entry) & ~(1u << self);
	/* What was found serves until a question to the host changes it. */
	for (; take && c->generation == cpu->vm->slots.generation;
	     take &= take - 1) {
		unsigned i = (unsigned)__builtin_ctz(take);
		const struct vtlb_place beside = { first + i, 1 };

		if (!pt_is_present(&v->table.format->level[1], first[i]))
			neighbour(&g, entry[i], &beside);
	}
}

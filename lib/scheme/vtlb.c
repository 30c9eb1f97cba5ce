/*
 * The scheme `vtlb`: the processor walks a table of ours in place of the
 * guest's, one for each vCPU, which behaves as a TLB.
 *
 *   gva --our table--> hpa          filled from
 *   gva --guest's tables--> gpa --slot--> hva --host--> hpa
 *
 * It starts empty. A #PF is true, and injected, when the guest's tables
 * forbid the access; else it is hidden, and one leaf is made that grants what
 * the guest, the slot and the backing grant together (combine.c). Nothing in
 * the guest's tables is watched: as with a TLB, what the guest changes counts
 * when it flushes. Each of its flushes is an event here:
 *
 *   CR3 loaded         all leaves go but global ones
 *   CR4.PGE, CR0, ...  all leaves go; where the format changes, all tables
 *   INVLPG             that leaf, or all parts of a large guest page, go; the
 *                      address is filled again, if that sets nothing
 *
 * A change of slots or backing drops all leaves, of each vCPU that may map
 * the frames: there is no map from frames to leaves. Table pages that run out
 * are recycled: all goes, and what is needed comes back by faults (I4).
 *
 * SDM 3A 4.10 is the contract with the guest; 4.8 for A and D (I3).
 */
#include <stddef.h>

#include "scheme/real.h"
#include "scheme/vtlb_table.h"

/* 1. Faults. */

static void vtlb_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *fault,
		       struct vmmu_answer *a)
{
	struct vtlb *v = vtlb_of(cpu);
	struct vtlb_place at;
	struct combined c;

	cpu->vm->stats.pf_taken++;
	if (!combine(cpu, fault, &c, a))
		return;
	switch (vtlb_table_put(cpu, v, fault->gva, &c, &at)) {
	case VTLB_NEW:
		finding_fixed(&cpu->vm->stats, &c.found);
		vtlb_around(cpu, v, fault->gva, &c, &at);
		return;
	case VTLB_THERE:
		if (combine_again(cpu, fault, &c, a))
			return;
		cpu->vm->stats.pf_spurious++;
		vm_flush_gva(cpu, fault->gva);
		return;
	case VTLB_NO_ROOM:
		finding_kill(a, "no pages for a vCPU's tables");
	}
}

/* 2. The guest flushes. */

static void vtlb_invalidate(struct vmmu_cpu *cpu, gva_t gva)
{
	struct vtlb *v = vtlb_of(cpu);
	struct vtlb_place at;
	struct combined c;

	cpu->vm->stats.invlpg++;
	if (vtlb_table_drop(cpu, v, gva) && combine_quietly(cpu, gva, &c))
		vtlb_table_put(cpu, v, gva, &c, &at);
}

static void vtlb_flush(struct vmmu_cpu *cpu, enum vmmu_flush what)
{
	struct vtlb *v = vtlb_of(cpu);

	if (what == VMMU_FLUSH_ALL) {
		vtlb_table_drop_all(v);
	} else {
		vtlb_table_drop_non_global(v);
		vtlb_table_trim(v);
	}
	vm_flush_cpu(cpu);
}

#define CR0_COUNTS (VMMU_CR0_PG | VMMU_CR0_WP)
#define CR4_COUNTS                                                             \
	(VMMU_CR4_PSE | VMMU_CR4_PAE | VMMU_CR4_PGE | VMMU_CR4_LA57 |          \
	 VMMU_CR4_SMEP | VMMU_CR4_SMAP | VMMU_CR4_PKE | VMMU_CR4_PKS)
#define EFER_COUNTS (VMMU_EFER_LME | VMMU_EFER_LMA | VMMU_EFER_NXE)

static bool same_features(const struct vmmu_features *a,
			  const struct vmmu_features *b)
{
	return a->maxphyaddr == b->maxphyaddr && a->pse36 == b->pse36 &&
	       a->nx == b->nx && a->gib_pages == b->gib_pages &&
	       a->pdptes_in_memory == b->pdptes_in_memory;
}

/* Notes what leaves will be made for. True: they were made for this. */
static bool note_mode(struct vtlb *v, const struct vmmu_mode *m)
{
	uint64_t cr0 = m->regs.cr0 & CR0_COUNTS;
	uint64_t cr4 = m->regs.cr4 & CR4_COUNTS;
	uint64_t efer = m->regs.efer & EFER_COUNTS;
	bool same = v->cr0 == cr0 && v->cr4 == cr4 && v->efer == efer &&
		    same_features(&v->features, &m->features);

	v->cr0 = cr0;
	v->cr4 = cr4;
	v->efer = efer;
	v->features = m->features;
	v->buddies = m->format == &pt_x86_32;
	return same;
}

/* A load of CR3 comes here too, and then to vtlb_flush, if the guest meant it
 * to flush. PKRU and PKRS are looked at by the processor: leaves have keys. */
static void vtlb_set_mode(struct vmmu_cpu *cpu)
{
	const struct pt_format *format = real_format(&cpu->mode);
	struct vtlb *v = vtlb_of(cpu);

	if (note_mode(v, &cpu->mode))
		return;
	if (v->table.format != format) {
		vtlb_table_format(cpu, v, format);
		return;
	}
	vtlb_table_drop_all(v);
	vm_flush_cpu(cpu);
}

/* 3. Slots and backing change. */

static void cpu_gpa_changed(struct vmmu_cpu *cpu, gfn_t gfn, uint64_t count)
{
	struct vtlb *v = vtlb_of(cpu);

	/* All: pages are short. */
	if (gfn.v == 0 && count == UINT64_MAX >> VMMU_PAGE_SHIFT)
		vtlb_table_give_back(v);
	else if (vtlb_table_may_map(v, gfn, count))
		vtlb_table_drop_all(v);
	else
		return;
	vm_flush_cpu(cpu);
}

static void vtlb_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
			     enum vmmu_gpa_change change)
{
	if (change == VMMU_GPA_RELAXED)
		return; /* small leaves are no error */
	for (struct vmmu_cpu *c = vm->cpus; c; c = c->next)
		if (c->scheme == &vmmu_vtlb)
			cpu_gpa_changed(c, gfn, count);
}

/* 4. Birth and death. */

static bool vtlb_vm_init(struct vmmu_vm *vm)
{
	return vm->hw.host_max_leaf >= 1 && vm->hw.host_max_leaf <= 3;
}

static bool vtlb_cpu_init(struct vmmu_cpu *cpu)
{
	struct pt_pool *pool = &cpu->vm->pool;
	uint64_t *state;
	struct vtlb *v;
	hpa_t page;

	if (!pt_pool_get(pool, &page, &state))
		return false;
	v = (struct vtlb *)state;
	v->page = page;
	note_mode(v, &cpu->mode);
	if (!vtlb_table_begin(cpu, v)) {
		pt_pool_put(pool, page);
		return false;
	}
	cpu->state = v;
	cpu->root = v->table.root;
	return true;
}

static void vtlb_cpu_fini(struct vmmu_cpu *cpu)
{
	struct vtlb *v = vtlb_of(cpu);
	hpa_t page = v->page;

	vtlb_table_end(v);
	pt_pool_put(&cpu->vm->pool, page);
}

static const struct pt_table *vtlb_cpu_table(const struct vmmu_cpu *cpu)
{
	return &vtlb_of(cpu)->table;
}

const struct vmmu_scheme vmmu_vtlb = {
	.name = "vtlb",
	.needs = VMMU_NEEDS_PF | VMMU_NEEDS_CR3 | VMMU_NEEDS_CR_MODE |
		 VMMU_NEEDS_INVLPG,
	.vm_init = vtlb_vm_init,
	.cpu_init = vtlb_cpu_init,
	.cpu_fini = vtlb_cpu_fini,
	.set_mode = vtlb_set_mode,
	.fault = vtlb_fault,
	.invalidate = vtlb_invalidate,
	.flush = vtlb_flush,
	.gpa_changed = vtlb_gpa_changed,
	.cpu_table = vtlb_cpu_table,
};

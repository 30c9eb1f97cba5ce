/*
 * A vCPU under a scheme: hands each event to it. No scheme is known here by
 * name.
 *
 * All that a scheme keeps is derived from guest tables and slots, so a vCPU
 * changes schemes by entering the new one and then leaving the old one; if
 * entering fails it has never left.
 */
#include <stddef.h>
#include <string.h>

#include "scheme/combine.h"
#include "scheme/vm_events.h"

/* 1. Entering and leaving a scheme. */

/* What a scheme owns in a vCPU. */
struct seat {
	const struct vmmu_scheme *scheme;
	struct vmmu_scheme_use *use;
	hpa_t root;
	void *state;
};

static struct seat seat_of(const struct vmmu_cpu *cpu)
{
	return (struct seat){ cpu->scheme, cpu->use, cpu->root, cpu->state };
}

static void sit(struct vmmu_cpu *cpu, const struct seat *seat)
{
	cpu->scheme = seat->scheme;
	cpu->use = seat->use;
	cpu->root = seat->root;
	cpu->state = seat->state;
}

static void leave(struct vmmu_cpu *cpu, const struct seat *seat)
{
	struct seat other = seat_of(cpu);

	sit(cpu, seat);
	if (seat->scheme->cpu_fini)
		seat->scheme->cpu_fini(cpu);
	vm_use_put(cpu->vm, seat->use);
	sit(cpu, &other);
}

static bool enter(struct vmmu_cpu *cpu, const struct vmmu_scheme *scheme)
{
	struct seat old = seat_of(cpu);
	struct seat seat = { .scheme = scheme };

	/* Machine addresses in guest tables, or gpas: a guest has one or the
	 * other. */
	if (!(scheme->needs & VMMU_NEEDS_MACHINE) != !cpu->vm->direct)
		return false;
	seat.use = vm_use_get(cpu->vm, scheme);
	if (!seat.use)
		return false;
	sit(cpu, &seat);
	if (scheme->cpu_init(cpu))
		return true;
	sit(cpu, &old);
	vm_use_put(cpu->vm, seat.use);
	return false;
}

bool vmmu_cpu_switch(struct vmmu_cpu *cpu, const struct vmmu_scheme *scheme)
{
	struct seat old = seat_of(cpu);

	if (scheme == old.scheme)
		return true;
	if (cpu->other.state || !enter(cpu, scheme))
		return false;
	leave(cpu, &old);
	if (scheme->set_mode)
		scheme->set_mode(cpu);
	vm_flush_cpu(cpu);
	return true;
}

/* 2. Birth and death. */

/* IA32_PAT after power-on: SDM 3A 11.12.4. */
static const uint64_t pat_reset = UINT64_C(0x0007040600070406);

bool vmmu_cpu_init(struct vmmu_cpu *cpu, struct vmmu_vm *vm,
		   const struct vmmu_scheme *scheme)
{
	const struct vmmu_regs reset = { .pat = pat_reset };
	const struct vmmu_features features = { .maxphyaddr = 36 };

	*cpu = (struct vmmu_cpu){ .vm = vm };
	vmmu_gmem_init(&cpu->mem, &vm->slots, &vm->host);
	vmmu_mode_set(&cpu->mode, &reset, &features);
	if (!enter(cpu, scheme))
		return false;
	cpu->next = vm->cpus;
	vm->cpus = cpu;
	return true;
}

void vmmu_cpu_fini(struct vmmu_cpu *cpu)
{
	struct vmmu_cpu **link = &cpu->vm->cpus;
	struct seat seat = seat_of(cpu);

	leave(cpu, &seat);
	while (*link != cpu)
		link = &(*link)->next;
	*link = cpu->next;
}

/* 3. Events. */

/* What was lent until the next flush: all entries for it go. */
static __attribute__((noinline)) void take_back(struct vmmu_cpu *cpu)
{
	for (unsigned i = 0; i < 2 && cpu->lent[i]; i++) {
		gfn_t gfn = gpa_gfn(mk_gpa(cpu->lent[i]));

		cpu->lent[i] = 0;
		vm_gpa_changed(cpu->vm, gfn, 1, VMMU_GPA_GONE);
	}
}

static inline void end_loan(struct vmmu_cpu *cpu)
{
	if (__builtin_expect(cpu->lent[0] != 0, 0))
		take_back(cpu);
}

static void lend(struct vmmu_cpu *cpu, uint64_t page)
{
	if (cpu->lent[0] == page)
		return;
	if (cpu->lent[1])
		take_back(cpu);
	cpu->lent[cpu->lent[0] != 0] = page;
}

static bool is_writable(const struct vmmu_cpu *cpu, gpa_t gpa)
{
	const struct vmmu_slot *slot =
		vmmu_slots_find(&cpu->vm->slots, gpa_gfn(gpa));

	return slot && !(slot->flags & VMMU_SLOT_READ_ONLY);
}

/* Do these registers differ from the mode's in CR3 and the PDPTEs at most? */
static bool same_but_root(const struct vmmu_mode *m, const struct vmmu_regs *r,
			  const struct vmmu_features *f)
{
	const struct vmmu_regs *was = &m->regs;
	const struct vmmu_features *had = &m->features;
	uint64_t changed = (r->cr0 ^ was->cr0) | (r->cr4 ^ was->cr4) |
			   (r->efer ^ was->efer) | (r->pat ^ was->pat) |
			   (r->pkru ^ was->pkru) | (r->pkrs ^ was->pkrs);

	return !changed && f->maxphyaddr == had->maxphyaddr &&
	       f->pse36 == had->pse36 && f->nx == had->nx &&
	       f->gib_pages == had->gib_pages &&
	       f->pdptes_in_memory == had->pdptes_in_memory &&
	       f->ring_3 == had->ring_3;
}

static bool same_root(const struct vmmu_mode *m, const struct vmmu_regs *r)
{
	uint64_t changed = r->cr3 ^ m->regs.cr3;

	for (unsigned i = 0; i < 4; i++)
		changed |= r->pdpte[i] ^ m->regs.pdpte[i];
	return !changed;
}

void vmmu_cpu_set_regs(struct vmmu_cpu *cpu, const struct vmmu_regs *regs,
		       const struct vmmu_features *features)
{
	if (!same_but_root(&cpu->mode, regs, features))
		vmmu_mode_set(&cpu->mode, regs, features);
	else if (!same_root(&cpu->mode, regs))
		vmmu_mode_set_root(&cpu->mode, regs->cr3, regs->pdpte);
	else
		return;
	end_loan(cpu);
	if (cpu->scheme->set_mode)
		cpu->scheme->set_mode(cpu);
}

void vmmu_cpu_load_root(struct vmmu_cpu *cpu, uint64_t cr3)
{
	const struct vmmu_scheme *scheme = cpu->scheme;

	vmmu_mode_set_cr3(&cpu->mode, cr3);
	end_loan(cpu);
	if (scheme->load_root) {
		scheme->load_root(cpu);
		return;
	}
	if (scheme->set_mode)
		scheme->set_mode(cpu);
	vmmu_cpu_flush(cpu, VMMU_FLUSH_NON_GLOBAL);
}

bool vmmu_cpu_pair(struct vmmu_cpu *cpu)
{
	if (cpu->scheme->pair && !cpu->other.state)
		cpu->scheme->pair(cpu);
	return cpu->other.state != NULL;
}

void vmmu_cpu_swap(struct vmmu_cpu *cpu)
{
	const struct vmmu_other_root other = cpu->other;

	if (!other.state)
		return;
	cpu->other = (struct vmmu_other_root){ cpu->mode.regs.cr3, cpu->root,
					       cpu->state };
	cpu->root = other.root;
	cpu->state = other.state;
	vmmu_mode_set_cr3(&cpu->mode, other.cr3);
}

void vmmu_cpu_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *fault,
		    struct vmmu_answer *answer)
{
	answer->verdict = VMMU_RESUME;
	answer->granted = false;
	if (cpu->vm->poisoned) {
		answer->verdict = VMMU_KILL;
		answer->reason = cpu->vm->poisoned;
		return;
	}
	cpu->scheme->fault(cpu, fault, answer);
}

void vmmu_cpu_invalidate(struct vmmu_cpu *cpu, gva_t gva)
{
	end_loan(cpu);
	if (cpu->scheme->invalidate)
		cpu->scheme->invalidate(cpu, gva);
}

void vmmu_cpu_flush(struct vmmu_cpu *cpu, enum vmmu_flush what)
{
	end_loan(cpu);
	if (cpu->scheme->flush)
		cpu->scheme->flush(cpu, what);
}

/* What was written may be a table under any scheme in use. */
void vmmu_cpu_wrote(struct vmmu_cpu *cpu, gpa_t gpa, unsigned size)
{
	const struct vmmu_scheme_use *use = cpu->vm->use;
	const struct vmmu_scheme *mine = cpu->scheme;

	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++)
		if (__builtin_expect(use[i].scheme && use[i].scheme != mine &&
					     use[i].scheme->wrote,
				     0))
			use[i].scheme->wrote(cpu, gpa, size);
	if (mine->wrote)
		mine->wrote(cpu, gpa, size);
}

bool vmmu_cpu_unshadow(struct vmmu_cpu *cpu, gpa_t gpa)
{
	bool done = cpu->scheme->unshadow && cpu->scheme->unshadow(cpu, gpa);

	if (!combine_may_lend(cpu) || !is_writable(cpu, gpa))
		return done;
	lend(cpu, (gpa.v & ~VMMU_PAGE_MASK) | 1);
	return true;
}

/*
 * Combining; see combine.h.
 *
 * 1. The guest's walk decides whether the fault is true. It sets A, and D for
 *    a write, before the access can be seen (I3).
 * 2. The slot decides whether it is MMIO, the host where the page is.
 * 3. Granted is what all three grant, with two turns:
 *
 *    D      While the guest's D is clear W is withheld, so that the first
 *           write is seen and D can be set.
 *    WP=0   The processor runs with WP=1. A supervisor's page without W gets
 *           W. A user's page without W gets none, until a supervisor writes:
 *           then it is made a supervisor's page with W (and without X, if
 *           SMEP would forbid the fetch), until a user asks again.
 *
 * Under WP=0 some of these writes no entry can allow, and nothing else: they
 * are emulated. A user's page without W, if SMAP or PKRU bind the supervisor
 * there, or PKRS does not: without U that would turn about. And a page whose
 * key is disabled for writing: with WP=1 that binds supervisors too (SDM 3A
 * 4.6). No known system writes so. Where the instruction is none that can be
 * emulated the page is lent to the supervisor as above, until the next flush.
 */
#include "scheme/combine.h"

static bool by_user(unsigned access)
{
	return (access & VMMU_U) && !(access & VMMU_IMPLICIT);
}

static bool wp_is_clear(const struct vmmu_mode *m)
{
	return m->format && !(m->regs.cr0 & VMMU_CR0_WP);
}

static bool is_write_disabled(uint32_t rights, unsigned key)
{
	return rights >> (2 * key) & 2;
}

/* A supervisor writes, under WP=0. */
static bool cannot_be_said(const struct vmmu_mode *m,
			   const struct vmmu_gwalk *walk)
{
	if (!(walk->perms & VMMU_U))
		return m->pks && is_write_disabled(m->regs.pkrs, walk->pkey);
	if (!(walk->perms & VMMU_W))
		return m->pku || m->pks || (m->regs.cr4 & VMMU_CR4_SMAP);
	return m->pku && is_write_disabled(m->regs.pkru, walk->pkey);
}

/* PKRS would bind a supervisor's page. */
bool combine_may_lend(const struct vmmu_cpu *cpu)
{
	const struct vmmu_mode *m = &cpu->mode;

	return (cpu->scheme->needs & VMMU_NEEDS_CR_MODE) && wp_is_clear(m) &&
	       !m->pks && (m->pku || m->regs.cr4 & VMMU_CR4_SMAP);
}

static bool is_lent(const struct vmmu_cpu *cpu, gpa_t gpa)
{
	uint64_t page = (gpa.v & ~VMMU_PAGE_MASK) | 1;

	return cpu->lent[0] == page || cpu->lent[1] == page;
}

/* The supervisor's, with W. */
static unsigned turned(const struct vmmu_mode *m, unsigned perms)
{
	perms = (perms | VMMU_W) & ~VMMU_U;
	if (m->regs.cr4 & VMMU_CR4_SMEP)
		perms &= ~VMMU_X;
	return perms;
}

static unsigned without_wp(const struct vmmu_cpu *cpu, const struct combined *c,
			   bool supervisor_writes)
{
	const struct vmmu_mode *m = &cpu->mode;
	unsigned perms = c->walk.perms;

	if (!(perms & VMMU_U))
		return perms | VMMU_W;
	if (!supervisor_writes)
		return perms;
	if (!(perms & VMMU_W) || is_lent(cpu, c->walk.gpa))
		return turned(m, perms);
	return perms;
}

static void grant(const struct vmmu_cpu *cpu, struct combined *c,
		  unsigned access)
{
	c->generation = cpu->vm->slots.generation;
	c->perms = c->walk.perms;
	if (wp_is_clear(&cpu->mode))
		c->perms = without_wp(cpu, c,
				      (access & VMMU_W) && !by_user(access));
	if (!c->walk.dirty || !c->found.writable)
		c->perms &= ~VMMU_W;
}

static void emulate(struct vmmu_cpu *cpu, gpa_t gpa, struct vmmu_answer *a)
{
	cpu->vm->stats.pf_emulate++;
	a->verdict = VMMU_EMULATE;
	a->gpa = gpa;
}

/* The walk did not end at a page. */
static __attribute__((noinline)) void no_page(struct vmmu_cpu *cpu,
					      const struct vmmu_fault *f,
					      const struct vmmu_gwalk *walk,
					      enum vmmu_gwalk_status status,
					      struct vmmu_answer *a)
{
	switch (status) {
	case VMMU_GWALK_FAULT:
		cpu->vm->stats.pf_guest++;
		a->verdict = VMMU_INJECT;
		a->error_code = walk->error_code;
		a->gva = f->gva;
		return;
	case VMMU_GWALK_NO_SLOT:
	case VMMU_GWALK_READ_ONLY:
		/* Whoever emulates walks too, and finds the same. */
		emulate(cpu, walk->table, a);
		return;
	case VMMU_GWALK_NOT_NOW:
		finding_no_backing(cpu->vm, VMMU_RESOLVE_NOT_NOW, a);
		return;
	case VMMU_GWALK_NON_CANONICAL:
		finding_kill(a, "a page fault at an address that is none");
		return;
	default:
		finding_no_backing(cpu->vm, VMMU_RESOLVE_NONE, a);
	}
}

static void find_slot(struct vmmu_cpu *cpu, struct combined *c)
{
	c->found.gpa = c->walk.gpa.v & ~VMMU_PAGE_MASK;
	c->found.slot = vmmu_slots_find(&cpu->vm->slots, gpa_gfn(c->walk.gpa));
}

bool combine(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
	     struct combined *c, struct vmmu_answer *a)
{
	bool writes = f->access & VMMU_W;
	enum vmmu_gwalk_status status;
	enum vmmu_resolve r;

	status = vmmu_cpu_walk(cpu, f->gva, f->access, 0, &c->walk);
	if (status != VMMU_GWALK_OK) {
		no_page(cpu, f, &c->walk, status, a);
		return false;
	}
	find_slot(cpu, c);
	if (!c->found.slot ||
	    (writes && c->found.slot->flags & VMMU_SLOT_READ_ONLY)) {
		cpu->vm->stats.pf_mmio++;
		a->verdict = VMMU_MMIO;
		a->gpa = c->walk.gpa;
		return false;
	}
	if (writes && wp_is_clear(&cpu->mode) && !by_user(f->access) &&
	    cannot_be_said(&cpu->mode, &c->walk) &&
	    !is_lent(cpu, c->walk.gpa)) {
		emulate(cpu, c->walk.gpa, a);
		return false;
	}
	r = finding_look_up(cpu->vm, &c->found, writes);
	if (r != VMMU_RESOLVE_OK)
		finding_no_backing(cpu->vm, r, a);
	else if (writes && !c->found.writable)
		finding_kill(a,
			     "the host answered a write with read-only memory");
	else
		grant(cpu, c, f->access);
	return a->verdict == VMMU_RESUME;
}

bool combine_again(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		   struct combined *c, struct vmmu_answer *a)
{
	const struct vmmu_stats *stats = &cpu->vm->stats;
	struct vmmu_fault implicit = *f;
	uint64_t now = stats->pf_taken + stats->tlb_flush + stats->invlpg;
	bool again = cpu->spurious == f->gva.v && cpu->spurious_at == now;

	cpu->spurious = f->gva.v;
	cpu->spurious_at = now + 2; /* the next fault, and the flush for this */
	implicit.access &= ~VMMU_AC;
	return again && f->access & VMMU_AC && !combine(cpu, &implicit, c, a);
}

bool combine_quietly(struct vmmu_cpu *cpu, gva_t gva, struct combined *c)
{
	/* A supervisor's read with AC is what least pages refuse. */
	const unsigned access = VMMU_R | VMMU_AC;

	if (vmmu_cpu_walk(cpu, gva, access,
			  VMMU_GWALK_PEEK | VMMU_GWALK_SETTLED,
			  &c->walk) != VMMU_GWALK_OK)
		return false;
	find_slot(cpu, c);
	if (!c->found.slot ||
	    finding_look_up(cpu->vm, &c->found, false) != VMMU_RESOLVE_OK)
		return false;
	grant(cpu, c, access);
	return true;
}

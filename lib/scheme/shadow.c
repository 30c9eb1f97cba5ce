/*
 * The scheme `shadow`: tables of ours that follow the guest's, one for one,
 * and are kept while the guest keeps its own.
 *
 *   gva --shadow tables--> hpa       each shadows one table of the guest's
 *   gva --guest's tables--> gpa --slot--> hva --host--> hpa
 *
 * A hidden fault makes what is missing on the way to one leaf (fill). Writes
 * to shadowed tables are seen: leaf tables at the guest's next flush, upper
 * ones at once (sync). So a process's tables stay right while it does not run,
 * and a load of its CR3 finds them (root). A frame's leaves are found by a
 * reverse map (rmap), and pages by hash of what they shadow (page).
 *
 * SDM 3A 4.10 is the contract with the guest, 4.10.4.1 of it for INVLPG; 4.8
 * for A and D (I3).
 */
#include <stddef.h>

#include "scheme/shadow_page.h"

/* 1. Faults. */

static void out_of_pages(struct shadow_vm *s, unsigned round)
{
	/* A fault may make a page at each level, and comes here for each. */
	if (round < 2 * PT_LEVELS_MAX)
		shadow_recycle(s, 3);
	else if (round == 2 * PT_LEVELS_MAX)
		shadow_recycle(s, UINT32_MAX);
	else
		vm_recycle(s->vm);
}

/* The guest's root table was in no slot when CR3 was loaded, or its slot has
 * gone since. */
static void find_root(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	struct shadow_page *p = cpu->state;
	uint64_t frame;

	if (p->key.frame != SHADOW_NO_FRAME || p->key.format < 4)
		return;
	frame = shadow_frame(cpu->vm, p->key.gfn);
	if (frame != SHADOW_NO_FRAME)
		shadow_page_move(s, p, frame);
}

static void answer(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		   struct combined *c, enum shadow_fill r,
		   struct vmmu_answer *a)
{
	struct vmmu_stats *stats = &cpu->vm->stats;

	switch (r) {
	case SHADOW_NEW:
		finding_fixed(stats, &c->found);
		return;
	case SHADOW_THERE:
		if (combine_again(cpu, f, c, a))
			return;
		stats->pf_spurious++;
		vm_flush_gva(cpu, f->gva);
		return;
	case SHADOW_EMULATE:
		stats->pf_emulate++;
		a->verdict = VMMU_EMULATE;
		a->gpa = c->walk.gpa;
		a->granted = true;
		return;
	case SHADOW_CHANGED:
	case SHADOW_AGAIN:
		stats->pf_retry++;
		return; /* it comes again */
	case SHADOW_NO_ROOM:
		finding_kill(a, "no pages for a vCPU's tables");
	}
}

#define ROUNDS (3 * PT_LEVELS_MAX)

/* By a walk of the guest's tables. */
static __attribute__((noinline)) void fault_by_walk(struct vmmu_cpu *cpu,
						    struct shadow_vm *s,
						    const struct vmmu_fault *f,
						    struct vmmu_answer *a)
{
	enum shadow_fill r = SHADOW_AGAIN;
	struct combined c;

	if (!combine(cpu, f, &c, a))
		return;
	find_root(cpu, s);
	for (unsigned i = 0, full = 0; i < ROUNDS; i++) {
		r = shadow_fill(cpu, s, f, &c);
		if (r == SHADOW_NO_ROOM)
			out_of_pages(s, full++);
		else if (r != SHADOW_AGAIN)
			break;
	}
	answer(cpu, f, &c, r, a);
}

static void shadow_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
			 struct vmmu_answer *a)
{
	struct shadow_vm *s = shadow_here(cpu);

	cpu->vm->stats.pf_taken++;
	if (s->absent && shadow_absent_write(cpu, s, f, a))
		return;
	if (!shadow_quick(cpu, s, f, a))
		fault_by_walk(cpu, s, f, a);
	shadow_settle(s);
}

/* 2. The guest flushes. */

static void shadow_invalidate(struct vmmu_cpu *cpu, gva_t gva)
{
	struct shadow_vm *s = shadow_here(cpu);

	cpu->vm->stats.invlpg++;
	/* No entry to a table is cached after it, whatever the address. */
	if (s->open_upper)
		shadow_sync_upper(cpu, s);
	shadow_sync_gva(cpu, s, gva);
	if (cpu->other.state && s->unsync_count) {
		vmmu_cpu_swap(cpu);
		shadow_sync_gva(cpu, s, gva);
		vmmu_cpu_swap(cpu);
	}
	shadow_settle(s);
	vm_flush_gva(cpu, gva);
}

static void shadow_flush(struct vmmu_cpu *cpu, enum vmmu_flush what)
{
	struct shadow_vm *s = shadow_here(cpu);

	(void)what; /* no leaf is global */
	shadow_sync_root(cpu, s);
	if (s->stale)
		shadow_settle(s);
	else
		vm_flush_cpu(cpu);
}

static void shadow_set_mode(struct vmmu_cpu *cpu)
{
	struct shadow_vm *s = shadow_here(cpu);
	const struct shadow_page *p = cpu->state;
	bool same = p->key.mode == shadow_mode(&cpu->mode);

	/* What INVLPG made right was right under the mode of then. */
	if (!same) {
		s->remode = true;
		shadow_sync_all(cpu, s, false);
		s->remode = false;
	}
	if (!shadow_root_load(cpu, s))
		cpu->vm->poisoned = "no pages for a vCPU's root";
	if (!same && cpu->other.state) {
		shadow_root_part(cpu, s);
		shadow_root_pair(cpu);
	}
	shadow_settle(s);
}

/* 3. Slots and backing change. */

/* Tables that lie in the frame: their contents may be others now. */
static void frame_gone(struct shadow_vm *s, uint64_t frame)
{
	uint32_t id;

	while ((id = shadow_first(s, frame)) != 0) {
		struct shadow_page *p = shadow_at(s, id);

		if (p->vcpus || s->asking)
			shadow_page_park(s, p);
		else
			shadow_page_free(s, p);
	}
	shadow_drop_frame(s, frame);
}

static void one_gfn(struct shadow_vm *s, uint64_t gfn,
		    enum vmmu_gpa_change change)
{
	uint64_t frame = shadow_frame(s->vm, gfn);

	if (frame == SHADOW_NO_FRAME)
		return;
	if (change == VMMU_GPA_GONE)
		frame_gone(s, frame);
	else
		shadow_read_only(s, frame);
}

static void shadow_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
			       enum vmmu_gpa_change change)
{
	struct shadow_vm *s = shadow_of(vm);

	if (change == VMMU_GPA_RELAXED)
		return; /* small leaves are no error */
	/* What the guest took away and has not flushed yet is in no chain. */
	s->stale = true;
	if (count == UINT64_MAX >> VMMU_PAGE_SHIFT)
		shadow_zap_all(s);
	else
		for (uint64_t i = 0; i < count && s->count; i++)
			one_gfn(s, gfn.v + i, change);
	shadow_settle(s);
}

static void shadow_mapped(const struct vmmu_cpu *cpu, uint64_t *leaves)
{
	const struct shadow_vm *s = cpu->use->state;

	for (unsigned level = 1; level <= 3; level++)
		leaves[level] = s->large[level];
}

/* 4. Birth and death. */

/* What no fault can do without is had from the beginning, whatever the host
 * refuses later; the state's own page is among it. Of another scheme's pages,
 * which it leaves when no vCPU uses it any more, none is asked for twice. */
static bool reserve(struct pt_pool *pool)
{
	uint32_t left = pool->limit - pool->used, least = SHADOW_LIMIT_MIN - 1;

	return pt_pool_reserve(pool, left < least ? left : least);
}

static bool shadow_vm_init(struct vmmu_vm *vm)
{
	if (vm->hw.host_max_leaf < 1 || vm->hw.host_max_leaf > 3 ||
	    vm->pool.limit < SHADOW_LIMIT_MIN || !reserve(&vm->pool))
		return false;
	return shadow_begin(shadow_of(vm), vm);
}

static void shadow_vm_fini(struct vmmu_vm *vm)
{
	shadow_end(shadow_of(vm));
}

static bool shadow_cpu_init(struct vmmu_cpu *cpu)
{
	cpu->state = NULL;
	return shadow_root_load(cpu, shadow_of(cpu->vm));
}

static void shadow_cpu_fini(struct vmmu_cpu *cpu)
{
	struct shadow_vm *s = shadow_of(cpu->vm);

	shadow_root_part(cpu, s);
	shadow_root_leave(cpu, s);
	shadow_settle(s);
}

const struct vmmu_scheme vmmu_shadow = {
	.name = "shadow",
	.needs = VMMU_NEEDS_PF | VMMU_NEEDS_CR3 | VMMU_NEEDS_CR_MODE |
		 VMMU_NEEDS_INVLPG,
	.vm_init = shadow_vm_init,
	.vm_fini = shadow_vm_fini,
	.cpu_init = shadow_cpu_init,
	.cpu_fini = shadow_cpu_fini,
	.set_mode = shadow_set_mode,
	.load_root = shadow_load_root,
	.pair = shadow_root_pair,
	.fault = shadow_fault,
	.invalidate = shadow_invalidate,
	.flush = shadow_flush,
	.gpa_changed = shadow_gpa_changed,
	.translate = shadow_translate,
	.direct_faults = shadow_direct_faults,
	.wrote = shadow_wrote,
	.unshadow = shadow_unshadow,
	.audit = shadow_audit,
	.mapped = shadow_mapped,
};

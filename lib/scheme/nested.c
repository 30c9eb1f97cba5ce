/*
 * The scheme `nested` (HAP, TDP; EPT, NPT): hardware walks the guest's
 * tables itself, and a table of ours, gpa -> hpa, below them.
 *
 * One table for the VM, which all its vCPUs share. It starts empty; each
 * violation asks four questions and maps the answer:
 *
 *   gpa --slot?--> hva --host?--> a run of hpa --how large?--> leaf
 *
 *   no slot, or a write to a read-only slot    MMIO
 *   the host has nothing yet / nothing at all  RETRY / KILL
 *   else the largest leaf that lies in both slot and run and has gpa and hpa
 *   congruent, then absent neighbours of the same size, out to fault_around.
 *   A slot that logs gets 4 KiB leaves, writable only while the page's dirty
 *   bit is set; memory that the host shares is never writable. Neither is
 *   widened. Where hardware logs the 4 KiB leaves are like others: hwlog.c.
 *
 * SDM 3C 28.3, APM 2 15.25. A and D of guest tables are set by hardware (I3).
 * No MMIO address is remembered: finding that there is no slot takes less
 * than looking into a cache of such answers would save.
 */
#include <stddef.h>

#include "scheme/finding.h"
#include "scheme/hwlog.h"

/* The state of the scheme in one VM. */
struct nested {
	struct pt_table table;
	/* [level][writable]: a leaf for address 0. All leaves are made from
	 * these: what they have in common is worked out once. */
	uint64_t blank[PT_LEVELS_MAX + 1][2];
};

_Static_assert(sizeof(struct nested) <= VMMU_PAGE_SIZE,
	       "a scheme's state is one table page");

static struct nested *nested_of(const struct vmmu_vm *vm)
{
	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++)
		if (vm->use[i].scheme == &vmmu_nested)
			return vm->use[i].state;
	return NULL;
}

/* 1. Violations. */

/* Absent neighbours of what was placed, out to fault_around. */
static __attribute__((noinline)) void widen(struct vmmu_vm *vm,
					    struct nested *n,
					    const struct finding *f,
					    unsigned level, void *slot)
{
	uint64_t around = vm->fault_around - 1;
	uint64_t at = f->gpa & around;
	uint64_t in = pt_span(&n->table.format->level[level]) - 1;
	const struct pt_beside b = {
		.addr = f->gpa & ~in,
		.hpa = f->hpa & ~in,
		.slot = slot,
		.level = level,
		.blank = n->blank[level][f->writable],
		.first = f->gpa - finding_least(at, f->before),
		.last = f->gpa + finding_least(around - at, f->after),
	};

	vm->stats.mapped[level] += pt_map_beside(&n->table, &b);
}

/* The leaf goes over something present: what that means for hardware. False:
 * nothing was wanting. */
static __attribute__((noinline)) bool put_over(struct vmmu_cpu *cpu,
					       struct pt_table *t, void *slot,
					       uint64_t addr, unsigned level,
					       uint64_t leaf)
{
	const struct pt_level *row = &t->format->level[level];
	uint64_t old = pt_replace(t, slot, addr, level, leaf);

	if (pt_takes_away(row, old, leaf)) {
		vm_flush_all(cpu->vm);
		return true;
	}
	if (pt_entry_perms(row, old) != pt_entry_perms(row, leaf))
		return true;
	/* Another vCPU was faster, or the TLB is stale. */
	vm_flush_cpu(cpu);
	return false;
}

/* pt_reach that does not fail for lack of memory: what vm_init reserved is
 * enough once all else is given back. */
static void *reach(struct vmmu_vm *vm, struct pt_table *t, uint64_t addr,
		   unsigned level)
{
	void *slot = pt_reach(t, addr, level);

	if (slot)
		return slot;
	vm_recycle(vm);
	return pt_reach(t, addr, level);
}

/* A leaf at `level`, which covers in + 1 bytes, and absent ones beside it.
 * False: an address does not fit the format. Inline, so that where the level
 * is known nothing is asked that follows from it. */
static inline __attribute__((always_inline)) bool fill_at(
	struct vmmu_cpu *cpu, struct nested *n, const struct finding *f,
	unsigned level, uint64_t in)
{
	struct vmmu_vm *vm = cpu->vm;
	struct pt_table *t = &n->table;
	const struct pt_level *row = &t->format->level[level];
	uint64_t hpa = f->hpa & ~in;
	uint64_t leaf = pt_leaf_for(row, n->blank[level][f->writable], hpa);
	void *slot;

	if (pt_addr_of(row, leaf) != hpa || f->gpa > t->last)
		return false;
	slot = reach(vm, t, f->gpa, level);
	if (!slot)
		return false;
	if (!pt_put_absent(t, slot, level, leaf) &&
	    !put_over(cpu, t, slot, f->gpa, level, leaf)) {
		vm->stats.pf_spurious++;
		return true;
	}
	finding_fixed(&vm->stats, f);
	vm->stats.mapped[level]++;
	if (f->may_widen && f->before + f->after > in && vm->fault_around > in)
		widen(vm, n, f, level, slot);
	return true;
}

/* Out of line: it would cost the fill of one page its registers. */
static __attribute__((noinline)) bool fill_large(struct vmmu_cpu *cpu,
						 struct nested *n,
						 const struct finding *f)
{
	const struct pt_table *t = &n->table;
	unsigned most = hwlog_has(cpu->vm, f->slot) ? 1 : t->max_leaf_level;
	unsigned level = finding_level(t, f, most);

	return fill_at(cpu, n, f, level, pt_span(&t->format->level[level]) - 1);
}

/* Where the host's memory is scattered nothing goes on beyond the page: then
 * the leaf is known, and has no neighbours to think of. */
static bool fill(struct vmmu_cpu *cpu, struct nested *n,
		 const struct finding *f)
{
	if (f->before + f->after > VMMU_PAGE_MASK)
		return fill_large(cpu, n, f);
	return fill_at(cpu, n, f, 1, VMMU_PAGE_MASK);
}

static void nested_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *fault,
			 struct vmmu_answer *a)
{
	struct vmmu_vm *vm = cpu->vm;
	bool writes = fault->access & VMMU_W;
	enum vmmu_resolve r;
	struct finding f;

	vm->stats.violations++;
	f.gpa = fault->gpa.v & ~VMMU_PAGE_MASK;
	f.slot = vmmu_slots_find(&vm->slots, gpa_gfn(fault->gpa));
	if (!f.slot || (writes && f.slot->flags & VMMU_SLOT_READ_ONLY)) {
		vm->stats.pf_mmio++;
		a->verdict = VMMU_MMIO;
		a->gpa = fault->gpa;
		return;
	}
	r = finding_ask(vm, &f, writes);
	if (r != VMMU_RESOLVE_OK) {
		finding_no_backing(vm, r, a);
		return;
	}
	if (f.slot->flags & VMMU_SLOT_LOG_DIRTY && !vm->hw.logs_dirty)
		finding_log(&f, writes);
	if (writes && !f.writable)
		finding_kill(a,
			     "the host answered a write with read-only memory");
	else if (!fill(cpu, cpu->use->state, &f))
		finding_kill(a,
			     "an address does not fit the nested table format");
}

/* 2. Slots and backing change. */

static bool merge_range(struct pt_table *t, uint64_t first, uint64_t last)
{
	bool merged = false;

	for (unsigned level = 2; level <= t->max_leaf_level; level++) {
		uint64_t in = pt_span(&t->format->level[level]) - 1;
		uint64_t a = (first + in) & ~in;

		for (; a <= last && in <= last - a; a += in + 1)
			merged |= pt_merge(t, a, level);
	}
	return merged;
}

static void nested_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
			       enum vmmu_gpa_change change)
{
	struct pt_table *t = &nested_of(vm)->table;
	uint64_t end = (t->last >> VMMU_PAGE_SHIFT) + 1;
	uint64_t addr = gfn_gpa(gfn).v, size;
	bool changed = false;

	if (gfn.v >= end)
		return;
	size = (count < end - gfn.v ? count : end - gfn.v) << VMMU_PAGE_SHIFT;
	switch (change) {
	case VMMU_GPA_GONE:
		pt_unmap(t, addr, size, &changed);
		break;
	case VMMU_GPA_READ_ONLY:
		if (hwlog_has(vm, vmmu_slots_find(&vm->slots, gfn)))
			changed = hwlog_renew(t, addr, size);
		else
			pt_protect(t, addr, size, VMMU_W, &changed);
		break;
	case VMMU_GPA_RELAXED:
		changed = merge_range(t, addr, addr + size - 1);
		break;
	}
	if (changed)
		vm_flush_all(vm);
}

/* 3. Birth and death. */

static bool nested_vm_init(struct vmmu_vm *vm)
{
	const struct pt_format *format = vm->hw.nested_format;
	struct nested *n = nested_of(vm);

	/* All that one 4 KiB leaf needs: after a recycle a violation can
	 * always be answered, whatever the host says by then. */
	if (!format || !pt_pool_reserve(&vm->pool, format->levels) ||
	    pt_table_init(&n->table, format, &vm->pool,
			  vm->hw.nested_max_leaf) != PT_OK)
		return false;
	for (unsigned level = 1; level <= format->levels; level++) {
		const struct pt_level *row = &format->level[level];

		n->blank[level][0] =
			pt_make_leaf(row, 0, VMMU_R | VMMU_X, VMMU_WB);
		n->blank[level][1] = pt_make_leaf(row, 0, VMMU_RWX, VMMU_WB);
	}
	return true;
}

static void nested_vm_fini(struct vmmu_vm *vm)
{
	pt_table_fini(&nested_of(vm)->table);
}

static bool nested_cpu_init(struct vmmu_cpu *cpu)
{
	struct nested *n = cpu->use->state;

	cpu->root = n->table.root;
	return true;
}

static const struct pt_table *nested_table(const struct vmmu_vm *vm)
{
	const struct nested *n = nested_of(vm);

	return n ? &n->table : NULL;
}

const struct vmmu_scheme vmmu_nested = {
	.name = "nested",
	.needs = VMMU_NEEDS_SECOND,
	.vm_init = nested_vm_init,
	.vm_fini = nested_vm_fini,
	.cpu_init = nested_cpu_init,
	.fault = nested_fault,
	.gpa_changed = nested_gpa_changed,
	.table = nested_table,
};

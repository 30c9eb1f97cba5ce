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
 *   widened.
 *
 * SDM 3C 28.3, APM 2 15.25. A and D of guest tables are set by hardware (I3).
 * No MMIO address is remembered: finding that there is no slot takes less
 * than looking into a cache of such answers would save.
 */
#include <stddef.h>

#include "pt/tree.h"
#include "scheme/vm_events.h"

/* The state of the scheme in one VM. */
struct nested {
	struct pt_table table;
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

/* What slot and host say of the page that faulted. */
struct finding {
	const struct vmmu_slot *slot;
	uint64_t gpa, hpa;    /* of the page, then of the leaf around it */
	uint64_t first, last; /* the gpas in this slot and this run */
	unsigned perms;
	unsigned level;
	bool may_widen;
};

static bool page_logged_clean(const struct vmmu_slot *slot, uint64_t gpa)
{
	uint64_t n = (gpa - slot->gpa.v) >> VMMU_PAGE_SHIFT;

	return !(__atomic_load_n(&slot->dirty[n / 64], __ATOMIC_RELAXED) >>
			 n % 64 &
		 1);
}

/* Before the page can be written, its bit is set. */
static void log_access(struct vmmu_vm *vm, struct finding *f, unsigned access)
{
	bool clean = page_logged_clean(f->slot, f->gpa);

	if (clean && access & VMMU_W) {
		vmmu_slot_mark_dirty(f->slot, gpa_gfn(mk_gpa(f->gpa)));
		vm->stats.pf_dirty++;
		clean = false;
	}
	if (clean)
		f->perms &= ~VMMU_W;
	f->may_widen = false;
	f->first = f->gpa;
	f->last = f->gpa | VMMU_PAGE_MASK;
}

/* The part of the host's run that this slot shows. */
static void intersect(struct finding *f, const struct vmmu_extent *run)
{
	const struct vmmu_slot *slot = f->slot;
	uint64_t hva = vmmu_slot_hva(slot, mk_gpa(f->gpa)).v;
	uint64_t before = hva - run->hva.v, after = run->size - 1 - before;
	uint64_t slot_before = f->gpa - slot->gpa.v;
	uint64_t slot_after = slot->size - 1 - slot_before;

	f->hpa = run->hpa.v + before;
	f->first = f->gpa - (before < slot_before ? before : slot_before);
	f->last = f->gpa + (after < slot_after ? after : slot_after);
}

static enum vmmu_resolve look_up(struct vmmu_vm *vm, struct finding *f,
				 unsigned access)
{
	struct vmmu_extent run;
	enum vmmu_resolve r;

	r = vm->host.ops->resolve(vm->host.cookie,
				  vmmu_slot_hva(f->slot, mk_gpa(f->gpa)),
				  access & VMMU_W ? VMMU_W : VMMU_R, &run);
	if (r != VMMU_RESOLVE_OK)
		return r;
	intersect(f, &run);
	f->perms = VMMU_RWX;
	f->may_widen = !run.read_only;
	if (run.read_only || f->slot->flags & VMMU_SLOT_READ_ONLY)
		f->perms &= ~VMMU_W;
	if (f->slot->flags & VMMU_SLOT_LOG_DIRTY)
		log_access(vm, f, access);
	return r;
}

/* Turns gpa and hpa of the page into those of the largest leaf around it. */
static void choose_level(const struct pt_table *t, struct finding *f)
{
	unsigned level = t->max_leaf_level;

	if (f->last - f->first < VMMU_PAGE_SIZE)
		level = 1;
	for (; level > 1; level--) {
		uint64_t in = pt_span(&t->format->level[level]) - 1;

		if (!((f->gpa ^ f->hpa) & in) && (f->gpa & ~in) >= f->first &&
		    (f->gpa | in) <= f->last && pt_may_be_leaf(t, level)) {
			f->gpa &= ~in;
			f->hpa &= ~in;
			break;
		}
	}
	f->level = level;
}

static void widen(struct vmmu_vm *vm, struct pt_table *t,
		  const struct finding *f, void *slot)
{
	uint64_t in = vm->fault_around - 1;
	struct pt_beside b = {
		.addr = f->gpa,
		.hpa = mk_hpa(f->hpa),
		.slot = slot,
		.level = f->level,
		.perms = f->perms,
		.type = VMMU_WB,
		.first = f->gpa & ~in,
		.last = f->gpa | in,
	};

	if (b.first < f->first)
		b.first = f->first;
	if (b.last > f->last)
		b.last = f->last;
	vm->stats.mapped[f->level] += pt_map_beside(t, &b);
}

/* `old` was in the entry, `leaf` is now: what that means for hardware. */
static void settle(struct vmmu_cpu *cpu, const struct pt_level *row,
		   unsigned level, uint64_t old, uint64_t leaf)
{
	struct vmmu_vm *vm = cpu->vm;

	if (pt_takes_away(row, old, leaf)) {
		vm_flush_all(vm);
	} else if (pt_is_present(row, old) &&
		   pt_entry_perms(row, old) == pt_entry_perms(row, leaf)) {
		/* Another vCPU was faster, or the TLB is stale. */
		vm->stats.pf_spurious++;
		vm_flush_cpu(cpu);
		return;
	}
	vm->stats.pf_fixed++;
	vm->stats.mapped[level]++;
}

static enum pt_status fill(struct vmmu_cpu *cpu, struct pt_table *t,
			   struct finding *f)
{
	struct vmmu_vm *vm = cpu->vm;
	const struct pt_level *row;
	enum pt_status status;
	uint64_t leaf, old;
	void *slot;

	choose_level(t, f);
	row = &t->format->level[f->level];
	leaf = pt_make_leaf(row, f->hpa, f->perms, VMMU_WB);
	if (pt_leaf_addr(row, leaf) != f->hpa)
		return PT_BAD_RANGE;
	status = pt_place(t, f->gpa, f->level, leaf, &slot, &old);
	if (status == PT_NO_MEMORY) {
		vm_recycle(vm);
		status = pt_place(t, f->gpa, f->level, leaf, &slot, &old);
	}
	if (status != PT_OK)
		return status;
	settle(cpu, row, f->level, old, leaf);
	if (f->may_widen && vm->fault_around > pt_span(row) &&
	    f->last - f->first >= pt_span(row))
		widen(vm, t, f, slot);
	return PT_OK;
}

static void kill(struct vmmu_answer *a, const char *reason)
{
	a->verdict = VMMU_KILL;
	a->reason = reason;
}

static void nested_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *fault,
			 struct vmmu_answer *a)
{
	struct vmmu_vm *vm = cpu->vm;
	struct nested *n = cpu->use->state;
	struct finding f = { .gpa = fault->gpa.v & ~VMMU_PAGE_MASK };

	vm->stats.violations++;
	f.slot = vmmu_slots_find(&vm->slots, gpa_gfn(fault->gpa));
	if (!f.slot ||
	    (fault->access & VMMU_W && f.slot->flags & VMMU_SLOT_READ_ONLY)) {
		vm->stats.pf_mmio++;
		a->verdict = VMMU_MMIO;
		a->gpa = fault->gpa;
		return;
	}
	switch (look_up(vm, &f, fault->access)) {
	case VMMU_RESOLVE_OK:
		break;
	case VMMU_RESOLVE_NOT_NOW:
		vm->stats.pf_retry++;
		a->verdict = VMMU_RETRY;
		return;
	default:
		kill(a, "the host has no memory for the guest");
		return;
	}
	if (fault->access & VMMU_W && !(f.perms & VMMU_W))
		kill(a, "the host answered a write with read-only memory");
	else if (fill(cpu, &n->table, &f) != PT_OK)
		kill(a, "an address does not fit the nested table format");
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
	uint64_t end = (pt_last_addr(t->format) >> VMMU_PAGE_SHIFT) + 1;
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

	/* All that one 4 KiB leaf needs: after a recycle a violation can
	 * always be answered, whatever the host says by then. */
	return format && pt_pool_reserve(&vm->pool, format->levels) &&
	       pt_table_init(&nested_of(vm)->table, format, &vm->pool,
			     vm->hw.nested_max_leaf) == PT_OK;
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

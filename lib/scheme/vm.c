/*
 * The VM: its slots, its table memory, and the schemes that derive tables
 * from them. No scheme is known here by name.
 *
 *   slots  --listener-->  vm_gpa_changed  -->  each scheme in use
 *   host   --backing----/
 *
 * 1. A scheme is in use from its first vCPU to its last; between them it has
 *    one zeroed table page of state.
 * 2. A slot that goes or moves is told to the schemes while it is still in
 *    force; a flag is told when the new one is, so that no entry made in
 *    between escapes it. What hardware has logged belongs to the old one.
 * 3. A change of backing is found in every slot that shows it: several may.
 */
#include <stddef.h>

#include "scheme/hwlog.h"
#include "scheme/vm_events.h"

/* 1. Schemes in use. */

struct vmmu_scheme_use *vm_use_of(struct vmmu_vm *vm,
				  const struct vmmu_scheme *scheme)
{
	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++)
		if (vm->use[i].scheme == scheme)
			return &vm->use[i];
	return NULL;
}

static void use_end(struct vmmu_vm *vm, struct vmmu_scheme_use *use)
{
	pt_pool_put(&vm->pool, use->state_page);
	*use = (struct vmmu_scheme_use){ .scheme = NULL };
}

static struct vmmu_scheme_use *use_begin(struct vmmu_vm *vm,
					 const struct vmmu_scheme *scheme)
{
	struct vmmu_scheme_use *use = vm_use_of(vm, NULL);
	uint64_t *state;
	hpa_t page;

	if (!use || !pt_pool_get(&vm->pool, &page, &state))
		return NULL;
	*use = (struct vmmu_scheme_use){ .scheme = scheme,
					 .state = state,
					 .state_page = page };
	if (scheme->vm_init(vm))
		return use;
	use_end(vm, use);
	return NULL;
}

struct vmmu_scheme_use *vm_use_get(struct vmmu_vm *vm,
				   const struct vmmu_scheme *scheme)
{
	struct vmmu_scheme_use *use = vm_use_of(vm, scheme);

	if (!use)
		use = use_begin(vm, scheme);
	if (use)
		use->cpus++;
	return use;
}

void vm_use_put(struct vmmu_vm *vm, struct vmmu_scheme_use *use)
{
	if (--use->cpus)
		return;
	if (use->scheme->vm_fini)
		use->scheme->vm_fini(vm);
	use_end(vm, use);
}

void vm_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
		    enum vmmu_gpa_change change)
{
	for (unsigned i = 0; i < VMMU_SCHEMES_MAX; i++) {
		const struct vmmu_scheme *scheme = vm->use[i].scheme;

		if (scheme && scheme->gpa_changed)
			scheme->gpa_changed(vm, gfn, count, change);
	}
}

void vm_recycle(struct vmmu_vm *vm)
{
	vm->stats.mmu_recycled++;
	vm_gpa_changed(vm, mk_gfn(0), UINT64_MAX >> VMMU_PAGE_SHIFT,
		       VMMU_GPA_GONE);
}

void vm_flush_all(struct vmmu_vm *vm)
{
	vm->stats.tlb_flush++;
	vm->host.ops->flush_all(vm->host.cookie);
}

void vm_flush_cpu(struct vmmu_cpu *cpu)
{
	struct vmmu_vm *vm = cpu->vm;

	vm->stats.tlb_flush++;
	vm->host.ops->flush_cpu(vm->host.cookie, cpu);
}

void vm_flush_gva(struct vmmu_cpu *cpu, gva_t gva)
{
	struct vmmu_vm *vm = cpu->vm;

	vm->stats.tlb_flush++;
	vm->host.ops->flush_gva(vm->host.cookie, cpu, gva);
}

/* 2. Slots. */

static void slot_changed(struct vmmu_vm *vm, const struct vmmu_slot *slot,
			 enum vmmu_gpa_change change)
{
	vm_gpa_changed(vm, gpa_gfn(slot->gpa), slot->size >> VMMU_PAGE_SHIFT,
		       change);
}

static bool stays(const struct vmmu_slot_change *c)
{
	return c->old && c->now && c->old->gpa.v == c->now->gpa.v;
}

static void before_change(void *ctx, const struct vmmu_slot_change *c)
{
	hwlog_drain(ctx);
	if (c->old && !stays(c))
		slot_changed(ctx, c->old, VMMU_GPA_GONE);
}

static void after_change(void *ctx, const struct vmmu_slot_change *c)
{
	uint32_t gained, lost;

	hwlog_update(ctx);
	if (!stays(c))
		return;
	gained = c->now->flags & ~c->old->flags;
	lost = c->old->flags & ~c->now->flags;
	/* Another bitmap: what was dirty in the old one is clean in this. */
	if (gained || (c->now->flags & VMMU_SLOT_LOG_DIRTY &&
		       c->old->dirty != c->now->dirty))
		slot_changed(ctx, c->now, VMMU_GPA_READ_ONLY);
	if (lost & VMMU_SLOT_LOG_DIRTY)
		slot_changed(ctx, c->now, VMMU_GPA_RELAXED);
}

enum vmmu_slot_error vmmu_vm_set_slot(struct vmmu_vm *vm,
				      const struct vmmu_slot *slot)
{
	return vmmu_slots_set(&vm->slots, slot);
}

/* 3. Backing. */

static void backing_changed_in(struct vmmu_vm *vm, const struct vmmu_slot *slot,
			       uint64_t first, uint64_t last)
{
	uint64_t slot_first = slot->hva.v;
	uint64_t slot_last = slot_first + (slot->size - 1);
	gpa_t gpa;

	if (first < slot_first)
		first = slot_first;
	if (last > slot_last)
		last = slot_last;
	if (first > last)
		return;
	gpa = mk_gpa(slot->gpa.v + (first - slot_first));
	vm_gpa_changed(vm, gpa_gfn(gpa), (last - first + 1) >> VMMU_PAGE_SHIFT,
		       VMMU_GPA_GONE);
}

void vmmu_vm_backing_changed(struct vmmu_vm *vm, hva_t hva, uint64_t size)
{
	uint64_t last;

	if (!size)
		return;
	last = (hva.v + (size - 1)) | VMMU_PAGE_MASK;
	for (uint32_t i = 0; i < vm->slots.count; i++)
		backing_changed_in(vm, &vm->slots.slot[i],
				   hva.v & ~VMMU_PAGE_MASK, last);
	vm->slots.generation++;
}

/* 4. Birth and death. */

bool vmmu_vm_init(struct vmmu_vm *vm, const struct vmmu_vm_config *config)
{
	if (config->table_limit < VMMU_TABLE_LIMIT_MIN ||
	    config->fault_around & (config->fault_around - 1) ||
	    config->roots > 64)
		return false;
	*vm = (struct vmmu_vm){ .host = config->host,
				.hw = config->hw,
				.fault_around = config->fault_around,
				.roots = config->roots ? config->roots : 32 };
	vmmu_slots_init(&vm->slots, config->slot_storage,
			config->slot_capacity);
	vm->listener = (struct vmmu_slot_listener){ .before = before_change,
						    .after = after_change,
						    .ctx = vm };
	vmmu_slots_listen(&vm->slots, &vm->listener);
	pt_pool_init(&vm->pool, &vm->host, config->table_limit);
	return true;
}

void vmmu_vm_fini(struct vmmu_vm *vm)
{
	pt_pool_fini(&vm->pool);
}

/*
 * The world's birth and death, and the truth about memory: slots and contents
 * as the harness itself keeps them, never asking the library.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lab/smmu_regs.h"

bool world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failure[0])
		return false;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	return false;
}

/* 1. The truth. */

struct truth_slot *truth_find(struct world *w, gpa_t gpa)
{
	for (unsigned i = 0; i < WORLD_SLOTS; i++) {
		struct truth_slot *t = &w->slot[i];

		if (t->used && gpa.v - t->slot.gpa.v < t->slot.size)
			return t;
	}
	return NULL;
}

uint8_t *truth_byte(struct world *w, gpa_t gpa)
{
	struct truth_slot *t = truth_find(w, gpa);

	if (!t)
		return NULL;
	return w->copy + world_offset(w, vmmu_slot_hva(&t->slot, gpa));
}

/* Only slots of so many pages are ever made to log. */
static void mark(struct truth_slot *t, uint64_t *bitmap, gpa_t gpa)
{
	uint64_t page = (gpa.v - t->slot.gpa.v) >> VMMU_PAGE_SHIFT;

	if (page < WORLD_LOG_PAGES)
		bitmap[page / 64] |= UINT64_C(1) << page % 64;
}

void truth_must(struct world *w, gpa_t gpa)
{
	struct truth_slot *t = truth_find(w, gpa);

	if (t)
		mark(t, t->must, gpa);
}

void truth_may(struct world *w, gpa_t gpa)
{
	struct truth_slot *t = truth_find(w, gpa);

	if (t)
		mark(t, t->may, gpa);
}

void world_touch(struct world *w, hva_t hva)
{
	uint64_t page = world_offset(w, hva) >> VMMU_PAGE_SHIFT;

	for (unsigned i = 0; i < w->touched_count; i++)
		if (w->touched[i] == page)
			return;
	if (w->touched_count < WORLD_TOUCHED)
		w->touched[w->touched_count++] = page;
}

static void journal(struct world *w, hva_t word, uint64_t old)
{
	for (unsigned i = 0; i < WORLD_SLOTS; i++) {
		const struct vmmu_slot *s = &w->slot[i].slot;

		if (w->slot[i].used && word.v - s->hva.v < s->size)
			history_store(&w->history,
				      mk_gpa(s->gpa.v + (word.v - s->hva.v)),
				      old);
	}
}

void truth_store(struct world *w, hva_t hva, unsigned size, uint64_t value)
{
	hva_t word = mk_hva(hva.v & ~UINT64_C(7));
	uint64_t old, now;

	world_touch(w, hva);
	memcpy(&old, w->copy + world_offset(w, word), 8);
	memcpy(w->copy + world_offset(w, hva), &value, size);
	memcpy(&now, w->copy + world_offset(w, word), 8);
	if (now != old)
		journal(w, word, old);
}

static enum smmu_mem_status truth_load(void *ctx, gpa_t gpa, unsigned size,
				       uint64_t *value)
{
	const uint8_t *byte = truth_byte(ctx, gpa);

	*value = 0;
	if (!byte)
		return SMMU_MEM_NONE;
	memcpy(value, byte, size);
	return SMMU_MEM_OK;
}

static enum smmu_mem_status truth_swap(void *ctx, gpa_t gpa, unsigned size,
				       uint64_t old, uint64_t now)
{
	struct world *w = ctx;
	struct truth_slot *t = truth_find(w, gpa);
	uint64_t here;

	if (truth_load(ctx, gpa, size, &here) != SMMU_MEM_OK)
		return SMMU_MEM_NONE;
	if (t->slot.flags & VMMU_SLOT_READ_ONLY)
		return SMMU_MEM_READ_ONLY;
	if (here != old)
		return SMMU_MEM_CHANGED;
	truth_store(w, vmmu_slot_hva(&t->slot, gpa), size, now);
	truth_must(w, gpa);
	return SMMU_MEM_OK;
}

struct smmu_mem truth_mem(struct world *w)
{
	return (struct smmu_mem){ .load = truth_load,
				  .swap = truth_swap,
				  .ctx = w };
}

/* 2. What the host tells. */

static void backing_changed(void *ctx, hva_t hva, uint64_t size)
{
	struct world *w = ctx;

	if (w->vm_live && w->plant != PLANT_DROP_FLUSH)
		vmmu_vm_backing_changed(&w->vm, hva, size);
}

/* To answer it takes the frame of a page that is in use. */
static void resolving(void *ctx, hva_t hva)
{
	struct world *w = ctx;
	uint64_t n = w->host.count.resolves, page;
	hpa_t hpa;

	(void)hva;
	if (!w->config.moves || n % w->config.moves || w->quiet ||
	    !w->touched_count)
		return;
	page = w->touched[n / w->config.moves % w->touched_count];
	hva = mk_hva(w->host.hva_base.v + (page << VMMU_PAGE_SHIFT));
	if (lab_host_peek(&w->host, hva, &hpa))
		lab_host_move(&w->host, hva, VMMU_PAGE_SIZE);
}

static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct world *w = ctx;

	(void)cpu;
	if (w->plant == PLANT_DROP_TLB)
		return;
	if (gva) {
		tlb_invlpg(&w->tlb, &w->sregs, *gva);
		return;
	}
	tlb_flush_all(&w->tlb);
	/* CR3 is loaded again, and the PDPTEs with it. */
	if (w->config.scheme == SCHEME_SHADOW)
		w->root.pdptes_loaded = false;
}

void world_backing_arrives(struct world *w)
{
	for (unsigned i = 0; i < w->absent_count; i++)
		lab_host_answer(&w->host, w->absent_hva[i], w->absent_size[i],
				VMMU_RESOLVE_OK);
	w->absent_count = 0;
	w->count.retries++;
}

/* 3. Birth and death. */

static bool start_host(struct world *w)
{
	struct lab_host_config config = {
		.memory = w->config.extent > VMMU_2M ? w->config.extent
						     : 8 * VMMU_2M,
		.spare = VMMU_2M,
		.extent = w->config.extent,
		.skew = w->config.skew,
		.shuffle = w->config.shuffle,
		.table_pages = 4096,
	};

	if (!lab_host_init(&w->host, &config))
		return false;
	w->memory = config.memory;
	w->host.hooks.backing_changed = backing_changed;
	w->host.hooks.flushed = flushed;
	w->host.hooks.resolving = resolving;
	w->host.hooks.ctx = w;
	w->copy = mmap(NULL, w->memory, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return w->copy != MAP_FAILED;
}

static const struct vmmu_scheme *const schemes[SCHEME_COUNT] = {
	[SCHEME_NESTED] = &vmmu_nested,
	[SCHEME_VTLB] = &vmmu_vtlb,
	[SCHEME_SHADOW] = &vmmu_shadow,
};

static bool start_vm(struct world *w)
{
	struct vmmu_vm_config config = {
		.host = lab_host_ops(&w->host),
		.hw = { .nested_format = w->config.nested == NEST_NPT ? &pt_npt
								      : &pt_ept,
			.nested_max_leaf = (uint8_t)w->config.leaf,
			.host_max_leaf = (uint8_t)w->config.leaf,
			.filters_faults = w->config.filter },
		.slot_storage = w->slot_storage,
		.slot_capacity = WORLD_SLOTS,
		.table_limit = (uint32_t)w->config.tables,
		.fault_around = w->config.around,
		.roots = (uint32_t)w->config.roots,
	};

	w->vm_live = vmmu_vm_init(&w->vm, &config);
	w->cpu_live = w->vm_live &&
		      vmmu_cpu_init(&w->cpu, &w->vm, schemes[w->config.scheme]);
	return w->cpu_live;
}

bool world_init(struct world *w, const struct world_config *config,
		enum plant plant)
{
	struct op regs = { .kind = OP_REGS };

	memset(w, 0, sizeof(*w));
	w->config = *config;
	w->plant = plant;
	w->features = (struct vmmu_features){
		.maxphyaddr = (uint8_t)config->maxphyaddr,
		.pse36 = config->pse36,
		.nx = config->nx,
		.gib_pages = config->gib,
		/* Without nested paging they are registers everywhere. */
		.pdptes_in_memory = config->pdptes_in_memory &&
				    config->scheme == SCHEME_NESTED,
	};
	tlb_init(&w->tlb);
	if (!start_host(w))
		return false;
	if (!start_vm(w))
		world_fail(w, "a VM and a vCPU could not be made");
	else
		op_registers(w, &regs);
	return true;
}

void world_fini(struct world *w)
{
	if (w->cpu_live)
		vmmu_cpu_fini(&w->cpu);
	if (w->vm_live)
		vmmu_vm_fini(&w->vm);
	w->cpu_live = w->vm_live = false;
	munmap(w->copy, w->memory);
	lab_host_fini(&w->host);
}

bool world_end(struct world *w)
{
	if (!check_memory(w) || !check_audit(w))
		return false;
	vmmu_cpu_fini(&w->cpu);
	vmmu_vm_fini(&w->vm);
	w->cpu_live = w->vm_live = false;
	if (w->host.count.tables_out)
		return world_fail(w, "%llu table pages were not given back",
				  (unsigned long long)w->host.count.tables_out);
	return true;
}

/* What both kinds of hardware share, and which of them the world has. */
#include "hw.h"

#include <string.h>

static bool in_arena(struct world *w, hpa_t hpa)
{
	return hpa.v - w->host.hpa_base.v < w->host.arena_size;
}

static bool machine_load(void *ctx, hpa_t hpa, unsigned size, uint64_t *value)
{
	struct world *w = ctx;

	*value = 0;
	if (!in_arena(w, hpa))
		return false;
	memcpy(value, lab_host_ptr(&w->host, hpa), size);
	return true;
}

static bool machine_swap(void *ctx, hpa_t hpa, unsigned size, uint64_t old,
			 uint64_t now)
{
	struct world *w = ctx;
	uint64_t here;

	if (!machine_load(ctx, hpa, size, &here) || here != old)
		return false;
	memcpy(lab_host_ptr(&w->host, hpa), &now, size);
	return true;
}

struct lab_machine hw_machine(struct world *w)
{
	return (struct lab_machine){ .load = machine_load,
				     .swap = machine_swap,
				     .ctx = w };
}

bool hw_from_tlb(struct world *w, const struct smmu_regs *regs, gva_t gva,
		 unsigned access, struct hw_done *done)
{
	const struct tlb_entry *e = tlb_find(&w->tlb, regs, gva, access);
	uint64_t offset;

	if (!e)
		return false;
	offset = gva.v & ((UINT64_C(1) << e->page_shift) - 1);
	done->cached = true;
	done->place = (struct place){ .where = AT_MEMORY,
				      .gpa = mk_gpa(e->gpa.v + offset),
				      .hpa = mk_hpa(e->hpa.v + offset) };
	w->count.tlb_hits++;
	return true;
}

bool hw_emulate(struct world *w, gva_t gva, unsigned access,
		struct hw_done *done)
{
	struct vmmu_gwalk walk;

	w->count.emulated++;
	if (!soft_access(w, gva, access, 0, &walk, &done->place))
		return false;
	if (access & VMMU_W)
		truth_may(w, done->place.gpa);
	return true;
}

bool hw_is_nested(const struct world *w)
{
	return w->config.scheme == SCHEME_NESTED;
}

bool hw_access(struct world *w, gva_t gva, unsigned access, bool evict,
	       struct hw_done *done)
{
	memset(done, 0, sizeof(*done));
	return hw_is_nested(w) ? hw_nested_access(w, gva, access, evict, done)
			       : hw_root_access(w, gva, access, evict, done);
}

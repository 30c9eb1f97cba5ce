/* The processor over a table of the hypervisor's; see rootwalk.h. */
#include "rootwalk.h"

#include <string.h>

#include "smmu_regs.h"

/* The software MMU's gpa is our hpa. */
static uint8_t *byte_at(const struct rootwalk *w, uint64_t hpa)
{
	if (hpa - w->host->hpa_base.v >= w->host->arena_size)
		return NULL;
	return lab_host_ptr(w->host, mk_hpa(hpa));
}

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	const uint8_t *byte = byte_at(ctx, gpa.v);

	*value = 0;
	if (!byte)
		return SMMU_MEM_NONE;
	memcpy(value, byte, size);
	return SMMU_MEM_OK;
}

static enum smmu_mem_status swap(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t old, uint64_t now)
{
	uint64_t here;

	if (load(ctx, gpa, size, &here) != SMMU_MEM_OK)
		return SMMU_MEM_NONE;
	if (here != old)
		return SMMU_MEM_CHANGED;
	memcpy(byte_at(ctx, gpa.v), &now, size);
	return SMMU_MEM_OK;
}

/* CR3 is loaded when the table's format changes, and not again. */
static void load_pdptes(struct rootwalk *w, struct smmu_regs *real)
{
	for (unsigned i = 0; i < 4 && !w->pdptes_loaded; i++)
		load(w, mk_gpa(real->cr3 + i * 8), 8, &w->pdpte[i]);
	w->pdptes_loaded = true;
	memcpy(real->pdpte, w->pdpte, sizeof(w->pdpte));
}

bool rootwalk_regs(struct rootwalk *w, struct smmu_regs *real)
{
	struct vmmu_regs regs;

	vmmu_cpu_real_regs(w->cpu, &regs);
	*real = (struct smmu_regs){ .cr0 = regs.cr0,
				    .cr3 = regs.cr3,
				    .cr4 = regs.cr4,
				    .efer = regs.efer,
				    .pkru = regs.pkru,
				    .pkrs = regs.pkrs,
				    .maxphyaddr = 46,
				    .has_nx = true,
				    .has_1g = true };
	if (real->efer & SMMU_EFER_LMA) {
		w->pdptes_loaded = false;
		return true;
	}
	load_pdptes(w, real);
	return real->cr3 >> 32 == 0;
}

void rootwalk_access(struct rootwalk *w, const struct smmu_regs *real,
		     gva_t gva, unsigned access, struct smmu_result *out)
{
	struct smmu_mem mem = { .load = load, .swap = swap, .ctx = w };

	smmu_access(real, &mem, gva, access, SMMU_UPDATE, out);
}

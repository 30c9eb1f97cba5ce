/*
 * The TLB model: a small fully associative array, replaced in turn. Rights
 * are checked at each hit with the registers of that moment, as hardware
 * does: SDM 3A 4.10.2.2.
 */
#include "tlb.h"

#include <string.h>

#include "smmu_regs.h"

static uint16_t current_pcid(const struct smmu_regs *regs)
{
	if (!(regs->cr4 & SMMU_CR4_PCIDE))
		return 0;
	return regs->cr3 & 0xfff;
}

static bool holds(const struct tlb_entry *e, uint16_t pcid, gva_t gva)
{
	return e->valid && (e->pcid == pcid || e->rights.global) &&
	       gva.v >> e->page_shift == e->page >> e->page_shift;
}

static bool serves(const struct tlb_entry *e, const struct smmu_regs *regs,
		   unsigned access)
{
	if ((access & VMMU_W) && (!e->rights.dirty || !e->nested_write))
		return false;
	if ((access & VMMU_X) && !e->nested_exec)
		return false;
	return smmu_rights(regs, &e->rights, access) == 0;
}

void tlb_init(struct tlb *t)
{
	memset(t, 0, sizeof(*t));
}

const struct tlb_entry *tlb_find(struct tlb *t, const struct smmu_regs *regs,
				 gva_t gva, unsigned access)
{
	uint16_t pcid = current_pcid(regs);

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		const struct tlb_entry *e = &t->entry[i];

		if (holds(e, pcid, gva) && serves(e, regs, access)) {
			t->hits++;
			return e;
		}
	}
	t->misses++;
	return NULL;
}

void tlb_fill(struct tlb *t, const struct smmu_regs *regs,
	      const struct tlb_entry *e)
{
	uint64_t offset = (UINT64_C(1) << e->page_shift) - 1;
	struct tlb_entry *into = &t->entry[t->next];

	*into = *e;
	into->valid = true;
	into->pcid = current_pcid(regs);
	into->page &= ~offset;
	into->gpa.v &= ~offset;
	into->hpa.v &= ~offset;
	t->next = (t->next + 1) % TLB_ENTRIES;
	t->filled++;
}

void tlb_invlpg(struct tlb *t, const struct smmu_regs *regs, gva_t gva)
{
	uint16_t pcid = current_pcid(regs);

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *e = &t->entry[i];
		unsigned shift = e->rights.page_shift;

		if ((e->pcid == pcid || e->rights.global) &&
		    gva.v >> shift == e->page >> shift)
			e->valid = false;
	}
}

void tlb_load_cr3(struct tlb *t, const struct smmu_regs *regs, bool keep)
{
	uint16_t pcid = current_pcid(regs);

	if (keep && (regs->cr4 & SMMU_CR4_PCIDE))
		return;
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *e = &t->entry[i];

		if (e->pcid == pcid && !e->rights.global)
			e->valid = false;
	}
}

void tlb_flush_all(struct tlb *t)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		t->entry[i].valid = false;
}

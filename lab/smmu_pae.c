/*
 * PAE paging: SDM 3A 4.4, tables 4-8 to 4-11; APM 2 5.2.3.
 *
 *   linear address  | 31..30 PDPTE | 29..21 PDE | 20..12 PTE | 11..0 |
 *                   | 31..30 PDPTE | 29..21 PDE | 20..0 of a 2 MiB page |
 *
 * The four PDPTEs are registers, loaded with CR3; they carry no permissions
 * and no accessed flag. APM 2 15.25.10: with nested paging an AMD processor
 * reads them from memory in each walk, where a reserved bit is a fault.
 */
#include "smmu_walk.h"

#include "smmu_regs.h"

/* Tables 4-9 to 4-11: 62..M, and 63 too unless no-execute is in force. */
static uint64_t always_reserved(const struct smmu_regs *regs)
{
	uint64_t reserved = smmu_bits(62, regs->maxphyaddr);

	return smmu_nx(regs) ? reserved : reserved | SMMU_XD;
}

static void page_table(struct smmu_walk *w, uint64_t table)
{
	uint64_t pte;

	if (!smmu_use(w, table | (w->va >> 12 & 0x1ff) << 3, 8, true, &pte))
		return;
	if (!(pte & SMMU_P)) {
		smmu_not_present(w);
		return;
	}
	if (pte & always_reserved(w->regs)) {
		smmu_reserved(w);
		return;
	}
	smmu_join(w, pte);
	smmu_map(w, pte, pte & smmu_bits(51, 12), 12);
}

static void page_directory(struct smmu_walk *w, uint64_t directory)
{
	uint64_t reserved = always_reserved(w->regs);
	uint64_t pde;

	if (!smmu_use(w, directory | (w->va >> 21 & 0x1ff) << 3, 8, true, &pde))
		return;
	if (!(pde & SMMU_P)) {
		smmu_not_present(w);
		return;
	}
	if (pde & SMMU_PS)
		reserved |= smmu_bits(20, 13);
	if (pde & reserved) {
		smmu_reserved(w);
		return;
	}
	smmu_join(w, pde);
	if (pde & SMMU_PS)
		smmu_map(w, pde, pde & smmu_bits(51, 21), 21);
	else
		page_table(w, pde & smmu_bits(51, 12));
}

/* Table 4-8. A register's reserved bits were checked when it was loaded. In
 * memory bit 5 is let pass: QEMU's SVM uses it as an accessed flag. */
static bool pdpte_bad(const struct smmu_regs *regs, uint64_t pdpte)
{
	uint64_t reserved = smmu_bits(2, 1) | smmu_bits(8, 6) |
			    smmu_bits(63, regs->maxphyaddr);

	return regs->pdpte_in_memory && (pdpte & reserved);
}

void smmu_pae(struct smmu_walk *w)
{
	uint64_t pointers = w->regs->cr3 & smmu_bits(31, 5);
	uint64_t pdpte;

	w->va &= smmu_bits(31, 0);
	if (!w->regs->pdpte_in_memory)
		pdpte = w->regs->pdpte[w->va >> 30];
	else if (!smmu_use(w, pointers | (w->va >> 30) << 3, 8, false, &pdpte))
		return;
	if (!(pdpte & SMMU_P))
		smmu_not_present(w);
	else if (pdpte_bad(w->regs, pdpte))
		smmu_reserved(w);
	else
		page_directory(w, pdpte & smmu_bits(51, 12));
}

/*
 * 32-bit paging: SDM 3A 4.3, figures 4-2, 4-3 and 4-4; APM 2 5.2.
 *
 *   linear address  | 31..22 PDE | 21..12 PTE | 11..0 |
 *                   | 31..22 PDE |   21..0 of a 4 MiB page |
 *
 * A page directory's entry maps 4 MiB when CR4.PSE and its PS are set; with
 * PSE-36 its bits 20..13 are then address bits 39..32 as far as the
 * processor's physical addresses reach, and the rest of 21..13 is reserved.
 * Entries that refer to tables have no reserved bits, and nothing is
 * no-execute.
 */
#include "smmu_walk.h"

#include "smmu_regs.h"

/* Table 4-4: bits (M-20)..13 hold address bits (M-1)..32, M at most 40. */
static unsigned address_width(const struct smmu_regs *regs)
{
	if (!regs->has_pse36)
		return 32;
	return regs->maxphyaddr < 40 ? regs->maxphyaddr : 40;
}

static void page_4m(struct smmu_walk *w, uint64_t pde)
{
	unsigned m = address_width(w->regs);
	uint64_t high = (pde & smmu_bits(m - 20, 13)) << 19;

	if (pde & smmu_bits(21, m - 19)) {
		smmu_reserved(w);
		return;
	}
	smmu_map(w, pde, high | (pde & smmu_bits(31, 22)), 22);
}

static void page_table(struct smmu_walk *w, uint64_t table)
{
	uint64_t pte;

	if (!smmu_use(w, table | (w->va >> 12 & 0x3ff) << 2, 4, true, &pte))
		return;
	if (!(pte & SMMU_P)) {
		smmu_not_present(w);
		return;
	}
	smmu_join(w, pte);
	smmu_map(w, pte, pte & smmu_bits(31, 12), 12);
}

void smmu_legacy(struct smmu_walk *w)
{
	uint64_t directory = w->regs->cr3 & smmu_bits(31, 12);
	uint64_t pde;

	w->va &= smmu_bits(31, 0);
	if (!smmu_use(w, directory | (w->va >> 22) << 2, 4, true, &pde))
		return;
	if (!(pde & SMMU_P)) {
		smmu_not_present(w);
		return;
	}
	smmu_join(w, pde);
	if ((w->regs->cr4 & SMMU_CR4_PSE) && (pde & SMMU_PS))
		page_4m(w, pde);
	else
		page_table(w, pde & smmu_bits(31, 12));
}

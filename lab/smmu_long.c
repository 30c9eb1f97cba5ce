/*
 * 4-level and 5-level paging: SDM 3A 4.5, tables 4-14 to 4-20; APM 2 5.3.
 *
 *   | 56..48 PML5E | 47..39 PML4E | 38..30 PDPTE | 29..21 PDE | 20..12 PTE |
 *
 * A PDPTE with PS maps 1 GiB where the processor can, a PDE with PS 2 MiB. PS
 * is reserved in the two upper structures. The protection key is in bits
 * 62..59 of the entry that maps the page.
 */
#include "smmu_walk.h"

#include "smmu_regs.h"

/* What makes any entry reserved: 51..M; 63 unless no-execute is in force. */
static uint64_t always_reserved(const struct smmu_regs *regs)
{
	uint64_t reserved = smmu_bits(51, regs->maxphyaddr);

	return smmu_nx(regs) ? reserved : reserved | SMMU_XD;
}

/* Reads the entry for the address bits from low_bit; false ends the walk. */
static bool take(struct smmu_walk *w, uint64_t table, unsigned low_bit,
		 uint64_t *entry)
{
	uint64_t index = w->va >> low_bit & 0x1ff;

	if (!smmu_use(w, table | index << 3, 8, true, entry))
		return false;
	if (!(*entry & SMMU_P)) {
		smmu_not_present(w);
		return false;
	}
	return true;
}

/* Checks reserved bits, `more` being those of this kind of entry alone, and
 * joins the entry's rights; false ends the walk. */
static bool sound(struct smmu_walk *w, uint64_t entry, uint64_t more)
{
	if (entry & (always_reserved(w->regs) | more)) {
		smmu_reserved(w);
		return false;
	}
	smmu_join(w, entry);
	return true;
}

/* Table 4-20. */
static void page_table(struct smmu_walk *w, uint64_t table)
{
	uint64_t pte;

	if (take(w, table, 12, &pte) && sound(w, pte, 0))
		smmu_map(w, pte, pte & smmu_bits(51, 12), 12);
}

/* Tables 4-18 and 4-19. */
static void page_directory(struct smmu_walk *w, uint64_t directory)
{
	uint64_t pde;

	if (!take(w, directory, 21, &pde))
		return;
	if (pde & SMMU_PS) {
		if (sound(w, pde, smmu_bits(20, 13)))
			smmu_map(w, pde, pde & smmu_bits(51, 21), 21);
	} else if (sound(w, pde, 0)) {
		page_table(w, pde & smmu_bits(51, 12));
	}
}

/* Tables 4-16 and 4-17. */
static void pointer_table(struct smmu_walk *w, uint64_t table)
{
	uint64_t pdpte, more;

	if (!take(w, table, 30, &pdpte))
		return;
	if (pdpte & SMMU_PS) {
		more = w->regs->has_1g ? smmu_bits(29, 13) : SMMU_PS;
		if (sound(w, pdpte, more))
			smmu_map(w, pdpte, pdpte & smmu_bits(51, 30), 30);
	} else if (sound(w, pdpte, 0)) {
		page_directory(w, pdpte & smmu_bits(51, 12));
	}
}

/* Table 4-15. */
static void pml4(struct smmu_walk *w, uint64_t table)
{
	uint64_t pml4e;

	if (take(w, table, 39, &pml4e) && sound(w, pml4e, SMMU_PS))
		pointer_table(w, pml4e & smmu_bits(51, 12));
}

/* Table 4-14. */
static void pml5(struct smmu_walk *w, uint64_t table)
{
	uint64_t pml5e;

	if (take(w, table, 48, &pml5e) && sound(w, pml5e, SMMU_PS))
		pml4(w, pml5e & smmu_bits(51, 12));
}

/* SDM 1 3.3.7.1: all bits above the address are copies of its highest. */
static bool canonical(uint64_t va, unsigned width)
{
	uint64_t above = va >> (width - 1);

	return above == 0 || above == ~UINT64_C(0) >> (width - 1);
}

void smmu_long(struct smmu_walk *w)
{
	bool five = w->regs->cr4 & SMMU_CR4_LA57;
	uint64_t root = w->regs->cr3 & smmu_bits(w->regs->maxphyaddr - 1, 12);

	if (!canonical(w->va, five ? 57 : 48))
		w->out->outcome = SMMU_NON_CANONICAL;
	else if (five)
		pml5(w, root);
	else
		pml4(w, root);
}

/*
 * Memory types: what a guest's leaf selects, what its MTRRs say of the range,
 * and what comes of both.
 *
 *   leaf: PAT PCD PWT --> one of the eight types in IA32_PAT   SDM 3A 11.12.3
 *   gpa:  fixed ranges below 1 MiB, variable ranges, default   SDM 3A 11.11
 *   both: table 11-7 of SDM 3A 11.5.2.2, below as an array
 */
#include <vmmu/gwalk.h>

#define MTRR_TYPE	 UINT64_C(0xff)
#define MTRR_FIXED	 (UINT64_C(1) << 10) /* of IA32_MTRR_DEF_TYPE */
#define MTRR_ENABLED	 (UINT64_C(1) << 11)
#define MTRR_RANGE_VALID (UINT64_C(1) << 11) /* of a mask register */

#define VARIABLE_MAX 8	       /* ranges that struct vmmu_mtrrs holds */
#define FIXED_END    0x100000u /* the fixed ranges cover the first 1 MiB */
#define FIXED_16K    0x80000u
#define FIXED_4K     0xc0000u
#define BYTES_EACH   8 /* ranges, one byte each, in a fixed-range register */

/* An architectural number that is none of a memory type counts as UC. */
static enum vmmu_memtype memtype(uint64_t number)
{
	switch (number) {
	case VMMU_WC:
	case VMMU_WT:
	case VMMU_WP:
	case VMMU_WB:
	case VMMU_UC_MINUS:
		return (enum vmmu_memtype)number;
	default:
		return VMMU_UC;
	}
}

enum vmmu_memtype vmmu_memtype_combine(enum vmmu_memtype pat,
				       enum vmmu_memtype mtrr)
{
	/* [mtrr][pat]. The rows of numbers 2, 3 and 7, which no MTRR may
	 * hold, and the columns 2 and 3 are UC. */
	static const uint8_t effective[8][8] = {
		[VMMU_UC] = { [VMMU_WC] = VMMU_WC },
		[VMMU_WC] = { [VMMU_UC_MINUS] = VMMU_WC,
			      [VMMU_WC] = VMMU_WC,
			      [VMMU_WB] = VMMU_WC },
		[VMMU_WT] = { [VMMU_WC] = VMMU_WC,
			      [VMMU_WT] = VMMU_WT,
			      [VMMU_WB] = VMMU_WT,
			      [VMMU_WP] = VMMU_WP },
		[VMMU_WP] = { [VMMU_UC_MINUS] = VMMU_WC,
			      [VMMU_WC] = VMMU_WC,
			      [VMMU_WT] = VMMU_WT,
			      [VMMU_WB] = VMMU_WP,
			      [VMMU_WP] = VMMU_WP },
		[VMMU_WB] = { [VMMU_WC] = VMMU_WC,
			      [VMMU_WT] = VMMU_WT,
			      [VMMU_WB] = VMMU_WB,
			      [VMMU_WP] = VMMU_WP },
	};

	return (enum vmmu_memtype)effective[mtrr & 7][pat & 7];
}

enum vmmu_memtype vmmu_memtype_of_leaf(const struct vmmu_mode *mode,
				       unsigned level, uint64_t leaf)
{
	const struct pt_level *row;
	unsigned index = 0;

	/* Without paging no PAT entry is selected: the MTRRs decide. */
	if (!mode->format)
		return VMMU_WB;
	row = &mode->format->level[level];
	if (leaf & row->pwt)
		index |= 1;
	if (leaf & row->pcd)
		index |= 2;
	if (leaf & row->pat)
		index |= 4;
	return memtype(mode->regs.pat >> index * 8 & 7);
}

/* Below 1 MiB: one register of 64 KiB ranges, two of 16 KiB, eight of 4 KiB. */
static enum vmmu_memtype fixed_type(const struct vmmu_mtrrs *m, unsigned addr)
{
	unsigned range;

	if (addr < FIXED_16K)
		range = addr >> 16;
	else if (addr < FIXED_4K)
		range = BYTES_EACH + ((addr - FIXED_16K) >> 14);
	else
		range = 3 * BYTES_EACH + ((addr - FIXED_4K) >> 12);
	return memtype(m->fixed[range / BYTES_EACH] >> range % BYTES_EACH * 8 &
		       MTRR_TYPE);
}

/* Where variable ranges overlap: UC wins, WT beats WB, and what is undefined
 * is UC, which is never wrong but in speed. SDM 3A 11.11.4.1. */
static enum vmmu_memtype overlap(enum vmmu_memtype a, enum vmmu_memtype b)
{
	if (a == b)
		return a;
	if ((a == VMMU_WT && b == VMMU_WB) || (a == VMMU_WB && b == VMMU_WT))
		return VMMU_WT;
	return VMMU_UC;
}

enum vmmu_memtype vmmu_mtrr_type(const struct vmmu_mtrrs *m, gpa_t gpa)
{
	uint64_t width = ((UINT64_C(1) << m->maxphyaddr) - 1) & ~VMMU_PAGE_MASK;
	enum vmmu_memtype type = memtype(m->def_type & MTRR_TYPE);
	bool found = false;

	if (!(m->def_type & MTRR_ENABLED))
		return VMMU_UC;
	if ((m->def_type & MTRR_FIXED) && gpa.v < FIXED_END)
		return fixed_type(m, (unsigned)gpa.v);
	for (unsigned i = 0; i < m->variable_count && i < VARIABLE_MAX; i++) {
		uint64_t mask = m->mask[i] & width;
		enum vmmu_memtype here = memtype(m->base[i] & MTRR_TYPE);

		if (!(m->mask[i] & MTRR_RANGE_VALID) ||
		    ((gpa.v ^ m->base[i]) & mask))
			continue;
		type = found ? overlap(type, here) : here;
		found = true;
	}
	return type;
}

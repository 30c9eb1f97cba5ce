/* The rules of writes to control registers: see cr.h. */
#include "vm/cr.h"

#define CR0_ET (UINT64_C(1) << 4)
#define CR0_DEFINED                                                            \
	UINT64_C(0xe005003f) /* PG CD NW AM WP NE ET TS EM MP PE               \
			      */
#define CR4_PAGING                                                             \
	(VMMU_CR4_PSE | VMMU_CR4_PAE | VMMU_CR4_PGE | VMMU_CR4_LA57 |          \
	 VMMU_CR4_PCIDE | VMMU_CR4_SMEP | VMMU_CR4_SMAP | VMMU_CR4_PKE)

static bool turns_on(uint64_t old, uint64_t now, uint64_t bit)
{
	return now & ~old & bit;
}

static bool turns_off(uint64_t old, uint64_t now, uint64_t bit)
{
	return old & ~now & bit;
}

bool cr0_valid(const struct cr_state *s, uint64_t value)
{
	if (value >> 32)
		return false;
	if ((value & VMMU_CR0_PG) && !(value & VMMU_CR0_PE))
		return false;
	if ((value & VMMU_CR0_NW) && !(value & VMMU_CR0_CD))
		return false;
	/* Into long mode only with PAE, and not from 64-bit code (there is
	 * none yet); out of it not from 64-bit code, nor with PCIDs. */
	if (turns_on(s->cr0, value, VMMU_CR0_PG))
		return !(s->efer & VMMU_EFER_LME) || (s->cr4 & VMMU_CR4_PAE);
	if (turns_off(s->cr0, value, VMMU_CR0_PG))
		return !s->code_64 && !(s->cr4 & VMMU_CR4_PCIDE);
	return true;
}

bool cr4_valid(const struct cr_state *s, uint64_t value)
{
	bool lma = s->efer & VMMU_EFER_LMA;

	if (value & ~s->cr4_offered)
		return false;
	if (lma &&
	    (!(value & VMMU_CR4_PAE) || ((value ^ s->cr4) & VMMU_CR4_LA57)))
		return false;
	return lma || !(value & VMMU_CR4_PCIDE);
}

uint64_t cr0_written(uint64_t value)
{
	return (value & CR0_DEFINED) | CR0_ET;
}

uint64_t cr_efer_after(uint64_t efer, uint64_t cr0)
{
	if ((efer & VMMU_EFER_LME) && (cr0 & VMMU_CR0_PG))
		return efer | VMMU_EFER_LMA;
	return efer & ~VMMU_EFER_LMA;
}

bool cr4_flushes(uint64_t old, uint64_t value)
{
	return (old ^ value) & CR4_PAGING;
}

bool cr0_flushes(uint64_t old, uint64_t value)
{
	return (old ^ value) & (VMMU_CR0_PG | VMMU_CR0_WP | VMMU_CR0_PE);
}

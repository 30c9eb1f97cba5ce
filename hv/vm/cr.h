/*
 * What may be written to CR0, CR3 and CR4, and what follows for EFER.LMA: for
 * schemes that intercept these writes. A refusal is #GP(0). SDM 3A 2.5, 4.1,
 * 4.4.1; APM 2 3.1, 14.6. Pure C.
 */
#ifndef HV_VM_CR_H
#define HV_VM_CR_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/mode.h>

/* Where the guest is when it writes. */
struct cr_state {
	uint64_t cr0, cr4, efer;
	bool code_64;	      /* CS.L, in long mode */
	uint64_t cr4_offered; /* the bits that its CPUID allows */
};

bool cr0_valid(const struct cr_state *s, uint64_t value);
/* With these registers, and this MAXPHYADDR. */
static inline bool cr3_valid(const struct vmmu_regs *r, unsigned maxphyaddr,
			     uint64_t value)
{
	if (!(r->efer & VMMU_EFER_LMA))
		return true;
	if (r->cr4 & VMMU_CR4_PCIDE)
		value &= ~(UINT64_C(1) << 63); /* keep what this PCID cached */
	return !(value >> maxphyaddr);
}

bool cr4_valid(const struct cr_state *s, uint64_t value);

/* CR0 as it reads after the write: ET is always set, the low reserved bits
 * are dropped. */
uint64_t cr0_written(uint64_t value);

/* LMA follows LME and PG. */
uint64_t cr_efer_after(uint64_t efer, uint64_t cr0);

/* Paging is on, with four PDPTEs that MOV to CR3 (and some writes to CR0 and
 * CR4) load and check. */
static inline bool cr_uses_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & VMMU_CR0_PG) && (cr4 & VMMU_CR4_PAE) &&
	       !(efer & VMMU_EFER_LMA);
}

/* A write to CR4 after which no cached translation may be used. */
bool cr4_flushes(uint64_t old, uint64_t value);
/* The same of CR0. */
bool cr0_flushes(uint64_t old, uint64_t value);

#endif

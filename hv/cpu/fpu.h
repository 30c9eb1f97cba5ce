/*
 * x87, SSE and beyond: the hypervisor uses none of it, so a guest's state
 * stays in the registers while it alone runs on a processor. These are for
 * when several vCPUs take turns, and for a guest's start.
 */
#ifndef HV_CPU_FPU_H
#define HV_CPU_FPU_H

#include <stddef.h>
#include <stdint.h>

/* Enables what the processor offers: CR4.OSFXSR, OSXMMEXCPT, OSXSAVE; XCR0
 * with all state components that XSAVE knows. */
void fpu_init(void);

/* The components that XCR0 may have; 0: there is no XSAVE. */
uint64_t fpu_xcr0_mask(void);

/* Bytes of a save area, a multiple of 64; it must be 64-byte aligned and
 * zeroed before its first use. */
size_t fpu_area_size(void);

/* All components, also those that the guest's XCR0 has switched off: their
 * contents must survive. XCR0 is left as it was. */
void fpu_save(void *area);
void fpu_restore(const void *area);

/* The state after reset, whatever was there before. XCR0 becomes 1. */
void fpu_reset(void);

#endif

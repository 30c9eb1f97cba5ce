/*
 * The MSR policy: the guest's MSRs that neither belong to a device nor live
 * in the engine's control block. What a real machine has not is #GP.
 *
 * Most have no effect on how a guest runs under us: they are kept so that a
 * guest reads what it wrote. The caller carries out the rest: after a write
 * of PAT or TSC_AUX the new value must reach the hardware. Pure C.
 */
#ifndef HV_VM_MSR_H
#define HV_VM_MSR_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/gwalk.h>

#include "vm/cpuid.h"

#define MSR_PAT	    0x277u
#define MSR_TSC_AUX 0xc0000103u

/* The machine's first gpa of devices below 4 GiB: uncached by the MTRRs that
 * a guest finds, as firmware leaves them. */
#define MSR_MMIO_BASE UINT64_C(0xc0000000)

/* MSRs that are the guest's to read and write without an exit: the engine
 * switches them with the vCPU, or nobody else uses them. */
#define MSR_OWN 10
extern const uint32_t msr_own[MSR_OWN];

enum msr_answer { MSR_OK, MSR_GP };

#define MSR_KEPT 40 /* at least the rows of msr.c's table */

struct guest_msrs {
	const struct cpuid_table *cpuid;
	uint64_t pat;
	struct vmmu_mtrrs mtrrs;
	uint64_t kept[MSR_KEPT];
};

/* The state after reset and firmware. `cpuid` must outlive *m. */
void msr_init(struct guest_msrs *m, const struct cpuid_table *cpuid);

enum msr_answer msr_read(const struct guest_msrs *m, uint32_t msr,
			 uint64_t *value);
enum msr_answer msr_write(struct guest_msrs *m, uint32_t msr, uint64_t value);

/* IA32_TSC_ADJUST is there; the vCPU keeps it. */
bool msr_has_tsc_adjust(const struct guest_msrs *m);

/*
 * True when a guest may write `value` to EFER: only bits of features that it
 * is shown, and LME only while paging is off (SDM 3A 4.1, APM 2 3.1.7). LMA
 * is not looked at: the processor's own bit stays as it is.
 */
bool msr_efer_valid(uint64_t old, uint64_t value, uint64_t cr0,
		    const struct cpuid_table *cpuid);

#endif

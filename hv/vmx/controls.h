/*
 * What this processor's VMX can do, and the controls that follow. Pure C.
 */
#ifndef HV_VMX_CONTROLS_H
#define HV_VMX_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

/* The capability MSRs as they read: SDM 3D appendix A. */
#define MSR_VMX_BASIC	   0x480u
#define MSR_VMX_PIN	   0x481u
#define MSR_VMX_PROC	   0x482u
#define MSR_VMX_EXIT	   0x483u
#define MSR_VMX_ENTRY	   0x484u
#define MSR_VMX_MISC	   0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_PROC2	   0x48bu
#define MSR_VMX_EPT_VPID   0x48cu
#define MSR_VMX_TRUE_PIN   0x48du
#define MSR_VMX_TRUE_PROC  0x48eu
#define MSR_VMX_TRUE_EXIT  0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u

/* Low half: bits that must be 1; high half: bits that may be 1. The TRUE
 * ones, where there are such. */
struct vmx_caps {
	uint64_t basic, pin, proc, proc2, exit, entry, misc, ept_vpid;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

struct vmx_controls {
	/* Of every guest. */
	uint32_t pin, exit, entry;
	/* Of a guest whose memory EPT translates, and of one that walks a
	 * table of the hypervisor's. */
	uint32_t proc_nested, proc2_nested;
	uint32_t proc_software, proc2_software;
	/* NULL, or why nothing can be nested: a sentence. */
	const char *no_nested;
	uint64_t eptp; /* all of it but the table's address */
	uint8_t max_leaf;
	bool vpid;	/* both kinds of guest have one */
	bool vpid_addr; /* INVVPID of one address */
	bool vpid_one;	/* ... and of one VPID */
	bool ept_one;	/* INVEPT of one table */
	bool pml;
	/* The preemption timer counts what the guest runs, across exits. It
	 * counts down once in so many (log 2) ticks of the TSC. */
	bool timer;
	uint8_t timer_shift;
	/* CR0 and CR4 in VMX operation; the guest of EPT is free of PE, PG. */
	uint64_t cr0_ones, cr0_may, cr4_ones, cr4_may;
};

/* NULL, or what VMX lacks here: a sentence. */
const char *vmx_controls_choose(const struct vmx_caps *caps,
				struct vmx_controls *c);

#endif

/*
 * The CPUID policy: what the guest is told it has. CPUID shows what is
 * virtualized and hides the rest.
 *
 * Built once per VM from the host's leaves, which the caller reads and hands
 * in; then a query is an index and a copy, and for a few leaves a change by
 * the vCPU's present state. Pure C.
 */
#ifndef HV_VM_CPUID_H
#define HV_VM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/mode.h>

struct cpuid_leaf {
	uint32_t leaf, subleaf;
	uint32_t eax, ebx, ecx, edx;
};

/* Room for every leaf that a host may be asked for. */
#define CPUID_MAX 256

/* What a scheme that does not virtualize it wants hidden. */
#define CPUID_HIDE_PSE	     0x001u
#define CPUID_HIDE_PCID	     0x002u /* and INVPCID */
#define CPUID_HIDE_SMEP	     0x004u
#define CPUID_HIDE_SMAP	     0x008u
#define CPUID_HIDE_PKU	     0x010u
#define CPUID_HIDE_LA57	     0x020u
#define CPUID_HIDE_GIB_PAGES 0x040u
#define CPUID_HIDE_NX	     0x080u
#define CPUID_HIDE_MTRR	     0x100u
#define CPUID_HIDE_X2APIC    0x200u
/* ERMS and FSRM: SDM 2, REP, they hold while IA32_MISC_ENABLE has fast strings
 * on. */
#define CPUID_HIDE_FAST_STRINGS 0x400u
#define CPUID_HIDE_PGE		0x800u
#define CPUID_HIDE_TSC_ADJUST	0x1000u
#define CPUID_HIDE_FSGSBASE	0x2000u
/* What only hardware paging gives for nothing. */
#define CPUID_HIDE_PAGING (CPUID_HIDE_PCID | CPUID_HIDE_GIB_PAGES)

struct cpuid_config {
	unsigned cpus; /* their APIC ids are 0 .. cpus - 1 */
	uint32_t tsc_khz;
	uint32_t hide; /* CPUID_HIDE_* */
	/* Loading a null selector is known to clear the segment's base,
	 * whether or not the host's leaf says so. */
	bool null_clears_base;
	uint64_t xcr0;	    /* states a guest may enable, of those the host has;
			     * 0: x87, SSE, AVX and PKRU */
	uint8_t maxphyaddr; /* 0: the host's */
};

/* The vCPU's state that shows in CPUID. */
struct cpuid_dynamic {
	uint64_t cr4, xcr0;
	uint32_t apic_id;
	bool apic_enabled;
};

/* One leaf's place in the table. */
struct cpuid_slot {
	uint8_t first, count; /* rows */
	uint8_t dynamic;      /* what to change at a query */
	uint8_t pad;
	uint32_t indexed; /* all ones: the subleaf selects a row; else 0 */
};

#define CPUID_BASIC	 0x20
#define CPUID_EXTENDED	 0x30
#define CPUID_HYPERVISOR 2
#define CPUID_ROWS	 96
#define CPUID_STATES	 10 /* XCR0 bits that may be shown: 0 .. 9 */

struct cpuid_table {
	struct cpuid_slot basic[CPUID_BASIC];
	struct cpuid_slot extended[CPUID_EXTENDED];
	struct cpuid_slot hypervisor[CPUID_HYPERVISOR];
	uint32_t row[CPUID_ROWS][4]; /* row 0: zeros */
	unsigned row_count;
	/* What a leaf past the end reads as: SDM 2, CPUID. */
	uint32_t beyond; /* Intel: the last basic leaf; AMD: one of zeros */
	bool intel;
	uint64_t xcr0;		     /* states that may be enabled */
	uint64_t efer;		     /* EFER bits that may be set */
	uint64_t cr4;		     /* CR4 bits that may be set */
	struct vmmu_features paging; /* all but pdptes_in_memory */
	/* XSAVE area by state: offset, size. */
	uint32_t state_offset[CPUID_STATES], state_size[CPUID_STATES];
};

/*
 * Builds the guest's table from `host_count` leaves of the host, in any
 * order: each of the basic leaves up to the host's last, with subleaves of 4,
 * 7, 0Dh and 8000_001Dh, and the extended ones. What is missing counts as 0.
 */
void cpuid_build(struct cpuid_table *t, const struct cpuid_config *cfg,
		 const struct cpuid_leaf *host, unsigned host_count);

/* The instruction: EAX, EBX, ECX, EDX. Takes every leaf and subleaf. */
void cpuid_query(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
		 const struct cpuid_dynamic *now, uint32_t regs[4]);

/* The same in two steps, so that a vCPU's state is gathered only for the few
 * leaves that show it: nonzero is what cpuid_apply is to be told. */
unsigned cpuid_look_up(const struct cpuid_table *t, uint32_t leaf,
		       uint32_t subleaf, uint32_t regs[4]);
void cpuid_apply(const struct cpuid_table *t, unsigned dynamic,
		 uint32_t subleaf, const struct cpuid_dynamic *now,
		 uint32_t regs[4]);

/* What XSETBV may load: SDM 1 13.3. */
bool cpuid_xcr0_valid(const struct cpuid_table *t, uint64_t xcr0);

#endif

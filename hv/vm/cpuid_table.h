/* What building the CPUID table and looking it up share. */
#ifndef HV_VM_CPUID_TABLE_H
#define HV_VM_CPUID_TABLE_H

#include "vm/cpuid.h"

enum { EAX, EBX, ECX, EDX };

/* What the vCPU's state changes in a leaf at each query. */
enum cpuid_dynamic_kind {
	STATIC,
	DYNAMIC_1,	  /* APIC id, APIC, OSXSAVE */
	DYNAMIC_7,	  /* OSPKE */
	DYNAMIC_TOPOLOGY, /* the x2APIC id */
	DYNAMIC_XSAVE,	  /* sizes for the present XCR0 */
	DYNAMIC_X1,	  /* APIC, on AMD */
	DYNAMIC_X1E,	  /* APIC id */
};

#define CPUID_BASIC_LAST      0x0du /* the last that has anything to say */
#define CPUID_EXTENDED_BASE   0x80000000u
#define CPUID_HYPERVISOR_BASE 0x40000000u

/* Bytes of the XSAVE area that holds these states: SDM 1 13.4. */
uint32_t cpuid_xsave_size(const struct cpuid_table *t, uint64_t states);

#endif

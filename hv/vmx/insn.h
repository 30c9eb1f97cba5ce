/*
 * VMX's instructions, one inline function each: Intel SDM 3C chapter 30. CF
 * or ZF set is a failure; a read or write of a field fails only where there is
 * no current VMCS or no such field, which is then of no use to be told.
 */
#ifndef HV_VMX_INSN_H
#define HV_VMX_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmcs.h"

static inline uint64_t vmread(enum vmcs_field field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0"
			 : "=r"(value)
			 : "r"((uint64_t)field)
			 : "cc");
	return value;
}

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
	__asm__ volatile("vmwrite %0, %1"
			 :
			 : "r"(value), "r"((uint64_t)field)
			 : "cc");
}

/* The nth of fields that follow one another by 2. */
static inline enum vmcs_field vmcs_nth(enum vmcs_field first, unsigned n)
{
	return (enum vmcs_field)((unsigned)first + 2 * n);
}

static inline bool vmxon(uint64_t region)
{
	bool bad;

	__asm__ volatile("vmxon %1" : "=@ccbe"(bad) : "m"(region) : "memory");
	return !bad;
}

static inline bool vmclear(uint64_t region)
{
	bool bad;

	__asm__ volatile("vmclear %1" : "=@ccbe"(bad) : "m"(region) : "memory");
	return !bad;
}

static inline bool vmptrld(uint64_t region)
{
	bool bad;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(bad) : "m"(region) : "memory");
	return !bad;
}

#define INVEPT_ONE   1u /* this EPTP */
#define INVEPT_ALL   2u
#define INVVPID_ADDR 0u /* one address of this VPID */
#define INVVPID_ONE  1u /* this VPID */
#define INVVPID_ALL  2u

static inline void invept(uint64_t type, uint64_t eptp)
{
	const uint64_t descriptor[2] = { eptp, 0 };

	__asm__ volatile("invept %0, %1"
			 :
			 : "m"(descriptor), "r"(type)
			 : "cc", "memory");
}

static inline void invvpid(uint64_t type, uint16_t vpid, uint64_t gva)
{
	const uint64_t descriptor[2] = { vpid, gva };

	__asm__ volatile("invvpid %0, %1"
			 :
			 : "m"(descriptor), "r"(type)
			 : "cc", "memory");
}

#endif

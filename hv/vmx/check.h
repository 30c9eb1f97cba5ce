/*
 * The checks that VM entry makes, made again in software and told by name: the
 * processor only says that one of them has failed. Pure C: fields are read
 * through a function.
 */
#ifndef HV_VMX_CHECK_H
#define HV_VMX_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/controls.h"
#include "vmx/vmcs.h"

struct vmx_check {
	uint64_t (*read)(void *ctx, enum vmcs_field field);
	/* Once for each check that fails, with a sentence's beginning. */
	void (*failed)(void *ctx, const char *what);
	void *ctx;
	const struct vmx_caps *caps; /* for vmx_check_own */
	const struct vmx_controls *controls;
	uint8_t maxphyaddr;
	uint8_t linear_bits; /* of the processor: 48 or 57 */
};

/* All of SDM 3C 26.3.1, in its order. Answers how many have failed. */
unsigned vmx_check_guest(const struct vmx_check *check);

/* Of SDM 3C 26.2 what can fail with the fields that the engine uses: controls
 * and the host's state. The same. */
unsigned vmx_check_own(const struct vmx_check *check);

/* As far as this processor's linear addresses go, whatever mode its guest is
 * in. */
static inline bool vmx_canonical(const struct vmx_check *check,
				 uint64_t address)
{
	unsigned free = 64u - check->linear_bits;

	return (uint64_t)((int64_t)(address << free) >> free) == address;
}

/* Each of the eight is a memory type. */
bool vmx_pat_valid(uint64_t pat);

/* What an entry that was refused before that means: SDM 3C 30.4. */
const char *vmx_error_name(uint32_t error);

#endif

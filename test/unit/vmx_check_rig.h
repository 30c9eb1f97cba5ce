/*
 * What the tests of the VM-entry checks share: the fields of a VMCS as an
 * array, and the first rule that was told to be broken.
 */
#ifndef TEST_UNIT_VMX_CHECK_RIG_H
#define TEST_UNIT_VMX_CHECK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "vmx/check.h"

#define FIELDS 0x7000

static struct rig {
	uint64_t field[FIELDS];
	unsigned count;
	uint8_t linear_bits; /* 0: 48 */
	char first[96];
} rig;

static const struct vmx_controls controls = {
	.eptp = VMX_EPTP_WB | VMX_EPTP_4_LEVELS,
	.cr0_ones = 0x80000021,
	.cr0_may = 0xffffffff,
	.cr4_ones = 0x2000,
	.cr4_may = 0x3767ff,
};

static uint64_t read_field(void *ctx, enum vmcs_field field)
{
	struct rig *r = ctx;

	assert_true(field < FIELDS);
	return r->field[field];
}

static void failed(void *ctx, const char *what)
{
	struct rig *r = ctx;

	if (!r->count++)
		strcpy(r->first, what);
}

/* How many rules `rules` finds broken; the first is in rig.first. */
static unsigned check_by(unsigned (*rules)(const struct vmx_check *c),
			 const struct vmx_caps *caps)
{
	const struct vmx_check c = {
		.read = read_field,
		.failed = failed,
		.ctx = &rig,
		.caps = caps,
		.controls = &controls,
		.maxphyaddr = 39,
		.linear_bits = rig.linear_bits ? rig.linear_bits : 48,
	};

	rig.count = 0;
	rig.first[0] = '\0';
	return rules(&c);
}

#endif

/*
 * hv/vmx/check_own.c: fields that are right pass, and one made wrong is told by
 * its name, for each rule.
 */
#include "vmx_check_rig.h"

#define HIGH(cap) ((uint64_t)(cap) << 32)

static const struct vmx_caps caps = {
	.pin = HIGH(0x7f) | 0x16,
	.proc = HIGH(0xfff9fffe) | 0x04006172,
	.proc2 = HIGH(0x1ff7fe),
	.exit = HIGH(0x7fffff) | 0x36dfb,
	.entry = HIGH(0xffff) | 0x11fb,
};

static unsigned check(void)
{
	return check_by(vmx_check_own, &caps);
}

/* A nested guest, with its log, about to take a page fault. */
static int setup(void **state)
{
	uint64_t *f = rig.field;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	f[VMCS_PIN_CONTROLS] = 0x7f;
	f[VMCS_PROC_CONTROLS] = 0x04006172 | VMX_PROC_MSR_BITMAP |
				VMX_PROC_SECONDARY;
	f[VMCS_PROC2_CONTROLS] = VMX_PROC2_EPT | VMX_PROC2_VPID |
				 VMX_PROC2_UNRESTRICTED | VMX_PROC2_PML;
	f[VMCS_EXIT_CONTROLS] = 0x36dfb | VMX_EXIT_HOST_64 |
				VMX_EXIT_SAVE_TIMER;
	f[VMCS_ENTRY_CONTROLS] = 0x11fb;
	f[VMCS_VPID] = 1;
	f[VMCS_MSR_BITMAP] = 0x5000;
	f[VMCS_PML_ADDRESS] = 0x6000;
	f[VMCS_EPT_POINTER] = 0x7000 | 3 << 3 | 6;
	f[VMCS_GUEST_CR0] = 0x80000031;
	f[VMCS_ENTRY_EVENT] = VMX_EVENT_VALID | VMX_EVENT_ERROR |
			      VMX_EVENT_EXCEPTION | 14;
	f[VMCS_HOST_CR0] = 0x80010033;
	f[VMCS_HOST_CR4] = 0x2020;
	f[VMCS_HOST_CR3] = 0x1000;
	f[VMCS_HOST_PAT] = UINT64_C(0x0007040600070406);
	f[VMCS_HOST_EFER] = 0xd01;
	f[VMCS_HOST_CS] = 0x8;
	f[VMCS_HOST_TR] = 0x18;
	f[VMCS_HOST_RIP] = UINT64_C(0xffff800000100000);
	return 0;
}

static void what_is_right_passes(void **state)
{
	(void)state;
	assert_int_equal(check(), 0);
	/* No secondary controls: what they hold is of no account. */
	rig.field[VMCS_PROC_CONTROLS] &= ~(uint64_t)VMX_PROC_SECONDARY;
	rig.field[VMCS_PROC2_CONTROLS] = UINT32_MAX;
	rig.field[VMCS_VPID] = 0;
	assert_int_equal(check(), 0);
	/* No event: the rest of its word is not looked at. */
	rig.field[VMCS_ENTRY_EVENT] = ~(uint64_t)VMX_EVENT_VALID;
	assert_int_equal(check(), 0);
}

static const struct {
	enum vmcs_field field;
	uint64_t value;
	const char *word;
} wrongs[] = {
	{ VMCS_PIN_CONTROLS, 0x7d, "pin-based" },
	{ VMCS_PIN_CONTROLS, 0xff, "pin-based" },
	{ VMCS_PIN_CONTROLS, 0x77, "without NMI exiting" },
	{ VMCS_PIN_CONTROLS, 0x3f, "timer" },
	{ VMCS_PROC_CONTROLS, 0x14006172 | 1u << 31 | 1, "processor-based" },
	{ VMCS_PROC2_CONTROLS, 0x2 | 1, "secondary" },
	{ VMCS_PROC2_CONTROLS, VMX_PROC2_UNRESTRICTED, "unrestricted" },
	{ VMCS_PROC2_CONTROLS, VMX_PROC2_PML, "logging without EPT" },
	{ VMCS_EXIT_CONTROLS, 0x36dfb | 1u << 23, "exit controls" },
	{ VMCS_EXIT_CONTROLS, 0x36ffa, "exit controls" },
	{ VMCS_EXIT_CONTROLS, 0x36dfb, "long mode" },
	{ VMCS_ENTRY_CONTROLS, 0x11fa, "entry controls" },
	{ VMCS_CR3_TARGETS, 5, "CR3 targets" },
	{ VMCS_MSR_BITMAP, 0x5008, "MSR bitmap" },
	{ VMCS_MSR_BITMAP, UINT64_C(1) << 40, "MSR bitmap" },
	{ VMCS_VPID, 0, "VPID" },
	{ VMCS_PML_ADDRESS, 0x6001, "log is no page" },
	{ VMCS_EPT_POINTER, 0x7000 | 3 << 3 | 5, "memory type" },
	{ VMCS_EPT_POINTER, 0x7000 | 4 << 3 | 6, "4 levels" },
	{ VMCS_EPT_POINTER, 0x7000 | 1 << 6 | 3 << 3 | 6, "A and D" },
	{ VMCS_EPT_POINTER, 0x7080 | 3 << 3 | 6, "reserved" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000100), "type is reserved" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000203), "vector" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000320), "vector" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x8000030e), "error code" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000820), "error code" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80001020), "reserved bits" },
	{ VMCS_ENTRY_ERROR, 0x10000, "16 bits" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000403), "length" },
	{ VMCS_ENTRY_EVENT, UINT64_C(0x80000603), "length" },
	{ VMCS_GUEST_CR0, 0x30, "error code" }, /* a vector in real mode */
	{ VMCS_HOST_CR0, 0x80010013, "host's CR0" },
	{ VMCS_HOST_CR4, 0x20, "host's CR4" },
	{ VMCS_HOST_CR4, 0x2000, "long mode" },
	{ VMCS_HOST_CR3, UINT64_C(1) << 39, "host's CR3" },
	{ VMCS_HOST_PAT, 2, "host's PAT" },
	{ VMCS_HOST_EFER, 0xd03, "host's EFER" },
	{ VMCS_HOST_EFER, 0x801, "host's EFER" },
	{ VMCS_HOST_CS, 0, "CS or TR is null" },
	{ VMCS_HOST_TR, 0, "CS or TR is null" },
	{ VMCS_HOST_DS, 0x13, "TI or RPL" },
	{ VMCS_HOST_GDTR_BASE, UINT64_C(1) << 50, "not canonical" },
	{ VMCS_HOST_RIP, UINT64_C(1) << 47, "not canonical" },
};

static void what_is_wrong_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		setup(state);
		rig.field[wrongs[i].field] = wrongs[i].value;
		assert_int_not_equal(check(), 0);
		if (!strstr(rig.first, wrongs[i].word))
			fail_msg("row %zu: '%s' is not about %s", i, rig.first,
				 wrongs[i].word);
	}
}

static void soft_events(void **state)
{
	(void)state;
	rig.field[VMCS_ENTRY_EVENT] = VMX_EVENT_VALID | VMX_EVENT_SOFT | 0x80;
	rig.field[VMCS_ENTRY_LENGTH] = 2;
	assert_int_equal(check(), 0);
	rig.field[VMCS_ENTRY_LENGTH] = 16;
	assert_int_equal(check(), 1);
}

/* Two fields at once. */
static void windows(void **state)
{
	(void)state;
	rig.field[VMCS_PIN_CONTROLS] &= ~(uint64_t)VMX_PIN_VIRTUAL_NMI;
	assert_int_equal(check(), 0);
	rig.field[VMCS_PROC_CONTROLS] |= VMX_PROC_NMI_WINDOW;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "without virtual NMIs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_right_passes, setup),
		cmocka_unit_test_setup(what_is_wrong_is_named, setup),
		cmocka_unit_test_setup(soft_events, setup),
		cmocka_unit_test_setup(windows, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

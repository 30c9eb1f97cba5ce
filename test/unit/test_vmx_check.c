/*
 * hv/vmx/check.c: a state that is right passes, and one thing made wrong is
 * told by its name, for each rule.
 */
#include "vmx_check_rig.h"

#define ODD UINT64_C(0x800000000000) /* not canonical */

static unsigned check(void)
{
	return check_by(vmx_check_guest, NULL);
}

static void segment(unsigned n, uint64_t selector, uint64_t rights,
		    uint64_t limit)
{
	rig.field[VMCS_GUEST_ES + 2 * n] = selector;
	rig.field[VMCS_GUEST_ES_RIGHTS + 2 * n] = rights;
	rig.field[VMCS_GUEST_ES_LIMIT + 2 * n] = limit;
	rig.field[VMCS_GUEST_ES_BASE + 2 * n] = 0;
}

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

/* 64-bit mode at CPL 0, without EPT. */
static int setup(void **state)
{
	uint64_t *f = rig.field;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	f[VMCS_ENTRY_CONTROLS] = VMX_ENTRY_GUEST_64;
	f[VMCS_GUEST_CR0] = 0x80050033;
	f[VMCS_GUEST_CR3] = 0x1000;
	f[VMCS_GUEST_CR4] = 0x26f0;
	f[VMCS_GUEST_EFER] = 0xd01;
	f[VMCS_GUEST_PAT] = UINT64_C(0x0007040600070406);
	f[VMCS_GUEST_DR7] = 0x400;
	f[VMCS_GUEST_RFLAGS] = 0x202;
	f[VMCS_GUEST_RIP] = UINT64_C(0xffffffff81000000);
	f[VMCS_LINK] = UINT64_MAX;
	for (unsigned i = ES; i <= GS; i++)
		segment(i, 0x18, 0xc093, UINT32_MAX);
	segment(CS, 0x10, 0xa09b, UINT32_MAX);
	segment(LDTR, 0, 0x10000, 0);
	segment(TR, 0x40, 0x8b, 0x67);
	return 0;
}

/* Unpaged protected mode under EPT, as a guest starts. */
static void nest(void)
{
	rig.field[VMCS_PROC2_CONTROLS] = VMX_PROC2_EPT | VMX_PROC2_UNRESTRICTED;
	rig.field[VMCS_ENTRY_CONTROLS] = 0;
	rig.field[VMCS_GUEST_CR0] = 0x31;
	rig.field[VMCS_GUEST_CR4] = 0x2040;
	rig.field[VMCS_GUEST_EFER] = 0;
	rig.field[VMCS_GUEST_RIP] = 0x100000;
	segment(CS, 0x10, 0xc09b, UINT32_MAX);
}

static void what_is_right_passes(void **state)
{
	(void)state;
	assert_int_equal(check(), 0);
	nest();
	assert_int_equal(check(), 0);
	/* Just behind the last address there is: the fetch will fault. */
	setup(state);
	rig.field[VMCS_GUEST_RIP] = ODD;
	assert_int_equal(check(), 0);
	nest();
	/* Real mode: CS is a data segment, as reset leaves it. */
	rig.field[VMCS_GUEST_CR0] = 0x30;
	segment(CS, 0xf000, 0x93, 0xffff);
	rig.field[VMCS_GUEST_RIP] = 0xfff0;
	assert_int_equal(check(), 0);
}

static void virtual_8086(void **state)
{
	(void)state;
	nest();
	rig.field[VMCS_GUEST_CR0] = 0x80000031;
	rig.field[VMCS_GUEST_RFLAGS] = 0x20202;
	for (unsigned i = ES; i <= GS; i++) {
		segment(i, 0x1000, 0xf3, 0xffff);
		rig.field[VMCS_GUEST_ES_BASE + 2 * i] = 0x10000;
	}
	assert_int_equal(check(), 0);
	rig.field[VMCS_GUEST_ES_BASE + 2 * DS] = 0x10001;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "virtual-8086"));
}

struct wrong {
	enum vmcs_field field;
	uint64_t value;
	const char *word; /* of the sentence */
};

#define NTH(first, n) ((enum vmcs_field)((first) + 2 * (n)))
#define RIGHTS(n)     NTH(VMCS_GUEST_ES_RIGHTS, n)
#define BASE(n)	      NTH(VMCS_GUEST_ES_BASE, n)
#define LIMIT(n)      NTH(VMCS_GUEST_ES_LIMIT, n)

static const struct wrong wrongs[] = {
	{ VMCS_GUEST_CR0, 0x80050013, "CR0 has a bit" }, /* NE */
	{ VMCS_GUEST_CR4, 0x6f0, "CR4 has a bit" },	 /* VMXE */
	{ VMCS_GUEST_CR4, 0x26d0, "CR4.PAE" },
	{ VMCS_GUEST_CR3, UINT64_C(1) << 39, "CR3" },
	{ VMCS_GUEST_DEBUGCTL, 4, "DEBUGCTL" },
	{ VMCS_GUEST_DEBUGCTL, 1 << 16, "DEBUGCTL" },
	{ VMCS_GUEST_DR7, UINT64_C(1) << 32, "DR7" },
	{ VMCS_GUEST_SYSENTER_ESP, ODD, "SYSENTER_ESP" },
	{ VMCS_GUEST_SYSENTER_EIP, ODD, "SYSENTER_EIP" },
	{ VMCS_GUEST_PAT, 2, "PAT" },
	{ VMCS_GUEST_EFER, 0xd03, "EFER has a reserved" },
	{ VMCS_GUEST_EFER, 0x901, "EFER.LMA" },
	{ BASE(CS), UINT64_C(1) << 32, "CS has a base" },
	{ BASE(SS), UINT64_C(1) << 32, "SS has a base" },
	{ BASE(FS), ODD, "FS's base" },
	{ BASE(TR), ODD, "TR's base" },
	{ RIGHTS(TR), 0x89, "TR is no busy" },
	{ RIGHTS(TR), 0x83, "TR is no busy" }, /* 16-bit */
	{ RIGHTS(TR), 0x1008b, "TR is no busy" },
	{ LIMIT(TR), 0x100000, "TR has a wrong" },
	{ RIGHTS(LDTR), 0x8b, "LDTR" },
	{ RIGHTS(CS), 0xa093, "CS is no accessed" },
	{ RIGHTS(CS), 0xa01b, "CS is not present" },
	{ RIGHTS(CS), 0xa0bb, "DPL do not agree" },
	{ RIGHTS(CS), 0xe09b, "both L and D" },
	{ LIMIT(CS), 0xfff00000, "CS's limit" },
	{ RIGHTS(CS), 0xa19b, "CS has reserved" },
	{ NTH(VMCS_GUEST_ES, SS), 0x1b, "RPL" },
	{ RIGHTS(SS), 0xc09b, "SS is no accessed" },
	{ RIGHTS(SS), 0xc013, "SS has wrong" },
	{ RIGHTS(DS), 0xc092, "DS has wrong" },
	{ RIGHTS(GS), 0xc099, "GS has wrong" }, /* unreadable */
	{ VMCS_GUEST_GDTR_BASE, ODD, "GDTR" },
	{ VMCS_GUEST_IDTR_LIMIT, 0x10000, "IDTR" },
	{ VMCS_GUEST_RIP, ODD << 1, "rip" },
	{ VMCS_GUEST_RFLAGS, 0x200, "rflags has reserved" },
	{ VMCS_GUEST_RFLAGS, 0x20a, "rflags has reserved" },
	{ VMCS_GUEST_ACTIVITY, 4, "activity" },
	{ VMCS_GUEST_INTERRUPTIBILITY, 0x20, "interruptibility" },
	{ VMCS_GUEST_INTERRUPTIBILITY, VMX_BLOCK_SMI, "SMIs" },
	{ VMCS_GUEST_INTERRUPTIBILITY, 3, "both STI" },
	{ VMCS_GUEST_PENDING_DEBUG, 0x10, "pending debug" },
	{ VMCS_LINK, 0, "link pointer" },
};

static void what_is_wrong_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		const struct wrong *w = &wrongs[i];

		setup(state);
		rig.field[w->field] = w->value;
		if (!check() || !strstr(rig.first, w->word))
			fail_msg("field 0x%x: \"%s\" does not say \"%s\"",
				 w->field, rig.first, w->word);
	}
}

static void what_is_delivered(void **state)
{
	const uint32_t interrupt = VMX_EVENT_VALID | 0x30;
	const uint32_t nmi = VMX_EVENT_VALID | VMX_EVENT_NMI | 2;

	(void)state;
	rig.field[VMCS_ENTRY_EVENT] = interrupt;
	assert_int_equal(check(), 0);
	rig.field[VMCS_GUEST_INTERRUPTIBILITY] = VMX_BLOCK_STI;
	assert_int_equal(check(), 1);
	rig.field[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	rig.field[VMCS_GUEST_RFLAGS] = 2;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "rflags.IF clear"));
	rig.field[VMCS_ENTRY_EVENT] = nmi;
	assert_int_equal(check(), 0);
	rig.field[VMCS_GUEST_INTERRUPTIBILITY] = VMX_BLOCK_NMI;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "NMI"));
}

/* A processor with 5-level paging has more, in any mode of the guest's. */
static void longer_addresses(void **state)
{
	(void)state;
	rig.field[BASE(FS)] = ODD;
	rig.field[VMCS_GUEST_RIP] = ODD << 8;
	assert_int_equal(check(), 2);
	rig.linear_bits = 57;
	assert_int_equal(check(), 0);
	rig.field[BASE(FS)] = ODD << 9;
	rig.field[VMCS_GUEST_RIP] = ODD << 10;
	assert_int_equal(check(), 2);
}

/* What each activity takes: SDM 3C 26.3.1.5. */
static void what_wakes(void **state)
{
	static const struct {
		uint32_t activity, event;
		bool fits;
	} rows[] = {
		{ VMX_HALTED, VMX_EVENT_INTERRUPT | 0x30, true },
		{ VMX_HALTED, VMX_EVENT_NMI | 2, true },
		{ VMX_HALTED, VMX_EVENT_EXCEPTION | 1, true },
		{ VMX_HALTED, VMX_EVENT_EXCEPTION | 18, true },
		{ VMX_HALTED, VMX_EVENT_EXCEPTION | 14, false },
		{ VMX_HALTED, VMX_EVENT_SOFT | 1, false },
		{ VMX_SHUTDOWN, VMX_EVENT_NMI | 2, true },
		{ VMX_SHUTDOWN, VMX_EVENT_EXCEPTION | 18, true },
		{ VMX_SHUTDOWN, VMX_EVENT_INTERRUPT | 0x30, false },
		{ VMX_WAITS_SIPI, VMX_EVENT_NMI | 2, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(state);
		rig.field[VMCS_GUEST_ACTIVITY] = rows[i].activity;
		assert_int_equal(check(), 0);
		rig.field[VMCS_ENTRY_EVENT] = VMX_EVENT_VALID | rows[i].event;
		assert_int_equal(check(), !rows[i].fits);
		if (!rows[i].fits)
			assert_non_null(strstr(rig.first, "does not take"));
	}
}

static void what_is_not_active(void **state)
{
	(void)state;
	rig.field[VMCS_GUEST_ACTIVITY] = VMX_SHUTDOWN;
	rig.field[VMCS_GUEST_INTERRUPTIBILITY] = VMX_BLOCK_STI;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "not active"));
	setup(state);
	segment(CS, 0x13, 0xa0fb, UINT32_MAX);
	segment(SS, 0x1b, 0xc0f3, UINT32_MAX);
	assert_int_equal(check(), 0);
	rig.field[VMCS_GUEST_ACTIVITY] = VMX_HALTED;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "SS's DPL"));
}

static void a_step_that_is_held(void **state)
{
	(void)state;
	rig.field[VMCS_GUEST_RFLAGS] = 0x302; /* TF */
	rig.field[VMCS_GUEST_INTERRUPTIBILITY] = VMX_BLOCK_STI;
	assert_int_equal(check(), 1);
	rig.field[VMCS_GUEST_PENDING_DEBUG] = 1 << 14;
	assert_int_equal(check(), 0);
}

static void pdptes(void **state)
{
	(void)state;
	nest();
	rig.field[VMCS_GUEST_CR0] = 0x80000031;
	rig.field[VMCS_GUEST_CR4] = 0x2060;
	rig.field[VMCS_GUEST_PDPTE0] = 0x5001;
	rig.field[VMCS_GUEST_PDPTE0 + 2] = 0x6002; /* absent: all may be */
	assert_int_equal(check(), 0);
	rig.field[VMCS_GUEST_PDPTE0] = 0x5003;
	assert_int_equal(check(), 1);
	assert_non_null(strstr(rig.first, "PDPTE"));
	/* Without EPT the processor reads them itself. */
	rig.field[VMCS_PROC2_CONTROLS] = 0;
	rig.field[VMCS_GUEST_CR0] |= 0x20;
	assert_int_equal(check(), 0);
}

static void refusals(void **state)
{
	(void)state;
	assert_non_null(strstr(vmx_error_name(7), "control"));
	assert_non_null(strstr(vmx_error_name(8), "host"));
	assert_non_null(vmx_error_name(99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_right_passes, setup),
		cmocka_unit_test_setup(virtual_8086, setup),
		cmocka_unit_test_setup(what_is_wrong_is_named, setup),
		cmocka_unit_test_setup(what_is_delivered, setup),
		cmocka_unit_test_setup(longer_addresses, setup),
		cmocka_unit_test_setup(what_wakes, setup),
		cmocka_unit_test_setup(what_is_not_active, setup),
		cmocka_unit_test_setup(a_step_that_is_held, setup),
		cmocka_unit_test_setup(pdptes, setup),
		cmocka_unit_test_setup(refusals, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

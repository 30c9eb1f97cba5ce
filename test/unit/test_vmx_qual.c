/* hv/vmx/qual.c: the processor's words and the neutral ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vmx/qual.h"
#include "vmx/vmcs.h"

static void reasons(void **state)
{
	(void)state;
	assert_int_equal(vmx_plain_exit(VMX_REASON_CPUID), EXIT_CPUID);
	assert_int_equal(vmx_plain_exit(VMX_REASON_INTERRUPT), EXIT_INTERRUPT);
	assert_int_equal(vmx_plain_exit(VMX_REASON_TRIPLE_FAULT),
			 EXIT_SHUTDOWN);
	assert_int_equal(vmx_plain_exit(VMX_REASON_EPT_MISCONFIG),
			 EXIT_INVALID);
	/* The upper half has flags. */
	assert_int_equal(vmx_plain_exit(VMX_REASON_HLT | 1u << 27), EXIT_HLT);
	/* Those that say more, or that nobody offers a guest. */
	assert_int_equal(vmx_plain_exit(VMX_REASON_IO), EXIT_KINDS);
	assert_int_equal(vmx_plain_exit(21), EXIT_KINDS); /* VMPTRLD */
	assert_int_equal(vmx_plain_exit(0xffff), EXIT_KINDS);
}

static void ports(void **state)
{
	struct exit_io io;

	(void)state;
	vmx_qual_io(UINT64_C(0x03f80000), &io); /* out %al, $0x3f8 */
	assert_int_equal(io.port, 0x3f8);
	assert_int_equal(io.size, 1);
	assert_false(io.in || io.string);
	vmx_qual_io(UINT64_C(0x0cf8000b), &io); /* in $0xcf8, %eax */
	assert_int_equal(io.port, 0xcf8);
	assert_int_equal(io.size, 4);
	assert_true(io.in);
	vmx_qual_io(UINT64_C(0x01f00039), &io); /* rep insw */
	assert_int_equal(io.size, 2);
	assert_true(io.in && io.string);
}

static void control_registers(void **state)
{
	struct exit_cr cr;

	(void)state;
	vmx_qual_cr(0x0b03, &cr); /* mov %r11, %cr3 */
	assert_int_equal(cr.number, 3);
	assert_int_equal(cr.access, CR_WRITE);
	assert_int_equal(cr.gpr, 11);
	assert_true(cr.told && cr.write);
	vmx_qual_cr(0x0013, &cr); /* mov %cr3, %rax */
	assert_int_equal(cr.access, CR_READ);
	assert_int_equal(cr.gpr, 0);
	assert_false(cr.write);
	vmx_qual_cr(0x20, &cr);
	assert_int_equal(cr.access, CR_CLTS);
	assert_int_equal(cr.number, 0);
	vmx_qual_cr(0xabcd0030, &cr);
	assert_int_equal(cr.access, CR_LMSW);
	assert_int_equal(cr.source, 0xabcd);
}

static void violations(void **state)
{
	struct exit_violation x;

	(void)state;
	vmx_qual_violation(0x181, 0x1234567, &x);
	assert_int_equal(x.gpa.v, 0x1234567);
	assert_int_equal(x.access, VMMU_R);
	assert_false(x.during_walk);
	vmx_qual_violation(0x182, 0, &x);
	assert_int_equal(x.access, VMMU_W);
	vmx_qual_violation(0x184, 0, &x);
	assert_int_equal(x.access, VMMU_X);
	/* With A and D bits a walk both reads and writes. */
	vmx_qual_violation(0x083, 0, &x);
	assert_int_equal(x.access, VMMU_W);
	assert_true(x.during_walk);
	/* No linear address: the PDPTEs of MOV to CR3. */
	vmx_qual_violation(0x001, 0, &x);
	assert_false(x.during_walk);
}

static void events_go_and_come(void **state)
{
	static const struct event events[] = {
		{ EVENT_INTERRUPT, 0x31, false, 0 },
		{ EVENT_NMI, 2, false, 0 },
		{ EVENT_EXCEPTION, 14, true, 0x1f },
		{ EVENT_EXCEPTION, 6, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		uint32_t word = vmx_event_word(&events[i]);
		struct event back = { .type = EVENT_NONE };

		assert_true(word & VMX_EVENT_VALID);
		assert_true(vmx_event_back(word, events[i].error, &back));
		assert_int_equal(back.type, events[i].type);
		assert_int_equal(back.vector, events[i].vector);
		assert_int_equal(back.has_error, events[i].has_error);
		assert_int_equal(back.error, events[i].error);
	}
	assert_int_equal(vmx_event_word(&events[2]), 0x80000b0e);
}

/* rip is still at INT n, INT1, INT3: the guest executes it again. */
static void instructions_are_not_delivered_again(void **state)
{
	static const uint32_t words[] = {
		VMX_EVENT_SOFT | 0x80,
		VMX_EVENT_PRIVILEGED | 1,
		VMX_EVENT_SOFT_EXC | 3,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct event e = { .type = EVENT_NONE };

		assert_false(vmx_event_back(words[i] | VMX_EVENT_VALID, 0, &e));
		assert_int_equal(e.type, EVENT_NONE);
	}
}

static void segments(void **state)
{
	(void)state;
	assert_int_equal(vmx_rights(0xc9b), 0xc09b);  /* 32-bit code */
	assert_int_equal(vmx_rights(0xa9b), 0xa09b);  /* 64-bit code */
	assert_int_equal(vmx_rights(0x08b), 0x008b);  /* busy TSS */
	assert_int_equal(vmx_rights(0x013), 0x10013); /* not present */
	for (unsigned attrib = 0; attrib < 0x1000; attrib++)
		assert_int_equal(vmx_attrib(vmx_rights((uint16_t)attrib)),
				 attrib);
	/* An unusable segment keeps its DPL, which may be the CPL. */
	assert_int_equal(vmx_attrib(0x100f3), 0x073);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(ports),
		cmocka_unit_test(control_registers),
		cmocka_unit_test(violations),
		cmocka_unit_test(events_go_and_come),
		cmocka_unit_test(instructions_are_not_delivered_again),
		cmocka_unit_test(segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

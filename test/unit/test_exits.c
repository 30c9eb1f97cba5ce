/* hv/vm/exits.c: what each exit does to the registers. Privileged
 * instructions of the handlers trap here, and the trap notes them. */
#include <signal.h>
#include <ucontext.h>

#include "vcpu_rig.h"

#define CODE	 UINT64_C(0x400000)
#define NEXT	 (CODE + 0x100) /* where an exit says to go on */
#define JUNK	 UINT64_C(0x8877665544332211)
#define TSC_AUX	 0xc0000103u
#define EFER	 0xc0000080u
#define PAT	 0x277u
#define RFLAGS_T (UINT64_C(1) << 8)

static struct {
	unsigned wrmsrs, xsetbvs;
	uint64_t index, value;
} trapped;

/* WRMSR, XSETBV: noted and stepped over. */
static void trap(int sig, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *code = (const uint8_t *)g[REG_RIP];

	(void)info;
	trapped.index = (uint32_t)g[REG_RCX];
	trapped.value = (uint64_t)g[REG_RDX] << 32 | (uint32_t)g[REG_RAX];
	if (code[0] == 0x0f && code[1] == 0x30) {
		trapped.wrmsrs++;
		g[REG_RIP] += 2;
	} else if (code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xd1) {
		trapped.xsetbvs++;
		g[REG_RIP] += 3;
	} else {
		signal(sig, SIG_DFL);
	}
}

static int setup(void **state)
{
	rig_setup(state);
	memset(&trapped, 0, sizeof(trapped));
	rig_map(CODE, 0x8000 | P | W);
	return 0;
}

/* Not in setup: each test begins with cmocka's own handlers. */
static void catch_traps(void)
{
	struct sigaction sa = { .sa_sigaction = trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
}

static void happens(enum exit_kind kind)
{
	catch_traps();
	rig_exit();
	rig.v->rip = CODE;
	rig.v->shadow = true;
	rig.v->exit.kind = kind;
	rig.v->exit.next_rip = NEXT;
	vcpu_exit_handlers[rig.v->exit.kind](rig.v);
}

static void done(void)
{
	assert_int_equal(rig.v->event.type, EVENT_NONE);
	assert_true(rig.v->rip == NEXT);
	assert_false(rig.v->shadow); /* it lasts for one instruction */
}

static void is_gp(void)
{
	rig_raised(13, true, 0);
	assert_true(rig.v->rip == CODE);
}

static void set_edx_eax(uint64_t value)
{
	rig.v->gpr[GPR_RAX] = 0xdead00000000 | (uint32_t)value;
	rig.v->gpr[GPR_RDX] = 0xdead00000000 | value >> 32;
}

static uint64_t edx_eax(void)
{
	assert_true(rig.v->gpr[GPR_RAX] <= UINT32_MAX);
	assert_true(rig.v->gpr[GPR_RDX] <= UINT32_MAX);
	return rig.v->gpr[GPR_RDX] << 32 | rig.v->gpr[GPR_RAX];
}

/* What IN does not write stays, but 32 bits clear the rest. The PCI host
 * bridge has bits of both kinds in each part of its identity. */
static void in_merges(void **state)
{
	static const uint64_t kept[5] = { 0, ~UINT64_C(0xff), ~UINT64_C(0xffff),
					  0, 0 };

	(void)state;
	rig.v->exit.io = (struct exit_io){ .port = 0xcf8, .size = 4 };
	rig.v->gpr[GPR_RAX] = 0x80000000;
	happens(EXIT_IO);
	for (uint8_t size = 1; size <= 4; size = (uint8_t)(2 * size)) {
		uint32_t value = board_in(&rig.vm.board, 0, 0xcfc, size);

		rig.v->exit.io = (struct exit_io){ .port = 0xcfc,
						   .size = size,
						   .in = true };
		rig.v->gpr[GPR_RAX] = JUNK;
		happens(EXIT_IO);
		done();
		assert_true(value && value != UINT32_MAX);
		assert_true(rig.v->gpr[GPR_RAX] ==
			    ((JUNK & kept[size]) | value));
	}
}

static void out_and_ends(void **state)
{
	(void)state;
	rig.v->exit.io = (struct exit_io){ .port = 0x3f8, .size = 1 };
	rig.v->gpr[GPR_RAX] = 0x11223341;
	happens(EXIT_IO);
	done();
	assert_int_equal(rig.printed_count, 1);
	assert_int_equal(rig.printed[0], 'A');
	assert_int_equal(rig.vm.end, VM_RUNNING);
	rig.v->exit.io = (struct exit_io){ .port = 0xf4, .size = 4 };
	rig.v->gpr[GPR_RAX] = 0xabcd00000021;
	happens(EXIT_IO);
	assert_int_equal(rig.vm.end, VM_EXIT_PORT);
	assert_int_equal(rig.vm.end_code, 0x21);
}

static uint64_t rdmsr_of(uint32_t msr)
{
	rig.v->gpr[GPR_RCX] = 0xdead00000000 | msr;
	set_edx_eax(JUNK);
	happens(EXIT_RDMSR);
	if (rig.v->event.type)
		return UINT64_MAX;
	done();
	return edx_eax();
}

static void wrmsr_of(uint32_t msr, uint64_t value)
{
	rig.v->gpr[GPR_RCX] = 0xdead00000000 | msr;
	set_edx_eax(value);
	happens(EXIT_WRMSR);
}

static void msrs(void **state)
{
	(void)state;
	vcpu_sync_mode(rig.v);
	wrmsr_of(PAT, 0x0007040600070400);
	done();
	rig_exit();
	vcpu_sync_mode(rig.v); /* the very next walk knows it */
	assert_true(rig.v->mmu.mode.regs.pat == 0x0007040600070400);
	assert_true(rig.pat == 0x0007040600070400);
	assert_true(rdmsr_of(PAT) == 0x0007040600070400);
	wrmsr_of(PAT, 2);
	is_gp();
	assert_true(rig.pat == 0x0007040600070400);

	wrmsr_of(TSC_AUX, 0x1234);
	done();
	assert_int_equal(trapped.wrmsrs, 1);
	assert_true(trapped.index == TSC_AUX && trapped.value == 0x1234);
	assert_true(rdmsr_of(TSC_AUX) == 0x1234);

	assert_true(rdmsr_of(0x1b) & 0x800); /* a device's */
	wrmsr_of(0x1b, UINT64_MAX);
	is_gp();
	rdmsr_of(0x12345);
	is_gp();
	assert_int_equal((uint32_t)rig.v->gpr[GPR_RAX], (uint32_t)JUNK);
	wrmsr_of(0x12345, 0);
	is_gp();
	assert_int_equal(trapped.wrmsrs, 1);
}

static void efer(void **state)
{
	const uint64_t before = rig.s.efer;

	(void)state;
	assert_true(rdmsr_of(EFER) == before);
	wrmsr_of(EFER, before | 1); /* SCE */
	done();
	assert_true(rig.s.efer == (before | 1));
	wrmsr_of(EFER, VMMU_EFER_LME); /* LMA is not the guest's to clear */
	done();
	assert_true(rig.s.efer == (VMMU_EFER_LME | VMMU_EFER_LMA));
	wrmsr_of(EFER, 0); /* LME with paging on */
	is_gp();
	wrmsr_of(EFER, VMMU_EFER_LME | UINT64_C(1) << 12); /* SVME */
	is_gp();
	assert_true(rig.s.efer == (VMMU_EFER_LME | VMMU_EFER_LMA));
}

static void xsetbv_checks(void **state)
{
	static const uint64_t bad[] = {
		0, 2, 4, 5, 6, UINT64_MAX, (UINT64_C(1) << 63) | 1
	};

	(void)state;
	rig.v->gpr[GPR_RCX] = 0xdead00000000;
	set_edx_eax(7);
	happens(EXIT_XSETBV);
	done();
	assert_int_equal(trapped.xsetbvs, 1);
	assert_true(trapped.index == 0 && trapped.value == 7);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_edx_eax(bad[i]);
		happens(EXIT_XSETBV);
		is_gp();
	}
	set_edx_eax(7);
	rig.v->gpr[GPR_RCX] = 1;
	happens(EXIT_XSETBV);
	is_gp();
	rig.v->gpr[GPR_RCX] = 0;
	rig.s.cpl = 3;
	happens(EXIT_XSETBV);
	is_gp();
	assert_int_equal(trapped.xsetbvs, 1);
}

/* TF: #DB with DR6.BS behind the instruction, not before it. */
static void single_step(void **state)
{
	(void)state;
	rig.v->rflags |= RFLAGS_T;
	rig.v->gpr[GPR_RAX] = 0x40000000;
	happens(EXIT_CPUID);
	rig_raised(1, false, 0);
	assert_true(rig.v->rip == NEXT);
	assert_true(rig.s.dr6 & UINT64_C(1) << 14);
	assert_int_equal(rig.v->gpr[GPR_RBX], 0x4b4d564b); /* KVMK.. */
	rig.s.dr6 = 0;
	wrmsr_of(0x12345, 0); /* a fault is no step */
	is_gp();
	assert_int_equal(rig.s.dr6, 0);
}

static void cpuid_leaves_32_bits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		rig.v->gpr[i] = UINT64_MAX;
	rig.v->gpr[GPR_RAX] = 0xdead00000000;
	happens(EXIT_CPUID);
	done();
	for (unsigned i = 0; i < 4; i++)
		assert_true(rig.v->gpr[i] <= UINT32_MAX);
	assert_int_equal(rig.v->gpr[GPR_RBX], 0x68747541);
	rig.v->gpr[GPR_RAX] = 1;
	rig.s.cr4 |= UINT64_C(1) << 18; /* OSXSAVE shows */
	happens(EXIT_CPUID);
	assert_true(rig.v->gpr[GPR_RCX] & 1u << 27);
	rig.s.cr4 = VMMU_CR4_PAE;
	rig.v->gpr[GPR_RAX] = 1;
	happens(EXIT_CPUID);
	assert_false(rig.v->gpr[GPR_RCX] & 1u << 27);
}

/* Where the hardware does not say where to go on, the code says it, and code
 * that is no longer what made the exit is left to run. */
static void without_next_rip(void **state)
{
	static const uint8_t plain[] = { 0xf4 }, prefixed[] = { 0x66, 0xf4 };

	(void)state;
	memcpy(rig_memory(0x8000), plain, 1);
	rig_exit();
	rig.v->rip = CODE;
	rig.v->exit = (struct vm_exit){ .kind = EXIT_HLT };
	vcpu_exit_handlers[rig.v->exit.kind](rig.v);
	assert_true(rig.v->halted && rig.v->rip == CODE + 1);

	rig_map(CODE + 4096, 0x9000 | P);
	memcpy(rig_memory(0x8fff), prefixed, 1);
	memcpy(rig_memory(0x9000), prefixed + 1, 1);
	rig.v->halted = false;
	rig.v->rip = CODE + 4095;
	rig_exit();
	vcpu_exit_handlers[rig.v->exit.kind](rig.v);
	assert_true(rig.v->halted && rig.v->rip == CODE + 4097);

	rig.v->halted = false;
	*rig_memory(0x8000) = 0x90;
	rig.v->rip = CODE;
	rig_exit();
	vcpu_exit_handlers[rig.v->exit.kind](rig.v);
	assert_false(rig.v->halted);
	assert_true(rig.v->rip == CODE);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

static void cr8(void **state)
{
	/* mov cr8, rdx; mov r9, cr8 */
	static const uint8_t to[] = { 0x44, 0x0f, 0x22, 0xc2 };
	static const uint8_t from[] = { 0x45, 0x0f, 0x20, 0xc1 };

	(void)state;
	memcpy(rig_memory(0x8000), to, 4);
	rig.v->exit.cr = (struct exit_cr){ .number = 8, .write = true };
	rig.v->gpr[GPR_RDX] = 9;
	happens(EXIT_CR);
	assert_true(rig.v->rip == CODE + 4);
	assert_int_equal(board_cr8(&rig.vm.board, 0), 9);
	rig.v->gpr[GPR_RDX] = 16;
	happens(EXIT_CR);
	is_gp();
	rig.v->gpr[GPR_RDX] = UINT64_C(1) << 32;
	happens(EXIT_CR);
	is_gp();
	memcpy(rig_memory(0x8000), from, 4);
	rig.v->gpr[9] = JUNK;
	happens(EXIT_CR);
	assert_true(rig.v->gpr[9] == 9 && rig.v->rip == CODE + 4);
}

/* An emulation that calls every register CR0, and exits for CR2, too. */
static void cr_by_the_instruction(void **state)
{
	/* mov r9, cr4; mov r9, cr2; mov cr2, rdx; mov r9, cr5 */
	static const uint8_t code[][4] = {
		{ 0x41, 0x0f, 0x20, 0xe1 },
		{ 0x41, 0x0f, 0x20, 0xd1 },
		{ 0x41, 0x0f, 0x22, 0xd2 },
		{ 0x41, 0x0f, 0x20, 0xe9 },
	};

	(void)state;
	rig.v->exit.cr = (struct exit_cr){ .number = 0 };
	memcpy(rig_memory(0x8000), code[0], 4);
	rig.v->gpr[9] = JUNK;
	happens(EXIT_CR);
	assert_true(rig.v->gpr[9] == rig.v->look.regs.cr4);
	assert_true(rig.v->rip == CODE + 4);

	rig.s.cr2 = 0x123456789abc;
	memcpy(rig_memory(0x8000), code[1], 4);
	happens(EXIT_CR);
	assert_true(rig.v->gpr[9] == 0x123456789abc);
	rig.v->gpr[10] = 0xcba987654321;
	memcpy(rig_memory(0x8000), code[2], 4);
	happens(EXIT_CR);
	assert_true(rig.s.cr2 == 0xcba987654321 && rig.v->rip == CODE + 4);

	/* None that there is: the guest has changed its code since. */
	memcpy(rig_memory(0x8000), code[3], 4);
	happens(EXIT_CR);
	assert_true(rig.v->rip == CODE);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

static void what_is_given_back(void **state)
{
	(void)state;
	happens(EXIT_UNDEFINED);
	rig_raised(6, false, 0);
	happens(EXIT_PMC);
	is_gp();
	rig.v->exit.exception =
		(struct exit_exception){ .vector = 17, .has_error = true };
	happens(EXIT_EXCEPTION);
	rig_raised(17, true, 0);
	rig.v->exit.exception = (struct exit_exception){ .vector = 1 };
	happens(EXIT_EXCEPTION);
	rig_raised(1, false, 0);
	happens(EXIT_HYPERCALL);
	done();
	assert_true(rig.v->gpr[GPR_RAX] == (uint64_t)-1000);
	rig.s.cpl = 3;
	happens(EXIT_HYPERCALL);
	assert_true(rig.v->gpr[GPR_RAX] == (uint64_t)-1);
	happens(EXIT_CACHE);
	done();
	happens(EXIT_SHUTDOWN);
	assert_int_equal(rig.vm.end, VM_TRIPLE_FAULT);
	rig.vm.end = VM_RUNNING;
	happens(EXIT_INVALID);
	assert_int_equal(rig.vm.end, VM_KILLED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_merges),
		TEST(out_and_ends),
		TEST(msrs),
		TEST(efer),
		TEST(xsetbv_checks),
		TEST(single_step),
		TEST(cpuid_leaves_32_bits),
		TEST(without_next_rip),
		TEST(cr8),
		TEST(cr_by_the_instruction),
		TEST(what_is_given_back),
	};

	return cmocka_run_group_tests_name("exits", tests, NULL, NULL);
}

/*
 * hv/pv/emulate.c: the privileged instructions of a guest's kernel. What one
 * may do is done to what the guest has of the processor, and to nothing else;
 * what it may not is its own #GP.
 */
#include "pv_rig.h"

#define CODE	((uint8_t *)rig_spare(2))
#define HANDLER (RIG_CODE + 0x100)

static int setup(void **state)
{
	rig_setup(state);
	machine_take();
	rig.c->trap[13] = (struct pv_trap_entry){ HANDLER, 0, true };
	rig.c->trap[6] = (struct pv_trap_entry){ HANDLER + 6, 0, true };
	return 0;
}

static void trap_at(uint64_t rip, unsigned vector)
{
	rig_frame.rip = rip;
	rig_frame.rsp = (uintptr_t)rig_spare(8);
	rig_frame.cs = PV_GUEST_CS;
	rig_frame.rflags = 0x202;
	rig_frame.vector = vector;
	rig_frame.error_code = 0;
	pv_trap(&rig_frame);
}

/* True: it was done, and rip is behind it. */
static bool does(const char *bytes, size_t n)
{
	memcpy(CODE, bytes, n);
	memset(CODE + n, 0xcc, 16);
	trap_at((uintptr_t)CODE, 13);
	if (rig_frame.rip == (uintptr_t)CODE + n)
		return true;
	assert_int_equal(rig_frame.rip, HANDLER);
	return false;
}
#define DOES(bytes) does(bytes, sizeof(bytes) - 1)

/* 1. MSRs. */

static bool rdmsr_of(uint32_t msr, uint64_t *value)
{
	rig_frame.rcx = msr;
	rig_frame.rax = rig_frame.rdx = 0x99;
	if (!DOES("\x0f\x32"))
		return false;
	assert_true(rig_frame.rax <= UINT32_MAX && rig_frame.rdx <= UINT32_MAX);
	*value = rig_frame.rdx << 32 | rig_frame.rax;
	return true;
}

static bool wrmsr_of(uint32_t msr, uint64_t value)
{
	rig_frame.rcx = msr;
	rig_frame.rax = value & UINT32_MAX;
	rig_frame.rdx = value >> 32;
	return DOES("\x0f\x30");
}

static void bases(void **state)
{
	static const uint32_t msrs[] = { 0xc0000100, 0xc0000101, 0xc0000102 };
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint64_t base = UINT64_C(0xffff888000000000) + i;

		assert_true(wrmsr_of(msrs[i], base));
		assert_true(rdmsr_of(msrs[i], &value));
		assert_int_equal(value, base);
		assert_false(wrmsr_of(msrs[i], UINT64_C(1) << 47));
		assert_false(wrmsr_of(msrs[i], UINT64_C(1) << 63));
		assert_true(rdmsr_of(msrs[i], &value));
		assert_int_equal(value, base);
	}
	assert_int_equal(*machine_msr(0xc0000102),
			 UINT64_C(0xffff888000000002));
	assert_int_equal(*machine_msr(0xc0000101),
			 UINT64_C(0xffff888000000001));
}

static void what_it_may_only_read(void **state)
{
	uint64_t value;

	(void)state;
	*machine_msr(MSR_EFER) = 0xd01;
	assert_true(rdmsr_of(MSR_EFER, &value));
	assert_int_equal(value, 0xd01);
	assert_false(wrmsr_of(MSR_EFER, 0));
	assert_int_equal(*machine_msr(MSR_EFER), 0xd01);
	assert_true(rdmsr_of(MSR_PAT, &value));
	assert_int_equal(value, PV_PAT);
	assert_false(wrmsr_of(MSR_PAT, 0));
	assert_true(rdmsr_of(MSR_APIC_BASE, &value));
	assert_false(wrmsr_of(MSR_APIC_BASE, 0));
	assert_true(rdmsr_of(MSR_TSC, &value));
}

/* Where SYSCALL goes is the hypervisor's, and so is whatever else there is. */
static void msrs_of_the_hypervisor(void **state)
{
	static const uint32_t msrs[] = { 0xc0000081, 0xc0000082, 0xc0000083,
					 0xc0000084, 0x174,	 0x175,
					 0x176,	     0xc0010117, 0x1d9 };
	unsigned before = machine.msrs;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		/* Whether it is taken or not, no register has it. */
		wrmsr_of(msrs[i], 0x1234567);
		rdmsr_of(msrs[i], &value);
		assert_int_equal(machine.msrs, before);
	}
	for (uint32_t msr = 0x40000000; msr < 0x40000020; msr++) {
		assert_false(wrmsr_of(msr, 1));
		assert_int_equal(machine.msrs, before);
	}
}

/* 2. Control registers. */

static void cr0(void **state)
{
	(void)state;
	machine.cr[0] = CR0_PE | CR0_WP;
	rig_frame.rax = CR0_PE | CR0_WP | CR0_TS;
	assert_true(DOES("\x0f\x22\xc0"));
	assert_true(rig.c->ts);
	assert_int_equal(machine.cr[0], CR0_PE | CR0_WP | CR0_TS);
	rig_frame.rbx = 0;
	assert_true(DOES("\x0f\x20\xc3"));
	assert_int_equal(rig_frame.rbx, CR0_PE | CR0_WP | CR0_TS);
	assert_true(DOES("\x0f\x06"));
	assert_int_equal(machine.cr[0], CR0_PE | CR0_WP);
	rig_frame.rax = CR0_PE; /* without WP */
	assert_false(DOES("\x0f\x22\xc0"));
	rig_frame.rax = CR0_PE | CR0_WP | UINT64_C(0x40000000);
	assert_false(DOES("\x0f\x22\xc0"));
	rig_frame.rax = 0;
	assert_false(DOES("\x0f\x22\xc0"));
	assert_int_equal(machine.cr[0], CR0_PE | CR0_WP);
}

static void cr2_to_cr8(void **state)
{
	uint64_t root = rig.c->vcpu->mmu.root.v, cr4 = machine.cr[4];

	(void)state;
	rig.c->info->arch.cr2 = 0x1234;
	assert_true(DOES("\x0f\x20\xd0")); /* mov %cr2,%rax */
	assert_int_equal(rig_frame.rax, 0x1234);
	assert_true(DOES("\x0f\x20\xd8")); /* mov %cr3,%rax */
	assert_int_equal(rig_frame.rax, root);
	assert_false(DOES("\x0f\x22\xd8")); /* by hypercall alone */
	assert_int_equal(machine.cr[3], root);
	rig_frame.rax = rig.vm.cpuid.cr4;
	assert_true(DOES("\x0f\x22\xe0")); /* mov %rax,%cr4 */
	assert_int_equal(rig.c->cr4, rig.vm.cpuid.cr4);
	assert_int_equal(machine.cr[4], cr4); /* not the processor's */
	rig_frame.rax = 0;
	assert_true(DOES("\x0f\x20\xe0"));
	assert_int_equal(rig_frame.rax, rig.vm.cpuid.cr4);
	rig_frame.rax = ~UINT64_C(0);
	assert_false(DOES("\x0f\x22\xe0"));
	rig_frame.rax = UINT64_C(1) << 21; /* SMAP: hidden */
	assert_false(DOES("\x0f\x22\xe0"));
	/* Where the guest may have it, it has it when it says so. */
	rig_frame.rax = CR4_FSGSBASE;
	assert_false(DOES("\x0f\x22\xe0"));
	rig.vm.cpuid.cr4 |= CR4_FSGSBASE;
	assert_true(DOES("\x0f\x22\xe0"));
	assert_int_equal(machine.cr[4], cr4 | CR4_FSGSBASE);
	rig_frame.rax = 0;
	assert_true(DOES("\x0f\x22\xe0"));
	assert_int_equal(machine.cr[4], cr4);
	assert_false(DOES("\x44\x0f\x20\xc0")); /* cr8 */
	assert_false(DOES("\x44\x0f\x22\xc0"));
	assert_false(DOES("\x0f\x20\xc8")); /* cr1 */
}

/* 3. The rest. */

static void xsetbv_of_what_is_there(void **state)
{
	(void)state;
	rig_frame.rcx = 0;
	rig_frame.rdx = 0;
	rig_frame.rax = 3;
	assert_true(DOES("\x0f\x01\xd1"));
	assert_int_equal(machine.xcr0, 3);
	rig_frame.rax = 2; /* without x87 */
	assert_false(DOES("\x0f\x01\xd1"));
	rig_frame.rax = 5; /* AVX without SSE */
	rig_frame.rcx = rig_frame.rdx = 0;
	assert_false(DOES("\x0f\x01\xd1"));
	rig_frame.rax = 0x203;
	rig_frame.rcx = rig_frame.rdx = 0;
	assert_false(DOES("\x0f\x01\xd1"));
	rig_frame.rax = 3;
	rig_frame.rdx = 1;
	rig_frame.rcx = 0;
	assert_false(DOES("\x0f\x01\xd1"));
	rig_frame.rax = 3;
	rig_frame.rdx = 0;
	rig_frame.rcx = 1;
	assert_false(DOES("\x0f\x01\xd1"));
	assert_int_equal(machine.xcr0, 3);
}

static void nothing_is_done_for_some(void **state)
{
	(void)state;
	assert_true(DOES("\xfa"));     /* CLI */
	assert_true(DOES("\xfb"));     /* STI */
	assert_true(DOES("\x0f\x08")); /* INVD */
	assert_true(DOES("\x0f\x09")); /* WBINVD */
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
}

static void it_halts(void **state)
{
	(void)state;
	rig.c->info->evtchn_upcall_pending = 1;
	assert_true(DOES("\xf4"));
	assert_false(rig.c->blocked || rig.c->leave);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 0);
	rig.c->info->evtchn_upcall_pending = 0;
	assert_true(DOES("\xf4"));
	assert_true(rig.c->blocked && rig.c->leave);
}

/* LGDT, LIDT, LLDT, LTR, MOV DR, INVLPG, SWAPGS, VMRUN, SMSW of memory ... */
static void what_is_not_offered(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} code[] = {
		{ "\x0f\x01\x10", 3 }, { "\x0f\x01\x18", 3 },
		{ "\x0f\x00\xd0", 3 }, { "\x0f\x00\xd8", 3 },
		{ "\x0f\x23\xf8", 3 }, { "\x0f\x21\xf8", 3 },
		{ "\x0f\x01\x38", 3 }, { "\x0f\x01\xf8", 3 },
		{ "\x0f\x01\xd8", 3 }, { "\x0f\x01\xd0", 3 },
		{ "\x48\xcf", 2 },     { "\x0f\x01\xc1", 3 },
		{ "\x0f\x33", 2 },     { "\x6c", 1 },
		{ "\x6e", 1 },	       { "\x0f\x0b", 2 },
		{ "\x90", 1 },	       { "\x0f\x01\xf0", 3 },
		{ "\x0f\x35", 2 },     { "\x0f\x07", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		assert_false(does(code[i].bytes, code[i].n));
}

static void ports(void **state)
{
	(void)state;
	rig_frame.rdx = 0x3f8; /* a guest without ports: all ones */
	rig_frame.rax = 0x1111111111111111;
	assert_true(DOES("\xec"));
	assert_int_equal(rig_frame.rax, 0x11111111111111ff);
	assert_true(DOES("\x66\xed"));
	assert_int_equal(rig_frame.rax, 0x111111111111ffff);
	assert_true(DOES("\xed"));
	assert_int_equal(rig_frame.rax, 0xffffffff);
	assert_true(DOES("\xe4\x71"));
	assert_true(DOES("\xe6\x70"));
	assert_true(DOES("\xee"));
	assert_int_equal(rig.vm.end, VM_RUNNING);
	/* The PIT's gate can be written and read back. */
	rig_frame.rax = 1;
	assert_true(DOES("\xe6\x61"));
	assert_true(DOES("\xe4\x61"));
	assert_int_equal(rig_frame.rax & 1, 1);
	rig_frame.rdx = 0xf4;
	rig_frame.rax = 5;
	assert_true(DOES("\xef"));
	assert_int_equal(rig.vm.end, VM_EXIT_PORT);
	assert_int_equal(rig.vm.end_code, 5);
	assert_true(rig.c->leave);
}

static bool forced(const char *bytes, size_t n)
{
	memcpy(CODE, bytes, n);
	trap_at((uintptr_t)CODE, 6);
	if (rig_frame.rip == (uintptr_t)CODE + n)
		return true;
	assert_int_equal(rig_frame.rip, HANDLER + 6);
	return false;
}

static bool cpuid_of(uint32_t leaf, uint32_t subleaf)
{
	rig_frame.rax = leaf;
	rig_frame.rcx = subleaf;
	return forced("\x0f\x0bxen\x0f\xa2", 7);
}

static void cpuid_by_its_prefix(void **state)
{
	(void)state;
	assert_true(cpuid_of(0x40000000, 0));
	assert_int_equal(rig_frame.rbx, 0x566e6558); /* XenV */
	assert_int_equal(rig_frame.rax, 0x40000002);
	assert_true(cpuid_of(0x40000001, 0));
	assert_int_equal(rig_frame.rax, 0x40011);
	assert_true(cpuid_of(0x40000100, 0));
	assert_int_equal(rig_frame.rax | rig_frame.rbx, 0);
	assert_true(cpuid_of(1, 0));
	assert_int_equal(rig_frame.rcx & 1u << 5, 0); /* VMX */
	assert_true(rig_frame.rcx & 1u << 27);	      /* OSXSAVE reads 1 */
	assert_int_equal(rig_frame.rdx & (1u << 3 | 1u << 12), 0); /* PSE */
	assert_true(cpuid_of(7, 0));
	/* SMEP, SMAP: the kernel is in ring 3. LA57, PKU */
	assert_int_equal(rig_frame.rbx & (1u << 7 | 1u << 20), 0);
	assert_int_equal(rig_frame.rcx & (1u << 3 | 1u << 16), 0);
	assert_false(forced("\x0f\x0bxem\x0f\xa2", 7));
	assert_false(forced("\x0f\x0bxen\x0f\xa3", 7));
	for (size_t i = 0; i < RIG_BAD; i++) {
		trap_at(rig_bad[i], 6);
		assert_int_equal(rig_frame.rip, HANDLER + 6);
	}
}

/* Code that cannot be read is none. */
static void code_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++) {
		trap_at(rig_bad[i], 13);
		assert_int_equal(rig_frame.rip, HANDLER);
	}
	assert_int_equal(machine.trespass, 0);
}

/* A page's last byte, with nothing behind. */
static void code_at_a_pages_end(void **state)
{
	uint8_t *end = rig_spare(10);

	(void)state;
	call(update_va_mapping, end, 0, UVMF_INVLPG);
	rig_see((uintptr_t)end);
	end[-1] = 0xfa;
	trap_at((uintptr_t)end - 1, 13);
	assert_int_equal(rig_frame.rip, (uintptr_t)end);
	end[-1] = 0x0f;
	trap_at((uintptr_t)end - 1, 13);
	assert_int_equal(rig_frame.rip, HANDLER);
	memcpy(end - 2, "\x0f\x32", 2);
	rig_frame.rcx = 0xc0000102;
	*machine_msr(0xc0000102) = 0x4321;
	trap_at((uintptr_t)end - 2, 13);
	assert_int_equal(rig_frame.rip, (uintptr_t)end);
	assert_int_equal(rig_frame.rax, 0x4321);
}

#define T(f) RIG_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bases),
		T(what_it_may_only_read),
		T(msrs_of_the_hypervisor),
		T(cr0),
		T(cr2_to_cr8),
		T(xsetbv_of_what_is_there),
		T(nothing_is_done_for_some),
		T(it_halts),
		T(what_is_not_offered),
		T(ports),
		T(cpuid_by_its_prefix),
		T(code_elsewhere),
		T(code_at_a_pages_end),
	};

	return cmocka_run_group_tests_name("pv_emulate", tests, NULL, NULL);
}

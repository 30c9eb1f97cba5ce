/*
 * hv/pv/ptwr.c: the guest's kernel writes an entry of a leaf table that it has
 * mapped read-only. Here its code is where no kernel's is, so all of it goes
 * the long way; the short one is guest/pv/pvtables.c's.
 */
#include "pv_rig.h"

#define CODE	((uint8_t *)rig_spare(2))
#define TABLE	((volatile uint64_t *)rig_spare(3))
#define HANDLER (RIG_CODE + 0x100)
#define STACK	((uintptr_t)rig_spare(8))

static uint64_t good, other; /* entries that may be */

static int setup(void **state)
{
	struct mmuext_op *op;
	uint64_t mfn;

	rig_setup(state);
	machine_take();
	op = rig_spare(0);
	mfn = rig_mfn_of((void *)TABLE);
	good = rig_mfn_of(rig_spare(5)) << 12 | P_RW;
	other = rig_mfn_of(rig_spare(6)) << 12 | P_RW;
	TABLE[2] = good;
	assert_int_equal(
		call(update_va_mapping, TABLE, mfn << 12 | P_RO, UVMF_INVLPG),
		0);
	rig_see((uintptr_t)TABLE);
	*op = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn };
	assert_int_equal(call(mmuext_op, op, 1, 0, DOMID_SELF), 0);
	rig.c->trap[14] = (struct pv_trap_entry){ HANDLER, 0, true };
	return 0;
}

/* The kernel is at these bytes and has faulted at `gva`. True: its write was
 * carried out; false: it has its fault. */
static bool writes(const char *bytes, size_t n, const volatile void *gva)
{
	unsigned before = (unsigned)rig.c->stats.trapped;

	memcpy(CODE, bytes, n);
	memset(CODE + n, 0xcc, 16);
	rig_frame.rip = (uintptr_t)CODE;
	rig_frame.rsp = STACK;
	rig_frame.cs = PV_GUEST_CS;
	rig_frame.rflags = 0x202;
	rig_frame.error_code = VMMU_PF_P | VMMU_PF_W | VMMU_PF_U;
	machine.cr[2] = (uintptr_t)gva;
	pv_kernel_fault(rig.c);
	assert_int_equal(rig.vm.end, VM_RUNNING);
	rig_audit();
	if (rig.c->stats.trapped == before) {
		assert_int_equal(rig_frame.rip, HANDLER);
		assert_int_equal(rig.c->info->arch.cr2, (uintptr_t)gva);
		return false;
	}
	/* Of rflags an instruction has the arithmetic ones alone (XSA-202). */
	assert_int_equal(rig_frame.rflags & ~UINT64_C(0x8d5), 0x202);
	return true;
}
#define WRITES(bytes, gva) writes(bytes, sizeof(bytes) - 1, gva)

static bool is_behind(size_t n)
{
	return rig_frame.rip == (uintptr_t)CODE + n;
}

/* U is added, as in all entries. */
static void moves(void **state)
{
	(void)state;
	rig_frame.rbx = (uintptr_t)&TABLE[4];
	rig_frame.rsi = other & ~UINT64_C(4);
	assert_true(WRITES("\x48\x89\x33", &TABLE[4])); /* mov %rsi,(%rbx) */
	assert_true(is_behind(3));
	assert_int_equal(TABLE[4], other);
	rig_frame.r15 = (uintptr_t)&TABLE[4] - 0x40;
	rig_frame.r9 = 0;
	/* mov %r9,0x40(%r15) */
	assert_true(WRITES("\x4d\x89\x4f\x40", &TABLE[4]));
	assert_int_equal(TABLE[4], 0);
	rig_frame.rcx = 4;
	rig_frame.rax = (uintptr_t)TABLE;
	rig_frame.rdx = good;
	/* mov %rdx,(%rax,%rcx,8) */
	assert_true(WRITES("\x48\x89\x14\xc8", &TABLE[4]));
	assert_int_equal(TABLE[4], good);
	/* movq $0,(%rbx) */
	assert_true(WRITES("\x48\xc7\x03\0\0\0\0", &TABLE[4]));
	assert_true(is_behind(7));
	assert_int_equal(TABLE[4], 0);
}

static void exchanges(void **state)
{
	(void)state;
	rig_frame.rdi = (uintptr_t)&TABLE[2];
	rig_frame.rax = 0;
	/* xchg %rax,(%rdi) */
	assert_true(WRITES("\x48\x87\x07", &TABLE[2]));
	assert_int_equal(rig_frame.rax, good);
	assert_int_equal(TABLE[2], 0);
	rig_frame.rax = 5; /* what is not there */
	rig_frame.rcx = good;
	/* lock cmpxchg %rcx,(%rdi) */
	WRITES("\xf0\x48\x0f\xb1\x0f", &TABLE[2]);
	assert_int_equal(TABLE[2], 0);
	assert_int_equal(rig_frame.rax, 0);
	assert_int_equal(rig_frame.rflags & 0x40, 0);
	assert_true(WRITES("\xf0\x48\x0f\xb1\x0f", &TABLE[2]));
	assert_int_equal(TABLE[2], good);
	assert_true(rig_frame.rflags & 0x40);
}

static void bits(void **state)
{
	(void)state;
	rig_frame.rdi = (uintptr_t)&TABLE[2];
	/* lock andb $0xfd,(%rdi): the right to write */
	assert_true(WRITES("\xf0\x80\x27\xfd", &TABLE[2]));
	assert_int_equal(TABLE[2], good & ~UINT64_C(2));
	/* lock orb $2,(%rdi) */
	assert_true(WRITES("\xf0\x80\x0f\x02", &TABLE[2]));
	assert_int_equal(TABLE[2], good);
	/* lock btrq $5,(%rdi): A */
	assert_true(WRITES("\xf0\x48\x0f\xba\x37\x05", &TABLE[2]));
	assert_int_equal(TABLE[2], good & ~UINT64_C(0x20));
	assert_true(rig_frame.rflags & 1);
	/* lock btsq $6,(%rdi) */
	assert_true(WRITES("\xf0\x48\x0f\xba\x2f\x06", &TABLE[2]));
	assert_int_equal(TABLE[2], good & ~UINT64_C(0x20));
}

static void parts_of_an_entry(void **state)
{
	(void)state;
	rig_frame.rdi = (uintptr_t)&TABLE[2];
	rig_frame.rax = P_RO;
	/* movb %al,(%rdi) */
	assert_true(WRITES("\x88\x07", &TABLE[2]));
	assert_int_equal(TABLE[2], (good & ~UINT64_C(0xff)) | P_RO);
	/* movl %eax,4(%rdi): NX, and others that may not be */
	rig_frame.rax = 0x80000000;
	assert_true(WRITES("\x89\x47\x04", (const char *)&TABLE[2] + 4));
	assert_int_equal(TABLE[2],
			 ((good & ~UINT64_C(0xff)) | P_RO | UINT64_C(1) << 63));
	rig_frame.rax = 0x00080000;
	assert_false(WRITES("\x89\x47\x04", (const char *)&TABLE[2] + 4));
	rig_frame.rax = 0;
	assert_true(WRITES("\x89\x47\x04", (const char *)&TABLE[2] + 4));
	assert_int_equal(TABLE[2], (good & ~UINT64_C(0xff)) | P_RO);
}

/* Over the border of two: neither. */
static void two_entries(void **state)
{
	(void)state;
	rig_frame.rdi = (uintptr_t)&TABLE[2] + 4;
	rig_frame.rax = ~UINT64_C(0);
	assert_false(WRITES("\x48\x89\x07", (const char *)&TABLE[2] + 4));
	assert_false(WRITES("\x48\x87\x07", (const char *)&TABLE[2] + 4));
	assert_int_equal(TABLE[2], good);
	assert_int_equal(TABLE[3], 0);
	/* Of which the processor names the second. */
	rig_frame.rdi = (uintptr_t)TABLE - 4;
	assert_false(WRITES("\x48\x89\x07", &TABLE[0]));
	assert_int_equal(TABLE[0], 0);
}

static void what_may_not_be(void **state)
{
	const uint64_t bad[] = {
		rig_mfn_of((void *)rig.si->pt_base) << 12 | P_RW,
		rig_mfn_of((void *)TABLE) << 12 | P_RW,
		UINT64_C(0x10000) | P_RW,
		UINT64_C(0x10000) | P_RO,
		(uint64_t)RIG_FRAMES << 12 | P_RO,
		good | UINT64_C(1) << 51,
		good | 0x80,
		good | 0x10,
		good | 0x100,
		UINT64_C(0x10000), /* absent, but it names memory */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_frame.rdi = (uintptr_t)&TABLE[7];
		rig_frame.rax = bad[i];
		assert_false(WRITES("\x48\x89\x07", &TABLE[7]));
		rig_frame.rax = bad[i];
		assert_false(WRITES("\x48\x87\x07", &TABLE[7]));
		assert_int_equal(TABLE[7], 0);
		assert_int_equal(rig_frame.rax, bad[i]);
	}
}

/* A string of entries stops at the one that may not be. */
static void strings(void **state)
{
	(void)state;
	rig_frame.rdi = (uintptr_t)&TABLE[5];
	rig_frame.rcx = 2;
	rig_frame.rax = 0;
	/* rep stosq: one at a time, and again for the next */
	assert_true(WRITES("\xf3\x48\xab", &TABLE[5]));
	assert_int_equal(rig_frame.rcx, 1);
	assert_int_equal(rig_frame.rdi, (uintptr_t)&TABLE[6]);
	assert_true(is_behind(0));
	assert_true(WRITES("\xf3\x48\xab", &TABLE[6]));
	assert_int_equal(rig_frame.rcx, 0);
	rig_frame.rcx = 3;
	rig_frame.rax = UINT64_C(0x10000) | P_RW;
	assert_false(WRITES("\xf3\x48\xab", &TABLE[7]));
	assert_int_equal(*(uint64_t *)rig_frame.rsp, 3); /* rcx */
	assert_int_equal(TABLE[7], 0);
}

static void what_is_no_write_of_an_entry(void **state)
{
	volatile uint64_t *root = (void *)rig.si->pt_base;
	volatile uint64_t *data = rig_spare(7);

	(void)state;
	rig_frame.rax = 0;
	/* An upper table; data that is read-only; nothing. */
	rig_frame.rdi = (uintptr_t)root;
	assert_false(WRITES("\x48\x89\x07", root));
	call(update_va_mapping, data, rig_mfn_of(data) << 12 | P_RO,
	     UVMF_INVLPG);
	rig_frame.rdi = (uintptr_t)data;
	assert_false(WRITES("\x48\x89\x07", data));
	rig_frame.rdi = 0x1000;
	assert_false(WRITES("\x48\x89\x07", (void *)0x1000));
	/* No write, not an instruction, none that is known. */
	rig_frame.rdi = (uintptr_t)&TABLE[2];
	assert_false(WRITES("\x0f\x0b", &TABLE[2]));
	assert_false(WRITES("\x0f\xff", &TABLE[2]));
	assert_false(WRITES("\x66\x0f\x7f\x07", &TABLE[2])); /* movdqa */
	assert_int_equal(TABLE[2], good);
	/* Others by the time that they are looked at: POPF, CLI, STI, IRET. */
	*(uint64_t *)STACK = 0;
	assert_false(WRITES("\x9d", &TABLE[2]));
	assert_false(WRITES("\xfa", &TABLE[2]));
	assert_false(WRITES("\xfb", &TABLE[2]));
	assert_false(WRITES("\x48\xcf", &TABLE[2]));
	/* Another kind of fault. */
	for (unsigned error = 0; error < 16; error++) {
		if ((error & 11) == 3)
			continue;
		rig_frame.rip = (uintptr_t)CODE;
		rig_frame.rsp = STACK;
		rig_frame.error_code = error;
		machine.cr[2] = (uintptr_t)&TABLE[2];
		memcpy(CODE, "\x48\x89\x07", 3);
		pv_kernel_fault(rig.c);
		assert_int_equal(rig_frame.rip, HANDLER);
	}
	assert_int_equal(TABLE[2], good);
}

/* A guest's rip, and what its instruction reads, are its to choose. */
static void code_and_operands_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++) {
		unsigned before = (unsigned)rig.c->stats.trapped;

		rig_frame.rip = rig_bad[i];
		rig_frame.rsp = STACK;
		rig_frame.error_code = 7;
		machine.cr[2] = (uintptr_t)&TABLE[2];
		pv_kernel_fault(rig.c);
		assert_int_equal(rig.c->stats.trapped, before);
		assert_int_equal(rig_frame.rip, HANDLER);
		/* movsq reads what it writes */
		rig_frame.rsi = rig_bad[i];
		rig_frame.rdi = (uintptr_t)&TABLE[9];
		assert_false(WRITES("\x48\xa5", &TABLE[9]));
		assert_int_equal(TABLE[9], 0);
	}
	assert_int_equal(machine.trespass, 0);
	*(uint64_t *)rig_spare(7) = good;
	rig_frame.rsi = (uintptr_t)rig_spare(7);
	rig_frame.rdi = (uintptr_t)&TABLE[9];
	assert_true(WRITES("\x48\xa5", &TABLE[9]));
	assert_int_equal(TABLE[9], good);
}

/* The last bytes of a page, with nothing behind: what is there is enough. */
static void code_at_a_pages_end(void **state)
{
	uint8_t *end = rig_spare(10);

	(void)state;
	call(update_va_mapping, end, 0, UVMF_INVLPG);
	rig_see((uintptr_t)end);
	memcpy(end - 3, "\x48\x89\x07", 3);
	rig_frame.rip = (uintptr_t)end - 3;
	rig_frame.rsp = STACK;
	rig_frame.rdi = (uintptr_t)&TABLE[2];
	rig_frame.rax = 0;
	rig_frame.error_code = 7;
	machine.cr[2] = (uintptr_t)&TABLE[2];
	pv_kernel_fault(rig.c);
	assert_int_equal(TABLE[2], 0);
	assert_int_equal(rig_frame.rip, (uintptr_t)end);
	/* And here it is not: the operand's length is on the next page. */
	memcpy(end - 2, "\x48\x89", 2);
	rig_frame.rip = (uintptr_t)end - 2;
	pv_kernel_fault(rig.c);
	assert_int_equal(rig_frame.rip, HANDLER);
}

#define T(f) RIG_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(moves),
		T(exchanges),
		T(bits),
		T(parts_of_an_entry),
		T(two_entries),
		T(what_may_not_be),
		T(strings),
		T(what_is_no_write_of_an_entry),
		T(code_and_operands_elsewhere),
		T(code_at_a_pages_end),
	};

	return cmocka_run_group_tests_name("pv_ptwr", tests, NULL, NULL);
}

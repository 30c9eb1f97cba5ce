/*
 * A user and its kernel, back and forth by system calls and page faults: all
 * registers must survive, whichever way the hypervisor goes. It has a short
 * one for handlers that hold events off, and a long one for all others.
 */
#include "lib.h"

#define P_RO_U	   UINT64_C(0x65)
#define REGISTERS  15
#define NOT_MAPPED UINT64_C(0x1000)

/* Both handlers return to the user: to its next instruction, with what they
 * saw. A page fault's comes from `movq (%rsi), %rsi`, which has three bytes. */
__asm__(".globl on_user_call, on_user_fault, user_code\n"
	"on_user_fault:\n\t"
	"pushfq\n\t"
	"popq	live_rflags+8(%rip)\n\t"
	"popq	%rcx\n\t"
	"popq	%r11\n\t"
	"popq	seen_error(%rip)\n\t"
	"addq	$3, (%rsp)\n\t"
	"incq	seen_faults(%rip)\n\t"
	"jmp	1f\n"
	"on_user_call:\n\t"
	"pushfq\n\t"
	"popq	live_rflags(%rip)\n\t"
	"popq	%rcx\n\t"
	"popq	%r11\n\t"
	"incq	seen_calls(%rip)\n\t"
	"cmpq	$99, %rax\n\t"
	"je	2f\n"
	"1:\n\t"
	"movq	%rax, seen_rax(%rip)\n\t"
	"movq	8(%rsp), %rax\n\t"
	"movq	%rax, seen_cs(%rip)\n\t"
	"movq	16(%rsp), %rax\n\t"
	"movq	%rax, seen_rflags(%rip)\n\t"
	"pushq	$0\n\t"
	"pushq	%rcx\n\t"
	"pushq	%r11\n\t"
	"pushq	seen_rax(%rip)\n\t"
	"movl	$23, %eax\n\t"
	"syscall\n\t"
	"ud2\n"
	"2:\n\t" /* the user is done */
	"movq	%gs:0, %rax\n\t"
	"movq	%rax, saw_gs(%rip)\n\t"
	"movq	back_rsp(%rip), %rsp\n\t"
	"popq	%rbx\n\t"
	"popq	%rbp\n\t"
	"popq	%r12\n\t"
	"popq	%r13\n\t"
	"popq	%r14\n\t"
	"popq	%r15\n\t"
	"ret\n"
	".globl	run_user\n"
	"run_user:\n\t" /* (frame) */
	"pushq	%r15\n\t"
	"pushq	%r14\n\t"
	"pushq	%r13\n\t"
	"pushq	%r12\n\t"
	"pushq	%rbp\n\t"
	"pushq	%rbx\n\t"
	"movq	%rsp, back_rsp(%rip)\n\t"
	"movq	%rdi, %rsp\n\t"
	"movl	$23, %eax\n\t"
	"syscall\n\t"
	"ud2\n"
	"user_code:\n\t"
	"movq	$0x101, %rbx\n\t"
	"movq	$0x102, %rdx\n\t"
	"movq	$0x1000, %rsi\n\t"
	"movq	$0x104, %rdi\n\t"
	"movq	$0x105, %rbp\n\t"
	"movq	$0x106, %r8\n\t"
	"movq	$0x107, %r9\n\t"
	"movq	$0x108, %r10\n\t"
	"movq	$0x109, %r12\n\t"
	"movq	$0x10a, %r13\n\t"
	"movq	$0x10b, %r14\n\t"
	"movq	$0x10c, %r15\n\t"
	"movq	$0x10d, %rax\n\t"
	"syscall\n\t"
	"movq	$0x10e, %rcx\n\t"
	"movq	$0x10f, %r11\n\t"
	"movq	(%rsi), %rsi\n\t"
	"movq	%rbx, user_saw+0(%rip)\n\t"
	"movq	%rdx, user_saw+8(%rip)\n\t"
	"movq	%rsi, user_saw+16(%rip)\n\t"
	"movq	%rdi, user_saw+24(%rip)\n\t"
	"movq	%rbp, user_saw+32(%rip)\n\t"
	"movq	%r8, user_saw+40(%rip)\n\t"
	"movq	%r9, user_saw+48(%rip)\n\t"
	"movq	%r10, user_saw+56(%rip)\n\t"
	"movq	%r12, user_saw+64(%rip)\n\t"
	"movq	%r13, user_saw+72(%rip)\n\t"
	"movq	%r14, user_saw+80(%rip)\n\t"
	"movq	%r15, user_saw+88(%rip)\n\t"
	"movq	%rax, user_saw+96(%rip)\n\t"
	"movq	%gs:0, %rax\n\t"
	"movq	%rax, saw_gs+8(%rip)\n\t"
	"movq	%rcx, user_saw+104(%rip)\n\t"
	"movq	%r11, user_saw+112(%rip)\n\t"
	"movq	%rsp, user_rsp(%rip)\n\t"
	"movq	$99, %rax\n\t"
	"syscall\n\t"
	"ud2\n"
	".globl	user_loop\n"
	"user_loop:\n\t"
	"pause\n\t"
	"jmp	user_loop\n");

uint64_t seen_error, seen_faults, seen_calls, seen_rax, seen_cs, seen_rflags;
uint64_t saw_gs[2];	 /* at GS: 0, of kernel and user */
uint64_t live_rflags[2]; /* of the handlers themselves: call, fault */
uint64_t back_rsp, user_rsp, user_saw[REGISTERS];
void on_user_call(void), on_user_fault(void), user_code(void);
void user_loop(void);
void run_user(const struct iret_frame *frame);

static const uint64_t expected[REGISTERS] = { 0x101, 0x102, 0x1000, 0x104,
					      0x105, 0x106, 0x107,  0x108,
					      0x109, 0x10a, 0x10b,  0x10c,
					      0x10d, 0x10e, 0x10f };

static void handlers(bool mask)
{
	const struct trap_info t[2] = {
		{ .vector = 14,
		  .flags = mask ? 4 : 0,
		  .cs = FLAT_KERNEL_CS,
		  .address = (uintptr_t)on_user_fault },
	};
	const struct callback_register c = {
		.type = CALLBACKTYPE_syscall,
		.flags = mask ? CALLBACKF_mask_events : 0,
		.address = (uintptr_t)on_user_call,
	};

	call(set_trap_table, t);
	call(callback_op, CALLBACKOP_register, &c);
}

static void use_stack(uint64_t top)
{
	call(stack_switch, FLAT_KERNEL_SS, top);
}

/* What a system call clears on the bare machine: DF above all, with which the
 * kernel's copies would go backwards. */
static bool handlers_are_clean(void)
{
	const uint64_t cleared = 0x47500; /* AC NT IOPL DF TF */

	return !((live_rflags[0] | live_rflags[1]) & cleared);
}

static bool same(void)
{
	for (size_t i = 0; i < REGISTERS; i++)
		if (user_saw[i] != expected[i])
			return false;
	return true;
}

/* IF in what is returned to lets events in, which none are. */
static void visit(const char *name, bool mask, uint64_t rflags)
{
	const struct iret_frame f = {
		.rip = (uintptr_t)user_code,
		.cs = FLAT_USER_CS,
		.rflags = rflags,
		.rsp = (uintptr_t)spare[1] + PAGE,
		.ss = FLAT_USER_SS,
	};

	static const uint64_t word[2] = { 0x901, 0x902 };

	handlers(mask);
	saw_gs[0] = saw_gs[1] = 0;
	call(set_segment_base, SEGBASE_GS_KERNEL, &word[0]);
	call(set_segment_base, SEGBASE_GS_USER, &word[1]);
	seen_calls = seen_faults = 0;
	for (size_t i = 0; i < REGISTERS; i++)
		user_saw[i] = 0;
	run_user(&f);
	check(name, same() && user_rsp == f.rsp && seen_calls == 2 &&
			    seen_faults == 1 && seen_error == 4 &&
			    handlers_are_clean() && saw_gs[0] == word[0] &&
			    saw_gs[1] == word[1] &&
			    (uint16_t)seen_cs == FLAT_USER_CS &&
			    (seen_rflags & 0x47600) == (rflags & 0x47600));
}

/* A stack of the kernel's that it cannot write; the user's first instruction
 * makes a system call, is not there, or is one that goes on for ever. */
static void lose_stack(uint64_t rip, uint64_t rflags)
{
	const struct iret_frame f = {
		.rip = rip,
		.cs = FLAT_USER_CS,
		.rflags = rflags,
		.ss = FLAT_USER_SS,
	};

	call(update_va_mapping, spare[2], mfn_of(spare[2]) * PAGE | P_RO_U,
	     UVMF_INVLPG);
	use_stack((uintptr_t)spare[2] + PAGE);
	handlers(true);
	run_user(&f);
}

/* The hypervisor has nothing but this event to bring it back to the guest. */
static void lose_event(void)
{
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };
	struct evtchn_send port;

	call(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
	port.port = ipi.port;
	call(event_channel_op, EVTCHNOP_send, &port);
	lose_stack((uintptr_t)user_loop, 0x202);
}

void guest_main(void)
{
	uint64_t machine;
	const struct mmuext_op op = {
		.cmd = MMUEXT_NEW_USER_BASEPTR,
		.arg1.mfn = (entry_at(0, 4, &machine), machine / PAGE),
	};

	handlers_init();
	check("a user root", call(mmuext_op, &op, 1, 0, DOMID_SELF) == 0);
	use_stack((uintptr_t)spare[0] + PAGE);
	if (told("call"))
		lose_stack((uintptr_t)user_code, 0x202);
	if (told("fault"))
		lose_stack(NOT_MAPPED, 0x202);
	if (told("down"))
		lose_stack(NOT_MAPPED, 0x602);
	if (told("event"))
		lose_event();
	visit("handlers that hold events off", true, 0x202);
	visit("again", true, 0x202);
	visit("a user with DF, NT and AC", true, 0x44602);
	visit("handlers that let events in", false, 0x202);
	visit("the same with DF, NT and AC", false, 0x44602);
	visit("a user with events held off", true, 0x2);
	use_stack((uintptr_t)spare[0] + PAGE - 3);
	visit("a stack that is not aligned", true, 0x202);
	finish();
}

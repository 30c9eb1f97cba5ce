/*
 * The three ways between a guest's user and its kernel that a process takes
 * all day, without a frame and without C:
 *
 *   system call   user ──► kernel, by the guest's callback, by SYSRET
 *   page fault    user ──► kernel, by its trap table, by SYSRET
 *   iret          kernel ──► user, by IRET
 *
 * Each changes GS base, CR3 and the mode, and moves a frame to or from the
 * guest's kernel stack (bounce.c has its layout). Taken only when nothing else
 * is to be looked at, which struct pv_quick says beforehand: the handlers are
 * there and hold events off, the stack is not the hypervisor's; and no event is
 * pending, and none is held off. Everything else goes on to entry.S with
 * nothing changed.
 *
 * The handler is entered by SYSRET, because it takes rcx and r11 from its
 * stack. Its address is canonical (SDM 2B, SYSRET), rflags is the user's,
 * which has IF set and IOPL clear.
 */
#include "pv/fixup.inc"
#include "pv/offsets.h"

	.text

/* What the user keeps in rcx and the kernel in \scratch is lost. */
	.macro	TO_KERNEL cpu, scratch
	swapgs
	movq	PV_CPU_CR3_KERNEL(\cpu), \scratch
	movq	\scratch, %cr3
	movb	$1, PV_CPU_KERNEL(\cpu)
	.endm

/*
 * From entry.S: rcx, r11 and rsp of the user are in the frame and in
 * pv_guest_rsp, rcx is pv_current.
 */
	.globl	quick_syscall
	.type	quick_syscall, @function
quick_syscall:
	movq	PV_CPU_INFO(%rcx), %r11
	cmpw	$0, (%r11)		/* upcall: pending, mask */
	jne	user_syscall
	movq	%rax, PV_FRAME_RAX(%rsp)
	movq	PV_CPU_QUICK_SP(%rcx), %rax
	testq	%rax, %rax
	jz	user_syscall_saved
	movb	$1, 1(%r11)
	TO_KERNEL %rcx, %r11
	movq	pv_guest_rsp(%rip), %r11
1:	movq	%r11, -16(%rax)
	movq	PV_FRAME_RIP(%rsp), %r11
2:	movq	%r11, -40(%rax)
3:	movq	%r11, -56(%rax)
	movq	PV_FRAME_RFLAGS(%rsp), %r11
4:	movq	%r11, -24(%rax)
5:	movq	%r11, -48(%rax)
6:	movq	$PV_GUEST_CS, -32(%rax)
7:	movq	$PV_GUEST_SS, -8(%rax)
	incq	PV_CPU_SYSCALLS(%rcx)
	movq	PV_CPU_QUICK_SYSCALL(%rcx), %rcx
	andl	$PV_RFLAGS_KEPT, %r11d
	subq	$56, %rax
	movq	%rax, pv_guest_rsp(%rip)
	movq	PV_FRAME_RAX(%rsp), %rax
	movq	pv_guest_rsp(%rip), %rsp
	sysretq
	.irp	at, 1, 2, 3, 4, 5, 6, 7
	FIXUP	\at\()b, user_syscall_lost
	.endr
	.size	quick_syscall, . - quick_syscall

/*
 * The gate of #PF. The first registers are saved as from_guest saves them, so
 * that it can go on from here. On the stack:
 *
 *   0 rbx  8 rdx  16 rcx  24 rax  32 vector  40 error  48 rip  56 cs
 *   64 rflags  72 rsp  80 ss
 */
	.globl	pv_fault_stub
	.type	pv_fault_stub, @function
pv_fault_stub:
	testb	$3, 16(%rsp)
	jz	trap_stubs + 16 * 14
	pushq	$14
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	movq	pv_current(%rip), %rbx
	cmpb	$0, PV_CPU_KERNEL(%rbx)
	jne	kernel_fault
	movq	PV_CPU_INFO(%rbx), %rax
	cmpw	$0, (%rax)
	jne	from_guest_saved
	movq	PV_CPU_QUICK_SP(%rbx), %rcx
	testq	%rcx, %rcx
	jz	from_guest_saved
	movb	$1, 1(%rax)
	movq	%cr2, %rdx
	movq	%rdx, PV_INFO_CR2(%rax)
	TO_KERNEL %rbx, %rdx
	movq	16(%rsp), %rdx
1:	movq	%rdx, -64(%rcx)
2:	movq	%r11, -56(%rcx)
	movq	40(%rsp), %rdx
3:	movq	%rdx, -48(%rcx)
	movq	48(%rsp), %rdx
4:	movq	%rdx, -40(%rcx)
	movzwl	56(%rsp), %edx
5:	movq	%rdx, -32(%rcx)
	movq	64(%rsp), %r11
6:	movq	%r11, -24(%rcx)
	movq	72(%rsp), %rdx
7:	movq	%rdx, -16(%rcx)
	movzwl	80(%rsp), %edx
8:	movq	%rdx, -8(%rcx)
	incq	PV_CPU_FAULTS(%rbx)
	leaq	-64(%rcx), %rax
	movq	%rax, pv_guest_rsp(%rip)
	movq	PV_CPU_QUICK_FAULT(%rbx), %rcx
	andl	$PV_RFLAGS_KEPT, %r11d
	movq	(%rsp), %rbx
	movq	8(%rsp), %rdx
	movq	24(%rsp), %rax
	movq	pv_guest_rsp(%rip), %rsp
	sysretq
	.irp	at, 1, 2, 3, 4, 5, 6, 7, 8
	FIXUP	\at\()b, fault_lost
	.endr

/*
 * The gate of #PF under shadow: with P or RSVD in the error code it may be
 * hidden, without it is the guest's own (shadow_absent.c). QEMU 7.2 leaves P
 * out where RSVD is.
 */
	.globl	pv_shadow_fault_stub
	.type	pv_shadow_fault_stub, @function
pv_shadow_fault_stub:
	testb	$9, (%rsp)
	jnz	pv_stubs + 32 * 14
	jmp	pv_fault_stub
	.size	pv_shadow_fault_stub, . - pv_shadow_fault_stub

/* The user's r11 is in its register but where the last words failed, which
 * does not matter to a guest that ends here. */
fault_lost = from_guest_lost
	.size	pv_fault_stub, . - pv_fault_stub

/*
 * The hypercall iret, from entry.S: rcx is pv_current, rax and r11 may change,
 * as the guest's frame has what they become. It is read as struct iret_context
 * lies there, each word once, whole before anything changes. Only from
 * the upper half, where kernels are, past the hypervisor.
 */
	.globl	quick_iret
	.type	quick_iret, @function
quick_iret:
	movq	PV_CPU_INFO(%rcx), %rax
	cmpb	$0, (%rax)
	jne	call_iret
	cmpq	$0, PV_CPU_CR3_USER(%rcx)
	je	call_iret
	movq	pv_guest_rsp(%rip), %r11
	cmpq	pv_hypervisor_end(%rip), %r11
	jb	call_iret
1:	testb	$1, 25(%r11)		/* VGCF_in_syscall */
	jnz	call_iret
2:	movzwl	40(%r11), %eax
	movq	%rax, PV_FRAME_CS(%rsp)
	incl	%eax
	testb	$3, %al			/* RPL 3 */
	jnz	call_iret
3:	movq	48(%r11), %rax
	testl	$PV_RFLAGS_EVENTS, %eax
	jz	call_iret
	andl	$PV_RFLAGS_USER, %eax
	orl	$2, %eax
	movq	%rax, PV_FRAME_RFLAGS(%rsp)
4:	movq	32(%r11), %rax
	movq	%rax, PV_FRAME_RIP(%rsp)
5:	movq	56(%r11), %rax
	movq	%rax, PV_FRAME_RSP(%rsp)
6:	movzwl	64(%r11), %eax
	orl	$3, %eax
	movq	%rax, PV_FRAME_SS(%rsp)
7:	movq	16(%r11), %rax
	movq	%rax, PV_FRAME_RCX(%rsp)
8:	movq	(%r11), %rax
9:	movq	8(%r11), %r11
	movq	%rax, PV_FRAME_RAX(%rsp)
	swapgs
	movq	PV_CPU_INFO(%rcx), %rax
	movb	$0, 1(%rax)
	movb	$0, PV_CPU_KERNEL(%rcx)
	movq	PV_CPU_CR3_USER(%rcx), %rax
	movq	%rax, %cr3
	movq	PV_FRAME_RAX(%rsp), %rax
	movq	PV_FRAME_RCX(%rsp), %rcx
	addq	$PV_FRAME_RIP, %rsp
quick_iret_to_user:
	iretq
	.irp	at, 1, 2, 3, 4, 5, 6, 7, 8, 9
	FIXUP	\at\()b, call_iret
	.endr
	FIXUP	quick_iret_to_user, iret_fault
	.size	quick_iret, . - quick_iret

	.section .rodata
	.balign 8
pv_hypervisor_end:
	.quad	PV_HYPERVISOR_END

	.section .note.GNU-stack, "", @progbits

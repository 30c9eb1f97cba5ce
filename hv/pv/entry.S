/*
 * Ways into the hypervisor from a guest in ring 3, and the one way back.
 *
 *   exceptions, interrupts    by a gate: pushes onto pv_stack_top
 *   SYSCALL                   by LSTAR: changes no stack, so it is loaded here
 *
 * All make the same frame (struct trap_frame, cpu/trap.h) at the same place,
 * the top of the guest's trap stack, so that C finds it without being told.
 * What comes from ring 0 is the hypervisor's own and goes on to cpu/entry.S.
 *
 * SWAPGS is between the guest's own two modes alone: GS is the guest's
 * throughout, and what is needed is reached relative to rip. With several
 * processors each gets its own copy of these few words, and of the two entry
 * points that read them.
 *
 * SYSRET with an address that is not canonical faults in ring 0 on the guest's
 * stack on some processors (Intel SDM 2B, SYSRET): such a return, and one with
 * TF or RF, is made by IRET. An IRET that faults goes to pv_iret_failed.
 * #DB has an interrupt stack: after MOV SS it can be taken in ring 0 before the
 * first instruction here, with rsp still the guest's (SDM 3A 6.8.3).
 */
#include "pv/offsets.h"

/* Where quick.S goes on when something is not as it is nearly always. */
	.globl	from_guest_saved, from_guest_lost, kernel_fault, iret_fault
	.globl	call_iret, user_syscall, user_syscall_saved, user_syscall_lost
	.globl	call_any, call_done

	.text
/* Of the frame: error code and vector, below what the processor pushes. */
	.macro	SAVE_REGISTERS
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	SAVE_MORE
	.endm

	.macro	SAVE_MORE
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm

	.macro	RESTORE_REGISTERS
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	.endm

	.balign 32
	.globl	pv_stubs
pv_stubs:
	.set	vector, 0
	.rept	256
	.balign 32
	/* Vectors with an error code: 8, 10-14, 17, 21, 29, 30. */
	.if	vector >= 32 || (0x60227d00 >> (vector & 31) & 1) == 0
	testb	$3, 8(%rsp)
	jz	trap_stubs + 16 * vector
	pushq	$0
	.else
	testb	$3, 16(%rsp)
	jz	trap_stubs + 16 * vector
	.endif
	pushq	$vector
	jmp	from_guest
	.set	vector, vector + 1
	.endr

	.type	from_guest, @function
from_guest:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
from_guest_saved:
	SAVE_MORE
	cld
	movq	%rsp, %rdi
	call	pv_trap
	jmp	pv_exit
/* rbx is pv_current. Back to where the write was, which IRET alone can, unless
 * there is more to do. */
kernel_fault:
	SAVE_MORE
	cld
	movq	%rbx, %rdi
	call	pv_kernel_fault
	cmpb	$0, PV_CPU_LEAVE(%rbx)
	jne	pv_exit
	movq	PV_CPU_INFO(%rbx), %rax
	cmpb	$0, (%rax)		/* an upcall is pending */
	je	by_iret
	jmp	pv_exit
from_guest_lost:
	SAVE_MORE
	cld
	movq	%rbx, %rdi
	call	pv_stack_lost
	jmp	pv_exit
	.size	from_guest, . - from_guest

/*
 * On its interrupt stack. From the guest: onto the trap stack. From ring 0 it
 * says nothing to anyone. But a second one, held back until the first one was
 * at its first instruction here, has overwritten where the guest was: a guest
 * can do that (a breakpoint at MOV SS before ICEBP; in QEMU at a single step),
 * and ends by it.
 */
	.globl	pv_debug_stub
	.type	pv_debug_stub, @function
pv_debug_stub:
	testb	$3, 8(%rsp)
	jz	1f
	pushq	%rax
	pushq	%rbx
	movq	pv_stack_top(%rip), %rax
	.irp	word, 0, 8, 16, 24, 32
	movq	16 + \word(%rsp), %rbx
	movq	%rbx, \word - 40(%rax)
	.endr
	movq	8(%rsp), %rbx
	movq	%rbx, -48(%rax)		/* rax for now */
	popq	%rbx
	leaq	-48(%rax), %rsp
	popq	%rax
	pushq	$0
	pushq	$1
	jmp	from_guest
1:	pushq	%rax
	leaq	pv_debug_stub(%rip), %rax
	cmpq	%rax, 8(%rsp)
	popq	%rax
	je	2f
	iretq
2:	cld
	movq	pv_frame(%rip), %rsp
	movq	pv_current(%rip), %rdi
	call	pv_debug_lost
	jmp	pv_exit
	.size	pv_debug_stub, . - pv_debug_stub

/*
 * SYSCALL from 64-bit code: rcx is the guest's rip, r11 its rflags. This is the
 * most frequent way in, so no more is saved than C may change; the rest of the
 * frame is filled in when somebody needs it. What returns from here has rcx
 * and r11 as SYSCALL left them, but for the hypercall iret.
 */
	.macro	SAVE_CHANGED
	movq	%rdi, PV_FRAME_RDI(%rsp)
	movq	%rsi, PV_FRAME_RSI(%rsp)
	movq	%rdx, PV_FRAME_RDX(%rsp)
	movq	%r8, PV_FRAME_R8(%rsp)
	movq	%r9, PV_FRAME_R9(%rsp)
	movq	%r10, PV_FRAME_R10(%rsp)
	.endm

/* What SYSCALL and the way in left elsewhere. rcx is lost. */
	.macro	SAVE_SYSCALL
	movq	PV_FRAME_RIP(%rsp), %rcx
	movq	%rcx, PV_FRAME_RCX(%rsp)
	movq	PV_FRAME_RFLAGS(%rsp), %rcx
	movq	%rcx, PV_FRAME_R11(%rsp)
	movq	pv_guest_rsp(%rip), %rcx
	movq	%rcx, PV_FRAME_RSP(%rsp)
	movq	$PV_GUEST_CS, PV_FRAME_CS(%rsp)
	movq	$PV_GUEST_SS, PV_FRAME_SS(%rsp)
	.endm

	.globl	pv_syscall
	.type	pv_syscall, @function
pv_syscall:
	movq	%rsp, pv_guest_rsp(%rip)
	movq	pv_frame(%rip), %rsp
	movq	%rcx, PV_FRAME_RIP(%rsp)
	movq	%r11, PV_FRAME_RFLAGS(%rsp)
	movq	pv_current(%rip), %rcx
	cmpb	$0, PV_CPU_KERNEL(%rcx)
	je	quick_syscall
	cmpq	$PV_CALLS, %rax
	jae	no_such_call
	incq	PV_CPU_CALLS(%rcx, %rax, 8)
	leaq	pv_quick_table(%rip), %r11
	jmp	*(%r11, %rax, 8)
call_any:
	SAVE_CHANGED
	movq	%rcx, %r9
	movq	%r10, %rcx
	leaq	pv_call_table(%rip), %r11
	call	*(%r11, %rax, 8)
	movq	pv_current(%rip), %r9
	cmpb	$0, PV_CPU_LEAVE(%r9)
	jne	call_slow
	movq	PV_CPU_INFO(%r9), %rcx
	cmpb	$0, (%rcx)		/* an upcall is pending */
	jne	call_slow
	movq	PV_FRAME_RIP(%rsp), %rcx
	movq	PV_FRAME_RFLAGS(%rsp), %r11
	testq	%rcx, %rcx		/* SYSCALL left it: in the upper half */
	jns	call_slow		/* it is canonical, or wrapped to 0 */
	testl	$PV_RFLAGS_NO_SYSRET, %r11d
	jnz	call_slow
	movq	PV_FRAME_RDI(%rsp), %rdi
	movq	PV_FRAME_RSI(%rsp), %rsi
	movq	PV_FRAME_RDX(%rsp), %rdx
	movq	PV_FRAME_R8(%rsp), %r8
	movq	PV_FRAME_R9(%rsp), %r9
	movq	PV_FRAME_R10(%rsp), %r10
	movq	pv_guest_rsp(%rip), %rsp
	sysretq

no_such_call:
	movq	$-38, %rax		/* -ENOSYS */
call_done:
	SAVE_CHANGED

/* Somebody will look at the whole frame, or load it. */
call_slow:
	movq	%rax, PV_FRAME_RAX(%rsp)
	SAVE_SYSCALL
save_the_rest:
	movq	%rbx, PV_FRAME_RBX(%rsp)
	movq	%rbp, PV_FRAME_RBP(%rsp)
	movq	%r12, PV_FRAME_R12(%rsp)
	movq	%r13, PV_FRAME_R13(%rsp)
	movq	%r14, PV_FRAME_R14(%rsp)
	movq	%r15, PV_FRAME_R15(%rsp)
	jmp	pv_exit

/* C fills in what IRET loads, and rcx and r11; what it answers is rax. */
call_iret:
	SAVE_CHANGED
	movq	pv_guest_rsp(%rip), %rax
	movq	%rax, PV_FRAME_RSP(%rsp)
	movq	%rcx, %rdi
	call	pv_iret
	movq	%rax, PV_FRAME_RAX(%rsp)
	jmp	save_the_rest

/* To the guest's kernel, whose entry takes rcx and r11 from its stack. */
user_syscall:
	movq	%rax, PV_FRAME_RAX(%rsp)
user_syscall_saved:
	SAVE_CHANGED
	movq	%rcx, %rdi
	SAVE_SYSCALL
	call	pv_user_syscall
	jmp	save_the_rest
user_syscall_lost:
	SAVE_CHANGED
	movq	%rcx, %rdi
	SAVE_SYSCALL
	call	pv_stack_lost
	jmp	save_the_rest
	.size	pv_syscall, . - pv_syscall

/* SYSCALL from 32-bit code, on processors that have it there: it is not
 * offered, so it is an invalid opcode, and rip is at it. */
	.globl	pv_syscall32
	.type	pv_syscall32, @function
pv_syscall32:
	movq	%rsp, pv_guest_rsp(%rip)
	movq	pv_stack_top(%rip), %rsp
	pushq	$PV_GUEST_SS
	pushq	pv_guest_rsp(%rip)
	pushq	%r11
	pushq	$PV_GUEST_CS32
	subl	$2, %ecx
	pushq	%rcx
	pushq	$0
	pushq	$6
	jmp	from_guest
	.size	pv_syscall32, . - pv_syscall32

/* void pv_enter(void): the guest runs until pv_cpu.leave is set. */
	.globl	pv_enter
	.type	pv_enter, @function
pv_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, pv_loop_rsp(%rip)
	movq	pv_frame(%rip), %rsp

/* The way back, with the frame on top of the stack. */
pv_exit:
	movq	pv_current(%rip), %rbx
	cmpb	$0, PV_CPU_LEAVE(%rbx)
	jne	leave_guest
	movq	PV_CPU_INFO(%rbx), %rax
	movzwl	(%rax), %eax		/* upcall: pending, mask */
	testb	%al, %al
	jnz	2f
1:	movq	PV_FRAME_RIP(%rsp), %rcx
	cmpq	%rcx, PV_FRAME_RCX(%rsp)
	jne	by_iret
	movq	PV_FRAME_RFLAGS(%rsp), %r11
	cmpq	%r11, PV_FRAME_R11(%rsp)
	jne	by_iret
	testl	$PV_RFLAGS_NO_SYSRET, %r11d
	jnz	by_iret
	cmpq	$PV_GUEST_CS, PV_FRAME_CS(%rsp)
	jne	by_iret
	cmpq	$PV_GUEST_SS, PV_FRAME_SS(%rsp)
	jne	by_iret
	movq	%rcx, %rax
	shlq	$16, %rax
	sarq	$16, %rax
	cmpq	%rcx, %rax
	jne	by_iret
	RESTORE_REGISTERS
	movq	24(%rsp), %rsp
	sysretq
2:	testb	%ah, %ah
	jnz	1b
	movq	%rbx, %rdi
	call	pv_deliver_events
	cmpb	$0, PV_CPU_LEAVE(%rbx)	/* its stack was none */
	je	1b
	jmp	leave_guest

by_iret:
	RESTORE_REGISTERS
iret_to_guest:
	iretq

	.pushsection .fixup_table, "a"
	.quad	iret_to_guest, iret_fault
	.popsection

/* What IRET was to load is still on the stack. */
iret_fault:
	pushq	$0
	pushq	$13
	SAVE_REGISTERS
	movq	pv_current(%rip), %rdi
	call	pv_iret_failed
	jmp	pv_exit

leave_guest:
	movb	$0, PV_CPU_LEAVE(%rbx)
	movq	pv_loop_rsp(%rip), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	pv_enter, . - pv_enter

/* void pv_load_gdt(const void *pseudo_descriptor): CS becomes ours in it. */
	.globl	pv_load_gdt
	.type	pv_load_gdt, @function
pv_load_gdt:
	lgdt	(%rdi)
	movl	$PV_OUR_DATA, %eax
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	popq	%rax
	pushq	$PV_OUR_CODE
	pushq	%rax
	lretq
	.size	pv_load_gdt, . - pv_load_gdt

/*
 * uint64_t pv_copy(void *to, const void *from, uint64_t size): one of the two
 * is the guest's and may fault. Returns how many bytes were not copied.
 */
	.globl	pv_copy
	.type	pv_copy, @function
pv_copy:
	movq	%rdx, %rcx
	andl	$7, %edx
	shrq	$3, %rcx
	jz	2f
1:	rep movsq
2:	movl	%edx, %ecx
3:	rep movsb
	xorl	%eax, %eax
	ret
4:	leaq	(%rdx, %rcx, 8), %rax
	ret
5:	movq	%rcx, %rax
	ret
	.pushsection .fixup_table, "a"
	.quad	1b, 4b
	.quad	3b, 5b
	.popsection
	.size	pv_copy, . - pv_copy

	.bss
	.balign 8
	.globl	pv_stack_top, pv_frame, pv_current, pv_guest_rsp
pv_stack_top:
	.skip	8
pv_frame:				/* the frame at its top */
	.skip	8
pv_current:
	.skip	8
pv_guest_rsp:
	.skip	8
pv_loop_rsp:
	.skip	8

	.section .note.GNU-stack, "", @progbits

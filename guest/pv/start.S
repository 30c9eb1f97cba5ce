/*
 * A small paravirtual kernel's beginning, its notes, and where the hypervisor
 * enters it again: one stub a vector, and one for each callback. A stub says
 * what came and leaves the frame to C, which goes back to where the test said
 * (lib.c).
 */
#define NOTE_ENTRY	  1
#define NOTE_HYPERCALL	  2
#define NOTE_VIRT_BASE	  3
#define NOTE_PADDR_OFFSET 4

	.macro	note type, value
	.balign 4
	.long	4, 8, \type
	.asciz	"Xen"
	.quad	\value
	.endm

	.section .notes, "a", @note
	note	NOTE_ENTRY, start
	note	NOTE_HYPERCALL, hypercall_page
	note	NOTE_VIRT_BASE, 0xffffffff80000000
	note	NOTE_PADDR_OFFSET, 0

	.text
	.globl	start
start:
	cld
	movq	%rsi, start_info(%rip)
	leaq	stack_top(%rip), %rsp
	xorl	%ebp, %ebp
	call	guest_main
	ud2

/* Frames: rcx r11 [error] rip cs rflags rsp ss. */
	.macro	stub number, has_error
	.balign 16
	pushq	$\number
	jmp	arrived_\has_error
	.endm

	.balign 16
	.globl	stubs
stubs:
	.set	vector, 0
	.rept	256
	.if	vector < 32 && (0x60227d00 >> (vector & 31) & 1) != 0
	stub	vector, 1
	.else
	stub	vector, 0
	.endif
	.set	vector, vector + 1
	.endr

/* With the vector on top: vector rcx r11 [error] rip ... */
arrived_1:
	popq	arrival+0(%rip)
	popq	arrival+8(%rip)
	popq	arrival+16(%rip)
	popq	arrival+24(%rip)
	jmp	1f
arrived_0:
	popq	arrival+0(%rip)
	popq	arrival+8(%rip)
	popq	arrival+16(%rip)
	movq	$0, arrival+24(%rip)
1:	popq	arrival+32(%rip)	/* rip cs rflags rsp ss */
	popq	arrival+40(%rip)
	popq	arrival+48(%rip)
	popq	arrival+56(%rip)
	popq	arrival+64(%rip)
	movq	resume_rsp(%rip), %rsp
	movq	$0, resume_rsp(%rip)
	testq	%rsp, %rsp
	jz	nobody_asked
	popq	%rbx
	popq	%rbp
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	movl	$1, %eax
	ret

nobody_asked:
	leaq	stack_top(%rip), %rsp
	call	unexpected
	ud2

	.globl	on_event, on_failsafe, on_syscall
on_event:
	pushq	$0x100
	jmp	arrived_0
on_failsafe:
	addq	$16, %rsp		/* ds es fs gs follow rcx and r11 */
	addq	$32, %rsp
	subq	$16, %rsp
	movq	$0, (%rsp)
	movq	$0, 8(%rsp)
	pushq	$0x101
	jmp	arrived_0
on_syscall:
	pushq	$0x102
	jmp	arrived_0

/* int attempt(void (*f)(uint64_t, uint64_t), uint64_t a, uint64_t b): 0 when
 * f has returned, 1 when something arrived, which `arrival` then holds. */
	.globl	attempt
attempt:
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%rbp
	pushq	%rbx
	movq	%rsp, resume_rsp(%rip)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	subq	$8, %rsp
	call	*%rax
	addq	$8, %rsp
	movq	$0, resume_rsp(%rip)
	popq	%rbx
	popq	%rbp
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	xorl	%eax, %eax
	ret

/* noreturn void return_to(const struct iret_frame *): the hypercall's frame as
 * it is given; rsp points at it. */
	.globl	return_to
return_to:
	movq	%rdi, %rsp
	movl	$23, %eax
	syscall
	ud2

	.bss
	.balign 4096
	.globl	hypercall_page
hypercall_page:
	.skip	4096
	.skip	65536
stack_top:
	.globl	start_info, arrival, resume_rsp
start_info:
	.skip	8
arrival:
	.skip	72
resume_rsp:
	.skip	8

	.section .note.GNU-stack, "", @progbits

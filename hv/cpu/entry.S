/*
 * One stub of 16 bytes for each vector: it makes all frames alike (a zero
 * where the processor pushes no error code) and adds the vector. The rest
 * saves all general registers as struct trap_frame (trap.h) and calls C.
 * The stack is 16-byte aligned at the call: 5 + 2 + 15 words below one that
 * the processor aligned (Intel SDM 3A 6.14.2).
 */
	.text
	.balign 16
	.globl	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	/* Vectors with an error code: 8, 10-14, 17, 21, 29, 30. */
	.if	vector >= 32 || (0x60227d00 >> (vector & 31) & 1) == 0
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

	.type	trap_common, @function
trap_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
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
	cld
	movq	%rsp, %rdi
	call	trap_take
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
	iretq
	.size	trap_common, . - trap_common

	.section .note.GNU-stack, "", @progbits

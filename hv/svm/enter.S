/*
 * void svm_enter(uint64_t gpr[16], uint64_t vmcb_pa, uint64_t host_vmcb_pa);
 *
 * One stretch of guest execution. VMRUN switches rax, rsp, rip and rflags
 * through the VMCB; the other general registers are switched here. VMLOAD and
 * VMSAVE switch FS, GS, TR, LDTR and the system-call MSRs: the host's TR must
 * be back before an exception can need an interrupt stack.
 *
 * Interrupts: with V_INTR_MASKING the processor masks physical interrupts by
 * the host's IF as it was at VMRUN, so IF is set under GIF = 0 (APM 2 15.17,
 * 15.21.1): nothing is taken here, everything physical makes an exit.
 */
	.text
	.globl	svm_enter
	.type	svm_enter, @function
svm_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	push	%rdi

	mov	%rsi, %rax
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	0x38(%rdi), %rdi

	clgi
	sti
	vmload	%rax
	vmrun	%rax
	vmsave	%rax

	xchg	%rdi, (%rsp)
	mov	%rcx, 0x08(%rdi)
	mov	%rdx, 0x10(%rdi)
	mov	%rbx, 0x18(%rdi)
	mov	%rbp, 0x28(%rdi)
	mov	%rsi, 0x30(%rdi)
	mov	%r8, 0x40(%rdi)
	mov	%r9, 0x48(%rdi)
	mov	%r10, 0x50(%rdi)
	mov	%r11, 0x58(%rdi)
	mov	%r12, 0x60(%rdi)
	mov	%r13, 0x68(%rdi)
	mov	%r14, 0x70(%rdi)
	mov	%r15, 0x78(%rdi)
	pop	%rcx
	mov	%rcx, 0x38(%rdi)

	pop	%rax
	vmload	%rax
	cli
	stgi

	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	svm_enter, . - svm_enter
	.section .note.GNU-stack, "", @progbits

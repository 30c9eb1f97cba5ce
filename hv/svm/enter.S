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
#include "vm/gpr.inc"

	.text
	.globl	svm_enter
	.type	svm_enter, @function
svm_enter:
	host_push
	push	%rdx
	push	%rdi

	mov	%rsi, %rax
	gpr_load

	clgi
	sti
	vmload	%rax
	vmrun	%rax
	vmsave	%rax

	gpr_save

	pop	%rax
	vmload	%rax
	cli
	stgi

	host_pop
	ret
	.size	svm_enter, . - svm_enter
	.section .note.GNU-stack, "", @progbits

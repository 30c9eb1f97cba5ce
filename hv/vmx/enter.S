/*
 * unsigned vmx_enter(uint64_t gpr[16], struct vmx_vcpu *s);
 *
 * One stretch of guest execution by the current VMCS: 0, or 1 where the
 * processor refused VMLAUNCH or VMRESUME before it looked at the guest (SDM 3C
 * 26.1, 26.2). The VMCS switches rsp, rip, rflags, the control registers and
 * the segments; the other general registers are switched here.
 *
 * s->host_rsp is what the VMCS holds as the host's rsp: the stack is as deep as
 * the last time at nearly every entry, and then it is not written.
 */
#include "vm/gpr.inc"

#define VMCS_HOST_RSP 0x6c14

	.text
	.globl	vmx_enter
	.type	vmx_enter, @function
vmx_enter:
	host_push
	push	%rdi
	cmp	%rsp, (%rsi)
	je	1f
	mov	%rsp, (%rsi)
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:
	cmpb	$0, 8(%rsi)	/* launched; nothing below changes the flags */
	mov	0x00(%rdi), %rax
	gpr_load
	jz	2f
	vmresume
	jmp	3f
2:	vmlaunch
3:	/* Refused: the registers are the guest's, as they were. */
	mov	$1, %eax
	pop	%rdi
	jmp	4f

	.globl	vmx_exit
	.type	vmx_exit, @function
vmx_exit:
	gpr_save
	mov	%rax, 0x00(%rdi)
	xor	%eax, %eax
4:	host_pop
	ret
	.size	vmx_enter, . - vmx_enter
	.section .note.GNU-stack, "", @progbits

/*
 * The hypercalls that a guest's kernel makes for each page and for each switch
 * of processes, without a frame and nearly without C:
 *
 *   mmu_update         of one entry, which the library has a short way for
 *   stack_switch       where frames for the kernel go while a user runs
 *   set_segment_base   FS, and GS of the user
 *   mmuext_op          one INVLPG; both roots
 *
 * Each is taken only when its arguments are what they nearly always are and
 * nothing beside is to be done; all others go on to the C function of the same
 * hypercall (call_any) with nothing changed, which also says what is wrong. So
 * here is nothing refused.
 *
 * On entry, from pv_syscall: rcx is pv_current, rax the number, rsp the frame,
 * in which rip and rflags are; r11 is free. The ABI lets a hypercall destroy
 * its argument registers, so those are zero where C has used them.
 */
#include "pv/fixup.inc"
#include "pv/offsets.h"

	.text

/* As pv_syscall returns. */
	.macro	QUICK_RETURN
	xorl	%eax, %eax
	movq	PV_CPU_INFO(%rcx), %rcx
	cmpb	$0, (%rcx)
	jne	call_done
	movq	PV_FRAME_RIP(%rsp), %rcx
	movq	PV_FRAME_RFLAGS(%rsp), %r11
	testq	%rcx, %rcx
	jns	call_done
	testl	$PV_RFLAGS_NO_SYSRET, %r11d
	jnz	call_done
	movq	pv_guest_rsp(%rip), %rsp
	sysretq
	.endm

/* C may use what a call that it refuses needs still. */
	.macro	KEEP_ARGUMENTS
	movq	%rdi, PV_FRAME_RDI(%rsp)
	movq	%r8, PV_FRAME_R8(%rsp)
	movq	%r9, PV_FRAME_R9(%rsp)
	.endm

/* After that: al says whether it is done. */
	.macro	QUICK_ANSWER refused
	movq	PV_FRAME_R8(%rsp), %r8
	movq	PV_FRAME_R9(%rsp), %r9
	movq	pv_current(%rip), %rcx
	testb	%al, %al
	jz	\refused
	xorl	%edi, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	QUICK_RETURN
	.endm

/* rdi: the list, rsi: how many, rdx: where to say how many were done, r10: of
 * which domain. The request is read whole, each word once, from the half that
 * kernels are in. */
	.type	quick_mmu_update, @function
quick_mmu_update:
	cmpl	$1, %esi
	jne	call_any
	cmpl	$PV_DOMID_SELF, %r10d
	jne	call_any
	testq	%rdx, %rdx
	jnz	call_any
	movq	PV_CPU_QUICK_VM(%rcx), %r11
	testq	%r11, %r11
	jz	call_any
	leaq	16(%rdi), %rdx
	cmpq	pv_least_end(%rip), %rdx
	jb	4f
1:	movq	(%rdi), %rsi
2:	movq	8(%rdi), %rdx
	testb	$PV_UPDATE_OTHER, %sil
	jnz	4f
	KEEP_ARGUMENTS
	movl	%esi, %ecx
	shrl	$PV_UPDATE_KEEP_SHIFT, %ecx
	andl	$1, %ecx
	andq	$~(1 << PV_UPDATE_KEEP_SHIFT), %rsi
	movq	%r11, %rdi
	call	vmmu_direct_update_quick
	QUICK_ANSWER 3f
3:	movq	PV_FRAME_RDI(%rsp), %rdi
	movl	$PV_DOMID_SELF, %r10d
	movl	$PV_CALL_MMU_UPDATE, %eax
4:	movl	$1, %esi
	xorl	%edx, %edx
	jmp	call_any
	FIXUP	1b, 4b
	FIXUP	2b, 4b
	.size	quick_mmu_update, . - quick_mmu_update

/* rsi: the stack. What pv_quick makes of it when all else is in place. */
	.type	quick_stack_switch, @function
quick_stack_switch:
	cmpq	$0, PV_CPU_QUICK_READY(%rcx)
	je	call_any
	movq	%rsi, %r11
	andq	$-16, %r11
	cmpq	pv_least_stack(%rip), %r11
	jb	call_any
	movq	%rsi, PV_CPU_KERNEL_SP(%rcx)
	movq	%r11, PV_CPU_QUICK_SP(%rcx)
	QUICK_RETURN
	.size	quick_stack_switch, . - quick_stack_switch

/* rdi: which, rsi: the base, which has to be canonical, or WRMSR would fault.
 * FS's is in C000_0100h, that of the mode which does not run two further. */
	.type	quick_segment, @function
quick_segment:
	movq	%rsi, %r11
	shlq	$16, %r11
	sarq	$16, %r11
	cmpq	%rsi, %r11
	jne	call_any
	cmpq	$1, %rdi
	ja	call_any
	movq	%rcx, %r11
	leal	-0x3fffff00(%rdi, %rdi), %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	wrmsr
	xorl	%edx, %edx
	movq	%r11, %rcx
	incq	PV_CPU_SET_BASE(%rcx, %rdi, 8)
	QUICK_RETURN
	.size	quick_segment, . - quick_segment

/* Arguments as of mmu_update. An operation is three words, of which the first
 * half of the first says which; what is not the first of a list of one, or the
 * two of a list of two, goes the other way. INVLPG faults for no address. */
	.type	quick_mmuext, @function
quick_mmuext:
	cmpl	$PV_DOMID_SELF, %r10d
	jne	call_any
	testq	%rdx, %rdx
	jnz	call_any
	cmpq	$0, PV_CPU_QUICK_VM(%rcx)
	je	call_any
	cmpl	$1, %esi
	jne	quick_roots
	leaq	24(%rdi), %r11
	cmpq	pv_least_ext_end(%rip), %r11
	jb	call_any
1:	cmpl	$PV_EXT_INVLPG, (%rdi)
	jne	call_any
2:	movq	8(%rdi), %r11
	invlpg	(%r11)
	incq	PV_CPU_INVLPG(%rcx)
	QUICK_RETURN
	FIXUP	1b, call_any
	FIXUP	2b, call_any

quick_roots:
	cmpl	$2, %esi
	jne	call_any
	leaq	48(%rdi), %r11
	cmpq	pv_least_roots_end(%rip), %r11
	jb	call_any
1:	cmpl	$PV_EXT_ROOT, (%rdi)
	jne	call_any
2:	cmpl	$PV_EXT_USER_ROOT, 24(%rdi)
	jne	call_any
3:	movq	8(%rdi), %rsi
4:	movq	32(%rdi), %rdx
	KEEP_ARGUMENTS
	movq	%rcx, %rdi
	call	pv_quick_new_roots
	QUICK_ANSWER 5f
5:	movq	PV_FRAME_RDI(%rsp), %rdi
	movl	$PV_DOMID_SELF, %r10d
	movl	$PV_CALL_MMUEXT, %eax
6:	movl	$2, %esi
	xorl	%edx, %edx
	jmp	call_any
	FIXUP	1b, call_any
	FIXUP	2b, call_any
	FIXUP	3b, 6b
	FIXUP	4b, 6b
	.size	quick_mmuext, . - quick_mmuext

	.section .data.rel.ro, "aw", @progbits
	.balign 8
	.globl	pv_quick_table
pv_quick_table:
	.set	number, 0
	.rept	PV_CALLS
	.if	number == PV_CALL_IRET
	.quad	quick_iret
	.elseif	number == PV_CALL_MMU_UPDATE
	.quad	quick_mmu_update
	.elseif	number == PV_CALL_STACK
	.quad	quick_stack_switch
	.elseif	number == PV_CALL_SEGMENT
	.quad	quick_segment
	.elseif	number == PV_CALL_MMUEXT
	.quad	quick_mmuext
	.else
	.quad	call_any
	.endif
	.set	number, number + 1
	.endr

	.section .rodata
	.balign 8
/* Where a list ends, and a frame begins to fit below, at the least: past the
 * hypervisor, and not past the end of all addresses. */
pv_least_end:
	.quad	PV_HYPERVISOR_END + 16
pv_least_ext_end:
	.quad	PV_HYPERVISOR_END + 24
pv_least_roots_end:
	.quad	PV_HYPERVISOR_END + 48
pv_least_stack:
	.quad	PV_HYPERVISOR_END + PV_FRAME_MOST

	.section .note.GNU-stack, "", @progbits

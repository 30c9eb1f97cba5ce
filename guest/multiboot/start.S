/*
 * Entry of the small bare-metal guests (Multiboot 1 specification 0.6.96,
 * 3.2), their exception entries, and a call that survives an exception.
 *
 * guarded(fn): calls fn and returns -1, or the vector of the exception that
 * fn ran into. The entry stub of each vector pushes its number and, where an
 * exception has no error code, a zero; trap_common either unwinds to the
 * guard or hands the frame to trap_report.
 */
	.section .multiboot, "a"
	.balign 4
	.long	0x1badb002, 0x00000003, -(0x1badb002 + 0x00000003)

	.text
	.globl	start
start:
	/* Before any instruction changes them: what the loader left. */
	mov	%eax, entry_regs
	mov	%ebx, entry_regs + 4
	mov	%ecx, entry_regs + 8
	mov	%edx, entry_regs + 12
	mov	%esi, entry_regs + 16
	mov	%edi, entry_regs + 20
	mov	%ebp, entry_regs + 24
	mov	%esp, entry_regs + 28
	mov	$stack_end, %esp
	cld
	lgdt	gdt_pointer
	ljmp	$0x08, $1f
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	push	%ebx
	call	trap_init
	call	console_init
	call	test_main
	push	%eax
	call	finish

	.globl	guarded
guarded:
	mov	4(%esp), %eax
	push	%ebx
	push	%esi
	push	%edi
	push	%ebp
	mov	%esp, guard_stack
	call	*%eax
	mov	$-1, %eax
1:	movl	$0, guard_stack
	pop	%ebp
	pop	%edi
	pop	%esi
	pop	%ebx
	ret

trap_common:
	mov	guard_stack, %eax
	test	%eax, %eax
	jz	2f
	mov	(%esp), %ebx
	mov	%eax, %esp
	mov	%ebx, %eax
	jmp	1b
2:	push	%esp
	call	trap_report

	.altmacro
	.macro	entry number
	.balign	16
	.if	!((\number == 8) || ((\number >= 10) && (\number <= 14)) || \
		  (\number == 17) || (\number == 21))
	push	$0
	.endif
	push	$\number
	jmp	trap_common
	.endm

	/* 32 entries of 16 bytes. */
	.balign	16
	.globl	trap_entries
trap_entries:
	.set	i, 0
	.rept	32
	entry	%i
	.set	i, i + 1
	.endr
	.balign	16

	.data
	.balign	8
	.globl	gdt
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: code, 4 GiB, 32-bit */
	.quad	0x00cf93000000ffff	/* 0x10: data, 4 GiB */
	.quad	0x00af9b000000ffff	/* 0x18: code, 64-bit */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
guard_stack:
	.long	0
	.globl	entry_regs
entry_regs:
	.fill	8, 4, 0

	.bss
	.balign	16
	.fill	16384
stack_end:

	.section .note.GNU-stack, "", @progbits

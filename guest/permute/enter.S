/*
 * One access, made as it is asked for, and what came of it.
 *
 * void probe_32(what, eflags, address, value), and probe_64 for long mode: the
 * C program is 32-bit code (in long mode: compatibility mode), so probe_64
 * goes to a 64-bit segment for as long as it takes.
 *
 *   ring 0   EFLAGS.AC as asked, then one instruction. A fetch jumps to the
 *            page under test, which holds INT 0x30.
 *   ring 3   IRET to the instruction on user_page, INT 0x30 behind it; a
 *            fetch is the IRET's own target.
 *
 * #PF and INT 0x30 note what they are told and go back to the prober's stack,
 * whatever the ring they come from (Intel SDM 3A, 6.12.1, 6.14). Everything
 * else that is raised is a failure of the program.
 */
#define CODE_32	     0x08
#define DATA	     0x10
#define CODE_64	     0x18
#define USER_CODE_32 0x23
#define USER_DATA    0x2b
#define USER_CODE_64 0x33
#define LOCAL	     0x0007 /* the local descriptor table's first, ring 3 */

#define WHAT	20
#define EFLAGS	24
#define ADDRESS 28
#define VALUE	36

#define AT_CODE 0x100

	.bss
	.balign	8
	.globl	probe
probe:	.fill	5, 4, 0
	.set	probe_vector, probe
	.set	probe_error, probe + 4
	.set	probe_cr2, probe + 8
	.set	probe_value, probe + 16
	.balign	8
prober_stack:
	.fill	2, 4, 0
trap_facts:
	.fill	8, 4, 0

	/* 1. 32-bit. */

	.text
	.globl	probe_32
probe_32:
	push	%ebp
	push	%ebx
	push	%esi
	push	%edi
	mov	%esp, prober_stack
	mov	WHAT(%esp), %esi
	mov	EFLAGS(%esp), %edx
	mov	ADDRESS(%esp), %ecx
	mov	VALUE(%esp), %eax
	mov	ring_32(, %esi, 4), %edi
	cmp	$2, %esi
	je	1f
	cmp	$6, %esi
	jne	2f
1:	lea	AT_CODE(%ecx), %edi
2:	cmp	$4, %esi
	jae	3f
	push	%edx
	popf
	jmp	*%edi
3:	push	$USER_DATA
	push	$0
	push	%edx
	push	$USER_CODE_32
	push	%edi
	iret

read_32:
	mov	(%ecx), %eax
	int	$0x30
write_32:
	mov	%eax, (%ecx)
	int	$0x30

	.globl	fault_32
fault_32:
	pop	probe_error
	mov	%cr2, %ecx
	mov	%ecx, probe_cr2
	movl	$0, probe_cr2 + 4
	movl	$14, probe_vector
	jmp	back_32
	.globl	done_32
done_32:
	mov	%eax, probe_value
	movl	$0x30, probe_vector
back_32:
	mov	prober_stack, %esp
	push	$2
	popf
	pop	%edi
	pop	%esi
	pop	%ebx
	pop	%ebp
	ret

	.section .rodata
	.balign	4
ring_32:
	.long	read_32, write_32, 0, 0
	.long	user_read_32, user_write_32, 0, user_segment_32

	/* 2. 64-bit. A 32-bit object has no 64-bit relocations: addresses go
	 * through 32-bit registers. */

	.text
	.globl	probe_64
probe_64:
	push	%ebp
	push	%ebx
	push	%esi
	push	%edi
	mov	%esp, prober_stack
	ljmp	$CODE_64, $1f
	.code64
1:	mov	%esp, %esp
	mov	WHAT(%rsp), %esi
	mov	EFLAGS(%rsp), %edx
	mov	ADDRESS(%rsp), %rcx
	mov	VALUE(%rsp), %eax
	mov	$ring_64, %r8d
	mov	(%r8, %rsi, 4), %edi
	cmp	$2, %esi
	je	1f
	cmp	$6, %esi
	jne	2f
1:	lea	AT_CODE(%rcx), %rdi
2:	cmp	$4, %esi
	jae	3f
	push	%rdx
	popfq
	jmp	*%rdi
3:	pushq	$USER_DATA
	pushq	$0
	push	%rdx
	pushq	$USER_CODE_64
	push	%rdi
	iretq

read_64:
	mov	(%rcx), %eax
	int	$0x30
write_64:
	mov	%eax, (%rcx)
	int	$0x30

	.globl	fault_64
fault_64:
	mov	$probe, %r8d
	pop	%rax
	mov	%eax, 4(%r8)
	mov	%cr2, %rcx
	mov	%rcx, 8(%r8)
	movl	$14, (%r8)
	jmp	back_64
	.globl	done_64
done_64:
	mov	$probe, %r8d
	mov	%eax, 16(%r8)
	movl	$0x30, (%r8)
back_64:
	mov	$prober_stack, %r8d
	mov	(%r8), %esp
	pushq	$2
	popfq
	/* From ring 3 the processor loads a null SS: SDM 3A, 6.14.2. */
	mov	$DATA, %eax
	mov	%eax, %ss
	mov	$to_32, %r8d
	ljmp	*(%r8)
	.code32
back_32_of_64:
	pop	%edi
	pop	%esi
	pop	%ebx
	pop	%ebp
	ret

	.section .rodata
	.balign	8
to_32:	.long	back_32_of_64
	.word	CODE_32
	.balign	8
to_report:
	.long	report_32
	.word	CODE_32
	.balign	4
ring_64:
	.long	read_64, write_64, 0, 0
	.long	user_read_64, user_write_64, 0, user_segment_64

	/* 3. What ring 3 runs: on a page of its own. */

	.section .data.user, "aw"
	.balign	4096
	.globl	user_page
user_page:
user_read_32:
	mov	(%ecx), %eax
	int	$0x30
user_write_32:
	mov	%eax, (%ecx)
	int	$0x30
user_segment_32:
	mov	$LOCAL, %eax
	mov	%eax, %gs
	int	$0x30
	.code64
user_read_64:
	mov	(%rcx), %eax
	int	$0x30
user_write_64:
	mov	%eax, (%rcx)
	int	$0x30
user_segment_64:
	mov	$LOCAL, %eax
	mov	%eax, %gs
	int	$0x30
	.balign	4096

	/* 4. What must not be raised, in long mode; start.S has the other. The
	 * frame's words are told as they lie there. */

	.text
	.code64
unexpected_64:
	mov	$trap_facts, %r8d
	pop	%rax
	mov	%eax, (%r8)
	mov	(%rsp), %rax
	mov	%eax, 4(%r8)
	mov	8(%rsp), %rax
	mov	%eax, 8(%r8)
	mov	16(%rsp), %rax
	mov	%eax, 12(%r8)
	mov	$prober_stack, %r8d
	mov	(%r8), %esp
	mov	$DATA, %eax
	mov	%eax, %ss
	mov	$to_report, %r8d
	ljmp	*(%r8)
	.code32
report_32:
	push	$trap_facts
	call	unexpected

	.code64
	.balign	16
	.globl	unexpected_entries
unexpected_entries:
	.set	i, 0
	.rept	32
	.balign	16
	pushq	$i
	jmp	unexpected_64
	.set	i, i + 1
	.endr

	/* 5. What in long mode takes 64 bits. */

	.code32
	.globl	load_local_64
load_local_64: /* (local, task) */
	push	%ebp
	push	%ebx
	push	%esi
	push	%edi
	mov	%esp, prober_stack
	ljmp	$CODE_64, $1f
	.code64
1:	mov	%esp, %esp
	mov	20(%rsp), %eax
	lldt	%ax
	mov	24(%rsp), %eax
	ltr	%ax
	jmp	back_64

	.code32
	.globl	flush_64
flush_64:		/* (address) */
	push	%ebp
	push	%ebx
	push	%esi
	push	%edi
	mov	%esp, prober_stack
	ljmp	$CODE_64, $1f
	.code64
1:	mov	%esp, %esp
	mov	20(%rsp), %rcx
	invlpg	(%rcx)
	jmp	back_64

	.section .note.GNU-stack, "", @progbits

/*
 * From the Multiboot entry (32-bit, paging off) to C in the high half.
 *
 *  1. check that the processor has long mode and no-execute;
 *  2. fill the boot tables: 4 GiB in 2 MiB pages, seen at 0 (for the jump),
 *     at the image base and at the direct map's base;
 *  3. PAE, EFER.LME|NXE, PG|WP: AMD APM 2 14.6.1, Intel SDM 3A 9.8.5;
 *  4. jump high, switch to the boot stack, call hv_main(magic, info).
 *
 * These tables are writable and executable throughout: they serve until
 * paging.c has built the real ones.
 */
#include "mm/layout.h"

/* Of what is linked high; .boot itself is linked where it is loaded. */
#define PHYS(symbol)	((symbol) - HV_IMAGE_BASE)

/* Multiboot 1, section 3.1: page-aligned modules, memory information. */
#define MB_MAGIC	0x1badb002
#define MB_FLAGS	0x00000003

	.section .boot, "ax"
	.balign 4
	.long	MB_MAGIC
	.long	MB_FLAGS
	.long	-(MB_MAGIC + MB_FLAGS)

	.code32
	.globl	start
start:
	cli
	cld
	movl	$PHYS(boot_stack_top), %esp
	movl	%eax, %ebp		/* magic */
	movl	%ebx, %esi		/* information structure */

	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	testl	$(1 << 29), %edx	/* LM */
	jz	no_long_mode
	testl	$(1 << 20), %edx	/* NX */
	jz	no_long_mode

	/* Four page directories, 2048 leaves of 2 MiB: present, writable. */
	movl	$PHYS(boot_pd), %edi
	movl	$0x83, %eax
	xorl	%edx, %edx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	jnc	1b

	movl	$PHYS(boot_pdpt), %edi
	movl	$(PHYS(boot_pd) + 3), %eax
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x1000, %eax
	loop	2b

	movl	$(PHYS(boot_pdpt) + 3), %eax
	movl	$PHYS(boot_pml4), %edi
	movl	%eax, (%edi)
	movl	%eax, (((HV_IMAGE_BASE >> 39) & 511) * 8)(%edi)
	movl	%eax, (((HV_DIRECT_BASE >> 39) & 511) * 8)(%edi)
	movl	%edi, %cr3

	movl	%cr4, %eax
	orl	$(1 << 5), %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$((1 << 8) | (1 << 11)), %eax	/* LME, NXE */
	wrmsr
	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on: CD, NW off */
	orl	$0x80010001, %eax	/* PG, WP, PE */
	movl	%eax, %cr0

	lgdt	boot_gdtr
	ljmp	$8, $long_mode

/* No report channel yet but the bare port, and no one to wait for. */
no_long_mode:
	movl	$no_long_mode_text, %esi
	movw	$0x2f8, %dx
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	movl	$0x35, %eax		/* MACHINE_END_CRASH */
	movw	$0xf4, %dx
	outl	%eax, %dx
3:	hlt
	jmp	3b

	.code64
long_mode:
	movabsq	$high, %rax
	jmp	*%rax

	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code, ring 0 */
	.quad	0x00cf93000000ffff	/* data */
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt
	.long	0
no_long_mode_text:
	.asciz	"vmmu: this processor has no long mode with no-execute\n"

	.text
high:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	boot_stack_top(%rip), %rsp
	movl	%ebp, %edi
	movl	%esi, %esi
	xorl	%ebp, %ebp		/* where a backtrace ends */
	call	hv_main
	ud2

/* noreturn void stack_call(uintptr_t top, void (*fn)(void)) */
	.globl	stack_call
	.type	stack_call, @function
stack_call:
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	call	*%rsi
	ud2
	.size	stack_call, . - stack_call

	.bss
	.balign 4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4 * 4096
boot_stack:
	.skip	16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits

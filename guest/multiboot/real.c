/*
 * Goes from protected mode to real mode and back (Intel SDM 3A 9.9), and looks
 * whether it was there: segments are shifted selectors, an
 * interrupt goes by the vector table at 0, and CPUID exits from there.
 * Expected: 0. On Intel VMX only a guest under nested may do so.
 */
#include "lib.h"

#define CODE	0x8000 /* below 1 MiB, where real mode reaches */
#define SCRATCH 0x9000
#define VECTOR	0x40

/* Copied to CODE; addresses are of there. */
extern const uint8_t trip_begin[], trip_end[];
__asm__(".section .rodata\n"
	".balign 16\n"
	"trip_begin:\n"
	"	.code32\n"
	"	pusha\n"
	"	sgdt	trip_old - trip_begin + 0x8000\n"
	"	sidt	trip_idt - trip_begin + 0x8000\n"
	"	mov	%esp, trip_stack - trip_begin + 0x8000\n"
	"	lgdt	trip_gdt - trip_begin + 0x8000\n"
	"	lidt	trip_ivt - trip_begin + 0x8000\n"
	"	ljmp	$0x18, $(1f - trip_begin + 0x8000)\n"
	"	.code16\n"
	"1:	mov	$0x20, %ax\n" /* limits of 64 KiB */
	"	mov	%ax, %ds\n"
	"	mov	%ax, %es\n"
	"	mov	%ax, %ss\n"
	"	mov	%cr0, %eax\n"
	"	and	$0xfe, %al\n"
	"	mov	%eax, %cr0\n"
	"	ljmp	$0, $(2f - trip_begin + 0x8000)\n"
	"2:	mov	$0x0900, %ax\n"
	"	mov	%ax, %ds\n"
	"	xor	%ax, %ax\n"
	"	mov	%ax, %ss\n"
	"	mov	$0x7000, %sp\n"
	"	movw	$0x1234, 0x10\n" /* 0x9010 */
	"	mov	%cs, 0x12\n"	 /* 0x9012: 0 */
	"	smsw	0x14\n"		 /* 0x9014: PE is clear */
	"	int	$0x40\n"	 /* 0x9016 */
	"	xor	%eax, %eax\n"
	"	cpuid\n"
	"	mov	%ebx, 0x18\n" /* 0x9018 */
	"	mov	%cr0, %eax\n"
	"	or	$1, %al\n"
	"	mov	%eax, %cr0\n"
	"	ljmpl	$0x08, $(3f - trip_begin + 0x8000)\n"
	"	.code32\n"
	"3:	mov	$0x10, %eax\n"
	"	mov	%eax, %ds\n"
	"	mov	%eax, %es\n"
	"	mov	%eax, %ss\n"
	"	lgdt	trip_old - trip_begin + 0x8000\n"
	"	lidt	trip_idt - trip_begin + 0x8000\n"
	"	mov	trip_stack - trip_begin + 0x8000, %esp\n"
	"	popa\n"
	"	ret\n"
	"	.code16\n"
	"	.globl	trip_vector\n"
	"trip_vector:\n"
	"	movw	$0xbeef, 0x16\n"
	"	iret\n"
	"	.balign	8\n"
	"trip_table:\n"
	"	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
	"	.quad	0x00009b000000ffff, 0x000093000000ffff\n"
	"trip_gdt:\n"
	"	.word	39\n"
	"	.long	trip_table - trip_begin + 0x8000\n"
	"trip_ivt:\n"
	"	.word	0x3ff\n"
	"	.long	0\n"
	"trip_old: .skip 6\n"
	"trip_idt: .skip 6\n"
	"trip_stack: .long 0\n"
	"trip_end:\n"
	"	.code32\n"
	"	.text\n");
extern const uint8_t trip_vector[];

static uint16_t word_at(uint32_t address)
{
	return (uint16_t)(*memory_at(address & ~3u) >> 8 * (address & 2));
}

uint32_t test_main(const struct multiboot_info *info)
{
	volatile uint8_t *to = (volatile uint8_t *)memory_at(CODE);
	uint32_t ebx, failures = 0;

	(void)info;
	for (const uint8_t *from = trip_begin; from < trip_end; from++)
		*to++ = *from;
	*memory_at(4 * VECTOR) = CODE + (uint32_t)(trip_vector - trip_begin);
	for (unsigned i = 0; i < 16; i++)
		*memory_at(SCRATCH + 4 * i) = 0xffffffff;
	print("real: going\n");
	((void (*)(void))(uintptr_t)memory_at(CODE))();
	__asm__ volatile("cpuid" : "=b"(ebx) : "a"(0), "c"(0) : "edx");
	failures += expect("a segment is a shifted selector",
			   word_at(SCRATCH + 0x10) == 0x1234);
	failures += expect("CS is 0", word_at(SCRATCH + 0x12) == 0);
	failures += expect("PE is clear", !(word_at(SCRATCH + 0x14) & 1));
	failures += expect("an interrupt goes by the vector table",
			   word_at(SCRATCH + 0x16) == 0xbeef);
	failures +=
		expect("CPUID is answered", *memory_at(SCRATCH + 0x18) == ebx);
	return failures;
}

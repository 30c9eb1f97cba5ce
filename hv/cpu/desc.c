/*
 * See desc.h. Intel SDM 3A 6.14 (IDT gates), 7.7 (TSS), 7.2.3 (its
 * descriptor); AMD APM 2 4.8, 8.9.
 */
#include "cpu/desc.h"

#include <assert.h>

#include "cpu/cpu.h"
#include "cpu/trap.h"

struct tss {
	uint32_t reserved0;
	uint32_t rsp[6]; /* three of 64 bits, not 8-byte aligned */
	uint32_t reserved1[2];
	uint32_t ist[14]; /* seven */
	uint32_t reserved2[2];
	uint16_t reserved3;
	uint16_t io_bitmap;
};

struct gate {
	uint16_t offset0;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset1;
	uint32_t offset2;
	uint32_t reserved;
};

struct table_register {
	uint16_t pad[3]; /* aligns base */
	uint16_t limit;
	uint64_t base;
};

static_assert(sizeof(struct tss) == 104, "SDM 3A figure 7-11");
static_assert(sizeof(struct gate) == 16, "SDM 3A figure 6-8");

#define GATE_INTERRUPT 0x8e /* present, DPL 0, interrupts off */
#define CPUID_1_MCE    (1u << 7)
#define DESC_CODE_64   0x00af9b000000ffff
#define DESC_DATA      0x00cf93000000ffff
#define DESC_TSS_TYPE  (UINT64_C(0x89) << 40) /* present, available */

enum { GDT_CODE = 1, GDT_DATA = 2, GDT_TSS = 3, GDT_WORDS = 5 };

static uint64_t gdt[GDT_WORDS];
static struct tss tss;
static struct gate idt[256];

static void tss_describe(void)
{
	uint64_t base = (uintptr_t)&tss;

	gdt[GDT_TSS] = DESC_TSS_TYPE | (sizeof(tss) - 1) |
		       (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	gdt[GDT_TSS + 1] = base >> 32;
}

static void gate_set(unsigned vector, uint8_t ist)
{
	uint64_t entry = (uintptr_t)(trap_stubs + 16 * vector);

	idt[vector] = (struct gate){
		.offset0 = (uint16_t)entry,
		.selector = SEL_CODE,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset1 = (uint16_t)(entry >> 16),
		.offset2 = (uint32_t)(entry >> 32),
	};
}

static void idt_fill(void)
{
	unsigned vector;

	for (vector = 0; vector < 256; vector++)
		gate_set(vector, 0);
	gate_set(TRAP_DF, IST_DF);
	gate_set(TRAP_NMI, IST_NMI);
	gate_set(TRAP_MC, IST_MC);
}

static void gdt_load(void)
{
	struct table_register r = { .limit = sizeof(gdt) - 1,
				    .base = (uintptr_t)gdt };

	/* CS changes only by a far transfer. */
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 :
			 : "m"(r.limit), "i"(SEL_CODE), "i"(SEL_DATA)
			 : "rax", "memory");
}

static void idt_load(void)
{
	struct table_register r = { .limit = sizeof(idt) - 1,
				    .base = (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(r.limit) : "memory");
}

void desc_reload_tss(void)
{
	tss_describe();
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

void desc_init(void)
{
	gdt[GDT_CODE] = DESC_CODE_64;
	gdt[GDT_DATA] = DESC_DATA;
	tss.io_bitmap = sizeof(tss);
	idt_fill();
	gdt_load();
	idt_load();
	desc_reload_tss();
	if (cpuid(1, 0).edx & CPUID_1_MCE)
		write_cr4(read_cr4() | CR4_MCE);
}

void desc_set_ist(unsigned ist, uint64_t top)
{
	tss.ist[2 * (ist - 1)] = (uint32_t)top;
	tss.ist[2 * (ist - 1) + 1] = (uint32_t)(top >> 32);
}

uint64_t desc_gdt_base(void)
{
	return (uintptr_t)gdt;
}

uint64_t desc_idt_base(void)
{
	return (uintptr_t)idt;
}

uint64_t desc_tss_base(void)
{
	return (uintptr_t)&tss;
}

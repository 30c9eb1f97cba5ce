/*
 * The processor's own tables: GDT, LDT, TSS and IDT, for 32-bit and for long
 * mode (Intel SDM 3A, chapters 3.4, 6.10, 6.14 and 7.2). The local table's
 * base is the address under test: its one descriptor lies there, and loading
 * a segment register in ring 3 reads it as the processor's own access.
 */
#include "permute.h"

#define STACK 8192

enum { TASK = 0x38, LOCAL_TABLE = 0x48, GDT_ENTRIES = 11 };

extern const uint8_t fault_32[], done_32[], fault_64[], done_64[];
extern const uint8_t trap_entries[], unexpected_entries[];
void load_local_64(uint32_t local, uint32_t task);
void unexpected(const uint32_t *facts) __attribute__((noreturn));

static uint64_t gdt[GDT_ENTRIES] = {
	[1] = 0x00cf9b000000ffff, /* 0x08: code, 32-bit */
	[2] = 0x00cf93000000ffff, /* 0x10: data */
	[3] = 0x00af9b000000ffff, /* 0x18: code, 64-bit */
	[4] = 0x00cffb000000ffff, /* 0x20: ring 3, code, 32-bit */
	[5] = 0x00cff3000000ffff, /* 0x28: ring 3, data */
	[6] = 0x00affb000000ffff, /* 0x30: ring 3, code, 64-bit */
};
static uint32_t task[26]; /* 104 bytes: ESP0 and SS0, or RSP0, at 4 */
static uint8_t stack[STACK] __attribute__((aligned(16)));
static uint32_t idt[(VECTOR_DONE + 1) * 4] __attribute__((aligned(16)));

void unexpected(const uint32_t *facts)
{
	print("exception %u; its frame begins with %x %x %x\n", facts[0],
	      facts[1], facts[2], facts[3]);
	finish(100 + facts[0]);
}

/* Present, ring 0, of this type; the next entry has the base's upper half in
 * long mode. */
static void set_system(unsigned selector, uint64_t base, uint32_t limit,
		       uint32_t type)
{
	uint32_t low = (uint32_t)base;

	gdt[selector / 8] = (uint64_t)(low & 0xff000000) << 32 |
			    (uint64_t)(0x8000u | type << 8) << 32 |
			    (uint64_t)(low & 0xffffff) << 16 | limit;
	gdt[selector / 8 + 1] = base >> 32;
}

/* An interrupt gate; ring 3 may use the one of VECTOR_DONE. */
static void set_gate(bool long_mode, uint32_t vector, const uint8_t *entry)
{
	uint32_t at = (uint32_t)(uintptr_t)entry;
	uint32_t *gate = idt + vector * (long_mode ? 4 : 2);

	gate[0] = (long_mode ? 0x18u : 0x08u) << 16 | (at & 0xffff);
	gate[1] = (at & 0xffff0000) | 0x8e00 |
		  (vector == VECTOR_DONE ? 0x6000 : 0);
	if (long_mode)
		gate[2] = gate[3] = 0;
}

static void set_gates(bool long_mode)
{
	for (uint32_t i = 0; i < 32; i++)
		set_gate(long_mode, i,
			 (long_mode ? unexpected_entries : trap_entries) +
				 16 * i);
	set_gate(long_mode, VECTOR_PF, long_mode ? fault_64 : fault_32);
	set_gate(long_mode, VECTOR_DONE, long_mode ? done_64 : done_32);
}

static void load_tables(bool long_mode)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed))
	g = { sizeof(gdt) - 1, (uint32_t)(uintptr_t)gdt },
	i = { (uint16_t)((VECTOR_DONE + 1) * (long_mode ? 16 : 8) - 1),
	      (uint32_t)(uintptr_t)idt };

	__asm__ volatile("lgdt %0; lidt %1" ::"m"(g), "m"(i) : "memory");
}

void ring_begin(bool long_mode, uint64_t address)
{
	set_system(TASK, (uint32_t)(uintptr_t)task, sizeof(task) - 1, 9);
	set_system(LOCAL_TABLE, address + AT_TABLE, 7, 2);
	task[1] = (uint32_t)(uintptr_t)(stack + STACK);
	task[2] = long_mode ? 0 : 0x10;
	set_gates(long_mode);
	load_tables(long_mode);
	if (long_mode) {
		load_local_64(LOCAL_TABLE, TASK);
	} else {
		__asm__ volatile("lldt %w0; ltr %w1" ::"r"(LOCAL_TABLE),
				 "r"(TASK)
				 : "memory");
	}
	/* Ring 3 may keep them, ring 0 may use them. */
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0x2b));
}

/*
 * Reaches the interrupt controllers by memory-mapped registers. Expected: a
 * local APIC with at least LVT 5 and a version of a real one (Intel SDM 3A,
 * 10.4.8), an I/O APIC whose index register holds what was written, and
 * writes that read back, by several instruction forms.
 */
#include "lib.h"

#define LAPIC  0xfee00000
#define IOAPIC 0xfec00000

static uint32_t try_lapic(void)
{
	volatile uint32_t *tpr = memory_at(LAPIC + 0x80);
	uint32_t version = *memory_at(LAPIC + 0x30);
	uint32_t failures = 0;
	uint32_t read;

	print("mmio: local APIC version %x\n", version);
	failures += expect("an integrated APIC", (version & 0xf0) == 0x10);
	failures += expect("LVT entries", ((version >> 16) & 0xff) >= 4);
	*tpr = 0x30;
	failures += expect("a register holds a value", *tpr == 0x30);
	__asm__ volatile("movl $0x40, %0" : "=m"(*tpr));
	__asm__ volatile("movl %1, %0" : "=r"(read) : "m"(*tpr));
	failures += expect("an immediate store", read == 0x40);
	*tpr = 0;
	return failures;
}

static uint32_t try_ioapic(void)
{
	volatile uint32_t *index = memory_at(IOAPIC);
	volatile uint32_t *window = memory_at(IOAPIC + 0x10);
	uint32_t failures = 0;

	*index = 1;
	print("mmio: I/O APIC version %x\n", *window);
	failures += expect("the index holds", *index == 1);
	failures += expect("24 inputs", (*window >> 16 & 0xff) == 23);
	*index = 0x10 + 2 * 5;
	*window = 0x00010035;
	failures += expect("an entry holds", (*window & 0x100ff) == 0x10035);
	return failures;
}

uint32_t test_main(const struct multiboot_info *info)
{
	(void)info;
	return try_lapic() + try_ioapic();
}

/*
 * Its interrupt table lies in the local APIC's registers. Expected: a
 * processor that finds no gate there comes to a triple fault; a hypervisor
 * may also stop the guest by name, but it must not go round for ever.
 *
 * The interrupt is a timer's, so that the instruction it meets is a plain
 * one: what stands at rip has nothing to do with the access.
 */
#include "lib.h"

#define LAPIC	  0xfee00000
#define SVR	  (LAPIC + 0xf0)
#define ICR_LOW	  (LAPIC + 0x300)
#define SELF_0X40 0x00044040 /* to itself, fixed, vector 0x40 */

uint32_t test_main(const struct multiboot_info *info)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) pointer = { 0xfff, LAPIC };
	volatile uint32_t word = 0;

	(void)info;
	print("mmioidt: an interrupt by a table of registers\n");
	__asm__ volatile("lidt %0" ::"m"(pointer));
	*memory_at(SVR) = 0x1ff;
	*memory_at(ICR_LOW) = SELF_0X40;
	__asm__ volatile("sti");
	for (;;)
		word++;
}

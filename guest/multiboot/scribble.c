/*
 * Writes 0xff over its own page tables and drops the TLB. Expected: the next
 * fetch meets reserved bits, no handler can be reached, a triple fault.
 */
#include "paging.h"

uint32_t test_main(const struct multiboot_info *info)
{
	uint64_t *directories = paging_on();
	uint32_t cr3;

	(void)info;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	print("scribble: paging is on\n");
	for (uint32_t i = 0; i < 4 * 512; i++)
		directories[i] = ~(uint64_t)0;
	load_cr3(cr3);
	print("scribble: survived\n");
	return 1;
}

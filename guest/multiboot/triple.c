/*
 * A breakpoint without an interrupt table. Expected: a triple fault.
 */
#include "lib.h"

uint32_t test_main(const struct multiboot_info *info)
{
	(void)info;
	print("triple: going\n");
	drop_idt();
	__asm__ volatile("int3");
	print("triple: survived\n");
	return 1;
}

/*
 * Points CR3 at a guest-physical address that nothing backs, so that the
 * processor's own walk reads from there. Expected: as a walk through ones,
 * a triple fault; a hypervisor may also stop the guest by name.
 */
#include "paging.h"

uint32_t test_main(const struct multiboot_info *info)
{
	uint64_t *directories = paging_on();
	uint32_t cr3;

	(void)info;
	print("wildroot: paging is on\n");
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	/* The PDPTEs are read when CR3 is loaded, the directories later. */
	*(volatile uint64_t *)(uintptr_t)cr3 = 0xd0000001;
	(void)directories;
	load_cr3(cr3);
	print("wildroot: survived\n");
	return 1;
}

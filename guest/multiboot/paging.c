/*
 * PAE paging (Intel SDM 3A, 4.4): four PDPTEs, each to a directory of 512
 * entries with PS set, so 2048 pages of 2 MiB that map 4 GiB to itself.
 */
#include "paging.h"

static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t directories[4 * 512] __attribute__((aligned(4096)));

uint64_t *paging_on(void)
{
	uint32_t value;

	for (uint32_t i = 0; i < 4 * 512; i++)
		directories[i] = (uint64_t)i << 21 | 0x83;
	for (uint32_t i = 0; i < 4; i++)
		pdpt[i] = (uint32_t)(uintptr_t)&directories[i * 512] | 1;
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr4" ::"r"(value | 0x20));
	load_cr3((uint32_t)(uintptr_t)pdpt);
	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr0" ::"r"(value | 0x80000000) : "memory");
	return directories;
}

/*
 * PAE paging for the small guests: the first 4 GiB mapped to themselves by
 * 2 MiB pages.
 */
#ifndef GUEST_MULTIBOOT_PAGING_H
#define GUEST_MULTIBOOT_PAGING_H

#include "lib.h"

/* Turns paging on; returns the four page directories, 512 entries each. */
uint64_t *paging_on(void);

static inline void load_cr3(uint32_t value)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(value) : "memory");
}

#endif

/* The image's parts, as the linker script lays them out, page-aligned. */
#ifndef HV_MM_IMAGE_H
#define HV_MM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>

#include "mm/layout.h"

extern char image_start[], image_text[], image_text_end[];
extern char image_rodata_end[], image_end[];

/* Where Multiboot put the image: its first part is code that ran there. */
#define IMAGE_LOAD UINT64_C(0x100000)

static inline bool image_is_text(uintptr_t address)
{
	return address >= (uintptr_t)image_text &&
	       address < (uintptr_t)image_text_end;
}

/* The machine address of something in the image. */
static inline hpa_t image_hpa(const void *p)
{
	return mk_hpa((uintptr_t)p - HV_IMAGE_BASE);
}

#endif

/*
 * Writes to every page of its memory above 2 MiB that mem_upper tells of, and
 * reads it all again. Expected: every page holds its own address. order=1
 * goes from the top down.
 */
#include "lib.h"

#define PAGE  4096u
#define FIRST 0x200000u /* the image lies below */

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t end = 0x100000 + (info->mem_upper & -4u) * 1024;
	uint32_t count = (end - FIRST) / PAGE, wrong = 0;
	bool down = option(info, "order", 0) == 1;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = FIRST + (down ? count - 1 - i : i) * PAGE;

		*memory_at(at) = at;
	}
	for (uint32_t i = 0; i < count; i++)
		wrong += *memory_at(FIRST + i * PAGE) != FIRST + i * PAGE;
	print("touch: %u pages\n", count);
	return expect("every page holds its address", !wrong);
}

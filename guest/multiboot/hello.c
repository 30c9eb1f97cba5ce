/*
 * Prints a line and ends. Expected: the line, exit code 0.
 */
#include "lib.h"

uint32_t test_main(const struct multiboot_info *info)
{
	(void)info;
	print("hello from a Multiboot guest\n");
	return 0;
}

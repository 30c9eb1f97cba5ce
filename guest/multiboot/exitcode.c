/*
 * Ends with the code that the command line names. Expected: that code.
 */
#include "lib.h"

uint32_t test_main(const struct multiboot_info *info)
{
	return option(info, "code", 5);
}

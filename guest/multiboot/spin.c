/*
 * Runs for ever with interrupts off, and makes no exit: who wants to hear of it
 * must stop it. Expected: the line, and no end of its own.
 */
#include "lib.h"

uint32_t test_main(const struct multiboot_info *info)
{
	(void)info;
	print("spin: on\n");
	__asm__ volatile("cli; 1: jmp 1b");
	return 1;
}

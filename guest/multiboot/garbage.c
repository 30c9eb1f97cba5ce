/*
 * Executes pseudo-random bytes, chosen by seed=N on the command line, with no
 * handler for any exception. Expected: the end that a real machine comes to,
 * which is a triple fault for the seeds that the tests use.
 */
#include "lib.h"

static uint8_t bytes[4096];

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t state = option(info, "seed", 1) * 2654435761u + 12345;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		bytes[i] = (uint8_t)state;
	}
	print("garbage: jumping into it\n");
	drop_idt();
	__asm__ volatile("jmp *%0" ::"r"(bytes) : "memory");
	__builtin_unreachable();
}

/*
 * Reads and writes guest-physical addresses that nothing backs. Expected: as
 * on a machine whose bus nobody answers, reads give ones, writes are lost,
 * and the guest goes on.
 */
#include "lib.h"

static uint32_t try_address(const char *name, uint32_t address)
{
	volatile uint32_t *word = memory_at(address);
	uint32_t failures = 0;
	uint32_t before = *word;

	*word = 0x12345678;
	failures += before != 0xffffffff || *word != 0xffffffff;
	failures += *(volatile uint8_t *)word != 0xff;
	failures += *(volatile uint16_t *)word != 0xffff;
	/* A read and a write in one instruction. */
	__asm__ volatile("orl $1, %0" : "+m"(*word));
	failures += *word != 0xffffffff;
	print("unmapped: at %x read %x\n", address, before);
	return expect(name, failures == 0);
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t end = (info->mem_upper + 1024) << 10;
	uint32_t failures = 0;

	failures += try_address("beyond the memory", end + (16u << 20));
	failures += try_address("in the hole below 4 GiB", 0xe0000000);
	failures += try_address("over a page boundary", 0xe0000ffe);
	return failures;
}

/*
 * What the loader leaves in registers: the Multiboot magic in eax, a valid
 * information structure in ebx. The others are the loader's own business and
 * are printed; under a hypervisor they must be zero, so that nothing of the
 * host is in them (strict=1 on the command line asks for that).
 */
#include "lib.h"

static uint32_t check_zero(void)
{
	static const char *const names[] = { "ecx", "edx", "esi",
					     "edi", "ebp", "esp" };
	uint32_t failures = 0;

	for (size_t i = 0; i < 6; i++)
		failures += expect(names[i], entry_regs[2 + i] == 0);
	return failures;
}

/* FXSAVE in 32-bit mode: ST0-7 at 32, XMM0-7 at 160 (Intel SDM 1, 10.5). */
static uint32_t check_vectors(void)
{
	static uint8_t area[512] __attribute__((aligned(16)));
	uint32_t cr4;
	uint8_t any = 0;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | 0x200));
	__asm__ volatile("fxsave %0" : "=m"(area));
	for (size_t i = 32; i < 288; i++)
		any |= area[i];
	return expect("the vector registers", any == 0);
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t failures = 0;

	for (size_t i = 0; i < 8; i++)
		print("regs: %x\n", entry_regs[i]);
	failures += expect("eax", entry_regs[0] == 0x2badb002);
	failures += expect("ebx", entry_regs[1] == (uint32_t)(uintptr_t)info);
	failures += expect("memory is told",
			   (info->flags & 1) && info->mem_upper > 1024);
	if (option(info, "strict", 0))
		failures += check_zero() + check_vectors();
	return failures;
}

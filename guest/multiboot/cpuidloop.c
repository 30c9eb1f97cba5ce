/*
 * What one CPUID costs, in TSC ticks: under a hypervisor an exit, its
 * handling, and the way back; once with paging off, and once with paging on,
 * where a hypervisor without help from the processor must walk the guest's
 * tables to find out how long the instruction is. Expected: a row for each,
 * exit code 0.
 */
#include "paging.h"

#define ROUNDS 10000

static uint32_t measure(const char *name)
{
	uint32_t ticks, first, eax, ebx, ecx, edx;
	uint64_t start;
	bool same = true;

	__asm__ volatile("cpuid"
			 : "=a"(first), "=b"(ebx), "=c"(ecx), "=d"(edx)
			 : "a"(0), "c"(0));
	start = read_tsc();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		__asm__ volatile("cpuid"
				 : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx)
				 : "a"(0), "c"(0));
		same &= eax == first;
	}
	ticks = (uint32_t)(read_tsc() - start);
	print("@vmmu {\"row\":\"%s\",\"per_op\":%u,\"ops\":%u,"
	      "\"ticks\":%u,\"ok\":%s}\n",
	      name, ticks / ROUNDS, (uint32_t)ROUNDS, ticks,
	      same ? "true" : "false");
	return !same;
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t failures = measure("cpuid");

	(void)info;
	paging_on();
	return failures + measure("cpuid_paged");
}

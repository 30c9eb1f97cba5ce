/*
 * What one CPUID costs, in TSC ticks: under a hypervisor an exit, its
 * handling, and the way back. Expected: a row for the report, exit code 0.
 */
#include "lib.h"

#define ROUNDS 10000

uint32_t test_main(const struct multiboot_info *info)
{
	uint64_t start;
	uint32_t ticks, first, eax, ebx, ecx, edx;
	bool same = true;

	(void)info;
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
	print("@vmmu {\"row\":\"cpuid\",\"per_op\":%u,\"ops\":%u,"
	      "\"ticks\":%u,\"ok\":%s}\n",
	      ticks / ROUNDS, (uint32_t)ROUNDS, ticks, same ? "true" : "false");
	return !same;
}

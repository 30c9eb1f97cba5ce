/* See fixup.h. */
#include "cpu/fixup.h"

#include <stddef.h>

struct fixup {
	uintptr_t at, go_on;
};

extern const struct fixup fixup_table[], fixup_table_end[];

/* In each: 1 is the instruction, 2 where to go on. A fault skips what lies
 * between, which is the clearing of `failed`. */
#define FIXUP_ROW                                                              \
	"2:\n\t"                                                               \
	".pushsection .fixup_table, \"a\"\n\t"                                 \
	".quad 1b, 2b\n\t"                                                     \
	".popsection\n\t"

uintptr_t fixup_find(uintptr_t rip)
{
	const struct fixup *f;

	for (f = fixup_table; f < fixup_table_end; f++) {
		if (f->at == rip)
			return f->go_on;
	}
	return 0;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0, failed = 1;

	__asm__ volatile("1: rdmsr\n\txorl %2, %2\n\t" FIXUP_ROW
			 : "+a"(low), "+d"(high), "+r"(failed)
			 : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return failed == 0;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t failed = 1;

	__asm__ volatile("1: wrmsr\n\txorl %0, %0\n\t" FIXUP_ROW
			 : "+r"(failed)
			 : "c"(msr), "a"((uint32_t)value),
			   "d"((uint32_t)(value >> 32))
			 : "memory");
	return failed == 0;
}

bool probe_read(uintptr_t address, uint64_t *value)
{
	uint64_t read = 0;
	uint32_t failed = 1;

	__asm__ volatile("1: movq (%2), %0\n\txorl %1, %1\n\t" FIXUP_ROW
			 : "+r"(read), "+r"(failed)
			 : "r"(address)
			 : "memory");
	*value = read;
	return failed == 0;
}

bool probe_write(uintptr_t address, uint64_t value)
{
	uint32_t failed = 1;

	__asm__ volatile("1: movq %2, (%1)\n\txorl %0, %0\n\t" FIXUP_ROW
			 : "+r"(failed)
			 : "r"(address), "r"(value)
			 : "memory");
	return failed == 0;
}

/*
 * Page-modification logging: SDM 3C 28.3.6, 24.6.17.
 *
 * The log is one page of 512 gpas, filled from its end. The index, 16 bits in
 * the VMCS, says which entry is next: 511 in an empty log; after entry 0 it
 * wraps to 0xffff, and the write that finds it out of range makes an exit
 * before it is done.
 */
#include "vmx/pml.h"

void pml_drain(const uint64_t log[PML_ENTRIES], uint64_t index,
	       void (*mark)(void *ctx, uint64_t gpa), void *ctx)
{
	const uint64_t page = 0xfff;
	uint64_t next = index < PML_ENTRIES ? index + 1 : 0;

	for (; next < PML_ENTRIES; next++)
		mark(ctx, log[next] & ~page);
}

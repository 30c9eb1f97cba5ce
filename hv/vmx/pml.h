/* The page-modification log: what of it is pure C. */
#ifndef HV_VMX_PML_H
#define HV_VMX_PML_H

#include <stdint.h>

#define PML_ENTRIES 512u
/* The index of a log that is empty. */
#define PML_EMPTY (PML_ENTRIES - 1)

/* Tells `mark` each gpa in the log, given its index as the VMCS has it. */
void pml_drain(const uint64_t log[PML_ENTRIES], uint64_t index,
	       void (*mark)(void *ctx, uint64_t gpa), void *ctx);

#endif

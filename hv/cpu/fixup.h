/*
 * Instructions that may fault, and say so: each has a row {its address, where
 * to go on} in a table of its own, which the trap handler looks through
 * before it gives up. Intel SDM 3A 6.15, AMD APM 2 8.2.
 */
#ifndef HV_CPU_FIXUP_H
#define HV_CPU_FIXUP_H

#include <stdbool.h>
#include <stdint.h>

/* Where to go on after a fault at `rip`; 0: nobody expected one there. */
uintptr_t fixup_find(uintptr_t rip);

/* False when the processor answers with #GP. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);

/* False when that memory cannot be read, or written. */
bool probe_read(uintptr_t address, uint64_t *value);
bool probe_write(uintptr_t address, uint64_t value);

#endif

/*
 * The host of who has all memory in one array: an emulator, a program that
 * looks into a memory image. It has no hardware below it and no memory for
 * tables: what runs on it is software's walks, not a scheme.
 *
 *   hva, hpa: offsets into the array
 */
#ifndef VMMU_FLAT_H
#define VMMU_FLAT_H

#include <stdint.h>

#include <vmmu/host.h>

struct vmmu_flat {
	void *memory;
	uint64_t size; /* bytes; what is beyond the last 4 KiB is not used */
};

/* { .ops = &vmmu_flat_ops, .cookie = a struct vmmu_flat } is the host. What a
 * slot has beyond the array is VMMU_RESOLVE_NONE. */
extern const struct vmmu_host_ops vmmu_flat_ops;

#endif

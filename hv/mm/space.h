/*
 * Host virtual ranges that back guest memory, given machine memory only when
 * it is first asked for, in pieces as large as there are.
 */
#ifndef HV_MM_SPACE_H
#define HV_MM_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>
#include <vmmu/host.h>

/* A range of `size` bytes (a multiple of 4 KiB) at a multiple of 1 GiB, so
 * that large pages of ours and of the guest fall together. Nothing is given
 * to it yet. False: no address space or no memory for its notes. */
bool space_reserve(uint64_t size, hva_t *out);

/* Gives up a range that space_reserve made, and all memory in it. */
void space_unreserve(hva_t hva);

/* The contiguous memory behind an address, which is given now if none is
 * there: 64 MiB where the range and the memory left allow, else less, down
 * to 4 KiB. NONE: no such range, or memory is used up. */
enum vmmu_resolve space_resolve(hva_t hva, unsigned access,
				struct vmmu_extent *out);

/* Takes back the memory behind part of a range, which stays reserved and is
 * given zeroed memory when it is asked for again. Whoever derived entries
 * from it has been told before (vmmu_vm_backing_changed). */
void space_release(hva_t hva, uint64_t size);

/* Bytes that all ranges have been given and still hold. */
uint64_t space_given(void);

#endif

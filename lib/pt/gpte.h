/*
 * An entry of the guest's, in the guest's memory: read once, swapped whole.
 * Other vCPUs write there at the same time.
 */
#ifndef VMMU_PT_GPTE_H
#define VMMU_PT_GPTE_H

#include <vmmu/mode.h>

static inline uint64_t gpte_read_8(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
}

static inline uint64_t gpte_read(const void *at, unsigned size)
{
	if (size == 8)
		return gpte_read_8(at);
	return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
}

/* False: the entry is no longer `old`, and was left alone. */
static inline bool gpte_swap(void *at, unsigned size, uint64_t old,
			     uint64_t now)
{
	uint32_t old_4 = (uint32_t)old;

	if (size == 8)
		return __atomic_compare_exchange_n((uint64_t *)at, &old, now,
						   false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)at, &old_4,
					   (uint32_t)now, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* What is granted where the entries together withhold these bits: W and U in
 * their places with 1 for "not granted", and NX. */
static inline uint8_t gpte_perms(uint64_t withheld)
{
	uint64_t no = (withheld & 2) | (withheld & 4) << 1 |
		      withheld >> 63 << 2;

	return (uint8_t)(no ^ VMMU_RWXU);
}

_Static_assert(VMMU_W == 2 && VMMU_U == 4 << 1 && VMMU_X == 1 << 2,
	       "gpte_perms moves bits to where the permission word has them");

static inline bool mode_forbids(const struct vmmu_mode *m, unsigned access,
				unsigned perms)
{
	return m->forbids[access >> 1 & 31] >> perms & 1;
}

/* The error code of #PF: W, U and I tell of the access, whatever the cause.
 * SDM 3A 4.7. */
static inline uint32_t gpte_fault(const struct vmmu_mode *m, unsigned access,
				  uint32_t cause)
{
	bool user = (access & VMMU_U) && !(access & VMMU_IMPLICIT);

	return cause | (access & VMMU_W ? VMMU_PF_W : 0) |
	       (user ? VMMU_PF_U : 0) |
	       (access & VMMU_X && m->error_i ? VMMU_PF_I : 0);
}

/* Bits 62:59, where protection keys are on. */
static inline uint8_t gpte_key(const struct vmmu_mode *m, uint64_t entry)
{
	return m->pku || m->pks ? entry >> 59 & 15 : 0;
}

#endif

/*
 * Writes of the guest to L1 tables that it has mapped read-only: it does not
 * know that they are, and its instruction faults. The engine works out what
 * would be written; here that is checked like any other change of an entry.
 *
 *   entry   | ....value.... |    `size` bytes at `at` & 7: the rest is kept
 *
 * The instruction is atomic for the guest where it has to be: what it read
 * and what is there when it writes are compared, and hardware that sets A or
 * D in between makes the engine work it out again.
 */
#include "scheme/direct_leaf.h"

static uint64_t merged(uint64_t entry, hpa_t at, unsigned size, uint64_t value)
{
	unsigned shift = (unsigned)(at.v % sizeof(entry)) * 8;
	uint64_t mask = UINT64_MAX >> (64 - size * 8) << shift;

	return (entry & ~mask) | (value << shift & mask);
}

static bool is_inside(hpa_t at, unsigned size)
{
	return (size == 1 || size == 2 || size == 4 || size == 8) &&
	       at.v % sizeof(uint64_t) + size <= sizeof(uint64_t);
}

/* Decode and perform, unless the entry is no longer `old`: false, and *s is
 * OK. */
static bool try_to_write(struct vmmu_direct_vm *d, uint64_t *slot, uint64_t old,
			 uint64_t value, enum vmmu_direct_status *s)
{
	*s = leaf_take(d, &value, true);
	return *s == VMMU_DIRECT_OK && leaf_exchange(d, slot, &old, value);
}

static enum vmmu_direct_status trapped_write(struct vmmu_direct_vm *d, hpa_t at,
					     unsigned size, uint64_t value,
					     uint64_t *expected)
{
	uint64_t hfn = hpa_hfn(at).v, old, *slot;
	const struct vmmu_frame *f = direct_own(d, hfn);
	enum vmmu_direct_status s;

	if (!is_inside(at, size))
		return VMMU_DIRECT_ADDRESS;
	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (!direct_is(f, VMMU_FRAME_L1))
		return VMMU_DIRECT_TYPE;
	slot = direct_slot(d, at.v & ~(uint64_t)7);
	do {
		old = entry_load(slot);
		if (expected && old != *expected) {
			*expected = old;
			return VMMU_DIRECT_CHANGED;
		}
	} while (
		!try_to_write(d, slot, old, merged(old, at, size, value), &s) &&
		s == VMMU_DIRECT_OK);
	return s;
}

enum vmmu_direct_status vmmu_direct_trapped_write(struct vmmu_cpu *cpu,
						  hpa_t at, unsigned size,
						  uint64_t value,
						  uint64_t *expected)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint32_t slice = DIRECT_SLICE;

	if (!direct_begin(d, &slice))
		return direct_end(d, VMMU_DIRECT_AGAIN, &slice);
	d->stats.trapped_writes++;
	return direct_end(d, trapped_write(d, at, size, value, expected), NULL);
}

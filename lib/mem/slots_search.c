/*
 * The search for the slot that holds a frame: three instructions for each
 * doubling of the slots, no branch that depends on the address, and nothing
 * remembered from the search before.
 *
 * The slots are sorted by gpa. The only one that can hold an address is the
 * last that begins at or below it. With a power of two of slots, halving finds
 * it in log2 steps of one shape:
 *
 *   slots   [0 . . . . . . . | 8 . . . . . . .]     at = 0
 *   begins slot[at + 8] at or below gpa?  then at += 8
 *   begins slot[at + 4] at or below gpa?  then at += 4   ... + 2, + 1
 *
 * and then one question is left, vmmu_slots_find's: does the gpa lie below that
 * slot's end? Up to the next power of two the array is padded with empty slots
 * at the highest gpa, which no address reaches.
 *
 * Each depth has its own straight-line function. Which one fits is settled
 * when the slots change, not each time they are searched.
 */
#include "mem/slots_search.h"

/* The later of two slots if it begins at or below gpa. By way of integers,
 * because from these gcc makes a conditional move and not a branch, which
 * would be mispredicted every other time. */
static inline const struct vmmu_slot *step(const struct vmmu_slot *at,
					   unsigned half, uint64_t gpa)
{
	uintptr_t stay = (uintptr_t)at;
	uintptr_t go = stay + half * sizeof(*at);
	bool reached = ((const struct vmmu_slot *)go)->gpa.v <= gpa;

	return (const struct vmmu_slot *)(reached ? go : stay);
}

/* Two steps, of 2 * quarter and quarter; four, down to a sixteenth. */
static inline const struct vmmu_slot *step2(const struct vmmu_slot *at,
					    unsigned quarter, uint64_t gpa)
{
	return step(step(at, 2 * quarter, gpa), quarter, gpa);
}

static inline const struct vmmu_slot *step4(const struct vmmu_slot *at,
					    unsigned sixteenth, uint64_t gpa)
{
	return step2(step2(at, 4 * sixteenth, gpa), sixteenth, gpa);
}

static const struct vmmu_slot *nearest_1(const struct vmmu_slots *s,
					 uint64_t gpa)
{
	(void)gpa;
	return s->slot;
}

static const struct vmmu_slot *nearest_2(const struct vmmu_slots *s,
					 uint64_t gpa)
{
	return step(s->slot, 1, gpa);
}

static const struct vmmu_slot *nearest_4(const struct vmmu_slots *s,
					 uint64_t gpa)
{
	return step2(s->slot, 1, gpa);
}

static const struct vmmu_slot *nearest_8(const struct vmmu_slots *s,
					 uint64_t gpa)
{
	return step2(step(s->slot, 4, gpa), 1, gpa);
}

static const struct vmmu_slot *nearest_16(const struct vmmu_slots *s,
					  uint64_t gpa)
{
	return step4(s->slot, 1, gpa);
}

static const struct vmmu_slot *nearest_32(const struct vmmu_slots *s,
					  uint64_t gpa)
{
	return step4(step(s->slot, 16, gpa), 1, gpa);
}

static const struct vmmu_slot *nearest_64(const struct vmmu_slots *s,
					  uint64_t gpa)
{
	return step4(step2(s->slot, 16, gpa), 1, gpa);
}

static const struct vmmu_slot *nearest_128(const struct vmmu_slots *s,
					   uint64_t gpa)
{
	return step4(step2(step(s->slot, 64, gpa), 16, gpa), 1, gpa);
}

static const struct vmmu_slot *nearest_256(const struct vmmu_slots *s,
					   uint64_t gpa)
{
	return step4(step4(s->slot, 16, gpa), 1, gpa);
}

static const struct vmmu_slot *nearest_512(const struct vmmu_slots *s,
					   uint64_t gpa)
{
	return step4(step4(step(s->slot, 256, gpa), 16, gpa), 1, gpa);
}

/* The next power of two, at least 1: an empty set still has a slot[0]. */
static uint32_t padded_count(uint32_t count)
{
	uint32_t padded = 1;

	while (padded < count)
		padded *= 2;
	return padded;
}

uint32_t slots_search_capacity(uint32_t capacity)
{
	uint32_t fits = 1;

	while (fits <= capacity / 2)
		fits *= 2;
	return fits;
}

/* Any number of slots. */
static const struct vmmu_slot *nearest_many(const struct vmmu_slots *s,
					    uint64_t gpa)
{
	const struct vmmu_slot *at = s->slot;
	unsigned half = padded_count(s->count) / 2;

	for (; half; half /= 2)
		at = step(at, half, gpa);
	return at;
}

void slots_search_prepare(struct vmmu_slots *s)
{
	uint32_t padded = padded_count(s->count);

	for (uint32_t i = s->count; i < padded; i++)
		s->slot[i] = (struct vmmu_slot){ .gpa = mk_gpa(UINT64_MAX) };
	switch (padded) {
	case 1:
		s->nearest = nearest_1;
		break;
	case 2:
		s->nearest = nearest_2;
		break;
	case 4:
		s->nearest = nearest_4;
		break;
	case 8:
		s->nearest = nearest_8;
		break;
	case 16:
		s->nearest = nearest_16;
		break;
	case 32:
		s->nearest = nearest_32;
		break;
	case 64:
		s->nearest = nearest_64;
		break;
	case 128:
		s->nearest = nearest_128;
		break;
	case 256:
		s->nearest = nearest_256;
		break;
	case 512:
		s->nearest = nearest_512;
		break;
	default:
		s->nearest = nearest_many;
	}
}

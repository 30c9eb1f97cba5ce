/*
 * A set of small integers that finds its least member quickly: a bitmap with
 * a summary above it, a summary of that, and so on up to one word.
 *
 *   level 2            [1......]            bit = "that word below is not 0"
 *   level 1   [1.1.....][........]
 *   level 0   [..1.....][........][1..1....][........] ...   the members
 */
#ifndef HV_MM_BITSET_H
#define HV_MM_BITSET_H

#include <stdbool.h>
#include <stdint.h>

#define BITSET_LEVELS 6
#define BITSET_NONE   UINT64_MAX

struct bitset {
	uint64_t bits; /* members are 0 .. bits - 1 */
	unsigned level_count;
	uint64_t words[BITSET_LEVELS];
	uint64_t *level[BITSET_LEVELS];
};

/* 64-bit words of storage that a set of this size needs; at most 2^36 bits. */
uint64_t bitset_words(uint64_t bits);

/* An empty set over zeroed storage of that size. */
void bitset_init(struct bitset *b, uint64_t bits, uint64_t *storage);

bool bitset_has(const struct bitset *b, uint64_t bit);
void bitset_add(struct bitset *b, uint64_t bit);
void bitset_remove(struct bitset *b, uint64_t bit);

/* The least member at or above `from`, or BITSET_NONE. */
uint64_t bitset_next(const struct bitset *b, uint64_t from);

#endif

/*
 * A set of addresses as a short sorted list of ranges [start, end), which
 * neither overlap nor touch.
 */
#ifndef HV_MM_RANGES_H
#define HV_MM_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#define RANGES_MAX 160

struct range {
	uint64_t start, end;
};

struct ranges {
	unsigned count;
	struct range range[RANGES_MAX];
};

/* Adds or takes away [start, end); empty ranges change nothing. False: the
 * list is full, and nothing has changed. */
bool ranges_add(struct ranges *r, uint64_t start, uint64_t end);
bool ranges_remove(struct ranges *r, uint64_t start, uint64_t end);

/* True when all of [start, end) is in the set. */
bool ranges_contain(const struct ranges *r, uint64_t start, uint64_t end);

/* The lowest start, a multiple of `align` (a power of two), of `size` bytes
 * that are all in the set and end at or below `limit`. */
bool ranges_find(const struct ranges *r, uint64_t size, uint64_t align,
		 uint64_t limit, uint64_t *start);

/* Bytes in the set. */
uint64_t ranges_total(const struct ranges *r);

#endif

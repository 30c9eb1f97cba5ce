/*
 * Which frames are free: a buddy allocator that keeps no note in the frames
 * and no list between them. One bitset for each order; bit i of order k says
 * that the 2^k frames from i * 2^k are free as one block.
 *
 *  B1  a free frame is in exactly one set;
 *  B2  a block and its buddy are never both in one set: they are joined;
 *  B3  free_count is what the sets say.
 *
 * The lowest block of the least order that serves is taken, so that the
 * large ones last. Blocks may be given back in other pieces than they were
 * taken in.
 */
#ifndef HV_MM_BUDDY_H
#define HV_MM_BUDDY_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/bitset.h"

#define BUDDY_ORDER_MAX 18u /* 2^18 frames of 4 KiB are 1 GiB */

struct buddy {
	uint64_t frame_count; /* frames are 0 .. frame_count - 1 */
	uint64_t free_count;
	struct bitset free[BUDDY_ORDER_MAX + 1];
};

/* 64-bit words of storage for this many frames: some 2 bits a frame. */
uint64_t buddy_words(uint64_t frame_count);

/* Nothing is free yet. The storage is zeroed. */
void buddy_init(struct buddy *b, uint64_t frame_count, uint64_t *storage);

/* 2^order contiguous frames, aligned to their size. False: none. */
bool buddy_take(struct buddy *b, unsigned order, uint64_t *frame);

/* Gives 2^order frames back. False, and nothing is changed: not aligned,
 * past the end, or one of them is free already. */
bool buddy_give(struct buddy *b, uint64_t frame, unsigned order);

/* Any run of frames, by blocks as large as fit. */
bool buddy_give_run(struct buddy *b, uint64_t frame, uint64_t count);

/* The largest order that can be taken now; -1: nothing is free. */
int buddy_largest(const struct buddy *b);

/* The number of the first invariant that does not hold, or 0. Slow. */
unsigned buddy_check(const struct buddy *b);

#endif

/* See buddy.h. */
#include "mm/buddy.h"

static uint64_t blocks(uint64_t frame_count, unsigned order)
{
	uint64_t n = frame_count >> order;

	return n != 0 ? n : 1;
}

uint64_t buddy_words(uint64_t frame_count)
{
	uint64_t words = 0;
	unsigned order;

	for (order = 0; order <= BUDDY_ORDER_MAX; order++)
		words += bitset_words(blocks(frame_count, order));
	return words;
}

void buddy_init(struct buddy *b, uint64_t frame_count, uint64_t *storage)
{
	unsigned order;

	b->frame_count = frame_count;
	b->free_count = 0;
	for (order = 0; order <= BUDDY_ORDER_MAX; order++) {
		bitset_init(&b->free[order], blocks(frame_count, order),
			    storage);
		storage += bitset_words(blocks(frame_count, order));
	}
}

bool buddy_take(struct buddy *b, unsigned order, uint64_t *frame)
{
	unsigned from = order;
	uint64_t block = BITSET_NONE;

	for (; from <= BUDDY_ORDER_MAX; from++) {
		block = bitset_next(&b->free[from], 0);
		if (block != BITSET_NONE)
			break;
	}
	if (block == BITSET_NONE)
		return false;
	bitset_remove(&b->free[from], block);
	/* Halves until it fits: the lower is kept, the upper stays free. */
	while (from > order) {
		from--;
		block *= 2;
		bitset_add(&b->free[from], block + 1);
	}
	b->free_count -= UINT64_C(1) << order;
	*frame = block << order;
	return true;
}

/* True when any frame of the block is free: itself or a block around it, or
 * one inside it. */
static bool any_free(const struct buddy *b, uint64_t frame, unsigned order)
{
	unsigned k;
	uint64_t next;

	for (k = order; k <= BUDDY_ORDER_MAX; k++) {
		if (bitset_has(&b->free[k], frame >> k))
			return true;
	}
	for (k = 0; k < order; k++) {
		next = bitset_next(&b->free[k], frame >> k);
		if (next < (frame >> k) + (UINT64_C(1) << (order - k)))
			return true;
	}
	return false;
}

bool buddy_give(struct buddy *b, uint64_t frame, unsigned order)
{
	uint64_t count = UINT64_C(1) << order;
	uint64_t block = frame >> order;

	if (order > BUDDY_ORDER_MAX || frame % count != 0 ||
	    frame >= b->frame_count || count > b->frame_count - frame ||
	    any_free(b, frame, order))
		return false;
	b->free_count += count;
	while (order < BUDDY_ORDER_MAX &&
	       bitset_has(&b->free[order], block ^ 1)) {
		bitset_remove(&b->free[order], block ^ 1);
		block /= 2;
		order++;
	}
	bitset_add(&b->free[order], block);
	return true;
}

bool buddy_give_run(struct buddy *b, uint64_t frame, uint64_t count)
{
	unsigned order;

	while (count != 0) {
		order = BUDDY_ORDER_MAX;
		while (frame % (UINT64_C(1) << order) != 0 ||
		       UINT64_C(1) << order > count)
			order--;
		if (!buddy_give(b, frame, order))
			return false;
		frame += UINT64_C(1) << order;
		count -= UINT64_C(1) << order;
	}
	return true;
}

int buddy_largest(const struct buddy *b)
{
	int order;

	for (order = BUDDY_ORDER_MAX; order >= 0; order--) {
		if (bitset_next(&b->free[order], 0) != BITSET_NONE)
			break;
	}
	return order;
}

/* True when a block of a higher order holds this one. */
static bool is_inside_free(const struct buddy *b, uint64_t block,
			   unsigned order)
{
	for (order++, block /= 2; order <= BUDDY_ORDER_MAX;
	     order++, block /= 2) {
		if (bitset_has(&b->free[order], block))
			return true;
	}
	return false;
}

unsigned buddy_check(const struct buddy *b)
{
	uint64_t block, count = 0;
	unsigned k;

	for (k = 0; k <= BUDDY_ORDER_MAX; k++) {
		for (block = bitset_next(&b->free[k], 0); block != BITSET_NONE;
		     block = bitset_next(&b->free[k], block + 1)) {
			if (is_inside_free(b, block, k))
				return 1;
			if (k < BUDDY_ORDER_MAX &&
			    bitset_has(&b->free[k], block ^ 1))
				return 2;
			count += UINT64_C(1) << k;
		}
	}
	return count != b->free_count ? 3 : 0;
}

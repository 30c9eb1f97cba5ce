/* See bitset.h. */
#include "mm/bitset.h"

static uint64_t words_for(uint64_t bits)
{
	return (bits + 63) / 64;
}

uint64_t bitset_words(uint64_t bits)
{
	uint64_t sum = 0;

	do {
		bits = words_for(bits);
		sum += bits;
	} while (bits > 1);
	return sum;
}

void bitset_init(struct bitset *b, uint64_t bits, uint64_t *storage)
{
	uint64_t words = bits;

	b->bits = bits;
	b->level_count = 0;
	do {
		words = words_for(words);
		b->words[b->level_count] = words;
		b->level[b->level_count++] = storage;
		storage += words;
	} while (words > 1 && b->level_count < BITSET_LEVELS);
}

bool bitset_has(const struct bitset *b, uint64_t bit)
{
	return bit < b->bits && (b->level[0][bit / 64] >> bit % 64 & 1);
}

void bitset_add(struct bitset *b, uint64_t bit)
{
	unsigned level;
	uint64_t *word, old;

	for (level = 0; level < b->level_count; level++, bit /= 64) {
		word = &b->level[level][bit / 64];
		old = *word;
		*word |= UINT64_C(1) << bit % 64;
		if (old != 0)
			return; /* the summaries know already */
	}
}

void bitset_remove(struct bitset *b, uint64_t bit)
{
	unsigned level;
	uint64_t *word;

	for (level = 0; level < b->level_count; level++, bit /= 64) {
		word = &b->level[level][bit / 64];
		*word &= ~(UINT64_C(1) << bit % 64);
		if (*word != 0)
			return;
	}
}

/* Up until a word has a member at or after `from`, then down by the least
 * bit of each word. */
uint64_t bitset_next(const struct bitset *b, uint64_t from)
{
	unsigned level = 0;
	uint64_t word = 0;

	for (;; level++, from = from / 64 + 1) {
		if (level == b->level_count || from / 64 >= b->words[level])
			return BITSET_NONE;
		word = b->level[level][from / 64] >> from % 64;
		if (word != 0)
			break;
	}
	from += (uint64_t)__builtin_ctzll(word);
	while (level-- > 0)
		from = from * 64 +
		       (uint64_t)__builtin_ctzll(b->level[level][from]);
	return from;
}

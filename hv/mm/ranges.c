/*
 * See ranges.h. Both changes are one operation: the ranges that the new one
 * meets, `first` to `last`, are replaced by at most two others.
 */
#include "mm/ranges.h"

/* Puts `with_count` ranges in the place of those from first to before. */
static bool replace(struct ranges *r, unsigned first, unsigned before,
		    const struct range *with, unsigned with_count)
{
	unsigned tail = r->count - before;
	unsigned count = first + with_count + tail;
	unsigned i;

	if (count > RANGES_MAX)
		return false;
	if (first + with_count <= before) {
		for (i = 0; i < tail; i++)
			r->range[first + with_count + i] = r->range[before + i];
	} else {
		for (i = tail; i-- > 0;)
			r->range[first + with_count + i] = r->range[before + i];
	}
	for (i = 0; i < with_count; i++)
		r->range[first + i] = with[i];
	r->count = count;
	return true;
}

bool ranges_add(struct ranges *r, uint64_t start, uint64_t end)
{
	struct range joined = { start, end };
	unsigned first = 0, before;

	if (start >= end)
		return true;
	while (first < r->count && r->range[first].end < start)
		first++;
	for (before = first; before < r->count; before++) {
		if (r->range[before].start > end)
			break;
		if (r->range[before].start < joined.start)
			joined.start = r->range[before].start;
		if (r->range[before].end > joined.end)
			joined.end = r->range[before].end;
	}
	return replace(r, first, before, &joined, 1);
}

bool ranges_remove(struct ranges *r, uint64_t start, uint64_t end)
{
	struct range left[2];
	unsigned first = 0, before, count = 0;

	if (start >= end)
		return true;
	while (first < r->count && r->range[first].end <= start)
		first++;
	for (before = first; before < r->count; before++) {
		if (r->range[before].start >= end)
			break;
	}
	if (first == before)
		return true;
	if (r->range[first].start < start)
		left[count++] = (struct range){ r->range[first].start, start };
	if (r->range[before - 1].end > end)
		left[count++] = (struct range){ end, r->range[before - 1].end };
	return replace(r, first, before, left, count);
}

bool ranges_contain(const struct ranges *r, uint64_t start, uint64_t end)
{
	unsigned i;

	for (i = 0; i < r->count; i++) {
		if (r->range[i].start <= start && end <= r->range[i].end)
			return true;
	}
	return false;
}

bool ranges_find(const struct ranges *r, uint64_t size, uint64_t align,
		 uint64_t limit, uint64_t *start)
{
	uint64_t from, end;
	unsigned i;

	for (i = 0; i < r->count; i++) {
		from = (r->range[i].start + align - 1) & ~(align - 1);
		end = r->range[i].end < limit ? r->range[i].end : limit;
		if (from >= r->range[i].start && from < end &&
		    end - from >= size) {
			*start = from;
			return true;
		}
	}
	return false;
}

uint64_t ranges_total(const struct ranges *r)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < r->count; i++)
		sum += r->range[i].end - r->range[i].start;
	return sum;
}

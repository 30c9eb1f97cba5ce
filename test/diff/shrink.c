/*
 * The shrinker: delta debugging over the list of operations. Blocks of half
 * the trace are left out, then of a quarter and so on down to one operation;
 * what still fails without a block goes on without it. Then once more from
 * the start, until a whole round removes nothing.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

static bool fails(const struct trace *t, enum plant plant)
{
	struct run_result r;

	run_guarded(t, plant, &r);
	return r.failed;
}

/* The trace without op[at .. at + size - 1]; op is the caller's array. */
static struct trace without(const struct trace *t, struct op *op, unsigned at,
			    unsigned size)
{
	struct trace part = *t;

	part.op = op;
	part.count = t->count - size;
	memcpy(op, t->op, at * sizeof(*op));
	memcpy(op + at, t->op + at + size,
	       (t->count - at - size) * sizeof(*op));
	return part;
}

/* Tries to leave out each block of this size once. */
static bool pass(struct trace *t, enum plant plant, unsigned size,
		 struct op *room)
{
	bool removed = false;
	unsigned at = 0;

	while (at < t->count) {
		unsigned n = size < t->count - at ? size : t->count - at;
		struct trace part = without(t, room, at, n);

		if (!fails(&part, plant)) {
			at += n;
			continue;
		}
		memcpy(t->op, room, part.count * sizeof(*room));
		t->count = part.count;
		removed = true;
	}
	return removed;
}

void shrink(struct trace *t, enum plant plant)
{
	struct op *room = malloc((t->count + 1) * sizeof(*room));
	bool removed = true;

	if (!room)
		abort();
	while (removed) {
		removed = false;
		for (unsigned size = (t->count + 1) / 2; size; size /= 2)
			removed |= pass(t, plant, size, room);
	}
	free(room);
}

/*
 * Entries change, and each way to make that count: one access with the old
 * entry, the change, a flush, one access with the new one. What must then be
 * seen is the new entry's alone (Intel SDM 3A 4.10.4.1).
 *
 *   INVLPG         any entry that the address is translated by
 *   INVLPG beside  at another address in the same large page
 *   CR3            the same root; not for global pages
 *   other root     the change is made while another root is in CR3
 *   CR4.PGE        also global pages
 *   nothing        the old entry was not present or had a reserved bit, so
 *                  nothing was cached (4.10.2.3)
 */
#include "permute.h"

enum way {
	BY_INVLPG,
	BY_INVLPG_BESIDE,
	BY_CR3,
	BY_OTHER_ROOT,
	BY_PGE,
	BY_NOTHING,
	WAYS,
};

/* Of the leaf, or of the upper entry. */
struct state {
	bool present, write, user, reserved, global;
	unsigned frame;
	uint64_t flags;
};

static const struct state states[] = {
	{ .present = false },
	{ .present = false, .write = true, .user = true, .flags = A | D },
	{ .present = true, .write = true, .reserved = true },
	{ .present = true },
	{ .present = true, .write = true },
	{ .present = true, .write = true, .frame = 1, .flags = A },
	{ .present = true, .user = true, .flags = A },
	{ .present = true, .write = true, .user = true },
	{ .present = true, .write = true, .user = true, .flags = A | D },
	{ .present = true, .write = true, .user = true, .frame = 1 },
	{ .present = true, .write = true, .global = true, .flags = A | D },
	{ .present = true, .user = true, .frame = 1, .global = true },
};

#define STATES (sizeof(states) / sizeof(states[0]))

/* What is varied: the leaf, the upper entry, a large page in its place. */
enum which { LEAF, UPPER, LARGE, WHICH };

static void set_entry(const struct state *s, struct predict_entry *e,
		      uint64_t *raw, bool large)
{
	bool reserved = s->reserved && (machine.entry_size == 8 || large) &&
			machine.has.maxphyaddr < 52;

	*e = (struct predict_entry){ .present = s->present,
				     .write = s->write,
				     .user = s->user,
				     .large = large,
				     .reserved = reserved };
	*raw |= (s->present ? P : 0) | (s->write ? W : 0) | (s->user ? U : 0) |
		(s->global ? G : 0) | (large ? PS : 0) | s->flags;
	if (reserved)
		*raw |= machine.entry_size == 4
				? UINT64_C(1) << 21
				: UINT64_C(1) << machine.has.maxphyaddr;
}

static void make_entries(enum which which, const struct state *s,
			 struct entries *e)
{
	static const struct state open = {
		.present = true, .write = true, .user = true, .flags = A | D
	};

	*e = (struct entries){ .frame = which == LEAF ? s->frame : 0 };
	e->upper_raw = chain_refer(0, chain.upper);
	e->leaf_raw = chain_frame(e->frame);
	set_entry(which == LEAF ? &open : s, &e->upper, &e->upper_raw,
		  which == LARGE);
	set_entry(which == LEAF ? s : &open, &e->leaf, &e->leaf_raw, false);
}

static bool was_cached(enum which which, const struct entries *e)
{
	const struct predict_entry *it = which == LEAF ? &e->leaf : &e->upper;

	return it->present && !it->reserved;
}

/* Is it enough, after this entry, for what must be seen? */
static bool is_enough(enum way way, enum which which, bool global,
		      const struct entries *old)
{
	switch (way) {
	case BY_INVLPG_BESIDE:
		return which == LARGE;
	case BY_CR3:
	case BY_OTHER_ROOT:
		return which == UPPER || !global || !machine.now.pge;
	case BY_PGE:
		return machine.has.pge;
	case BY_NOTHING:
		return !was_cached(which, old);
	default:
		return true;
	}
}

static bool other_root_is_right(void)
{
	const uint32_t want = chain_signature(1, 1);

	(is_long() ? probe_64 : probe_32)(READ, 2 | 0x40000, chain.address, 0);
	return probe.vector == VECTOR_DONE && probe.value == want;
}

static void change(enum way way, const struct entries *e, struct count *count)
{
	if (way == BY_OTHER_ROOT) {
		load_root(1);
		count->wrong += !other_root_is_right();
	}
	case_write(e);
	switch (way) {
	case BY_INVLPG:
		flush_page(chain.address);
		return;
	case BY_INVLPG_BESIDE:
		flush_page(chain.address ^
			   (machine.entry_size == 4 ? 0x200000 : 0x10000));
		return;
	case BY_CR3:
	case BY_OTHER_ROOT:
		load_root(0);
		return;
	case BY_PGE:
		toggle_global();
		return;
	default:
		return;
	}
}

/* Read in ring 0, write in ring 0, read in ring 3, write in ring 3. */
static const unsigned accesses[] = { 6, 7, 3, 4 };

static void one_change(enum way way, const struct entries *before,
		       const struct entries *after, unsigned i,
		       struct count *count)
{
	case_entries(before);
	case_one(accesses[(i + way) % 4], count);
	change(way, after, count);
	case_one(accesses[i], count);
}

/* What drops all of the TLB is dear where it is software's: one access. */
static void from_to(enum which which, unsigned old, unsigned new,
		    struct count *count)
{
	bool drops_all[WAYS] = { [BY_PGE] = true,
				 [BY_CR3] = !machine.now.pge,
				 [BY_OTHER_ROOT] = !machine.now.pge };
	struct entries before, after;

	make_entries(which, &states[old], &before);
	make_entries(which, &states[new], &after);
	for (enum way way = BY_INVLPG; way < WAYS; way++) {
		if (!is_enough(way, which, states[old].global, &before))
			continue;
		for (unsigned i = 0; i < 4; i++)
			if (!drops_all[way] || i == (old + new) % 4)
				one_change(way, &before, &after, i, count);
	}
}

static void all_changes(struct count *count)
{
	for (enum which which = LEAF; which < WHICH; which++)
		for (unsigned i = 0; i < STATES * STATES; i++)
			if (which != LARGE || machine.now.pse ||
			    machine.entry_size == 8)
				from_to(which, i / STATES, i % STATES, count);
}

void flush_all(struct count *count)
{
	struct count c = { 0 };

	for (unsigned pge = 0; pge <= machine.has.pge; pge++) {
		const struct registers r = { .wp = true,
					     .pse = machine.has.pse,
					     .pge = pge,
					     .smap = machine.has.smap };

		chain_begin(2, pge);
		case_registers(&r);
		all_changes(&c);
	}
	print("permute: changes and flushes: %u cases, %u wrong\n", c.cases,
	      c.wrong);
	count->cases += c.cases;
	count->wrong += c.wrong;
}

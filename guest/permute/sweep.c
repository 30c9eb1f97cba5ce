/*
 * All cases: every combination of what is listed, for each pair of entries.
 *
 *   rights   P W U NX of the upper entry and of the leaf x WP SMEP SMAP NXE x
 *            14 accesses
 *   keys     the same entries x WP SMAP x AD WD of the key x 14 accesses
 *   flags    P PS A and a reserved bit of the upper entry, P W A D G and a
 *            reserved bit of the leaf x WP, NXE (or SMEP), PSE x 14 accesses
 *
 * What a sweep does not list takes turns from one combination to the next. The
 * keys are of levels 2 and 1 alone, and of the pairs above only half of the
 * control registers' settings are tried: more of the same takes long where
 * each fault is an exit. What the processor does not offer is left out, and
 * said once.
 */
#include "permute.h"

static uint64_t bit_at(unsigned n)
{
	return UINT64_C(1) << n;
}

/* 1. Entries. */

/* PS in an entry of this level: it maps a page; it is reserved; neither. */
enum ps { PS_IGNORED, PS_LARGE, PS_RESERVED };

static enum ps ps_at(unsigned level)
{
	if (level == 2)
		return machine.entry_size == 8 || machine.now.pse ? PS_LARGE
								  : PS_IGNORED;
	return level == 3 && machine.has.gib ? PS_LARGE : PS_RESERVED;
}

/* Reserved bits of the entry, one of several by turns: what is beyond the
 * address width; in PAE paging, all up to bit 62; in an entry that maps a large
 * page, the address bits below its size. 0: it has none. SDM 3A 4.3 to 4.5. */
static uint64_t reserved_bit(unsigned level, bool large, unsigned turn)
{
	if (machine.entry_size == 4)
		return large ? bit_at(21) : 0;
	if (large && turn % 3 == 2)
		return bit_at(level == 3 ? 13 + turn % 17 : 13 + turn % 8);
	if (!is_long() && turn % 2)
		return bit_at(52 + turn % 11);
	if (machine.has.maxphyaddr > 51)
		return large ? bit_at(13) : 0;
	return bit_at(turn % 2 ? 51u : machine.has.maxphyaddr);
}

static uint64_t encode(const struct predict_entry *e)
{
	uint64_t raw = (e->present ? P : 0) | (e->write ? W : 0) |
		       (e->user ? U : 0);

	if (machine.entry_size == 8 && e->no_execute)
		raw |= NX;
	return is_long() ? raw | KEY : raw;
}

static void finish_upper(struct entries *e, bool ps, bool reserved,
			 uint64_t flags, unsigned turn)
{
	enum ps kind = ps ? ps_at(chain.upper) : PS_IGNORED;
	uint64_t more = 0;

	e->upper.large = kind == PS_LARGE;
	if (reserved)
		more = reserved_bit(chain.upper, e->upper.large, turn);
	e->upper.reserved = more || kind == PS_RESERVED;
	e->upper_raw = encode(&e->upper) | flags | more | (ps ? PS : 0);
	if (!e->upper.large || chain.upper == 2)
		e->upper_raw |= chain_refer(0, chain.upper);
}

static void finish_leaf(struct entries *e, bool reserved, uint64_t flags,
			unsigned turn)
{
	uint64_t more = reserved ? reserved_bit(1, false, turn) : 0;

	e->leaf.reserved = more;
	e->leaf_raw = encode(&e->leaf) | flags | more | chain_frame(e->frame);
}

/* 2. Rights. */

static void rights_entry(struct predict_entry *e, unsigned bits)
{
	*e = (struct predict_entry){ .present = bits & 1,
				     .write = bits & 2,
				     .user = bits & 4,
				     .no_execute = bits & 8 };
}

/* Forwards and backwards: what is cached first differs. */
static void all_accesses(unsigned turn, struct count *count)
{
	for (unsigned n = 0; n < ACCESSES; n++)
		case_one(turn & 1 ? ACCESSES - 1 - n : n, count);
}

/* PKRU changes without a flush. */
static void all_keys(unsigned turn, struct count *count)
{
	for (unsigned key = 0; key < 4; key++) {
		if (machine.now.pke)
			case_keys(key & 1, key & 2);
		else if (key)
			return;
		all_accesses(turn, count);
	}
}

static void rights_entries(struct count *count)
{
	unsigned bits = machine.entry_size == 4 ? 3 : 4, turn = 0;

	for (unsigned upper = 0; upper < 1u << bits; upper++)
		for (unsigned leaf = 0; leaf < 1u << bits; leaf++) {
			struct entries e = { .frame = turn / 8 % FRAMES };

			turn += 5;
			rights_entry(&e.upper, upper);
			rights_entry(&e.leaf, leaf);
			finish_upper(&e, false, false, turn & 4 ? A : 0, turn);
			finish_leaf(&e, false,
				    (turn & 2 ? A : 0) | (turn & 8 ? D : 0) |
					    (turn & 16 ? G : 0),
				    turn);
			case_entries(&e);
			all_keys(turn, count);
		}
}

static bool is_offered(const struct registers *r)
{
	const struct offered *has = &machine.has;

	return (has->smep || !r->smep) && (has->smap || !r->smap) &&
	       (has->nx || !r->nxe) && (has->pse || !r->pse) &&
	       ((has->pku && is_long()) || !r->pke) && (has->pge || !r->pge);
}

static void try_rights(const struct registers *r, struct count *count)
{
	if (!is_offered(r))
		return;
	case_registers(r);
	rights_entries(count);
}

/* Every setting, or those with an even number of bits. */
static bool is_tried(unsigned bits)
{
	return chain.upper == 2 ||
	       !((bits ^ bits >> 1 ^ bits >> 2 ^ bits >> 3) & 1);
}

static void sweep_rights(struct count *count)
{
	unsigned settings = machine.entry_size == 4 ? 8 : 16;

	for (unsigned bits = 0; bits < settings; bits++) {
		const struct registers r = {
			.wp = bits & 1,
			.smep = bits & 2,
			.smap = bits & 4,
			.nxe = bits & 8,
			.pge = machine.has.pge && (bits ^ bits >> 1) & 1,
			.pse = machine.has.pse,
		};

		if (is_tried(bits))
			try_rights(&r, count);
	}
}

static void sweep_keys(struct count *count)
{
	for (unsigned bits = 0; bits < 4 && chain.upper == 2; bits++) {
		const struct registers r = { .wp = bits & 1,
					     .smap = bits & 2,
					     .smep = machine.has.smep,
					     .nxe = machine.has.nx,
					     .pke = true };

		try_rights(&r, count);
	}
}

/* 3. Flags. */

static void flags_entries(struct count *count)
{
	for (unsigned bits = 0; bits < 1024; bits++) {
		unsigned turn = bits ^ bits >> 3 ^ bits >> 6;
		struct entries e = {
			.upper = { .present = bits & 1,
				   .write = turn & 1 || turn & 2,
				   .user = turn & 4 || turn & 1 },
			.leaf = { .present = bits & 2,
				  .write = bits & 4,
				  .user = turn & 8 || turn & 2 },
			.frame = turn % FRAMES,
		};

		finish_upper(&e, bits & 8, bits & 16,
			     (bits & 32 ? A : 0) | (turn & 4 ? D : 0) |
				     (turn & 2 ? G : 0),
			     turn);
		finish_leaf(&e, bits & 64,
			    (bits & 128 ? A : 0) | (bits & 256 ? D : 0) |
				    (bits & 512 ? G : 0),
			    turn);
		case_entries(&e);
		all_accesses(turn, count);
	}
}

static void sweep_flags(struct count *count)
{
	bool narrow = machine.entry_size == 4;

	for (unsigned bits = 0; bits < (narrow ? 8 : 4); bits++) {
		const struct registers r = {
			.wp = bits & 1,
			.nxe = !narrow && bits & 2,
			.smep = narrow && bits & 2,
			.smap = machine.has.smap && bits == 1,
			.pse = machine.has.pse && !(bits & 4),
			.pge = machine.has.pge && bits != 2,
		};

		if (!is_offered(&r) || !is_tried(bits))
			continue;
		case_registers(&r);
		flags_entries(count);
	}
}

/* 4. Pairs of entries. */

static void say_missing(void)
{
	const struct offered *has = &machine.has;
	const struct {
		const char *name;
		bool offered;
	} rows[] = {
		{ "PSE", has->pse || machine.levels > 2 },
		{ "PGE", has->pge },
		{ "NX", has->nx || machine.levels == 2 },
		{ "SMEP", has->smep },
		{ "SMAP", has->smap },
		{ "PKU", has->pku || !is_long() },
		{ "1 GiB pages", has->gib || !is_long() },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].offered)
			print("permute: %s is not offered: left out\n",
			      rows[i].name);
}

static void sweep_pair(unsigned upper, bool high, struct count *count)
{
	static void (*const sweep[])(struct count * count) = {
		sweep_rights,
		sweep_keys,
		sweep_flags,
	};
	struct count c[3] = { 0 };

	chain_begin(upper, high);
	for (unsigned i = 0; i < 3; i++) {
		sweep[i](&c[i]);
		count->cases += c[i].cases;
		count->wrong += c[i].wrong;
	}
	print("permute: entries of levels %u and 1: rights %u cases, %u wrong; "
	      "keys %u, %u; flags %u, %u\n",
	      upper, c[0].cases, c[0].wrong, c[1].cases, c[1].wrong, c[2].cases,
	      c[2].wrong);
}

/* A PDPTE of PAE paging has no rights, and is read when CR3 is loaded. */
void sweep_all(struct count *count)
{
	say_missing();
	sweep_pair(2, false, count);
	if (is_long())
		sweep_pair(3, true, count);
	for (unsigned upper = 4; upper <= machine.levels; upper++)
		sweep_pair(upper, upper == 4, count);
}

/*
 * The generator. Purely random bits would fault in the first entry of every
 * walk, so:
 *
 *   - a few pages serve as tables, three for each level; a few as data
 *   - indices are drawn from four for each level, and addresses are made of
 *     them, so that walks meet entries that were written
 *   - entries are mostly present, permissive and free of reserved bits, and
 *     mostly refer to a table of the next level; sometimes to any page: an
 *     alias, the table itself, a page of the wrong kind, one with no slot
 *   - operations of the guest are many, of the host fewer, of slots rare
 */
#include "gen.h"

#include <vmmu/vmmu.h>

#include "lab/nest.h"

#include "rng.h"

#define TABLES_PER_LEVEL 3
#define LEVELS		 5
#define GVAS		 12
#define WHOLE_GIB	 UINT64_C(0x600000000)	/* a slot of 1 GiB */
#define HVA_BASE	 UINT64_C(0x4000000000) /* lab_host_init's */
#define PERCENT(p)	 rng_percent(&g->rng, p)

struct gen {
	struct rng rng;
	struct trace *t;
	uint64_t mode;
	unsigned levels, entry_size;
	uint64_t table[LEVELS + 1][TABLES_PER_LEVEL]; /* gpas, by level */
	uint64_t gva[GVAS]; /* used again and again, so that a TLB has use */
};

/* Slots: gpa, size and offset in host memory; what all traces begin with. */
static const struct {
	uint64_t gpa, size, offset, flags;
} slots[] = {
	{ 0x0, 0x400000, 0x0, 0 },
	/* Neither end where a large leaf, or what is mapped around a fault,
	 * would end by itself. */
	{ 0x803000, 0x1fa000, 0x403000, 0 },
	{ UINT64_C(0x100000000), 0x200000, 0x600000, 0 },
	{ 0x600000, 0x10000, 0x800000, VMMU_SLOT_READ_ONLY },
	{ 0xa00000, 0x20000, 0x820000, VMMU_SLOT_LOG_DIRTY },
	{ UINT64_C(1) << 39, 0x20000, 0x840000, 0 },
	{ UINT64_C(0x380000000), 0x200000, 0xa00000, 0 },
	{ 0x3fe00000, 0x400000, 0xc00000, 0 },
	/* Far apart, so that table pages run out; they show memory that other
	 * slots show too. */
	{ UINT64_C(0x500000000), 0x4000, 0x900000, 0 },
	{ UINT64_C(0x680000000), 0x4000, 0x900000, 0 },
	{ UINT64_C(0x7c0000000), 0x4000, 0x0, VMMU_SLOT_LOG_DIRTY },
	{ UINT64_C(0x900000000), 0x4000, 0x200000, VMMU_SLOT_READ_ONLY },
};

#define SLOT_COUNT (sizeof(slots) / sizeof(slots[0]))

static void emit(struct gen *g, enum op_kind kind, uint64_t a, uint64_t b,
		 uint64_t c, uint64_t d, uint64_t e)
{
	struct op op = { .kind = kind, .arg = { a, b, c, d, e } };

	trace_add(g->t, &op);
}

/* 1. Pages. */

static uint64_t any_table(struct gen *g)
{
	return g->table[1 + rng_below(&g->rng, g->levels)]
		       [rng_below(&g->rng, TABLES_PER_LEVEL)];
}

static uint64_t any_data(struct gen *g)
{
	static const uint64_t pages[] = {
		0x0,
		0x1000,
		0x2000,
		0x3000,
		0x200000,
		0x201000,
		0x802000,
		0x803000,
		0x804000,
		0x9fc000,
		0x9fd000,
		0x600000,
		0x601000,
		UINT64_C(0x100000000),
		0xa00000,
		0xa01000,
		0xa02000,
		UINT64_C(0x100001000),
		0x3ff000,
		0x400000,
		UINT64_C(0x380000000),
		UINT64_C(0x380001000),
		0x3fffe000,
		0x40000000,
		UINT64_C(1) << 39,
		UINT64_C(0x500000000),
		UINT64_C(0x680001000),
		UINT64_C(0x7c0001000),
		UINT64_C(0x900000000),
		0x7ff000,
		0xfee00000,
	};
	if (g->t->config.extent == VMMU_1G && PERCENT(25))
		return WHOLE_GIB | (rng_next(&g->rng) & 0x3ffff000);
	return pages[rng_below(&g->rng, sizeof(pages) / sizeof(pages[0]))];
}

/* An address with bits that no small machine has. */
static uint64_t any_far(struct gen *g)
{
	return rng_next(&g->rng) & UINT64_C(0xffffffffff000);
}

static uint64_t any_page(struct gen *g)
{
	unsigned dice = rng_below(&g->rng, 100);

	if (dice < 35)
		return any_table(g);
	return dice < 97 ? any_data(g) : any_far(g);
}

static void place_tables(struct gen *g)
{
	static const uint64_t odd[] = { 0x805000, UINT64_C(0x100002000),
					0x602000, 0xa03000, 0x202000 };
	uint64_t next = 0x10000;

	for (unsigned level = 1; level <= LEVELS; level++)
		for (unsigned i = 0; i < TABLES_PER_LEVEL; i++) {
			g->table[level][i] = next;
			next += VMMU_PAGE_SIZE;
		}
	/* Some in other slots, one of them read-only. CR3 of the small modes
	 * reaches 4 GiB only, so roots stay low. */
	for (unsigned i = 0; i < g->levels - 1 && i < 5; i++)
		if (PERCENT(60))
			g->table[1 + i][2] = odd[rng_below(&g->rng, 5)];
}

/* 2. Indices and addresses. */

static unsigned nth_index(const struct gen *g, unsigned level, unsigned i)
{
	static const uint16_t index9[4] = { 0, 1, 2, 511 };
	static const uint16_t index10[4] = { 0, 1, 2, 1023 };

	if (level == 1)
		return i;
	if (g->mode == MODE_32)
		return index10[i];
	if (g->mode == MODE_PAE && level == 3)
		return i;
	return index9[i];
}

/* Through a large page, index 0x10 and so on of the last level is a table. */
static unsigned any_index(struct gen *g, unsigned level)
{
	unsigned i = rng_below(&g->rng, 4);

	if (level == 1 && PERCENT(8))
		return 0x10 + i;
	return nth_index(g, level, i);
}

static uint64_t new_gva(struct gen *g)
{
	unsigned bits = g->mode == MODE_32 ? 10 : 9;
	uint64_t va = rng_below(&g->rng, 512) * 8;
	unsigned top;

	if (g->mode == MODE_OFF)
		return (any_page(g) & 0xffffffff) | va;
	for (unsigned level = 1; level <= g->levels; level++)
		va |= (uint64_t)any_index(g, level)
		      << (12 + bits * (level - 1));
	if (g->mode < MODE_4LEVEL)
		return va;
	if (PERCENT(2))
		return va ^ UINT64_C(1) << (48 + rng_below(&g->rng, 16));
	top = 12 + 9 * g->levels;
	return va >> (top - 1) & 1 ? va | ~UINT64_C(0) << top : va;
}

static uint64_t any_gva(struct gen *g)
{
	if (PERCENT(20))
		return new_gva(g);
	return g->gva[rng_below(&g->rng, GVAS)];
}

/* 3. Entries. */
/* Entries above the last level rule many pages: they forbid less often. */
static uint64_t low_bits(struct gen *g, unsigned level)
{
	unsigned often = level > 1 ? 95 : 75;
	uint64_t e = 0;

	e |= PERCENT(96) ? 0x1 : 0;    /* present */
	e |= PERCENT(often) ? 0x2 : 0; /* writable */
	e |= PERCENT(often) ? 0x4 : 0; /* user */
	e |= PERCENT(10) ? 0x8 : 0;    /* write-through */
	e |= PERCENT(10) ? 0x10 : 0;   /* cache disable */
	e |= PERCENT(50) ? 0x20 : 0;   /* accessed */
	e |= PERCENT(50) ? 0x40 : 0;   /* dirty */
	e |= PERCENT(25) ? 0x100 : 0;  /* global */
	e |= PERCENT(20) ? 0xe00 : 0;  /* ignored */
	return e;
}

/* What only 8-byte entries have: keys, no-execute, reserved bits. */
static uint64_t high_bits(struct gen *g, unsigned level)
{
	uint64_t e = 0;

	if (PERCENT(30))
		e |= (uint64_t)rng_below(&g->rng, 4) << 59;
	if (PERCENT(level > 1 ? 4 : 15))
		e |= UINT64_C(1) << 63;
	if (PERCENT(1))
		e |= UINT64_C(1) << (45 + rng_below(&g->rng, 18));
	if (g->mode == MODE_PAE && !PERCENT(10))
		e &= ~(UINT64_C(0x7ff) << 52);
	return e;
}

/* Where an entry leads. A large page keeps its low address bits zero, mostly:
 * there some are reserved, and with PSE-36 some are address bits. */
static uint64_t target(struct gen *g, unsigned level, bool large)
{
	unsigned shift = g->mode == MODE_32 ? 22 : 12 + 9 * (level - 1);
	uint64_t page;

	if (large) {
		page = any_data(g);
		if (!PERCENT(8))
			page &= ~((UINT64_C(1) << shift) - 1);
		if (g->mode == MODE_32 && PERCENT(20))
			page |= (uint64_t)rng_below(&g->rng, 256) << 13;
		return page;
	}
	if (level > 1 && PERCENT(92))
		return g->table[level - 1]
			       [rng_below(&g->rng, TABLES_PER_LEVEL)];
	if (level == 1 && PERCENT(85))
		return any_data(g);
	return any_page(g);
}

static uint64_t any_entry(struct gen *g, unsigned level)
{
	bool pointer = g->mode == MODE_PAE && level == 3;
	bool large = level > 1 && !pointer && PERCENT(level == 2 ? 15 : 6);
	uint64_t e = target(g, level, large) | low_bits(g, level);

	if (level == 1)
		e |= PERCENT(10) ? 0x80 : 0; /* PAT */
	else if (large && (level < 4 || PERCENT(10)))
		e |= 0x80; /* page size */
	if (pointer && !PERCENT(8))
		e &= ~UINT64_C(0x1e6); /* reserved in a PDPTE */
	if (g->entry_size == 4)
		return e & 0xffffffff;
	if (!pointer || PERCENT(4))
		e |= high_bits(g, level);
	return e;
}

static void poke_entry(struct gen *g, unsigned level, uint64_t table,
		       unsigned index)
{
	emit(g, OP_POKE, table + index * g->entry_size, g->entry_size,
	     any_entry(g, level), 0, 0);
}

static void poke_any_entry(struct gen *g)
{
	unsigned level = 1 + rng_below(&g->rng, g->levels);
	unsigned i = rng_below(&g->rng, TABLES_PER_LEVEL);

	poke_entry(g, level, g->table[level][i], any_index(g, level));
}

/* 4. Operations. */

static unsigned any_access(struct gen *g)
{
	static const unsigned kinds[] = { VMMU_R, VMMU_W, VMMU_W, VMMU_X };
	unsigned access = kinds[rng_below(&g->rng, 4)];

	access |= PERCENT(50) ? VMMU_U : 0;
	access |= PERCENT(10) && !(access & VMMU_X) ? VMMU_IMPLICIT : 0;
	access |= PERCENT(25) ? VMMU_AC : 0;
	return access;
}

static uint64_t any_root(struct gen *g)
{
	uint64_t root = g->table[g->levels][rng_below(&g->rng, 2)];

	if (PERCENT(4))
		return any_page(g);
	return root | (g->mode == MODE_PAE && PERCENT(10) ? 0x20 : 0);
}

static void emit_registers(struct gen *g)
{
	uint64_t cr4 = 0;

	cr4 |= PERCENT(30) ? VMMU_CR4_SMEP : 0;
	cr4 |= PERCENT(30) ? VMMU_CR4_SMAP : 0;
	cr4 |= PERCENT(40) ? VMMU_CR4_PKE : 0;
	cr4 |= PERCENT(40) ? VMMU_CR4_PKS : 0;
	cr4 |= PERCENT(85) ? VMMU_CR4_PSE : 0;
	cr4 |= PERCENT(80) ? VMMU_CR4_PGE : 0;
	emit(g, OP_REGS, PERCENT(70) ? VMMU_CR0_WP : 0, cr4,
	     PERCENT(85) ? VMMU_EFER_NXE : 0, rng_next(&g->rng) & 0xe4,
	     rng_next(&g->rng) & 0xe4);
}

/* A range of host memory that matters: some pages of a slot. */
static void emit_backing(struct gen *g, enum op_kind kind)
{
	static const uint64_t sizes[] = { 0x1000, 0x1000, 0x4000, 0x20000 };
	unsigned s = rng_below(&g->rng, SLOT_COUNT);
	uint64_t page = rng_below(&g->rng, PERCENT(70) ? 4 : 32);
	uint64_t hva = HVA_BASE + slots[s].offset + (page << VMMU_PAGE_SHIFT);
	uint64_t size = sizes[rng_below(&g->rng, 4)];

	/* Contents lost are tables lost: only where data is. */
	if (kind == OP_WITHDRAW)
		size = VMMU_PAGE_SIZE;
	emit(g, kind, hva, size, 0, 0, 0);
}

static void emit_slot(struct gen *g)
{
	unsigned s = rng_below(&g->rng, SLOT_COUNT);
	uint64_t gpa = slots[s].gpa, size = slots[s].size;
	uint64_t hva = HVA_BASE + slots[s].offset, flags = slots[s].flags;
	unsigned dice = rng_below(&g->rng, 100);

	if (dice < 45)
		flags ^= 1u + rng_below(&g->rng, 3);
	else if (dice < 60)
		gpa += UINT64_C(0x1000) << rng_below(&g->rng, 20);
	else if (dice < 70)
		size = 0;
	else if (dice < 75)
		size ^= VMMU_PAGE_SIZE << rng_below(&g->rng, 4);
	else if (dice < 78)
		gpa += 0x800;
	else if (dice < 82) /* one more slot, on memory that another shows */
		gpa += 0x50000000, s = SLOT_COUNT;
	emit(g, OP_SLOT, s, gpa, size, hva, flags);
}

static void emit_op(struct gen *g)
{
	unsigned dice = rng_below(&g->rng, 100);
	uint64_t gva = any_gva(g);
	if (dice < 48)
		emit(g, OP_ACCESS, gva, any_access(g), rng_next(&g->rng) & 0xff,
		     PERCENT(15), 0);
	else if (dice < 60)
		emit(g, OP_WALK, gva, any_access(g), PERCENT(25), 0, 0);
	else if (dice < 76)
		poke_any_entry(g);
	else if (dice < 79)
		emit(g, OP_WRITE, any_page(g) + rng_below(&g->rng, 512) * 8, 8,
		     rng_next(&g->rng), 0, 0);
	else if (dice < 84)
		emit(g, OP_INVLPG, gva, 0, 0, 0, 0);
	else if (dice < 87)
		emit(g, OP_CR3, any_root(g), 0, 0, 0, 0);
	else if (dice < 89)
		emit_registers(g);
	else if (dice < 91)
		emit_slot(g);
	else if (dice < 93)
		emit(g, OP_VIOLATION, any_page(g), any_access(g), 0, 0, 0);
	else if (dice < 98)
		emit_backing(g,
			     (enum op_kind)(OP_SHARE + rng_below(&g->rng, 4)));
	else
		emit(g, OP_LOG, rng_below(&g->rng, SLOT_COUNT), 0, 0, 0, 0);
}

/* 5. The trace. */

static void choose_config(struct gen *g)
{
	static const uint64_t extents[] = { 0x1000, 0x10000, VMMU_2M,
					    4 * VMMU_2M };
	static const uint64_t widths[] = { 36, 40, 46, 52 };
	struct world_config *c = &g->t->config;

	c->mode = g->mode;
	c->nested = rng_below(&g->rng, 3);
	c->leaf = 1 + rng_below(&g->rng, 3);
	c->extent = extents[rng_below(&g->rng, 4)];
	if (c->leaf == 3 && PERCENT(20))
		c->extent = VMMU_1G;
	c->skew = c->extent < VMMU_1G && PERCENT(15)
			  ? 0x1000 * (1 + rng_below(&g->rng, 600))
			  : 0;
	c->shuffle = PERCENT(50);
	c->tables = PERCENT(40) ? VMMU_TABLE_LIMIT_MIN : 256;
	c->around = PERCENT(50) ? 0 : VMMU_PAGE_SIZE << rng_below(&g->rng, 11);
	c->maxphyaddr = widths[rng_below(&g->rng, 4)];
	c->pse36 = PERCENT(70);
	c->nx = PERCENT(90);
	c->gib = PERCENT(70);
	c->pdptes_in_memory = c->scheme == SCHEME_NESTED &&
			      c->nested == NEST_NPT;
	if (c->scheme == SCHEME_SHADOW) {
		c->tables = c->tables == 256 ? 256 : 41;
		c->roots = UINT64_C(1) << rng_below(&g->rng, 4);
		c->filter = PERCENT(50);
	}
	c->moves = PERCENT(75) ? 0 : 16 + rng_below(&g->rng, 32);
}

/* A whole slot of 1 GiB where the host has that much in one run. */
static void emit_slots(struct gen *g)
{
	for (unsigned i = 0; i < SLOT_COUNT; i++)
		if (!PERCENT(4))
			emit(g, OP_SLOT, i, slots[i].gpa, slots[i].size,
			     HVA_BASE + slots[i].offset, slots[i].flags);
	if (g->t->config.extent == VMMU_1G)
		emit(g, OP_SLOT, SLOT_COUNT + 1, WHOLE_GIB, VMMU_1G, HVA_BASE,
		     0);
}

void gen_trace(struct trace *t, uint64_t seed, const struct gen_choice *choice)
{
	static const uint8_t levels[MODE_COUNT] = { 1, 2, 3, 4, 5 };
	struct gen gen = { .rng = { seed }, .t = t };
	struct gen *g = &gen;

	g->mode = choice->mode == MODE_COUNT ? rng_below(&g->rng, MODE_COUNT)
					     : choice->mode;
	g->levels = levels[g->mode];
	g->entry_size = g->mode == MODE_32 ? 4 : 8;
	t->config.scheme = choice->scheme;
	choose_config(g);
	place_tables(g);
	emit_slots(g);
	for (unsigned i = 0; i < GVAS; i++)
		g->gva[i] = new_gva(g);
	for (unsigned level = 1; level <= g->levels; level++)
		for (unsigned i = 0; i < TABLES_PER_LEVEL * 4; i++)
			poke_entry(g, level, g->table[level][i / 4],
				   nth_index(g, level, i % 4));
	emit_registers(g);
	emit(g, OP_CR3, g->table[g->levels][0], 0, 0, 0, 0);
	for (unsigned i = 0; i < choice->steps; i++)
		emit_op(g);
}

/*
 * The address under test and the tables that lead to it.
 *
 *   root 0 -> ... -> table of level 1 -> frame 0, frame 1
 *   root 1 -> tables of its own       -> frame 1
 *
 * An entry that varies in PS refers to one address, which is both a table and
 * the beginning of a large page: so PS alone decides which it is. The parts of
 * those pages that the address falls into lie behind the program.
 *
 *   level 2, 32-bit   0x800000   4 MiB; the address is 0x203000 into it
 *   level 2           0xc00000   2 MiB; 0x3000
 *   level 3           0x0        1 GiB; 0xe03000 (no table: it is not at 0)
 */
#include "permute.h"
#include "tables.h"

#define IN_GIB	  UINT32_C(0xe03000)
#define LARGE_4M  UINT32_C(0x800000)
#define LARGE_2M  UINT32_C(0xc00000)
#define SIGNATURE UINT32_C(0x51600000)
/* A data segment of ring 3, used before: SDM 3A 3.4.5. */
#define SEGMENT_LOW  0x0000ffffu
#define SEGMENT_HIGH 0x00cff300u

struct chain chain;

static uint8_t tables[2][5][4096] __attribute__((aligned(4096)));
static uint8_t frames[FRAMES][4096] __attribute__((aligned(4096)));

static uint32_t large_base(unsigned level)
{
	return level == 3 ? 0 : machine.entry_size == 4 ? LARGE_4M : LARGE_2M;
}

static unsigned index_bits(void)
{
	return machine.entry_size == 4 ? 10 : 9;
}

static unsigned index_at(unsigned level)
{
	unsigned shift = 12 + index_bits() * (level - 1);

	return (unsigned)(chain.address >> shift) & ((1u << index_bits()) - 1);
}

/* The table of level 1 lies where a large page would begin. */
static uint8_t *table_of(unsigned root, unsigned level)
{
	if (level == machine.levels)
		return root_table(root);
	if (level == 1 && !root)
		return (uint8_t *)(uintptr_t)large_base(2);
	return tables[root][level];
}

static uint8_t *entry_at(unsigned root, unsigned level)
{
	return table_of(root, level) + index_at(level) * machine.entry_size;
}

uint64_t chain_read(unsigned level)
{
	return entry_load(entry_at(0, level));
}

void chain_write(unsigned root, unsigned level, uint64_t entry)
{
	entry_store(entry_at(root, level), entry);
}

uint64_t chain_refer(unsigned root, unsigned level)
{
	return (uint32_t)(uintptr_t)table_of(root, level - 1);
}

uint32_t chain_frame(unsigned frame)
{
	return (uint32_t)(uintptr_t)frames[frame];
}

volatile uint32_t *chain_memory(unsigned level, unsigned frame)
{
	uint32_t size = level == 3		  ? UINT32_C(1) << 30
			: machine.entry_size == 4 ? UINT32_C(1) << 22
						  : UINT32_C(1) << 21;

	if (level == 1)
		return memory_at(chain_frame(frame));
	return memory_at(large_base(level) | (IN_GIB & (size - 1)));
}

uint32_t chain_signature(unsigned level, unsigned frame)
{
	return SIGNATURE | level << 8 | (level == 1 ? frame : 0);
}

static void sign(unsigned level, unsigned frame)
{
	volatile uint32_t *page = chain_memory(level, frame);

	page[AT_DATA / 4] = chain_signature(level, frame);
	page[AT_CODE / 4] = 0xcd | VECTOR_DONE << 8; /* INT 0x30 */
	page[AT_TABLE / 4] = SEGMENT_LOW;
	page[AT_TABLE / 4 + 1] = SEGMENT_HIGH;
}

static uint64_t address_of(bool high)
{
	uint64_t address = UINT32_C(1) << 30 | IN_GIB;

	if (!is_long())
		return address;
	address |= UINT64_C(1) << 39;
	if (machine.levels == 5)
		address |= UINT64_C(1) << 48;
	if (high) /* the sign bit, and all above it */
		address |= UINT64_MAX << (machine.levels == 5 ? 56 : 47);
	return address;
}

static void build(unsigned root)
{
	for (unsigned level = machine.levels; level > 1; level--) {
		uint64_t flags = P | W | U | A;

		if (machine.levels == 3 && level == 3)
			flags = P;
		chain_write(root, level, chain_refer(root, level) | flags);
	}
	chain_write(root, 1, chain_frame(root) | P | W | U | A | D);
}

void chain_begin(unsigned upper, bool high)
{
	if (chain.upper)
		for (unsigned root = 0; root < 2; root++)
			chain_write(root, machine.levels, 0);
	chain.upper = upper;
	chain.address = address_of(high);
	for (unsigned root = 0; root < 2; root++)
		build(root);
	for (unsigned frame = 0; frame < FRAMES; frame++)
		sign(1, frame);
	sign(2, 0);
	if (machine.entry_size == 8)
		sign(3, 0);
	ring_begin(is_long(), chain.address);
	/* The PDPTEs are read with it: SDM 3A 4.4.1. */
	load_root(0);
	toggle_global();
}

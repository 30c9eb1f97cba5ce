/*
 * What the processor offers; this program's own mapping; control registers.
 *
 * The first 16 MiB are mapped to themselves by 4 KiB pages, for ring 0 but
 * for one page, so that no bit that is permuted touches this program. They are
 * global, so that a load of CR3 leaves them alone. There are two roots: they
 * share these tables.
 *
 *   levels   index of the root   below                     Intel SDM 3A
 *   2        0 .. 3              4 tables of 1024 entries  4.3
 *   3        0                   1 directory, 8 tables     4.4
 *   4, 5     0                   the same below 1 or 2     4.5
 */
#include "permute.h"

#include "tables.h"

#define MAPPED	 (UINT32_C(16) << 20)
#define TABLES	 8
#define MSR_EFER 0xc0000080u
#define EFER_LME 0x100u
#define EFER_NXE 0x800u
#define CR0_PG	 0x80000000u
#define CR0_WP	 0x00010000u
#define CR4_PSE	 0x000010u
#define CR4_PAE	 0x000020u
#define CR4_PGE	 0x000080u
#define CR4_LA57 0x001000u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define CR4_PKE	 0x400000u

void flush_64(uint64_t address);

struct machine machine;

static uint8_t own[TABLES + 3][4096] __attribute__((aligned(4096)));
static uint8_t roots[2][4096] __attribute__((aligned(4096)));

/* 1. What is offered. */

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	r[2] = 0;
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "+c"(r[2]), "=d"(r[3])
			 : "a"(leaf));
}

static bool bit(uint32_t value, unsigned n)
{
	return value >> n & 1;
}

static void find_offered(struct offered *has)
{
	uint32_t r[4], last;

	cpuid(0, r);
	last = r[0];
	cpuid(1, r);
	has->pse = bit(r[3], 3);
	has->pae = bit(r[3], 6);
	has->pge = bit(r[3], 13);
	if (last >= 7) {
		cpuid(7, r);
		has->smep = bit(r[1], 7);
		has->smap = bit(r[1], 20);
		has->pku = bit(r[2], 3);
		has->la57 = bit(r[2], 16);
	}
	cpuid(0x80000000, r);
	last = r[0];
	cpuid(0x80000001, r);
	has->nx = bit(r[3], 20);
	has->gib = bit(r[3], 26);
	has->lm = bit(r[3], 29);
	has->maxphyaddr = 36;
	if (last >= 0x80000008) {
		cpuid(0x80000008, r);
		has->maxphyaddr = r[0] & 0xff;
	}
}

/* 2. Tables. */

void entry_store(void *at, uint64_t entry)
{
	volatile uint32_t *words = at;

	words[0] = (uint32_t)entry;
	if (machine.entry_size == 8)
		words[1] = (uint32_t)(entry >> 32);
}

uint64_t entry_load(const void *at)
{
	const volatile uint32_t *words = at;
	uint64_t entry = words[0];

	if (machine.entry_size == 8)
		entry |= (uint64_t)words[1] << 32;
	return entry;
}

static void put(uint8_t *table, unsigned index, uint64_t entry)
{
	entry_store(table + index * machine.entry_size, entry);
}

static uint32_t at(const void *memory)
{
	return (uint32_t)(uintptr_t)memory;
}

uint8_t *root_table(unsigned number)
{
	return roots[number];
}

static void map_self(void)
{
	for (uint32_t page = 0; page < MAPPED / 4096; page++) {
		bool user = page == at(user_page) / 4096;
		uint32_t per = 4096 / machine.entry_size;

		put(own[page / per], page % per,
		    page * 4096 | P | W | A | D | G | (user ? U : 0));
	}
}

/* PAE's top entries have P alone. */
static void link_self(void)
{
	unsigned tables = machine.entry_size == 4 ? 4 : TABLES;
	const uint64_t flags = P | W | U | A;
	uint8_t *top = own[TABLES];

	if (machine.levels == 2)
		top = roots[0];
	for (unsigned i = 0; i < tables; i++)
		put(top, i, at(own[i]) | flags);
	for (unsigned level = 3; level < machine.levels; level++) {
		put(own[TABLES + level - 2], 0, at(top) | flags);
		top = own[TABLES + level - 2];
	}
	if (machine.levels > 2)
		put(roots[0], 0,
		    at(top) | (machine.levels == 3 ? (uint64_t)P : flags));
	for (unsigned i = 0; i < 4096; i++)
		roots[1][i] = roots[0][i];
}

/* 3. Control registers. */

static uint32_t read_cr0(void)
{
	uint32_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static void write_cr0(uint32_t value)
{
	__asm__ volatile("mov %0, %%cr0" ::"r"(value) : "memory");
}

static void write_cr4(uint32_t value)
{
	__asm__ volatile("mov %0, %%cr4" ::"r"(value) : "memory");
}

static void set_efer(uint32_t bits, uint32_t value)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	low = (low & ~bits) | value;
	__asm__ volatile("wrmsr" ::"c"(MSR_EFER), "a"(low), "d"(high)
			 : "memory");
}

void flush_page(uint64_t address)
{
	if (is_long())
		flush_64(address);
	else
		__asm__ volatile("invlpg (%0)" ::"r"((uint32_t)address)
				 : "memory");
}

void load_root(unsigned number)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(at(roots[number])) : "memory");
}

void set_keys(uint32_t pkru)
{
	__asm__ volatile("wrpkru" ::"a"(pkru), "c"(0), "d"(0) : "memory");
}

static uint32_t cr4_of(const struct registers *r)
{
	return (r->pse ? CR4_PSE : 0) | (r->pge ? CR4_PGE : 0) |
	       (r->smep ? CR4_SMEP : 0) | (r->smap ? CR4_SMAP : 0) |
	       (r->pke ? CR4_PKE : 0) | (machine.levels > 2 ? CR4_PAE : 0) |
	       (machine.levels == 5 ? CR4_LA57 : 0);
}

/* With and without PGE, in whatever order: SDM 3A 4.10.4.1. */
void toggle_global(void)
{
	struct registers other = machine.now;

	other.pge = !other.pge;
	write_cr4(cr4_of(&other));
	write_cr4(cr4_of(&machine.now));
}

void set_registers(const struct registers *r)
{
	machine.now = *r;
	write_cr0((read_cr0() & ~CR0_WP) | (r->wp ? CR0_WP : 0));
	if (machine.has.nx)
		set_efer(EFER_NXE, r->nxe ? EFER_NXE : 0);
	write_cr4(cr4_of(r));
	if (machine.has.pge)
		toggle_global();
	else
		load_root(0);
}

bool paging_begin(unsigned levels)
{
	const struct registers begin = { .wp = true };

	find_offered(&machine.has);
	machine.levels = levels;
	machine.entry_size = levels == 2 ? 4 : 8;
	if ((levels > 2 && !machine.has.pae) ||
	    (levels > 3 && !machine.has.lm) ||
	    (levels > 4 && !machine.has.la57))
		return false;
	map_self();
	link_self();
	write_cr4(cr4_of(&begin));
	if (is_long())
		set_efer(EFER_LME, EFER_LME);
	load_root(0);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	set_registers(&begin);
	return true;
}

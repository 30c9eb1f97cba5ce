/*
 * A guest to be moved from scheme to scheme while it works: until a byte comes
 * on the console it changes where its pages lead, and checks that each is what
 * its tables say it is.
 *
 * 0xd0000000 + n * 4 KiB is mapped to one page of `frames` each; every round
 * exchanges two of them, with INVLPG. The page after them is read-only, and the
 * one behind that is not there: both must fault (14) in each round.
 */
#include "paging.h"

#define WINDOW	0xd0000000u
#define PAGES	64u
#define UART	0x3f8
#define PRESENT 0x1u
#define WRITE	0x2u

static uint64_t table[512] __attribute__((aligned(4096)));
static uint32_t frames[PAGES + 1][1024] __attribute__((aligned(4096)));
static uint32_t where[PAGES]; /* the frame of each page */

static uint32_t frame_address(uint32_t n)
{
	return (uint32_t)(uintptr_t)frames[n];
}

static volatile uint32_t *page_at(uint32_t n)
{
	return memory_at(WINDOW + n * 4096);
}

static void lead(uint32_t page, uint32_t frame)
{
	where[page] = frame;
	table[page] = frame_address(frame) | PRESENT | WRITE;
	__asm__ volatile("invlpg (%0)" ::"r"(page_at(page)) : "memory");
}

static void map(void)
{
	uint64_t *directories = paging_on();
	uint32_t value;

	for (uint32_t n = 0; n < PAGES; n++)
		lead(n, PAGES - 1 - n);
	table[PAGES] = frame_address(PAGES) | PRESENT;
	directories[WINDOW >> 21] = (uint32_t)(uintptr_t)table | PRESENT |
				    WRITE;
	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	load_cr3(value);
	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr0" ::"r"(value | 0x10000) : "memory");
}

static void write_read_only(void)
{
	*page_at(PAGES) = 1;
}

static void read_absent(void)
{
	(void)*page_at(PAGES + 1);
}

/* How many pages, of all, are not what they should be. */
static uint32_t work(uint32_t round)
{
	uint32_t one = round % PAGES, other = round / 7 % PAGES;
	uint32_t frame = where[one], wrong = 0;

	lead(one, where[other]);
	lead(other, frame);
	for (uint32_t n = 0; n < PAGES; n++)
		page_at(n)[round % 1024] = round ^ n;
	for (uint32_t n = 0; n < PAGES; n++)
		wrong += frames[where[n]][round % 1024] != (round ^ n);
	wrong += guarded(write_read_only) != 14;
	wrong += guarded(read_absent) != 14;
	return wrong;
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t wrong = 0, round = 0;

	(void)info;
	map();
	print("moved: ready\n");
	while (!(in8(UART + 5) & 1))
		wrong += work(round++);
	print("moved: %u rounds\n", round);
	return expect("every page is what the tables say", wrong == 0 && round);
}

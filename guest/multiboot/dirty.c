/*
 * Writes to known pages between marks, for who logs what was written. Before
 * each round it prints "mark N." and waits for a byte on the console, and
 * meanwhile touches nothing:
 *
 *   1  every third of 2100 pages from 2 MiB on, twice; the others are read
 *   2  600 pages from 16 MiB on, and two at once, across the end of the page
 *      at 24 MiB
 *   3  every second of those 600, by one REP STOS each
 *   4  the same as 1, when nothing is logged any more
 *
 * All of this memory was written before the first mark, so that tables for it
 * are there, and as large as they get.
 */
#include "lib.h"

#define PAGE	  4096u
#define THIRDS	  0x200000u
#define SPAN	  2100u
#define RUN	  0x1000000u
#define LENGTH	  600u
#define ACROSS	  (0x1800000u + PAGE - 2)
#define END	  0x2000000u
#define UART	  0x3f8
#define UART_DR	  1u
#define UART_THRE 0x20u

static uint32_t sum;

/* Long enough that not every instruction makes an exit: the host is to hear
 * its own interrupts. Writes nothing. */
static inline void rest(void)
{
	uint32_t count = 2000;

	__asm__ volatile("1: pause; decl %0; jnz 1b" : "+r"(count)::"cc");
}

static void mark(uint32_t n)
{
	print("mark %u", n);
	/* After this byte, which is waited for, nothing is written. */
	while (!(in8(UART + 5) & UART_THRE))
		;
	out8(UART, '.');
	while (!(in8(UART + 5) & UART_DR))
		rest();
	(void)in8(UART);
	print("\n");
}

static void touch_all(void)
{
	for (uint32_t at = THIRDS; at < END; at += PAGE)
		*memory_at(at) = at;
}

static void write_thirds(void)
{
	for (uint32_t n = 0; n < SPAN; n++) {
		volatile uint32_t *page = memory_at(THIRDS + n * PAGE);

		if (n % 3)
			sum += *page;
		else
			page[1] = n;
	}
	for (uint32_t n = 0; n < SPAN; n += 3)
		memory_at(THIRDS + n * PAGE)[1023] = n;
}

static void write_run(void)
{
	for (uint32_t n = 0; n < LENGTH; n++)
		*memory_at(RUN + n * PAGE) = n;
	*memory_at(ACROSS) = 0xffffffff;
}

static void write_again(void)
{
	for (uint32_t n = 0; n < LENGTH; n += 2) {
		uint32_t at = RUN + n * PAGE, count = PAGE / 4;

		__asm__ volatile("rep stosl"
				 : "+D"(at), "+c"(count)
				 : "a"(n)
				 : "memory");
	}
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t wrong = 0;

	(void)info;
	touch_all();
	mark(1);
	write_thirds();
	mark(2);
	write_run();
	mark(3);
	write_again();
	mark(4);
	write_thirds();
	mark(5);
	for (uint32_t n = 0; n < LENGTH; n++)
		wrong += *memory_at(RUN + n * PAGE) != n;
	return expect("what was written is there", !wrong);
}

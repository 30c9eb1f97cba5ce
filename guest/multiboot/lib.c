/*
 * What the small bare-metal guests share: a console, exceptions, the end.
 */
#include "lib.h"

#include <stdarg.h>

#define UART	  0x3f8
#define UART_LCR  (UART + 3)
#define UART_8N1  3
#define UART_TEMT 0x40 /* all is sent */
#define EXIT_PORT 0xf4

/* Bochs has no such port, but one for its BIOS's messages, and one that makes
 * of the last message a panic: its iodev/biosdev.cc. */
#define BOCHS_MESSAGE 0x402
#define BOCHS_PANIC   0x401

extern const uint8_t trap_entries[];

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static uint32_t idt[32][2];

static void put(char c)
{
	while (!(in8(UART + 5) & 0x20))
		;
	out8(UART, (uint8_t)c);
}

static void put_string(const char *text)
{
	while (*text)
		put(*text++);
}

static const char *number(char digits[11], uint32_t value, uint32_t base)
{
	size_t at = 10;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return digits + at;
}

static void put_number(uint32_t value, uint32_t base)
{
	char digits[11];

	put_string(number(digits, value, base));
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		format++;
		if (*format == 's')
			put_string(va_arg(args, const char *));
		else
			put_number(va_arg(args, uint32_t),
				   *format == 'x' ? 16 : 10);
	}
	va_end(args);
	while (!(in8(UART + 5) & UART_TEMT))
		; /* what comes next may be the end */
}

uint32_t expect(const char *name, bool good)
{
	print("%s: %s\n", name, good ? "ok" : "FAILED");
	return !good;
}

static void tell_bochs(const char *text)
{
	while (*text)
		out8(BOCHS_MESSAGE, (uint8_t)*text++);
}

void finish(uint32_t value)
{
	char digits[11];

	out32(EXIT_PORT, value);
	tell_bochs("exit port ");
	tell_bochs(number(digits, value, 10));
	out8(BOCHS_PANIC, 1);
	print("nothing listens at the exit port\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

static bool starts_with(const char *text, const char *word)
{
	while (*word)
		if (*text++ != *word++)
			return false;
	return true;
}

uint32_t option(const struct multiboot_info *info, const char *key,
		uint32_t other)
{
	const char *text = (const char *)(uintptr_t)info->cmdline;
	uint32_t value = 0;

	if (!(info->flags & 4))
		return other;
	while (*text && !starts_with(text, key))
		text++;
	if (!*text)
		return other;
	while (*text && *text++ != '=')
		;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	return value;
}

static void load_idt(const void *table, uint16_t limit)
{
	struct table_pointer pointer = { limit, (uint32_t)(uintptr_t)table };

	__asm__ volatile("lidt %0" ::"m"(pointer));
}

void drop_idt(void)
{
	load_idt(NULL, 0);
}

/* A real one starts with five bits to a byte. */
void console_init(void)
{
	out8(UART_LCR, UART_8N1);
}

/* 32-bit interrupt gates, present, ring 0 (Intel SDM 3A, 6.11). */
void trap_init(void)
{
	for (uint32_t i = 0; i < 32; i++) {
		uint32_t entry = (uint32_t)(uintptr_t)trap_entries + 16 * i;

		idt[i][0] = 0x08u << 16 | (entry & 0xffff);
		idt[i][1] = (entry & 0xffff0000) | 0x8e00;
	}
	load_idt(idt, sizeof(idt) - 1);
}

void trap_report(const uint32_t *frame)
{
	uint32_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	print("exception %u, error code %x, at %x, cr2 %x\n", frame[0],
	      frame[1], frame[2], cr2);
	finish(100 + frame[0]);
}

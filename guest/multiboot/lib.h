/*
 * What the small bare-metal guests share.
 */
#ifndef GUEST_MULTIBOOT_LIB_H
#define GUEST_MULTIBOOT_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of the Multiboot information structure that is used here. */
struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 */
	uint32_t mem_upper; /* KiB from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
};

/* eax, ebx, ecx, edx, esi, edi, ebp, esp as they were at entry. */
extern const uint32_t entry_regs[8];

/* Each guest's own part; what it returns goes to the exit port. */
uint32_t test_main(const struct multiboot_info *info);

/* Writes value to the exit port; stops if nothing listens there. */
void finish(uint32_t value) __attribute__((noreturn));

/* Calls fn: -1, or the vector of the exception that it ran into. */
int guarded(void (*fn)(void));

/*
 * %s string, %x 32 bits in hex, %u 32 bits in decimal; nothing else.
 */
void print(const char *format, ...);

/* Prints "name: ok" or "name: FAILED"; returns 0 or 1 to be summed. */
uint32_t expect(const char *name, bool good);

/* A number from a word key=N of the command line, or other. */
uint32_t option(const struct multiboot_info *info, const char *key,
		uint32_t other);

/* Loads an IDT without entries: the next exception is a triple fault. */
void drop_idt(void);

/* Called by start.S. */
void trap_init(void);
void console_init(void);
void trap_report(const uint32_t *frame) __attribute__((noreturn));

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline volatile uint32_t *memory_at(uint32_t address)
{
	/* Hides the constant: the compiler has opinions on low addresses. */
	__asm__("" : "+r"(address));
	return (volatile uint32_t *)(uintptr_t)address;
}

#endif

/*
 * The guest's workload: rows, each of which does one kind of work, checks its
 * result, and measures itself in TSC ticks.
 */
#ifndef GUEST_ROWS_H
#define GUEST_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)

/* What a row measured: ticks over ops operations, and whether all was right. */
struct result {
	uint64_t ticks;
	uint64_t ops;
	bool ok;
};

struct row {
	const char *name; /* a stable key: reports are compared by it */
	struct result (*run)(void);
};

/* The rows of each file, ended by a NULL name. */
extern const struct row rows_memory[];
extern const struct row rows_process[];
extern const struct row rows_file[];

/* The time-stamp counter, after everything before it has been done. */
uint64_t ticks(void);

/* The n-th of a fixed sequence of well-mixed words (splitmix64). */
uint64_t noise(uint64_t n);

/* size bytes of zeroed memory without huge pages; ends the guest if none. */
uint8_t *fresh(size_t size);
/* ... at that address, if it is free; 0: anywhere. */
uint8_t *fresh_at(uintptr_t at, size_t size);
void release(uint8_t *memory, size_t size);

/* True when the child ends by exit(0). */
bool child_good(int pid);

/*
 * Creates path with size bytes of the noise sequence, once, and returns the
 * sum of its 64-bit words. Ends the guest when it cannot.
 */
uint64_t noise_file(const char *path, size_t size);

/* Prints a sentence and ends the guest's run as failed. */
void give_up(const char *what) __attribute__((noreturn));

#endif

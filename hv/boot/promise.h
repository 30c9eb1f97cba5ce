/* The parts of the self-test: each a list of promises that ends with none. */
#ifndef HV_BOOT_PROMISE_H
#define HV_BOOT_PROMISE_H

#include <stdbool.h>
#include <stddef.h>

struct promise {
	const char *sentence; /* NULL ends the list */
	bool (*holds)(void);  /* leaves all as it was */
};

extern const struct promise selftest_memory[], selftest_cpu[];

#endif

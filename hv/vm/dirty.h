/* The consumer of the library's dirty log: the monitor's `dirty`. */
#ifndef HV_VM_DIRTY_H
#define HV_VM_DIRTY_H

#include <stdint.h>

struct vm;

/* One slot's, by its id. */
struct dirty_log {
	/* The slot's bitmap, and behind it as much for what is read of it.
	 * NULL: it does not log. */
	uint64_t *map;
	uint64_t words; /* of one of them */
};

/* No slot logs any more, and the bitmaps are given back. */
void dirty_log_stop(struct vm *vm);

#endif

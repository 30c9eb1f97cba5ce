/*
 * How a command ended: one process status and one sentence.
 *
 * A guest that writes to the exit port ends its run with an odd status
 * ((value << 1) | 1, as QEMU's isa-debug-exit has it), so every status of
 * vmmu's own is even and the two never mix.
 */
#ifndef TOOLS_OUTCOME_H
#define TOOLS_OUTCOME_H

enum outcome_status {
	OUTCOME_GOOD = 0,
	OUTCOME_USAGE = 2,   /* an option or its value is wrong */
	OUTCOME_START = 4,   /* the guest could not be started */
	OUTCOME_STOPPED = 6, /* the guest stopped: reset, fault, killed */
	OUTCOME_TIMEOUT = 8, /* it did not end in the time given */
	OUTCOME_DIED = 10,   /* the hypervisor or QEMU died */
	OUTCOME_ESCAPE = 12, /* the escape key was pressed */
};

struct outcome {
	int status;
	char text[640]; /* one sentence, or empty */
};

/* Sets status and sentence; the first failure stands, but a guest's own code,
 * which has no sentence, takes one. Returns the status. */
int outcome_set(struct outcome *out, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

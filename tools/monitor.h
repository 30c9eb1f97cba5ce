/*
 * The hypervisor's monitor, from this side: lines of commands, one at a time,
 * from a terminal or a file, and the answers to them.
 */
#ifndef TOOLS_MONITOR_H
#define TOOLS_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ctrl-\: opens the monitor; pressed again, it reaches the guest. */
#define MONITOR_KEY 0x1c

#define MONITOR_LINE 256

enum monitor_state {
	MONITOR_READY,
	MONITOR_ASKED,	 /* the hypervisor has a command of ours */
	MONITOR_SLEEPS,	 /* `sleep MS` */
	MONITOR_EXPECTS, /* `expect TEXT` */
};

/* What a line asks of whoever calls. */
enum monitor_wish {
	MONITOR_NOTHING,
	MONITOR_SEND, /* `line` to the hypervisor */
	MONITOR_QUIT, /* end the guest */
	MONITOR_CONT, /* back to the guest's console */
	MONITOR_PASS, /* the same, and MONITOR_KEY to the guest */
};

struct monitor {
	enum monitor_state state;
	bool up;	     /* the hypervisor listens */
	bool echo;	     /* lines from a file are shown */
	const char *newline; /* what ends a line on standard error */
	int64_t until;	     /* ms: the end of a sleep */
	char line[MONITOR_LINE];
	size_t size;	      /* of input */
	char input[4096];     /* lines not yet begun */
	size_t seen_size;     /* of seen */
	char seen[64 * 1024]; /* the guest's console, for `expect` */
};

/* Room for so many more bytes of input. */
size_t monitor_room(const struct monitor *m);

/* Input, and the guest's console, as they come. */
void monitor_input(struct monitor *m, const char *data, size_t size);
void monitor_console(struct monitor *m, const char *data, size_t size);

/* A line of the hypervisor's. True: it was part of an answer, which is
 * printed. */
bool monitor_answer(struct monitor *m, const char *line);

/* The next line, if its time has come. */
enum monitor_wish monitor_step(struct monitor *m, int64_t now);

/* What a file asked for and did not get before the guest ended. */
void monitor_end(const struct monitor *m);

#endif

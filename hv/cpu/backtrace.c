/*
 * See backtrace.h. A frame is {caller's frame pointer, return address}. The
 * chain may be garbage: each link must lie higher on the same stack and each
 * return address in our text, or the walk ends. Reads go through probe_read,
 * so that a bad pointer costs a line and not a second crash.
 */
#include "cpu/backtrace.h"

#include <stdbool.h>

#include "cpu/fixup.h"
#include "cpu/print.h"
#include "cpu/stack.h"
#include "cpu/symbols.h"
#include "mm/image.h"

#define LINES_MAX  32
#define FRAME_SPAN STACK_SIZE /* no frame is larger */

struct chain {
	uintptr_t last; /* return address */
	unsigned lines, repeats;
};

void backtrace_line(const char *mark, uintptr_t address)
{
	const char *name;
	uint64_t offset;

	if (symbol_find(address, &name, &offset))
		report_print("  %s 0x%016lx %s+0x%lx\n", mark, address, name,
			     offset);
	else
		report_print("  %s 0x%016lx\n", mark, address);
}

static bool frame_read(uintptr_t frame, uintptr_t *caller, uintptr_t *address)
{
	return frame % 8 == 0 && frame >= HV_IMAGE_BASE &&
	       probe_read(frame, caller) && probe_read(frame + 8, address) &&
	       image_is_text(*address);
}

/* Of a recursion only the first line, and how often it repeats. */
static void print_caller(struct chain *c, uintptr_t address)
{
	if (address == c->last) {
		c->repeats++;
		return;
	}
	if (c->repeats != 0)
		report_print("      ... %u times more\n", c->repeats);
	c->repeats = 0;
	c->last = address;
	c->lines++;
	if (address != 0)
		backtrace_line("by ", address);
}

void backtrace_print(uintptr_t frame)
{
	struct chain c = { 0 };
	uintptr_t caller, address;

	while (c.lines < LINES_MAX && frame_read(frame, &caller, &address)) {
		print_caller(&c, address);
		if (caller <= frame || caller - frame > FRAME_SPAN)
			break;
		frame = caller;
	}
	print_caller(&c, 0); /* the last recursion */
}

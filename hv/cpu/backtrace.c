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
#include "cpu/symbols.h"
#include "mm/image.h"

#define DEPTH_MAX  32
#define FRAME_SPAN 65536 /* no frame of ours is larger */

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

void backtrace_print(uintptr_t frame)
{
	uintptr_t caller, address;
	int depth;

	for (depth = 0; depth < DEPTH_MAX; depth++) {
		if (!frame_read(frame, &caller, &address))
			return;
		backtrace_line("by", address);
		if (caller <= frame || caller - frame > FRAME_SPAN)
			return;
		frame = caller;
	}
}

/*
 * One input: unpacked, run in a world, judged by the oracle as in the
 * differential test. A difference is printed as a trace that diff --replay
 * takes, and aborts.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/diff/run.h"

#include "pack.h"

int fuzz_bytes(const uint8_t *data, size_t size, bool walks_only)
{
	struct run_result r;
	struct trace t;

	trace_init(&t);
	unpack_trace(data, size, walks_only, &t);
	if (t.count) {
		run_trace(&t, PLANT_NONE, &r);
		if (r.failed) {
			fprintf(stderr, "# step %u: %s\n", r.step, r.sentence);
			trace_print(stderr, &t, "");
			abort();
		}
	}
	trace_fini(&t);
	return 0;
}

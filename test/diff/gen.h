/* Random traces, biased so that much of what they do has an effect. */
#ifndef DIFF_GEN_H
#define DIFF_GEN_H

#include "trace.h"

/* What a seed decides, unless it is given: MODE_COUNT means any. */
struct gen_choice {
	enum guest_mode mode;
	unsigned steps;
	unsigned scheme; /* enum diff_scheme */
};

/* Fills the empty trace *t. The same seed, the same trace. */
void gen_trace(struct trace *t, uint64_t seed, const struct gen_choice *choice);

#endif

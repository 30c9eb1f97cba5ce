/* Running a trace, and making a failing one short. */
#ifndef DIFF_RUN_H
#define DIFF_RUN_H

#include "gen.h"
#include "world.h"

#define RUN_SENTENCE 300

struct run_result {
	bool failed;
	unsigned step; /* the operation that failed, from 1 */
	char sentence[RUN_SENTENCE];
	struct world_counts count;
	struct vmmu_stats stats;
};

/* In this process: a crash of the library is a crash of the test. */
void run_trace(const struct trace *t, enum plant plant, struct run_result *out);

/* In a child, whose crash is a failure with that sentence. */
void run_guarded(const struct trace *t, enum plant plant,
		 struct run_result *out);

/* Traces of one seed after another, all in one child, which dies with the
 * first crash. `more` is told of each and says whether to go on; a failure
 * is the last. */
struct run_seeds {
	uint64_t first;
	struct gen_choice choice;
	enum plant plant;
};
void run_seeds(const struct run_seeds *s,
	       bool (*more)(void *ctx, uint64_t seed,
			    const struct run_result *r),
	       void *ctx);

/* Removes operations from a failing trace as long as it goes on failing. */
void shrink(struct trace *t, enum plant plant);

#endif

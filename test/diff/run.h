/* Running a trace, and making a failing one short. */
#ifndef DIFF_RUN_H
#define DIFF_RUN_H

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

/* Removes operations from a failing trace as long as it goes on failing. */
void shrink(struct trace *t, enum plant plant);

#endif

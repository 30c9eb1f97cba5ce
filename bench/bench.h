/*
 * What the benchmarks share: the loop's count from the command line, and the
 * one line of JSON at the end. A benchmark runs one operation N times and is
 * measured from outside, by callgrind.py, at two values of N.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t bench_count(int argc, char **argv)
{
	return argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
}

static inline int bench_done(const char *op, uint64_t count)
{
	printf("{\"op\": \"%s\", \"count\": %" PRIu64 "}\n", op, count);
	return 0;
}

static inline int bench_usage(const char *name, const char *ops)
{
	fprintf(stderr, "usage: %s %s [COUNT]\n", name, ops);
	return 2;
}

/* xorshift64: the same sequence in every run. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif

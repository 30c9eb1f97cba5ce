/*
 * The differential test. Without options: TAP, a bounded number of random
 * traces in every guest mode, and planted faults that must be found and
 * shrunk. With options it is the tool to look into a failure:
 *
 *   diff --seed N --steps N --mode la57|4level|pae|32|off    one trace
 *   diff --replay FILE                                       a trace's text
 *   diff --scheme nested|vtlb                                one scheme
 *   diff --seconds N                                         as long as that
 *   diff --plant drop-flush|drop-tlb|drop-invlpg             a fault of ours
 *   diff --print                                 the trace, without running it
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen.h"
#include "run.h"

#define SECONDS_DEFAULT 55
#define STEPS_DEFAULT	250
/* A fault of ours must be found within so many traces, and its trace become
 * so short; what is left is the slots and tables that reach the page. */
#define PLANT_TRACES 400
#define PLANT_SHORT  16

struct options {
	const char *self; /* a failing trace is written beside it */
	uint64_t seed;
	bool has_seed, print;
	struct gen_choice choice;
	unsigned seconds;
	enum plant plant;
	const char *replay;
};

static unsigned tests, failures;

static void tap(bool good, const char *text)
{
	tests++;
	failures += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", tests, text);
	fflush(stdout);
}

/* Writes the short trace where it can be replayed from. */
static void report(const struct options *o, struct trace *t, uint64_t seed,
		   const struct run_result *r)
{
	struct run_result last;
	char name[512];
	FILE *f;

	printf("# seed %" PRIu64 ", step %u: %s\n", seed, r->step, r->sentence);
	shrink(t, o->plant);
	run_guarded(t, o->plant, &last);
	snprintf(name, sizeof(name), "%s-%" PRIu64 ".trace", o->self, seed);
	f = fopen(name, "w");
	if (!f) {
		perror(name);
		return;
	}
	fprintf(f, "# %s\n", last.sentence);
	trace_print(f, t, "");
	fclose(f);
	printf("# %u operations: %s\n# again: %s --replay %s\n", t->count,
	       last.sentence, o->self, name);
}

static bool try_seed(uint64_t seed, const struct options *o,
		     struct run_result *r)
{
	struct trace t;

	trace_init(&t);
	gen_trace(&t, seed, &o->choice);
	run_guarded(&t, o->plant, r);
	if (r->failed)
		report(o, &t, seed, r);
	trace_fini(&t);
	return !r->failed;
}

static void add(struct run_result *sum, const struct run_result *r)
{
	sum->count.accesses += r->count.accesses;
	sum->count.tlb_hits += r->count.tlb_hits;
	sum->count.stale += r->count.stale;
	sum->count.violations += r->count.violations;
	sum->count.mmio += r->count.mmio;
	sum->count.faults += r->count.faults;
	sum->count.walks += r->count.walks;
	sum->count.retries += r->count.retries;
	sum->count.emulated += r->count.emulated;
	sum->count.direct += r->count.direct;
	sum->count.audits += r->count.audits;
	sum->stats.mmu_recycled += r->stats.mmu_recycled;
	sum->stats.pf_dirty += r->stats.pf_dirty;
	sum->stats.pf_spurious += r->stats.pf_spurious;
	for (unsigned i = 0; i <= PT_LEVELS_MAX; i++)
		sum->stats.mapped[i] += r->stats.mapped[i];
}

static void print_counts(const struct run_result *r)
{
	printf("# accesses %" PRIu64 " (TLB %" PRIu64 ", stale %" PRIu64
	       ", #PF %" PRIu64 ", MMIO %" PRIu64 "), walks %" PRIu64
	       ", violations %" PRIu64 "\n",
	       r->count.accesses, r->count.tlb_hits, r->count.stale,
	       r->count.faults, r->count.mmio, r->count.walks,
	       r->count.violations);
	printf("# retries %" PRIu64 ", emulated %" PRIu64 ", direct %" PRIu64
	       ", recycled %" PRIu64 ", dirty %" PRIu64 ", spurious %" PRIu64
	       ", mapped 4K %" PRIu64 " 2M %" PRIu64 " 1G %" PRIu64
	       ", audits %" PRIu64 "\n",
	       r->count.retries, r->count.emulated, r->count.direct,
	       r->stats.mmu_recycled, r->stats.pf_dirty, r->stats.pf_spurious,
	       r->stats.mapped[1], r->stats.mapped[2], r->stats.mapped[3],
	       r->count.audits);
}

/* What the traces of one mode did together. */
struct campaign {
	struct run_result sum, last;
	uint64_t traces, last_seed;
	double seconds;
	struct timespec begin;
};

static bool go_on(void *ctx, uint64_t seed, const struct run_result *r)
{
	struct campaign *c = ctx;
	struct timespec now;

	c->traces++;
	c->last = *r;
	c->last_seed = seed;
	add(&c->sum, r);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - c->begin.tv_sec) +
		       1e-9 * (double)(now.tv_nsec - c->begin.tv_nsec) <
	       c->seconds;
}

/* Random traces of one mode until the time is over. */
static void test_mode(const struct options *o, unsigned scheme,
		      enum guest_mode mode, double seconds)
{
	struct run_seeds seeds = { .first = o->seed,
				   .choice = { mode, o->choice.steps, scheme },
				   .plant = o->plant };
	struct campaign c = { .seconds = seconds };
	struct trace t;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &c.begin);
	run_seeds(&seeds, go_on, &c);
	snprintf(text, sizeof(text),
		 "%s, %s: %" PRIu64 " traces of %u operations",
		 scheme_names[scheme], mode_names[mode], c.traces,
		 o->choice.steps);
	tap(!c.last.failed, text);
	print_counts(&c.sum);
	if (!c.last.failed)
		return;
	trace_init(&t);
	gen_trace(&t, c.last_seed, &seeds.choice);
	report(o, &t, c.last_seed, &c.last);
	trace_fini(&t);
}

/* A fault of ours must be found, and its trace become short. */
static void test_plant(const struct options *o, unsigned scheme,
		       enum plant plant)
{
	struct gen_choice choice = { MODE_4LEVEL, 250, scheme };
	struct run_result r = { .failed = false };
	unsigned traces = 0;
	struct trace t;
	char text[120];

	while (!r.failed && traces < PLANT_TRACES) {
		trace_init(&t);
		gen_trace(&t, o->seed + traces++, &choice);
		run_guarded(&t, plant, &r);
		if (!r.failed)
			trace_fini(&t);
	}
	if (!r.failed) {
		snprintf(text, sizeof(text), "%s: planted %s is found",
			 scheme_names[scheme], plant_names[plant]);
		tap(false, text);
		return;
	}
	shrink(&t, plant);
	snprintf(
		text, sizeof(text),
		"%s: planted %s is found by trace %u, and shrinks to %u operations",
		scheme_names[scheme], plant_names[plant], traces, t.count);
	tap(t.count <= PLANT_SHORT, text);
	trace_print(stdout, &t, "# ");
	trace_fini(&t);
}

static void test_scheme(const struct options *o, unsigned scheme,
			double seconds)
{
	for (unsigned p = PLANT_NONE + 1; p < PLANT_COUNT; p++)
		test_plant(o, scheme, (enum plant)p);
	for (unsigned m = 0; m < MODE_COUNT; m++)
		if (o->choice.mode == MODE_COUNT || o->choice.mode == m)
			test_mode(o, scheme, (enum guest_mode)m,
				  o->choice.mode == m ? seconds
						      : seconds / MODE_COUNT);
}

static int test_all(const struct options *o)
{
	bool all = o->choice.scheme == SCHEME_COUNT;

	for (unsigned s = 0; s < SCHEME_COUNT; s++)
		if (all || o->choice.scheme == s)
			test_scheme(o, s,
				    (double)o->seconds /
					    (all ? SCHEME_COUNT : 1));
	printf("1..%u\n", tests);
	return failures != 0;
}

static int replay(const struct options *o)
{
	FILE *f = fopen(o->replay, "r");
	struct run_result r;
	struct trace t;
	bool parsed;

	if (!f) {
		perror(o->replay);
		return 2;
	}
	trace_init(&t);
	parsed = trace_parse(f, &t);
	fclose(f);
	if (!parsed)
		return 2;
	run_trace(&t, o->plant, &r);
	trace_fini(&t);
	if (r.failed)
		printf("operation %u: %s\n", r.step, r.sentence);
	else
		printf("no difference\n");
	return r.failed;
}

static int one_seed(const struct options *o)
{
	struct run_result r;
	struct trace t;

	if (o->print) {
		trace_init(&t);
		gen_trace(&t, o->seed, &o->choice);
		trace_print(stdout, &t, "");
		trace_fini(&t);
		return 0;
	}
	if (!try_seed(o->seed, o, &r))
		return 1;
	printf("no difference\n");
	print_counts(&r);
	return 0;
}

static unsigned name_index(const char *word, const char *const *names,
			   unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(word, names[i]))
			return i;
	fprintf(stderr, "diff: %s?\n", word);
	exit(2);
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "seed", 1, NULL, 'r' },  { "steps", 1, NULL, 's' },
		{ "mode", 1, NULL, 'm' },  { "seconds", 1, NULL, 't' },
		{ "plant", 1, NULL, 'p' }, { "replay", 1, NULL, 'f' },
		{ "print", 0, NULL, 'd' }, { "scheme", 1, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'r') {
			o->seed = strtoull(optarg, NULL, 0);
			o->has_seed = true;
		} else if (c == 's') {
			o->choice.steps = (unsigned)strtoul(optarg, NULL, 0);
		} else if (c == 'm') {
			o->choice.mode = (enum guest_mode)name_index(
				optarg, mode_names, MODE_COUNT);
		} else if (c == 'c') {
			o->choice.scheme =
				name_index(optarg, scheme_names, SCHEME_COUNT);
		} else if (c == 't') {
			o->seconds = (unsigned)strtoul(optarg, NULL, 0);
		} else if (c == 'p') {
			o->plant = (enum plant)name_index(optarg, plant_names,
							  PLANT_COUNT);
		} else if (c == 'f') {
			o->replay = optarg;
		} else if (c == 'd') {
			o->print = o->has_seed = true;
		} else {
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = { .self = argv[0],
			     .seed = 1,
			     .choice = { .mode = MODE_COUNT,
					 .steps = STEPS_DEFAULT,
					 .scheme = SCHEME_COUNT },
			     .seconds = SECONDS_DEFAULT };

	parse(argc, argv, &o);
	if (o.has_seed && o.choice.scheme == SCHEME_COUNT)
		o.choice.scheme = SCHEME_NESTED;
	if (o.replay)
		return replay(&o);
	return o.has_seed ? one_seed(&o) : test_all(&o);
}

/* Runs a trace from birth to end, here or in a child process. */
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_ops(struct world *w, const struct trace *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (!world_do(w, &t->op[i]))
			return;
	world_end(w);
}

void run_trace(const struct trace *t, enum plant plant, struct run_result *out)
{
	static struct world world;
	struct world *w = &world;

	memset(out, 0, sizeof(*out));
	if (!world_init(w, &t->config, plant)) {
		fprintf(stderr, "no memory for a world\n");
		exit(2);
	}
	run_ops(w, t);
	out->failed = w->failure[0];
	out->step = w->step;
	out->count = w->count;
	out->stats = w->vm.stats;
	memcpy(out->sentence, w->failure, sizeof(w->failure));
	world_fini(w);
}

/* A child reports by structs through a pipe; one that died sends none. What
 * it says on stderr is of use only when the trace is run by hand. */
static int start_child(pid_t *pid)
{
	int fd[2];

	fflush(NULL);
	if (pipe(fd) || (*pid = fork()) < 0) {
		perror("diff");
		exit(2);
	}
	if (*pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(3);
		return fd[1];
	}
	close(fd[1]);
	return fd[0];
}

static void died(struct run_result *out)
{
	memset(out, 0, sizeof(*out));
	out->failed = true;
	snprintf(out->sentence, sizeof(out->sentence),
		 "the process died: a crash or a sanitizer's report");
}

void run_guarded(const struct trace *t, enum plant plant,
		 struct run_result *out)
{
	struct run_result r;
	ssize_t got;
	pid_t pid;
	int fd = start_child(&pid);

	if (pid == 0) {
		run_trace(t, plant, &r);
		_exit(write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r));
	}
	got = read(fd, out, sizeof(*out));
	close(fd);
	waitpid(pid, NULL, 0);
	if (got != (ssize_t)sizeof(*out))
		died(out);
}

static void work(const struct run_seeds *s, int fd)
{
	for (uint64_t seed = s->first;; seed++) {
		struct run_result r;
		struct trace t;

		trace_init(&t);
		gen_trace(&t, seed, &s->choice);
		run_trace(&t, s->plant, &r);
		trace_fini(&t);
		if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
			_exit(0);
	}
}

void run_seeds(const struct run_seeds *s,
	       bool (*more)(void *ctx, uint64_t seed,
			    const struct run_result *r),
	       void *ctx)
{
	uint64_t seed = s->first;
	struct run_result r;
	pid_t pid;
	int fd = start_child(&pid);

	if (pid == 0)
		work(s, fd);
	do {
		if (read(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
			died(&r);
	} while (more(ctx, seed++, &r) && !r.failed);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

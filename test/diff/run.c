/* Runs a trace from birth to end, here or in a child process. */
#include "run.h"

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
	struct world *w = malloc(sizeof(*w));

	memset(out, 0, sizeof(*out));
	if (!w || !world_init(w, &t->config, plant)) {
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
	free(w);
}

/* The child's report is one struct through a pipe; a child that died sends
 * none. Its own output is of use only when the trace is run by hand. */
static void child(const struct trace *t, enum plant plant, int out)
{
	struct run_result r;

	if (!freopen("/dev/null", "w", stderr))
		_exit(3);
	run_trace(t, plant, &r);
	if (write(out, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(3);
	_exit(0);
}

void run_guarded(const struct trace *t, enum plant plant,
		 struct run_result *out)
{
	ssize_t got;
	int fd[2];
	pid_t pid;

	fflush(NULL);
	if (pipe(fd) || (pid = fork()) < 0) {
		perror("diff");
		exit(2);
	}
	if (pid == 0)
		child(t, plant, fd[1]);
	close(fd[1]);
	got = read(fd[0], out, sizeof(*out));
	close(fd[0]);
	waitpid(pid, NULL, 0);
	if (got == (ssize_t)sizeof(*out))
		return;
	memset(out, 0, sizeof(*out));
	out->failed = true;
	snprintf(out->sentence, sizeof(out->sentence),
		 "the process died: a crash or a sanitizer's report");
}

/*
 * Rows about several address spaces: fork, copy-on-write, exec, and switches
 * among processes. Parents and children check that each sees its own writes
 * and none of the other's.
 */
#include "rows.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct result fork_and_wait(size_t pages, size_t rounds)
{
	struct result result = { .ops = rounds, .ok = true };
	uint8_t *memory = fresh((pages + 1) * PAGE);

	for (size_t i = 0; i < pages; i++)
		memory[i * PAGE] = (uint8_t)i;
	for (size_t round = 0; round < rounds; round++) {
		uint64_t start = ticks();
		int pid = fork();

		if (pid == 0)
			_exit(pages && memory[(pages - 1) * PAGE] !=
					       (uint8_t)(pages - 1));
		result.ok &= child_good(pid);
		result.ticks += ticks() - start;
	}
	release(memory, (pages + 1) * PAGE);
	return result;
}

static struct result row_fork(void)
{
	return fork_and_wait(0, 100);
}

static struct result row_fork16m(void)
{
	return fork_and_wait(16 * MIB / PAGE, 20);
}

/* The child: writes every page and finds its own writes. */
static bool write_copies(uint8_t *memory, size_t pages, uint8_t add)
{
	bool ok = true;

	for (size_t i = 0; i < pages; i++)
		memory[i * PAGE] = (uint8_t)(memory[i * PAGE] + add);
	for (size_t i = 0; i < pages; i++)
		ok &= memory[i * PAGE] == (uint8_t)(i + add);
	return ok;
}

/*
 * After a fork the child writes all pages, which are copied one by one; the
 * parent must still find the old values. The fork and wait are in the time.
 */
static struct result row_cow(void)
{
	const size_t pages = 4 * MIB / PAGE, rounds = 4;
	struct result result = { .ops = pages * rounds, .ok = true };
	uint8_t *memory = fresh(pages * PAGE);

	for (size_t i = 0; i < pages; i++)
		memory[i * PAGE] = (uint8_t)i;
	for (uint8_t round = 1; round <= rounds; round++) {
		uint64_t start = ticks();
		int pid = fork();

		if (pid == 0)
			_exit(!write_copies(memory, pages, round));
		result.ok &= child_good(pid);
		result.ticks += ticks() - start;
		for (size_t i = 0; i < pages; i++)
			result.ok &= memory[i * PAGE] == (uint8_t)i;
	}
	release(memory, pages * PAGE);
	return result;
}

static struct result row_exec(void)
{
	struct result result = { .ops = 50, .ok = true };
	uint64_t start = ticks();

	for (size_t i = 0; i < result.ops; i++) {
		int pid = fork();

		if (pid == 0) {
			execl("/bin/busybox", "true", (char *)NULL);
			_exit(127);
		}
		result.ok &= child_good(pid);
	}
	result.ticks = ticks() - start;
	return result;
}

/* One member of the ring: hands every token on, plus one, to the next. */
static void pass_tokens(int from, int to, size_t rounds, uint8_t *own)
{
	uint64_t token;

	for (size_t round = 0; round < rounds; round++) {
		if (read(from, &token, sizeof(token)) != sizeof(token))
			_exit(1);
		/* Some memory of its own, so that a switch costs its TLB. */
		for (size_t i = 0; i < 16; i++)
			own[i * PAGE] = (uint8_t)token;
		token++;
		if (write(to, &token, sizeof(token)) != sizeof(token))
			_exit(1);
	}
	_exit(0);
}

#define RING_MAX 16

/* Starts the members; ring[i] carries tokens from i - 1 to i. */
static bool start_ring(int ring[][2], int *pids, int count, size_t rounds,
		       uint8_t *own)
{
	for (int i = 0; i < count; i++)
		if (pipe(ring[i]) < 0)
			return false;
	for (int i = 1; i < count; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			pass_tokens(ring[i][0], ring[(i + 1) % count][1],
				    rounds, own);
		if (pids[i] < 0)
			return false;
	}
	return true;
}

/* This process is member 0: it starts each round and checks the sum. */
static bool run_rounds(int ring[][2], int count, size_t rounds)
{
	bool ok = true;

	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t token = round * 1000;

		ok &= write(ring[1][1], &token, 8) == 8;
		ok &= read(ring[0][0], &token, 8) == 8;
		ok &= token == round * 1000 + (uint64_t)count - 1;
	}
	return ok;
}

static struct result ring(int count, size_t rounds)
{
	struct result result = { .ops = rounds * (size_t)count };
	uint8_t *own = fresh(16 * PAGE);
	int pipes[RING_MAX][2], pids[RING_MAX];
	uint64_t start;

	if (!start_ring(pipes, pids, count, rounds, own))
		give_up("the ring of processes cannot be started");
	start = ticks();
	result.ok = run_rounds(pipes, count, rounds);
	result.ticks = ticks() - start;
	for (int i = 1; i < count; i++)
		result.ok &= child_good(pids[i]);
	for (int i = 0; i < count; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	release(own, 16 * PAGE);
	return result;
}

static struct result row_switch2(void)
{
	return ring(2, 1000);
}

static struct result row_switch16(void)
{
	return ring(16, 200);
}

/* The null system call; glibc would answer getpid from a cache on some. */
static struct result row_syscall(void)
{
	struct result result = { .ops = 20000, .ok = true };
	long parent = getppid();
	uint64_t start = ticks();

	for (size_t i = 0; i < result.ops; i++)
		result.ok &= syscall(SYS_getppid) == parent;
	result.ticks = ticks() - start;
	return result;
}

const struct row rows_process[] = {
	{ "fork", row_fork },	    { "fork16m", row_fork16m },
	{ "cow", row_cow },	    { "exec", row_exec },
	{ "switch2", row_switch2 }, { "switch16", row_switch16 },
	{ "syscall", row_syscall }, { NULL, NULL },
};

/*
 * QEMU's process: its channels and its start.
 */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_channel(struct qemu_channel *channel)
{
	/* Room for a burst, so that a slow reader does not slow the guest. */
	const int room = 1 << 20;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	channel->ours = fds[0];
	channel->theirs = fds[1];
	fcntl(channel->ours, F_SETFD, FD_CLOEXEC);
	fcntl(channel->ours, F_SETFL, O_NONBLOCK);
	setsockopt(channel->theirs, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return 0;
}

int qemu_open_channels(struct qemu *qemu, struct outcome *out)
{
	qemu->trace = memfd_create("resets", 0);
	if (qemu->trace < 0 || open_channel(&qemu->console) < 0 ||
	    open_channel(&qemu->report) < 0 ||
	    open_channel(&qemu->control) < 0 || open_channel(&qemu->errors) < 0)
		return outcome_set(out, OUTCOME_START,
				   "no channels to QEMU: %s", strerror(errno));
	return OUTCOME_GOOD;
}

/* In the child. Standard streams are ours to give: QEMU needs none. */
static void become(const struct qemu *qemu, char **argv, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	/* A Ctrl-C at the terminal is for vmmu, which ends QEMU itself. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(qemu->errors.theirs, 2);
	execvp(argv[0], argv);
	_exit(127);
}

static void close_theirs(struct qemu *qemu)
{
	close(qemu->console.theirs);
	close(qemu->report.theirs);
	close(qemu->control.theirs);
	close(qemu->errors.theirs);
}

int qemu_start(struct qemu *qemu, char **argv, struct outcome *out)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		become(qemu, argv, parent);
	if (pid < 0)
		return outcome_set(out, OUTCOME_START,
				   "QEMU cannot be started: %s",
				   strerror(errno));
	qemu->pid = pid;
	close_theirs(qemu);
	return OUTCOME_GOOD;
}

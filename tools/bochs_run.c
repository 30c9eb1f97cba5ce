/*
 * Bochs's process and its channels.
 *
 *   console, report   pseudo-terminals: the one kind of serial port of Bochs's
 *                     that takes input and listens on no network
 *   its log           a file that names the panics alone: how the machine ended
 *
 * Bochs sets a terminal up as a person's, which would turn line ends about and
 * eat Ctrl-C; bochs_tend puts it back when that has happened.
 */
#include "bochs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "bochs_disc.h"
#include "host.h"

static int open_port(struct bochs_port *port, int *ours)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, port->tty, sizeof(port->tty)) != 0)
		return -1;
	/* With nobody at the other end a read would be the end. */
	port->held = open(port->tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port->held < 0 || tcgetattr(fd, &t) < 0)
		return -1;
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSANOW, &t) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	*ours = fd;
	return 0;
}

static int open_errors(struct qemu *qemu)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	qemu->errors.ours = fds[0];
	qemu->errors.theirs = fds[1];
	return 0;
}

int bochs_prepare(struct bochs *bochs, struct qemu *qemu,
		  const struct options *options, bool multiboot,
		  struct outcome *out)
{
	qemu->console = qemu->report = qemu->control = qemu->errors =
		(struct qemu_channel){ -1, -1 };
	qemu->trace = -1;
	if (bochs_disc_make(bochs, qemu, options, multiboot, out))
		return out->status;
	if (open_port(&bochs->console, &qemu->console.ours) < 0 ||
	    open_errors(qemu) < 0 ||
	    (qemu->hypervisor >= 0 &&
	     open_port(&bochs->report, &qemu->report.ours) < 0))
		return outcome_set(out, OUTCOME_START,
				   "no channels to Bochs: %s", strerror(errno));
	return OUTCOME_GOOD;
}

/* In the child. Its debugger reads one command, to go. */
static void become(const struct bochs *bochs, const struct qemu *qemu,
		   pid_t parent)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* No path of the user's is in its configuration: commas and spaces
	 * part words there. */
	if (chdir(bochs->dir) < 0)
		_exit(127);
	dup2(null, 0);
	dup2(null, 1);
	dup2(qemu->errors.theirs, 2);
	execlp("bochs", "bochs", "-q", "-f", "bochsrc", "-rc", "go", NULL);
	_exit(127);
}

static int put_configs(struct bochs *bochs, const struct qemu *qemu,
		       const struct options *options, struct outcome *out)
{
	const struct bochs_files files = {
		.console = bochs->console.tty,
		.report = qemu->hypervisor >= 0 ? bochs->report.tty : NULL,
		.memory = qemu_memory(qemu, options),
	};

	if (bochs_disc_put(bochs, "bochsrc", bochs_config(&files, options),
			   out))
		return out->status;
	return bochs_disc_put(bochs, "go", strdup("c\n"), out);
}

int bochs_start(struct bochs *bochs, struct qemu *qemu,
		const struct options *options, struct outcome *out)
{
	pid_t parent = getpid(), pid;

	if (put_configs(bochs, qemu, options, out))
		return out->status;
	pid = fork();
	if (pid == 0)
		become(bochs, qemu, parent);
	if (pid < 0)
		return outcome_set(out, OUTCOME_START,
				   "Bochs cannot be started: %s",
				   strerror(errno));
	qemu->pid = pid;
	close(qemu->errors.theirs);
	return OUTCOME_GOOD;
}

static void tend_port(struct bochs_port *port, int ours)
{
	struct termios t;

	if (port->raw || ours < 0 || tcgetattr(ours, &t) < 0 ||
	    !(t.c_oflag & OPOST))
		return;
	cfmakeraw(&t);
	port->raw = tcsetattr(ours, TCSANOW, &t) == 0;
}

void bochs_tend(struct bochs *bochs, struct qemu *qemu)
{
	tend_port(&bochs->console, qemu->console.ours);
	tend_port(&bochs->report, qemu->report.ours);
}

void bochs_progress(struct bochs *bochs, int64_t ms, bool heard)
{
	if (bochs->quiet || !isatty(STDERR_FILENO))
		return;
	bochs->quiet = heard;
	if (heard)
		fprintf(stderr, "\r\033[K");
	else
		fprintf(stderr, "\r\033[Kvmmu: Bochs loads the guest, %d s",
			(int)(ms / 1000));
}

static void let_go(struct bochs_port *port)
{
	if (port->held >= 0)
		close(port->held);
	port->held = -1;
}

void bochs_gone(struct bochs *bochs)
{
	let_go(&bochs->console);
	let_go(&bochs->report);
}

/* A line of Bochs's log begins with "TICKSp[DEVICE]", of which the letter says
 * how much it matters. Not all panics are about a device. */
static const char panic_mark[] = ">>PANIC<< ";

const char *bochs_complaint(const char *line)
{
	const char *panic = strstr(line, panic_mark);

	if (panic)
		return panic + sizeof(panic_mark) - 1;
	return *line >= '0' && *line <= '9' ? NULL : line;
}

void bochs_last_words(const struct bochs *bochs, char *text, size_t size)
{
	char path[400], line[512];
	FILE *log;

	*text = '\0';
	snprintf(path, sizeof(path), "%s/log", bochs->dir);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		const char *at = strstr(line, panic_mark);

		if (!at || *text)
			continue;
		at += sizeof(panic_mark) - 1;
		snprintf(text, size, "%.*s", (int)strcspn(at, "\n"), at);
	}
	if (log)
		fclose(log);
}

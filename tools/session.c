/*
 * A machine that runs: one loop of poll(2) joins its channels to the
 * terminal.
 *
 *   stdin ---- in ---> console socket ---- out ---> stdout
 *   stdin, while the monitor is open, and --monitor's file ---> monitor.c
 *   report, control, errors ---> their parsers
 *   signalfd ---> the end, or a stop with the terminal given back
 *
 * A relay reads only when what it read before has been written, so a slow
 * side slows the other and nothing is lost or grows. The loop ends when QEMU
 * is dead and everything it had written is read.
 */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "file.h"
#include "signals.h"

struct relay {
	size_t size;
	size_t done;
	char data[4096]; /* a pipe that polls writable takes this much */
};

enum { IN, OUT, CONSOLE, REPORT, CONTROL, ERRORS, SIGNALS, COMMANDS, FD_COUNT };

struct loop {
	struct session *session;
	struct outcome *out;
	struct pollfd fds[FD_COUNT];
	struct relay in;
	struct relay screen;
	int64_t start;	  /* ms */
	int64_t deadline; /* ms, or INT64_MAX */
	int signals;
	int input;  /* standard input; -1 after its end */
	bool raw;   /* the terminal is in raw mode */
	bool open;  /* it has the monitor, and edits lines, in place of that */
	bool asked; /* the monitor's prompt is shown */
	bool alive; /* QEMU is */
	bool ended; /* we have ended it */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void end_machine(struct loop *loop)
{
	loop->ended = true;
	if (loop->alive)
		kill(loop->session->qemu.pid, SIGKILL);
}

static bool relay_empty(const struct relay *relay)
{
	return relay->done == relay->size;
}

/* Reads once into an empty relay. False at the end of the stream. */
static bool relay_read(struct relay *relay, int fd)
{
	ssize_t n = read(fd, relay->data, sizeof(relay->data));

	relay->done = 0;
	relay->size = n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Writes once. False when the other side takes no more. */
static bool relay_write(struct relay *relay, int fd)
{
	ssize_t n =
		write(fd, relay->data + relay->done, relay->size - relay->done);

	if (n > 0)
		relay->done += (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static void close_channel(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* The monitor has the terminal, or the guest has. */
static void give_terminal(struct loop *loop, bool to_monitor)
{
	loop->open = to_monitor;
	loop->asked = false;
	loop->session->monitor.newline = loop->raw && !to_monitor ? "\r\n"
								  : "\n";
	if (loop->raw)
		console_lines(to_monitor);
}

static void read_commands(struct loop *loop, int *fd)
{
	struct monitor *m = &loop->session->monitor;
	char data[sizeof(m->input)];
	ssize_t n = read(*fd, data, monitor_room(m));

	if (n > 0)
		monitor_input(m, data, (size_t)n);
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	else if (loop->open && fd == &loop->input)
		give_terminal(loop, false); /* Ctrl-D */
	else
		*fd = -1;
	loop->asked = false;
}

/* A key that is ours ends what goes to the guest. */
static void read_input(struct loop *loop)
{
	struct monitor *m = &loop->session->monitor;
	struct relay *in = &loop->in;
	size_t keep, size;
	char *key;

	if (!relay_read(in, loop->input))
		loop->input = -1;
	if (!loop->raw)
		return;
	size = in->size;
	keep = console_before_escape(in->data, size);
	key = options_listens(loop->session->options)
		      ? memchr(in->data, MONITOR_KEY, keep)
		      : NULL;
	if (key) {
		in->size = (size_t)(key - in->data);
		monitor_input(m, key + 1, size - in->size - 1);
		give_terminal(loop, true);
	} else if (keep < size) {
		in->size = keep;
		outcome_set(loop->out, OUTCOME_ESCAPE,
			    "the escape key ended the guest");
		end_machine(loop);
	}
}

static void send_command(struct loop *loop)
{
	struct session *session = loop->session;

	if (session->qemu.report.ours < 0)
		return;
	file_write_all(session->qemu.report.ours, session->monitor.line,
		       strlen(session->monitor.line));
	file_write_all(session->qemu.report.ours, "\n", 1);
}

static void pass_key(struct relay *in)
{
	if (relay_empty(in))
		in->size = in->done = 0;
	if (in->size < sizeof(in->data))
		in->data[in->size++] = MONITOR_KEY;
}

static void prompt(struct loop *loop)
{
	if (!loop->open || loop->asked ||
	    loop->session->monitor.state != MONITOR_READY)
		return;
	fprintf(stderr, "(vmmu) ");
	loop->asked = true;
}

/* False when there is nothing to do now. */
static bool step_monitor(struct loop *loop)
{
	switch (monitor_step(&loop->session->monitor, now_ms())) {
	case MONITOR_NOTHING:
		prompt(loop);
		return false;
	case MONITOR_SEND:
		send_command(loop);
		break;
	case MONITOR_PASS:
		pass_key(&loop->in);
		give_terminal(loop, false);
		break;
	case MONITOR_CONT:
		give_terminal(loop, false);
		break;
	case MONITOR_QUIT:
		outcome_set(loop->out, OUTCOME_ESCAPE,
			    "the monitor ended the guest");
		end_machine(loop);
		break;
	}
	loop->asked = false;
	return !loop->ended;
}

/* Keeps QEMU's first complaint: what follows it is a consequence. */
static void take_error(const char *line, void *cookie)
{
	struct session *session = cookie;

	if (session->options->bochs)
		line = bochs_complaint(line);
	/* The EPYC model names more than software emulation has. */
	if (!line || strstr(line, "warning: TCG doesn't support") ||
	    *session->errors)
		return;
	snprintf(session->errors, sizeof(session->errors), "%s", line);
}

/* Reads one of QEMU's side channels and hands it to its parser. */
static void read_side(struct loop *loop, int *fd, int which)
{
	struct session *session = loop->session;
	char data[4096];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		close_channel(fd);
	else if (which == REPORT)
		report_add(&session->report, data, (size_t)n);
	else if (which == CONTROL)
		qmp_add(&session->qmp, data, (size_t)n);
	else
		lines_add(&session->error_lines, data, (size_t)n, take_error,
			  session);
}

static void reap(struct loop *loop)
{
	struct session *session = loop->session;

	if (waitpid(session->qemu.pid, &session->wait_status, WNOHANG) <= 0)
		return;
	loop->alive = false;
	if (session->options->bochs)
		bochs_gone(&session->bochs);
}

/* Stopped by job control: the shell gets its terminal back meanwhile. */
static void stop_for_a_while(struct loop *loop)
{
	console_restore();
	raise(SIGSTOP);
	loop->raw = loop->raw && console_raw("");
	give_terminal(loop, loop->raw && loop->open);
}

static void take_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap(loop);
	} else if (info.ssi_signo == SIGTSTP) {
		stop_for_a_while(loop);
	} else {
		outcome_set(loop->out, 128 + (int)info.ssi_signo,
			    "a signal ended the guest: %s",
			    strsignal((int)info.ssi_signo));
		end_machine(loop);
	}
}

static void watch(struct loop *loop, int which, int fd, short events)
{
	loop->fds[which] =
		(struct pollfd){ .fd = events ? fd : -1, .events = events };
}

static void set_watches(struct loop *loop)
{
	const struct qemu *qemu = &loop->session->qemu;
	const struct session *session = loop->session;
	int console = qemu->console.ours;
	bool room = monitor_room(&session->monitor) > 0;
	short events = 0;

	if (relay_empty(&loop->screen))
		events |= POLLIN;
	if (!relay_empty(&loop->in))
		events |= POLLOUT;
	watch(loop, IN, loop->input,
	      (loop->open ? room : relay_empty(&loop->in)) ? POLLIN : 0);
	watch(loop, OUT, STDOUT_FILENO,
	      relay_empty(&loop->screen) ? 0 : POLLOUT);
	watch(loop, CONSOLE, console, events);
	watch(loop, REPORT, qemu->report.ours, POLLIN);
	watch(loop, CONTROL, qemu->control.ours, POLLIN);
	watch(loop, ERRORS, qemu->errors.ours, POLLIN);
	watch(loop, SIGNALS, loop->signals, POLLIN);
	watch(loop, COMMANDS, session->commands, room ? POLLIN : 0);
}

static void serve_console(struct loop *loop, short events)
{
	int *console = &loop->session->qemu.console.ours;

	if ((events & POLLOUT) && !relay_write(&loop->in, *console))
		loop->in.size = loop->in.done = 0;
	if (!(events & (POLLIN | POLLHUP | POLLERR)))
		return;
	if (!relay_empty(&loop->screen))
		return;
	if (!relay_read(&loop->screen, *console)) {
		close_channel(console);
		loop->in.size = loop->in.done = 0;
		return;
	}
	monitor_console(&loop->session->monitor, loop->screen.data,
			loop->screen.size);
}

static void serve_screen(struct loop *loop)
{
	if (relay_write(&loop->screen, STDOUT_FILENO))
		return;
	loop->screen.size = loop->screen.done = 0;
	outcome_set(loop->out, OUTCOME_STOPPED,
		    "standard output takes no more: %s", strerror(errno));
	end_machine(loop);
}

static void serve(struct loop *loop)
{
	struct qemu *qemu = &loop->session->qemu;
	struct pollfd *fds = loop->fds;

	if (fds[SIGNALS].revents)
		take_signal(loop);
	if (fds[IN].revents && loop->open)
		read_commands(loop, &loop->input);
	else if (fds[IN].revents)
		read_input(loop);
	if (fds[COMMANDS].revents)
		read_commands(loop, &loop->session->commands);
	if (fds[CONSOLE].revents)
		serve_console(loop, fds[CONSOLE].revents);
	if (fds[OUT].revents)
		serve_screen(loop);
	if (fds[REPORT].revents)
		read_side(loop, &qemu->report.ours, REPORT);
	if (fds[CONTROL].revents)
		read_side(loop, &qemu->control.ours, CONTROL);
	if (fds[ERRORS].revents)
		read_side(loop, &qemu->errors.ours, ERRORS);
}

/* A hypervisor that has reported has nothing left to do but to end. */
static void check_time(struct loop *loop)
{
	const int64_t grace = 5000;

	if (loop->session->report.end && loop->deadline > now_ms() + grace)
		loop->deadline = now_ms() + grace;
	if (now_ms() < loop->deadline || loop->ended)
		return;
	if (!loop->session->report.end)
		outcome_set(loop->out, OUTCOME_TIMEOUT,
			    "the guest did not end within %u seconds",
			    loop->session->options->timeout);
	end_machine(loop);
}

static bool goes_on(const struct loop *loop)
{
	const struct qemu *qemu = &loop->session->qemu;

	if (loop->alive)
		return true;
	if (loop->ended)
		return false;
	return qemu->console.ours >= 0 || qemu->report.ours >= 0 ||
	       qemu->control.ours >= 0 || qemu->errors.ours >= 0 ||
	       !relay_empty(&loop->screen);
}

static int wait_ms(const struct loop *loop)
{
	const struct monitor *m = &loop->session->monitor;
	int64_t now = now_ms(), left = loop->deadline - now;

	if (left < 0 || loop->ended)
		left = 100;
	if (m->state == MONITOR_SLEEPS && left > m->until - now)
		left = m->until > now ? m->until - now : 0;
	return left > 1000 ? 1000 : (int)left;
}

static void tend(struct loop *loop)
{
	struct session *session = loop->session;
	bool heard = session->report.last_count || session->report.end ||
		     loop->screen.size || !loop->alive;

	if (!session->options->bochs)
		return;
	bochs_tend(&session->bochs, &session->qemu);
	bochs_progress(&session->bochs, now_ms() - loop->start, heard);
}

static int open_signals(void)
{
	sigset_t set;

	signals_hold(&set);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool take_answer(void *cookie, const char *line)
{
	return monitor_answer(cookie, line);
}

void session_run(struct session *session, struct outcome *out)
{
	const char *hint = options_listens(session->options)
				   ? "Ctrl-] ends the guest, Ctrl-\\ opens the "
				     "monitor"
				   : "Ctrl-] ends the guest";
	struct loop loop = { .session = session,
			     .out = out,
			     .start = now_ms(),
			     .deadline = INT64_MAX,
			     .signals = open_signals(),
			     .raw = console_raw(hint),
			     .alive = true };

	session->report.take = take_answer;
	session->report.cookie = &session->monitor;
	session->monitor.echo = session->commands >= 0;
	session->monitor.newline = loop.raw ? "\r\n" : "\n";
	if (session->options->timeout)
		loop.deadline =
			loop.start + (int64_t)session->options->timeout * 1000;
	/* QEMU may have died before the signal was watched for. */
	reap(&loop);
	while (goes_on(&loop)) {
		set_watches(&loop);
		poll(loop.fds, FD_COUNT, wait_ms(&loop));
		serve(&loop);
		tend(&loop);
		while (step_monitor(&loop))
			;
		check_time(&loop);
		if (loop.ended)
			reap(&loop);
	}
	console_restore();
	report_end(&session->report);
	lines_end(&session->error_lines, take_error, session);
	monitor_end(&session->monitor);
	session->run_ms = (unsigned int)(now_ms() - loop.start);
	close(loop.signals);
}

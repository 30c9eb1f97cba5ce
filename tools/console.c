/*
 * The terminal as the guest's console.
 *
 * Raw mode (termios(3), cfmakeraw): no echo, no line editing, no signal keys,
 * so that Ctrl-C and the arrow keys reach the guest. The old mode is put back
 * by console_restore, at exit(3), and when a signal that cannot be waited for
 * (a crash of our own) ends us; the others come as reads of a signalfd and
 * end in console_restore in the ordinary way.
 */
#include "console.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "monitor.h"

/* Process-wide as the terminal is; a signal handler needs to reach it. */
static struct termios before;
static volatile sig_atomic_t is_raw;

void console_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void restore_and_die(int number)
{
	console_restore();
	signal(number, SIG_DFL);
	raise(number);
}

static void guard_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,
				       SIGABRT };

	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		signal(crashes[i], restore_and_die);
}

bool console_raw(const char *hint)
{
	static bool guarded;
	struct termios raw;

	/* In the background, touching the terminal would stop us. */
	if (tcgetattr(STDIN_FILENO, &before) < 0 ||
	    tcgetpgrp(STDIN_FILENO) != getpgrp())
		return false;
	if (!guarded) {
		guarded = true;
		guard_crashes();
		atexit(console_restore);
		fprintf(stderr, "vmmu: %s\n", hint);
	}
	raw = before;
	cfmakeraw(&raw);
	is_raw = 1;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	return true;
}

/* What was typed ahead stays. */
void console_lines(bool wanted)
{
	struct termios t = before;

	if (wanted) {
		t.c_lflag |= ICANON | ECHO;
		t.c_lflag &= ~(tcflag_t)ISIG; /* Ctrl-C is no end */
		t.c_cc[VEOL] = MONITOR_KEY;
	} else {
		cfmakeraw(&t);
	}
	tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
}

size_t console_before_escape(const char *data, size_t size)
{
	const char *at = memchr(data, CONSOLE_ESCAPE, size);

	return at ? (size_t)(at - data) : size;
}

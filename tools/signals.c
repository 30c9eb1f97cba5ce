/*
 * The signals that end a run, or stop it for a while.
 */
#include "signals.h"

void signals_hold(sigset_t *set)
{
	static const int numbers[] = { SIGINT,	SIGTERM, SIGHUP,
				       SIGQUIT, SIGTSTP, SIGCHLD };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(set, numbers[i]);
	/* Who started us may ignore it, and then no child's end is told. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, set, NULL);
}

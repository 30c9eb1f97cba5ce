/*
 * The signals that end a run, or stop it for a while.
 */
#ifndef TOOLS_SIGNALS_H
#define TOOLS_SIGNALS_H

#include <signal.h>

/*
 * Those, and SIGCHLD, wait from now on until they are read: whoever has made
 * files or a machine can clean up first. *set is all of them.
 */
void signals_hold(sigset_t *set);

#endif

/*
 * A machine that runs: its channels joined to the terminal until it ends.
 */
#ifndef TOOLS_SESSION_H
#define TOOLS_SESSION_H

#include "bochs.h"
#include "monitor.h"
#include "qemu.h"
#include "qmp.h"
#include "report.h"

struct session {
	const struct options *options;
	struct qemu qemu;   /* the process and its channels, Bochs's too */
	struct bochs bochs; /* --machine bochs */
	bool multiboot;	    /* what is loaded as the guest */
	struct qmp qmp;
	struct report report;
	FILE *stats; /* --stats's file, or NULL */
	struct monitor monitor;
	int commands; /* for the monitor: --monitor's file; -1: none */
	struct lines error_lines;
	char errors[512];    /* QEMU's first complaint on its stderr */
	int wait_status;     /* of QEMU, as waitpid gives it */
	unsigned int run_ms; /* how long it ran */
};

/*
 * Runs the started machine to its end and reaps it. out is set when it was
 * ended from here: by the escape key, a signal, or the time limit.
 */
void session_run(struct session *session, struct outcome *out);

#endif

/*
 * QEMU's control channel (QMP): starts the machine and hears how it ended.
 */
#ifndef TOOLS_QMP_H
#define TOOLS_QMP_H

#include <stdbool.h>

#include "lines.h"

struct qmp {
	struct lines lines;
	int fd;
	bool greeted;
	bool resumed;	 /* the machine was made, and let go */
	char reason[32]; /* of the SHUTDOWN event, or empty */
};

/* Handles what was read from the channel. */
void qmp_add(struct qmp *qmp, const char *data, size_t size);

#endif

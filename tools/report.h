/*
 * What a run leaves behind: one JSON object.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lines.h"
#include "options.h"

#define REPORT_LAST 8

/* The hypervisor's channel: its log, and its report at the end. */
struct report {
	struct lines lines;
	FILE *log; /* a copy of every log line, or NULL */
	/* Sees every line before; true: it was no part of the log. */
	bool (*take)(void *cookie, const char *line);
	void *cookie;
	json_t *end; /* the report; NULL until it has come */
	unsigned int last_count;
	char last[REPORT_LAST][256]; /* the last log lines, as a ring */
};

void report_add(struct report *report, const char *data, size_t size);

/* The channel has ended: a last line may lack its end of line. */
void report_end(struct report *report);

/* The last log lines, oldest first, to file. */
void report_print_last(const struct report *report, FILE *file);

/* How a bare machine ended. */
struct bare_end {
	const char *how; /* the words of the hypervisor's report */
	int code;
	const char *sentence;
};

/* The report of a bare run, in the hypervisor's shape. NULL: no memory. */
json_t *report_bare(const struct options *options, const struct bare_end *end);

/* The outcome that a report means. Returns out's status. */
int report_outcome(const json_t *report, struct outcome *out);

/* Adds what only this side knows, writes all to the file and closes it. 0 or
 * out's status. */
int report_write(json_t *report, const struct options *options, FILE *file,
		 unsigned int host_ms, struct outcome *out);

#endif

/*
 * Whole files in memory, bounded, and memory as a file.
 */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "outcome.h"

struct bytes {
	uint8_t *data;
	size_t size;
};

/* Reads a whole regular file of at most max bytes. 0, or out's status. */
int file_read(const char *path, size_t max, struct bytes *to,
	      struct outcome *out);

/* Opens a regular file for reading. The descriptor, or -1 and out is set. */
int file_open(const char *path, struct outcome *out);

/*
 * A file without a name that holds these bytes and outlives an exec: a child
 * opens it as /dev/fd/N. The descriptor, or -1 and out is set.
 */
int file_from_bytes(const char *label, const struct bytes *from,
		    struct outcome *out);

/* Writes all of it. 0 or -1 with errno. */
int file_write_all(int fd, const void *data, size_t size);

/*
 * A new file, or what was in it lost. NULL, and out is set, when it cannot be
 * written.
 */
FILE *file_create(const char *path, struct outcome *out);

/* Closes it; good: what was written so far is there. 0, or out's status. */
int file_close_written(FILE *file, bool good, const char *path,
		       struct outcome *out);

void bytes_free(struct bytes *bytes);

#endif

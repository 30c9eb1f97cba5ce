/*
 * A stream cut into lines.
 */
#ifndef TOOLS_LINES_H
#define TOOLS_LINES_H

#include <stddef.h>

#define LINES_MAX 16384

struct lines {
	size_t size;
	char text[LINES_MAX];
};

/*
 * Adds bytes and calls each(line, cookie) for every whole line, without its
 * end of line. A line longer than LINES_MAX is handed out in pieces.
 */
void lines_add(struct lines *lines, const char *data, size_t size,
	       void (*each)(const char *line, void *cookie), void *cookie);

/* Hands out what stands after the last end of line, if anything does. */
void lines_end(struct lines *lines,
	       void (*each)(const char *line, void *cookie), void *cookie);

#endif

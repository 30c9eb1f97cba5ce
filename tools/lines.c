/*
 * A stream cut into lines: bytes gather until an end of line, carriage
 * returns and zero bytes are dropped.
 */
#include "lines.h"

void lines_end(struct lines *lines,
	       void (*each)(const char *line, void *cookie), void *cookie)
{
	if (!lines->size)
		return;
	lines->text[lines->size] = '\0';
	lines->size = 0;
	each(lines->text, cookie);
}

void lines_add(struct lines *lines, const char *data, size_t size,
	       void (*each)(const char *line, void *cookie), void *cookie)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\r' || data[i] == '\0')
			continue;
		if (data[i] != '\n')
			lines->text[lines->size++] = data[i];
		if (data[i] == '\n' || lines->size == LINES_MAX - 1)
			lines_end(lines, each, cookie);
	}
}

/*
 * One line at a time: the next is begun when the one before is answered. Most
 * go to the hypervisor as they are; these are for this side:
 *
 *   quit          end the guest
 *   cont, c       back to the guest's console
 *   sleep MS      wait, in real time
 *   expect TEXT   wait until the guest's console has shown TEXT, since the
 *                 last such text
 *
 * Nothing is sent before the hypervisor has said its first word: until then
 * its serial port is not set up, and would forget what it got.
 */
#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t monitor_room(const struct monitor *m)
{
	return sizeof(m->input) - m->size;
}

void monitor_input(struct monitor *m, const char *data, size_t size)
{
	if (size > monitor_room(m))
		size = monitor_room(m);
	memcpy(m->input + m->size, data, size);
	m->size += size;
}

/* Keeps the later half when it is full: texts that are waited for are short. */
void monitor_console(struct monitor *m, const char *data, size_t size)
{
	const size_t half = sizeof(m->seen) / 2;

	if (size > half)
		return;
	if (m->seen_size + size > sizeof(m->seen)) {
		memmove(m->seen, m->seen + m->seen_size - half, half);
		m->seen_size = half;
	}
	memcpy(m->seen + m->seen_size, data, size);
	m->seen_size += size;
}

bool monitor_answer(struct monitor *m, const char *line)
{
	m->up = true;
	if (*line != '=')
		return false;
	if (line[1] == ' ')
		fprintf(stderr, "%s%s", line + 2, m->newline);
	else if (m->state == MONITOR_ASKED)
		m->state = MONITOR_READY;
	return true;
}

/* Takes the first line out of the input. A line that fills all of it is one,
 * cut short. */
static bool take_line(struct monitor *m)
{
	char *end = memchr(m->input, '\n', m->size);
	char *key = memchr(m->input, MONITOR_KEY, m->size);
	size_t length, used;

	if (key && (!end || key < end)) /* ends a line as Enter does */
		end = key;
	if (!end && m->size < sizeof(m->input))
		return false;
	length = end ? (size_t)(end - m->input) : m->size;
	used = length + (end != NULL);
	if (end && *end == MONITOR_KEY)
		length++;
	if (length >= MONITOR_LINE)
		length = MONITOR_LINE - 1;
	memcpy(m->line, m->input, length);
	m->line[length] = '\0';
	m->size -= used;
	memmove(m->input, m->input + used, m->size);
	m->line[strcspn(m->line, "\r")] = '\0';
	return true;
}

static void look_for(struct monitor *m)
{
	const char *text = m->line + strlen("expect ");
	size_t length = strlen(text);
	char *at = memmem(m->seen, m->seen_size, text, length);
	size_t used;

	if (!at)
		return;
	used = (size_t)(at - m->seen) + length;
	m->seen_size -= used;
	memmove(m->seen, m->seen + used, m->seen_size);
	m->state = MONITOR_READY;
}

static const char ours[] =
	"quit -- end the guest; cont, Ctrl-D -- back to its console";

static enum monitor_wish begin(struct monitor *m, int64_t now)
{
	const char *line = m->line;

	if (m->echo)
		fprintf(stderr, "(vmmu) %s%s", line, m->newline);
	if (strcmp(line, "help") == 0)
		fprintf(stderr, "%s%s", ours, m->newline);
	if (strchr(line, MONITOR_KEY))
		return MONITOR_PASS;
	if (strcmp(line, "quit") == 0 || strcmp(line, "q") == 0)
		return MONITOR_QUIT;
	if (strcmp(line, "cont") == 0 || strcmp(line, "c") == 0)
		return MONITOR_CONT;
	if (strncmp(line, "sleep ", 6) == 0) {
		m->until = now + strtol(line + 6, NULL, 10);
		m->state = MONITOR_SLEEPS;
		return MONITOR_NOTHING;
	}
	if (strncmp(line, "expect ", 7) == 0) {
		m->state = MONITOR_EXPECTS;
		look_for(m);
		return MONITOR_NOTHING;
	}
	m->state = MONITOR_ASKED;
	return MONITOR_SEND;
}

enum monitor_wish monitor_step(struct monitor *m, int64_t now)
{
	if (m->state == MONITOR_EXPECTS)
		look_for(m);
	if (m->state == MONITOR_SLEEPS && now >= m->until)
		m->state = MONITOR_READY;
	while (m->up && m->state == MONITOR_READY && take_line(m)) {
		char first = m->line[strspn(m->line, " \t")];
		enum monitor_wish wish = MONITOR_NOTHING;

		if (first && first != '#') /* a comment, in a file */
			wish = begin(m, now);
		if (wish != MONITOR_NOTHING)
			return wish;
	}
	return MONITOR_NOTHING;
}

void monitor_end(const struct monitor *m)
{
	if (m->echo && (m->state != MONITOR_READY || m->size))
		fprintf(stderr,
			"(vmmu) the guest ended before that was done"
			"%s",
			m->newline);
}

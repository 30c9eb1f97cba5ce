/*
 * The terminal as the guest's console.
 */
#ifndef TOOLS_CONSOLE_H
#define TOOLS_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Ctrl-]: telnet's escape key, which no shell or editor needs. */
#define CONSOLE_ESCAPE 0x1d

/*
 * When standard input is a terminal: says `hint`, how to leave, and sends every
 * key through as it is, until console_restore. Returns true when it is one.
 */
bool console_raw(const char *hint);

/*
 * While it is raw: true lets the terminal edit lines again, for the monitor,
 * and ends them at MONITOR_KEY too; false makes it raw.
 */
void console_lines(bool wanted);

/* Gives the terminal back as it was; also done at exit. May be repeated. */
void console_restore(void);

/* The count of bytes before the escape key, or size when it is not there. */
size_t console_before_escape(const char *data, size_t size);

#endif

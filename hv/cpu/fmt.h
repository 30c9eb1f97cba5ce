/*
 * A small printf: %s %c %d %i %u %x %X %p %%, the lengths hh h l ll z, a
 * width, the flags '0' and '-', a precision for %s, '*' for either. No
 * hardware, no allocation.
 */
#ifndef HV_CPU_FMT_H
#define HV_CPU_FMT_H

#include <stdarg.h>
#include <stddef.h>

struct fmt_sink {
	void (*put)(void *ctx, const char *text, size_t n);
	void *ctx;
};

void fmt_vprint(const struct fmt_sink *sink, const char *format, va_list ap);

void fmt_print(const struct fmt_sink *sink, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As snprintf: at most size - 1 characters and a NUL; returns how many the
 * whole text has. */
size_t fmt_text(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t fmt_vtext(char *buf, size_t size, const char *format, va_list ap);

#endif

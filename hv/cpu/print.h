/* Sentences on the report channel (COM2). */
#ifndef HV_CPU_PRINT_H
#define HV_CPU_PRINT_H

#include <stdnoreturn.h>

#include "cpu/fmt.h"
#include "cpu/serial.h"

/* One line: "vmmu: " before it, a newline after it. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The report channel, for whoever writes to either. */
extern const struct fmt_sink report_sink;

/* Text as it is. */
void report_print(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* One line, a backtrace, and the end of the machine. */
noreturn void panic(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif

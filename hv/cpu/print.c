/* See print.h. */
#include "cpu/print.h"

#include <stdarg.h>
#include <stdint.h>

#include "cpu/backtrace.h"
#include "cpu/end.h"
#include "cpu/fmt.h"

static void report_put(void *ctx, const char *text, size_t n)
{
	(void)ctx;
	report_write(text, n);
}

const struct fmt_sink report_sink = { .put = report_put };

static void say_after(const char *prefix, const char *format, va_list ap)
{
	report_print("vmmu: %s", prefix);
	fmt_vprint(&report_sink, format, ap);
	report_write("\n", 1);
}

void report_print(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fmt_vprint(&report_sink, format, ap);
	va_end(ap);
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_after("", format, ap);
	va_end(ap);
}

noreturn void panic(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_after("panic: ", format, ap);
	va_end(ap);
	backtrace_print((uintptr_t)__builtin_frame_address(0));
	machine_end(MACHINE_END_CRASH);
}

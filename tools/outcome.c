/*
 * The one sentence a command leaves behind. The first failure is the cause
 * and what follows it are consequences, so the first one stands. What goes
 * wrong after a guest has ended with a code of its own is told all the same.
 */
#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>

int outcome_set(struct outcome *out, int status, const char *format, ...)
{
	va_list args;

	if (*out->text)
		return out->status;
	if (out->status == OUTCOME_GOOD)
		out->status = status;
	va_start(args, format);
	vsnprintf(out->text, sizeof(out->text), format, args);
	va_end(args);
	return out->status;
}

/*
 * Device time from guest time. Every oscillator of the board (PIT, RTC, PM
 * timer) is a function of the guest's TSC, so that no device has a clock of
 * its own that could drift:
 *
 *   ticks(tsc) = floor(tsc * hz / tsc_hz)
 *   tsc(ticks) = ceil(ticks * tsc_hz / hz), the first TSC that shows `ticks`
 *
 * Both are exact over all of a 64-bit TSC. No 128-bit division is used: a
 * freestanding build has no libgcc to call.
 *
 * Wanted: hz <= tsc_hz, both not 0.
 */
#ifndef HV_DEV_TSC_H
#define HV_DEV_TSC_H

#include <stdint.h>

#define TSC_NEVER UINT64_MAX

/* floor(a * b / c), exact; UINT64_MAX when that does not fit. c is not 0. */
uint64_t tsc_muldiv(uint64_t a, uint64_t b, uint64_t c);

uint64_t tsc_to_ticks(uint64_t tsc, uint64_t tsc_hz, uint64_t hz);

/* TSC_NEVER when it lies beyond 64 bits. */
uint64_t tsc_of_tick(uint64_t ticks, uint64_t tsc_hz, uint64_t hz);

/* a + b, TSC_NEVER when that does not fit. */
static inline uint64_t tsc_add(uint64_t a, uint64_t b)
{
	return a + b < a ? TSC_NEVER : a + b;
}

#endif

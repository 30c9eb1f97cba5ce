/*
 * Exact conversion between TSC and the ticks of slower oscillators.
 *
 * Whole seconds and the rest are converted apart: the product that has to be
 * divided is then below tsc_hz * hz, which fits 64 bits on every real
 * machine, and one hardware division is all it takes. Where it does not fit,
 * schoolbook division, one bit at a time, gives the same answer slowly.
 */
#include "dev/tsc.h"

/* (hi * 2^64 + lo) / c, for hi < c: the quotient fits 64 bits. */
static uint64_t divide_long(uint64_t hi, uint64_t lo, uint64_t c)
{
	for (unsigned i = 0; i < 64; i++) {
		uint64_t carry = hi >> 63;

		hi = hi << 1 | lo >> 63;
		lo <<= 1;
		if (carry || hi >= c) {
			hi -= c;
			lo |= 1;
		}
	}
	return lo;
}

uint64_t tsc_muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	__extension__ unsigned __int128 product = a;
	uint64_t hi;

	product *= b;
	hi = (uint64_t)(product >> 64);
	if (hi == 0)
		return (uint64_t)product / c;
	if (hi >= c)
		return UINT64_MAX;
	return divide_long(hi, (uint64_t)product, c);
}

uint64_t tsc_to_ticks(uint64_t tsc, uint64_t tsc_hz, uint64_t hz)
{
	uint64_t seconds = tsc / tsc_hz;
	uint64_t rest = tsc % tsc_hz;

	return seconds * hz + tsc_muldiv(rest, hz, tsc_hz);
}

uint64_t tsc_of_tick(uint64_t ticks, uint64_t tsc_hz, uint64_t hz)
{
	uint64_t seconds = ticks / hz;
	uint64_t rest = ticks % hz;
	uint64_t part = tsc_muldiv(rest, tsc_hz, hz);

	/* The remainder is below hz, so 64-bit wrap-around cannot hide it. */
	if (rest * tsc_hz != part * hz)
		part++;
	if (seconds > UINT64_MAX / tsc_hz)
		return TSC_NEVER;
	return tsc_add(seconds * tsc_hz, part);
}

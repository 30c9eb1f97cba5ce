/*
 * The rate of kvmclock: 10^9 / tsc_hz as mul * 2^(shift - 32), with mul in
 * [2^31, 2^32), rounded to nearest.
 */
#include "dev/kvmclock.h"

#include "dev/tsc.h"

#define NS_PER_SECOND UINT64_C(1000000000)

struct kvmclock_rate kvmclock_rate(uint64_t tsc_khz)
{
	uint64_t hz = tsc_khz * 1000;
	int8_t shift = 0;
	uint64_t mul;

	/* Bring hz * 2^-shift into (10^9, 2 * 10^9]. */
	while (hz > 2 * NS_PER_SECOND) {
		hz = hz / 2 + (hz & 1);
		shift--;
	}
	while (hz <= NS_PER_SECOND) {
		hz *= 2;
		shift++;
	}
	/* The halved hz may be inexact: divide by the whole one. */
	if (shift < 0)
		mul = tsc_muldiv(NS_PER_SECOND << 2,
				 UINT64_C(1) << (31 - shift), tsc_khz * 1000);
	else
		mul = tsc_muldiv(NS_PER_SECOND << 2, UINT64_C(1) << 31, hz);
	mul = (mul + 1) / 2;
	if (mul > UINT32_MAX)
		mul = UINT32_MAX;
	return (struct kvmclock_rate){ .mul = (uint32_t)mul, .shift = shift };
}

uint64_t kvmclock_ns(const struct kvmclock_rate *rate, uint64_t tsc)
{
	uint64_t scaled = rate->shift < 0 ? tsc >> -rate->shift
					  : tsc << rate->shift;

	/* 64 x 32 bits, of which the upper 64 count. */
	return (scaled >> 32) * rate->mul +
	       ((scaled & UINT32_MAX) * rate->mul >> 32);
}

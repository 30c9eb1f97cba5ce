/* How fast the processor's counters run. */
#ifndef HV_CPU_CLOCK_H
#define HV_CPU_CLOCK_H

#include <stdint.h>

struct clock_rates {
	uint64_t tsc_khz;  /* 0: not to be found */
	uint64_t apic_khz; /* of the APIC timer, divided by 1; 0: it stands */
};

/* Asks CPUID, then measures against the PIT what CPUID does not tell. The
 * APIC's timer must be masked; it is stopped afterwards. */
void clock_measure(struct clock_rates *rates);

#endif

/* The machine's wall clock: the battery-backed MC146818, read once at boot. */
#ifndef HV_CPU_WALLCLOCK_H
#define HV_CPU_WALLCLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC; the clock is taken to run in UTC. */
uint64_t wallclock_read(void);

#endif

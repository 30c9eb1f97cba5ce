/*
 * ACPI's fixed hardware: PM1a event and control blocks and the PM timer.
 * ACPI 6.4, 4.8.3. The tables that describe it are acpi.h.
 */
#ifndef HV_DEV_PM_H
#define HV_DEV_PM_H

#include <stdbool.h>
#include <stdint.h>

#define PM_HZ	      3579545u
#define PM_PORT_EVENT 0x600u /* status, 16 bits, then enable, 16 bits */
#define PM_PORT_CTRL  0x604u /* 16 bits */
#define PM_PORT_TIMER 0x608u /* 32 bits */
#define PM_SCI	      9u
#define PM_SLEEP_S5   5u /* SLP_TYP of power-off, as \_S5 says */

struct pm {
	uint64_t tsc_hz;
	uint16_t status; /* bits that stay until they are written */
	uint16_t enable;
	uint16_t control;
	bool line;	   /* SCI */
	uint64_t half;	   /* half-turns of the timer that have been seen */
	uint64_t deadline; /* TSC of the next one, if it matters; TSC_NEVER */
};

void pm_reset(struct pm *pm, uint64_t tsc_hz);

/* 16-bit registers at PM_PORT_EVENT and + 2, and at PM_PORT_CTRL. */
uint16_t pm_in(struct pm *pm, unsigned port, uint64_t now);
/* True: the guest asks for power-off. */
bool pm_out(struct pm *pm, unsigned port, uint16_t value, uint64_t now);

uint32_t pm_timer(const struct pm *pm, uint64_t now);

/* Raises what is due. Sets `line` and the next deadline. */
void pm_tick(struct pm *pm, uint64_t now);

#endif

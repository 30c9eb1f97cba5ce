/*
 * PM1 status bits are sticky and cleared by writing 1; status & enable
 * drives the SCI, level-triggered. The only event here is the timer's:
 * TMR_STS sets whenever the 32-bit count's top bit changes, each half-turn
 * (ACPI 6.4, 4.8.2.1). The machine is always in ACPI mode: SCI_EN reads 1,
 * as there is no SMI command port to leave it by.
 */
#include "dev/pm.h"

#include "dev/tsc.h"

#define TIMER_BIT 0x0001 /* of status and enable: TMR_STS, TMR_EN */
/* TMR, GBL, PWRBTN, SLPBTN, RTC. */
#define ENABLE_ALL 0x0721
#define HALF_TURN  31

#define CTRL_SCI      0x0001
#define CTRL_KEPT     0x1c02 /* SLP_TYP, BM_RLD */
#define CTRL_SLEEP    0x2000 /* SLP_EN: reads 0 */
#define SLEEP_TYPE(v) ((v) >> 10 & 7)

static uint64_t ticks(const struct pm *pm, uint64_t now)
{
	return tsc_to_ticks(now, pm->tsc_hz, PM_HZ);
}

void pm_reset(struct pm *pm, uint64_t tsc_hz)
{
	*pm = (struct pm){ .tsc_hz = tsc_hz, .deadline = TSC_NEVER };
}

void pm_tick(struct pm *pm, uint64_t now)
{
	uint64_t half = ticks(pm, now) >> HALF_TURN;

	if (half != pm->half)
		pm->status |= TIMER_BIT;
	pm->half = half;
	pm->line = pm->status & pm->enable;
	pm->deadline = TSC_NEVER;
	if ((pm->enable & TIMER_BIT) && !(pm->status & TIMER_BIT))
		pm->deadline =
			tsc_of_tick((half + 1) << HALF_TURN, pm->tsc_hz, PM_HZ);
}

uint32_t pm_timer(const struct pm *pm, uint64_t now)
{
	return (uint32_t)ticks(pm, now);
}

uint16_t pm_in(struct pm *pm, unsigned port, uint64_t now)
{
	switch (port) {
	case PM_PORT_EVENT:
		pm_tick(pm, now);
		return pm->status;
	case PM_PORT_EVENT + 2:
		return pm->enable;
	default:
		return pm->control | CTRL_SCI;
	}
}

bool pm_out(struct pm *pm, unsigned port, uint16_t value, uint64_t now)
{
	bool off = false;

	pm_tick(pm, now);
	switch (port) {
	case PM_PORT_EVENT:
		pm->status &= (uint16_t)~value;
		break;
	case PM_PORT_EVENT + 2:
		pm->enable = value & ENABLE_ALL;
		break;
	default:
		pm->control = value & CTRL_KEPT;
		/* Other sleeping states are not offered: nothing happens. */
		off = (value & CTRL_SLEEP) && SLEEP_TYPE(value) == PM_SLEEP_S5;
		break;
	}
	pm_tick(pm, now);
	return off;
}

/*
 * See timer.h. With TSC-deadline mode (Intel SDM 3A 11.5.4.1) the deadline is
 * one MSR write. Without it the local APIC counts down once from a number of
 * its own ticks; where that cannot reach the deadline, or its rate is a
 * little off, the interrupt finds itself early and arms the rest.
 */
#include "cpu/timer.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/print.h"
#include "cpu/trap.h"

#define LVT_MASKED	 0x10000u
#define LVT_ONE_SHOT	 0x00000u
#define LVT_TSC_DEADLINE 0x40000u
#define CPUID_1_DEADLINE (1u << 24)

uint64_t host_tsc_khz;

static struct {
	bool has_deadline_mode;
	bool armed;
	bool fired;
	uint64_t deadline;
	uint64_t ratio; /* APIC ticks in a TSC tick, 32.32 fixed point */
} timer;

/* In APIC ticks, rounded up, so as not to be early; at least 1, because 0
 * stops the counter. */
static uint32_t apic_ticks(uint64_t tsc_ticks)
{
	unsigned __int128 ticks;

	ticks = ((unsigned __int128)tsc_ticks * timer.ratio >> 32) + 1;
	return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

static void count_down(void)
{
	uint64_t now = rdtsc();
	uint64_t left = timer.deadline > now ? timer.deadline - now : 0;

	apic_write(APIC_TIMER_INITIAL, apic_ticks(left));
}

void host_timer_arm(uint64_t tsc_deadline)
{
	if (timer.armed && timer.deadline == tsc_deadline)
		return;
	timer.armed = true;
	timer.deadline = tsc_deadline;
	if (timer.has_deadline_mode)
		wrmsr(MSR_TSC_DEADLINE, tsc_deadline != 0 ? tsc_deadline : 1);
	else
		count_down();
}

void host_timer_stop(void)
{
	if (!timer.armed)
		return;
	timer.armed = false;
	if (timer.has_deadline_mode)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_write(APIC_TIMER_INITIAL, 0);
}

void timer_take(void)
{
	if (!timer.armed)
		return;
	if (!timer.has_deadline_mode && rdtsc() < timer.deadline) {
		count_down();
		return;
	}
	timer.armed = false;
	timer.fired = true;
}

bool host_timer_fired(void)
{
	bool fired = timer.fired;

	timer.fired = false;
	return fired;
}

void timer_init(void)
{
	struct clock_rates rates;

	clock_measure(&rates);
	if (rates.tsc_khz == 0)
		panic("the rate of the time stamp counter cannot be found");
	host_tsc_khz = rates.tsc_khz;
	timer.ratio = (rates.apic_khz << 32) / rates.tsc_khz;
	timer.has_deadline_mode = cpuid(1, 0).ecx & CPUID_1_DEADLINE;
	if (!timer.has_deadline_mode && timer.ratio == 0)
		panic("the local APIC's timer does not count");
	apic_write(APIC_LVT_TIMER,
		   VECTOR_TIMER | (timer.has_deadline_mode ? LVT_TSC_DEADLINE
							   : LVT_ONE_SHOT));
	/* The mode must be in force before the MSR is written: 11.5.4.1. */
	__asm__ volatile("mfence" : : : "memory");
}

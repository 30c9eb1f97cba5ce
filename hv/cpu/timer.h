/* Time: the TSC's rate, and one alarm. */
#ifndef HV_CPU_TIMER_H
#define HV_CPU_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* TSC ticks in a millisecond; set by timer_init. */
extern uint64_t host_tsc_khz;

/* Finds the rates and sets the timer up, stopped. After apic_init. */
void timer_init(void);

/* An interrupt when the TSC reaches `tsc_deadline`, at once if that is past.
 * One alarm at a time: a new one replaces the old. Never early. */
void host_timer_arm(uint64_t tsc_deadline);
void host_timer_stop(void);

/* True once after the alarm has gone off. */
bool host_timer_fired(void);

/* The timer interrupt. */
void timer_take(void);

#endif

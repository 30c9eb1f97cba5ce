/* The local APIC's timer: one-shot, periodic, TSC-deadline. SDM 3A 11.5.4. */
#ifndef HV_DEV_LAPIC_TIMER_H
#define HV_DEV_LAPIC_TIMER_H

#include "dev/lapic.h"

void lapic_timer_reset(struct lapic_timer *t);

/* LVT timer register written: a change of mode may disarm. */
void lapic_timer_lvt(struct lapic *l, uint32_t value);

/* Initial count, current count, divide configuration registers. */
void lapic_timer_start(struct lapic *l, uint32_t initial, uint64_t now);
uint32_t lapic_timer_count(const struct lapic *l, uint64_t now);
void lapic_timer_divide(struct lapic *l, uint32_t value, uint64_t now);

/* IA32_TSC_DEADLINE. */
uint64_t lapic_timer_target(const struct lapic *l);
void lapic_timer_set_target(struct lapic *l, uint64_t tsc);

/* Raises what is due, once however many periods have passed. */
void lapic_tick(struct lapic *l, uint64_t now);

#endif

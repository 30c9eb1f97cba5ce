/*
 * One 8254 counter as a function of time: what it counts, what its output
 * is, when that rises. All times are in ticks of PIT_HZ.
 */
#ifndef HV_DEV_PIT_COUNTER_H
#define HV_DEV_PIT_COUNTER_H

#include "dev/pit.h"

/* A new mode: the count is gone, the output is at its initial level. */
void pit_counter_mode(struct pit_counter *c, uint8_t control, uint64_t tick);

/* A whole count, as the guest wrote it: 0 stands for the largest. */
void pit_counter_load(struct pit_counter *c, uint16_t value, uint64_t tick);

void pit_counter_gate(struct pit_counter *c, bool gate, uint64_t tick);

/* The counting element, in the guest's notation (binary or BCD). */
uint16_t pit_counter_value(struct pit_counter *c, uint64_t tick);

bool pit_counter_output(struct pit_counter *c, uint64_t tick);

/* True while a count has been written but is not counted yet. */
bool pit_counter_null(struct pit_counter *c, uint64_t tick);

/* Its output goes on for ever by itself: modes 2 and 3. */
static inline bool pit_counter_periodic(const struct pit_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* The first tick after `tick` at which the output rises; UINT64_MAX: none
 * by itself. */
uint64_t pit_counter_edge(struct pit_counter *c, uint64_t tick);

#endif

/*
 * The timer as arithmetic on the TSC: SDM 3A 11.5.4.
 *
 *   one-shot   edge = now + (count << shift); count = (edge - now) >> shift
 *   periodic   the same with period: edges at edge + k * period
 *   deadline   fires when TSC >= target, and target becomes 0
 *
 * Divide configuration: bits 3, 1, 0 are 0 .. 7 for 2, 4, .. 128, 1.
 *
 * Periodic expiries that follow each other faster than `gap` are delivered
 * as one; the current count stays exact.
 */
#include "dev/lapic_timer.h"

#include <string.h>

#include "dev/tsc.h"

#define MODE_SHIFT 17
enum { MODE_ONE_SHOT, MODE_PERIODIC, MODE_DEADLINE };

static unsigned mode_of(uint32_t lvt)
{
	return lvt >> MODE_SHIFT & 3;
}

static unsigned mode(const struct lapic *l)
{
	return mode_of(l->lvt[LAPIC_TIMER]);
}

static unsigned shift(const struct lapic_timer *t)
{
	return ((t->divide & 3) + (t->divide >> 1 & 4) + 1) & 7;
}

void lapic_timer_reset(struct lapic_timer *t)
{
	memset(t, 0, sizeof(*t));
	t->deadline = TSC_NEVER;
}

static void disarm(struct lapic_timer *t)
{
	t->running = false;
	t->initial = 0;
	t->target = 0;
	t->deadline = TSC_NEVER;
}

void lapic_timer_lvt(struct lapic *l, uint32_t value)
{
	unsigned was = mode(l);

	l->lvt[LAPIC_TIMER] = value;
	/* 11.5.4.1: into and out of TSC-deadline mode disarms. */
	if ((was == MODE_DEADLINE) != (mode(l) == MODE_DEADLINE))
		disarm(&l->timer);
}

void lapic_timer_start(struct lapic *l, uint32_t initial, uint64_t now)
{
	struct lapic_timer *t = &l->timer;

	if (mode(l) == MODE_DEADLINE)
		return;
	t->initial = initial;
	t->period = (uint64_t)initial << shift(t);
	t->edge = tsc_add(now, t->period);
	t->running = initial != 0;
	t->deadline = t->running ? t->edge : TSC_NEVER;
}

uint32_t lapic_timer_count(const struct lapic *l, uint64_t now)
{
	const struct lapic_timer *t = &l->timer;
	uint64_t left;

	if (!t->running)
		return 0;
	if (now < t->edge)
		left = t->edge - now;
	else if (mode(l) == MODE_PERIODIC)
		left = t->period - (now - t->edge) % t->period;
	else
		return 0;
	/* A count that has begun is shown until it is over. */
	return (uint32_t)((left + (UINT64_C(1) << shift(t)) - 1) >> shift(t));
}

void lapic_timer_divide(struct lapic *l, uint32_t value, uint64_t now)
{
	struct lapic_timer *t = &l->timer;
	uint32_t left = lapic_timer_count(l, now);

	t->divide = value & 0xb;
	t->period = (uint64_t)t->initial << shift(t);
	if (!left)
		return;
	t->edge = tsc_add(now, (uint64_t)left << shift(t));
	t->deadline = t->edge;
}

uint64_t lapic_timer_target(const struct lapic *l)
{
	return l->timer.target;
}

void lapic_timer_set_target(struct lapic *l, uint64_t tsc)
{
	/* 11.5.4.1: outside of its mode the MSR reads 0, writes are lost. */
	if (mode(l) != MODE_DEADLINE)
		return;
	l->timer.target = tsc;
	l->timer.deadline = tsc ? tsc : TSC_NEVER;
}

/* The next deadline after an expiry that was due at or before `now`. */
static void advance(struct lapic *l, uint64_t now)
{
	struct lapic_timer *t = &l->timer;
	uint64_t soonest = tsc_add(now, l->gap);

	t->deadline = TSC_NEVER;
	if (mode(l) == MODE_DEADLINE) {
		t->target = 0;
		return;
	}
	if (mode(l) != MODE_PERIODIC) {
		t->running = false;
		return;
	}
	if (now >= t->edge)
		t->edge += ((now - t->edge) / t->period + 1) * t->period;
	t->deadline = t->edge < soonest ? soonest : t->edge;
}

void lapic_tick(struct lapic *l, uint64_t now)
{
	if (now < l->timer.deadline)
		return;
	advance(l, now);
	lapic_local(l, LAPIC_TIMER);
}

/*
 * The 8254's registers: Intel data sheet 231164, "Programming the 8254" and
 * "Read operations"; port 0x61 as the PC has it.
 *
 *   control word: | counter 7:6 | rw 5:4 | mode 3:1 | bcd 0 |
 *   rw 0 is the latch command; counter 3 is the read-back command.
 *
 * Periodic edges that follow each other faster than every 50 microseconds are
 * reported as one: a guest that asks for a megahertz of interrupts gets what
 * it could take in on a real machine, and what it reads stays exact.
 */
#include "dev/pit.h"

#include <string.h>

#include "dev/pit_counter.h"
#include "dev/tsc.h"

/* 50 microseconds between periodic interrupts, at least. */
#define GAP_PER_SECOND 20000u

#define CMD_READ_BACK  3u
#define BACK_NO_COUNT  0x20
#define BACK_NO_STATUS 0x10

#define P61_GATE2   0x01
#define P61_SPEAKER 0x02
#define P61_REFRESH 0x10
#define P61_OUT2    0x20
/* Counter 1 refreshed the first PCs' memory each 18 ticks. */
#define REFRESH_TICKS 18

static uint64_t ticks(const struct pit *p, uint64_t now)
{
	return tsc_to_ticks(now, p->tsc_hz, PIT_HZ);
}

static void set_deadline(struct pit *p, uint64_t now)
{
	uint64_t edge = pit_counter_edge(&p->counter[0], p->seen);
	uint64_t soonest = tsc_add(now, p->tsc_hz / GAP_PER_SECOND);

	p->deadline = TSC_NEVER;
	if (edge == UINT64_MAX)
		return;
	p->deadline = tsc_of_tick(edge, p->tsc_hz, PIT_HZ);
	if (pit_counter_periodic(&p->counter[0]) && p->deadline < soonest)
		p->deadline = soonest;
}

void pit_reset(struct pit *p, uint64_t tsc_hz)
{
	memset(p, 0, sizeof(*p));
	p->tsc_hz = tsc_hz;
	for (unsigned i = 0; i < 3; i++) {
		p->counter[i].rw = 3;
		p->counter[i].count = 65536;
		p->counter[i].gate = i != 2;
	}
	p->deadline = TSC_NEVER;
}

bool pit_tick(struct pit *p, uint64_t now)
{
	uint64_t tick = ticks(p, now);
	bool rose = pit_counter_edge(&p->counter[0], p->seen) <= tick;

	p->seen = tick;
	set_deadline(p, now);
	return rose;
}

bool pit_output(struct pit *p, uint64_t now)
{
	return pit_counter_output(&p->counter[0], ticks(p, now));
}

/* A count that is latched already stays: the first command wins. */
static void latch_count(struct pit_counter *c, uint64_t tick)
{
	if (c->latched)
		return;
	c->latch = pit_counter_value(c, tick);
	c->latched = c->rw == 3 ? 2 : 1;
}

static void latch_status(struct pit_counter *c, uint64_t tick)
{
	if (c->has_status)
		return;
	c->has_status = true;
	c->status = (uint8_t)(pit_counter_output(c, tick) << 7 |
			      pit_counter_null(c, tick) << 6 | c->rw << 4 |
			      c->mode << 1 | c->bcd);
}

static void read_back(struct pit *p, uint8_t value, uint64_t tick)
{
	for (unsigned i = 0; i < 3; i++) {
		if (!(value & 2u << i))
			continue;
		if (!(value & BACK_NO_COUNT))
			latch_count(&p->counter[i], tick);
		if (!(value & BACK_NO_STATUS))
			latch_status(&p->counter[i], tick);
	}
}

static void control(struct pit *p, uint8_t value, uint64_t tick)
{
	unsigned n = value >> 6;

	if (n == CMD_READ_BACK)
		read_back(p, value, tick);
	else if ((value & 0x30) == 0)
		latch_count(&p->counter[n], tick);
	else
		pit_counter_mode(&p->counter[n], value, tick);
}

static void write_count(struct pit_counter *c, uint8_t value, uint64_t tick)
{
	switch (c->rw) {
	case 1:
		pit_counter_load(c, value, tick);
		break;
	case 2:
		pit_counter_load(c, (uint16_t)(value << 8), tick);
		break;
	default:
		if (c->write_high)
			pit_counter_load(c, (uint16_t)(value << 8 | c->low),
					 tick);
		else
			c->low = value;
		c->write_high = !c->write_high;
		break;
	}
}

void pit_out(struct pit *p, unsigned reg, uint8_t value, uint64_t now)
{
	uint64_t tick = ticks(p, now);

	if (reg == 3)
		control(p, value, tick);
	else
		write_count(&p->counter[reg % 3], value, tick);
	p->seen = tick;
	set_deadline(p, now);
}

static uint8_t read_latch(struct pit_counter *c)
{
	uint8_t byte = (uint8_t)c->latch;

	if (c->rw == 2 || (c->rw == 3 && c->latched == 1))
		byte = (uint8_t)(c->latch >> 8);
	c->latched--;
	return byte;
}

static uint8_t read_count(struct pit_counter *c, uint64_t tick)
{
	uint16_t value;
	bool high = c->rw == 2;

	if (c->has_status) {
		c->has_status = false;
		return c->status;
	}
	if (c->latched)
		return read_latch(c);
	value = pit_counter_value(c, tick);
	if (c->rw == 3) {
		high = c->read_high;
		c->read_high = !high;
	}
	return (uint8_t)(high ? value >> 8 : value);
}

uint8_t pit_in(struct pit *p, unsigned reg, uint64_t now)
{
	/* The control word cannot be read. */
	if (reg == 3)
		return 0xff;
	return read_count(&p->counter[reg % 3], ticks(p, now));
}

uint8_t pit_port61_in(struct pit *p, uint64_t now)
{
	uint64_t tick = ticks(p, now);
	uint8_t value = p->speaker;

	value |= p->counter[2].gate ? P61_GATE2 : 0;
	value |= tick / REFRESH_TICKS & 1 ? P61_REFRESH : 0;
	value |= pit_counter_output(&p->counter[2], tick) ? P61_OUT2 : 0;
	return value;
}

void pit_port61_out(struct pit *p, uint8_t value, uint64_t now)
{
	p->speaker = value & P61_SPEAKER;
	pit_counter_gate(&p->counter[2], value & P61_GATE2, ticks(p, now));
}

/*
 * The six modes of the 8254: Intel data sheet 231164, "Mode definitions".
 * With N the count and t the ticks since it was loaded (or triggered):
 *
 *   mode                output                        counts       rises at
 *   0 terminal count    low till t = N, then high     N - t        N
 *   1 one-shot          low from trigger till t = N   N - t        N
 *   2 rate generator    low in the last tick of N     N - t mod N  kN
 *   3 square wave       high for (N + 1) / 2, low     by twos      kN
 *   4 software strobe   low at t = N only             N - t        N + 1
 *   5 hardware strobe   the same, from the trigger    N - t        N + 1
 *
 * Modes 0, 1, 4 and 5 go on counting down through 0 to the largest number.
 * A low gate holds modes 0 and 4, and stops modes 2 and 3 with output high;
 * a rising gate restarts modes 1, 2, 3 and 5. In modes 2 and 3 a new count
 * waits for the end of the period.
 */
#include "dev/pit_counter.h"

#include "dev/tsc.h"

static uint32_t modulus(const struct pit_counter *c)
{
	return c->bcd ? 10000 : 65536;
}

static uint32_t from_bcd(uint16_t v)
{
	return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u +
	       (v & 15u);
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 |
			  v / 10 % 10 << 4 | v % 10);
}

static bool by_trigger(const struct pit_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

static bool counting(const struct pit_counter *c)
{
	if (!c->loaded)
		return false;
	if (by_trigger(c))
		return c->triggered;
	return c->gate || !pit_counter_periodic(c);
}

/* Ticks since the count began; takes over a count that waited. */
static uint64_t elapsed(struct pit_counter *c, uint64_t tick)
{
	if (!c->gate && !by_trigger(c))
		return c->elapsed;
	if (c->next && tick - c->start >= c->count) {
		c->start += c->count;
		c->count = c->next;
		c->next = 0;
	}
	return tick - c->start;
}

void pit_counter_mode(struct pit_counter *c, uint8_t control, uint64_t tick)
{
	uint8_t mode = control >> 1 & 7;

	c->rw = control >> 4 & 3;
	/* Bit 2 of the mode means nothing in modes 2 and 3. */
	c->mode = mode > 5 ? mode & 3 : mode;
	c->bcd = control & 1;
	c->loaded = false;
	c->triggered = false;
	c->write_high = false;
	c->read_high = false;
	c->latched = 0;
	c->has_status = false;
	c->next = 0;
	c->start = tick;
	c->elapsed = 0;
}

void pit_counter_load(struct pit_counter *c, uint16_t value, uint64_t tick)
{
	uint32_t count = c->bcd ? from_bcd(value) : value;

	if (count == 0)
		count = modulus(c);
	/* The data sheet forbids 1 where there is a period. */
	if (pit_counter_periodic(c) && count == 1)
		count = 2;
	if (pit_counter_periodic(c) && c->loaded && c->gate) {
		(void)elapsed(c, tick);
		c->next = count;
		return;
	}
	c->count = count;
	c->loaded = true;
	if (by_trigger(c))
		return;
	c->start = tick;
	c->elapsed = 0;
}

void pit_counter_gate(struct pit_counter *c, bool gate, uint64_t tick)
{
	if (gate == c->gate)
		return;
	if (!gate) {
		c->elapsed = pit_counter_periodic(c) ? 0 : elapsed(c, tick);
		c->gate = false;
		return;
	}
	c->gate = true;
	c->triggered = true;
	if (c->next) {
		c->count = c->next;
		c->next = 0;
	}
	/* Modes 0 and 4 go on from where they were held. */
	c->start = by_trigger(c) ? tick : tick - c->elapsed;
}

static uint32_t square_value(uint32_t count, uint32_t t)
{
	uint32_t high = (count + 1) / 2;

	if (t >= high)
		t -= high;
	return (count - 2 * t) & ~1u;
}

uint16_t pit_counter_value(struct pit_counter *c, uint64_t tick)
{
	uint64_t t = counting(c) ? elapsed(c, tick) : 0;
	uint32_t value = c->count;

	if (c->mode == 3)
		value = square_value(c->count, (uint32_t)(t % c->count));
	else if (c->mode == 2)
		value = c->count - (uint32_t)(t % c->count);
	else
		value += modulus(c) - (uint32_t)(t % modulus(c));
	value %= modulus(c);
	return c->bcd ? to_bcd(value) : (uint16_t)value;
}

bool pit_counter_output(struct pit_counter *c, uint64_t tick)
{
	uint64_t t;

	/* Only mode 0 begins low. */
	if (!counting(c))
		return c->mode != 0;
	t = elapsed(c, tick);
	switch (c->mode) {
	case 0:
	case 1:
		return t >= c->count;
	case 2:
		return t % c->count != c->count - 1;
	case 3:
		return t % c->count < (c->count + 1) / 2;
	default:
		return t != c->count;
	}
}

bool pit_counter_null(struct pit_counter *c, uint64_t tick)
{
	if (!counting(c))
		return true;
	(void)elapsed(c, tick);
	return c->next != 0;
}

uint64_t pit_counter_edge(struct pit_counter *c, uint64_t tick)
{
	uint64_t t, at;

	if (!counting(c) || (!c->gate && !by_trigger(c)))
		return UINT64_MAX;
	t = elapsed(c, tick);
	if (pit_counter_periodic(c))
		return tick + c->count - t % c->count;
	at = c->start + c->count + (c->mode >= 4);
	return at > tick ? at : UINT64_MAX;
}

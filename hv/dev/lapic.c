/*
 * Acceptance and priority in a local APIC: SDM 3A 11.8.
 *
 *   IRR --(class above PPR)--> ISR --(EOI)--> gone
 *   PPR = TPR, if its class is at or above the class of ISR's highest;
 *         else that class, with sub-class 0
 *
 * A vector's class is its upper four bits. Each 256-bit register carries a
 * mask of its words that are not empty, so that the highest vector is found
 * with two bit scans.
 */
#include "dev/lapic.h"

#include <string.h>

#include "dev/lapic_timer.h"

#define SVR_RESET	0xffu
#define DFR_FLAT	0xffffffffu
#define LVT_EXTINT	0x700u
#define LVT_DELIVERY(v) ((enum apic_delivery)((v) >> 8 & 7))

/* 10 microseconds between periodic interrupts, at least. */
#define GAP_PER_SECOND 100000u

static void set_add(struct lapic_set *s, uint8_t vector)
{
	s->word[vector >> 5] |= UINT32_C(1) << (vector & 31);
	s->words |= UINT32_C(1) << (vector >> 5);
}

static void set_remove(struct lapic_set *s, uint8_t vector)
{
	unsigned w = vector >> 5;

	s->word[w] &= ~(UINT32_C(1) << (vector & 31));
	if (!s->word[w])
		s->words &= ~(UINT32_C(1) << w);
}

bool lapic_set_has(const struct lapic_set *s, uint8_t vector)
{
	return s->word[vector >> 5] >> (vector & 31) & 1;
}

static int highest(const struct lapic_set *s)
{
	unsigned w;

	if (!s->words)
		return -1;
	w = 31u - (unsigned)__builtin_clz(s->words);
	return (int)(w * 32 + 31u - (unsigned)__builtin_clz(s->word[w]));
}

static void registers_reset(struct lapic *l)
{
	memset(&l->irr, 0, sizeof(l->irr));
	memset(&l->isr, 0, sizeof(l->isr));
	memset(&l->tmr, 0, sizeof(l->tmr));
	l->tpr = 0;
	l->svr = SVR_RESET;
	l->dfr = DFR_FLAT;
	l->ldr = 0;
	l->esr = 0;
	l->errors = 0;
	l->icr = 0;
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		l->lvt[i] = LVT_MASKED;
	if (l->base & LAPIC_BASE_BSP)
		l->lvt[LAPIC_LINT0] = LVT_EXTINT;
	lapic_timer_reset(&l->timer);
	l->stale = true;
}

/* SDM 3A 11.12.10.2: in x2APIC mode the logical ID follows from the ID. */
static uint32_t x2_logical(uint32_t id)
{
	return (id >> 4) << 16 | UINT32_C(1) << (id & 15);
}

void lapic_reset(struct lapic *l, uint32_t id, uint64_t tsc_hz)
{
	memset(l, 0, sizeof(*l));
	l->id = id;
	l->base = LAPIC_BASE_GPA | LAPIC_BASE_ENABLE;
	if (id == 0)
		l->base |= LAPIC_BASE_BSP;
	l->waiting = id != 0;
	l->gap = tsc_hz / GAP_PER_SECOND;
	registers_reset(l);
}

void lapic_init_signal(struct lapic *l)
{
	registers_reset(l);
	if (lapic_is_x2(l))
		l->ldr = x2_logical(l->id);
	l->nmi = false;
	l->init = true;
	l->startup = false;
	/* SDM 3A 9.4.1: the boot processor starts again at its reset vector,
	 * the others wait. */
	l->waiting = !(l->base & LAPIC_BASE_BSP);
}

void lapic_accept(struct lapic *l, uint8_t vector, bool level)
{
	if (vector < 16) {
		lapic_error(l, LAPIC_ESR_RECEIVE);
		return;
	}
	set_add(&l->irr, vector);
	if (level)
		set_add(&l->tmr, vector);
	else
		set_remove(&l->tmr, vector);
	l->stale = true;
}

uint8_t lapic_ppr(const struct lapic *l)
{
	int service = highest(&l->isr);

	if (service < 0 || l->tpr >> 4 >= service >> 4)
		return l->tpr;
	return (uint8_t)(service & 0xf0);
}

int lapic_pending(const struct lapic *l)
{
	int request = highest(&l->irr);

	if (request < 0 || request >> 4 <= lapic_ppr(l) >> 4)
		return -1;
	return request;
}

int lapic_take(struct lapic *l)
{
	int vector = lapic_pending(l);

	if (vector < 0)
		return -1;
	set_remove(&l->irr, (uint8_t)vector);
	set_add(&l->isr, (uint8_t)vector);
	l->stale = true;
	return vector;
}

int lapic_end(struct lapic *l)
{
	int vector = highest(&l->isr);

	if (vector < 0)
		return -1;
	set_remove(&l->isr, (uint8_t)vector);
	l->stale = true;
	return lapic_set_has(&l->tmr, (uint8_t)vector) ? vector : -1;
}

void lapic_set_tpr(struct lapic *l, uint8_t tpr)
{
	l->tpr = tpr;
	l->stale = true;
}

void lapic_error(struct lapic *l, uint32_t bit)
{
	uint32_t lvt = l->lvt[LAPIC_ERROR];

	if (l->errors & bit)
		return;
	l->errors |= bit;
	/* A second error would be noted already: this ends here. */
	if (!(lvt & LVT_MASKED))
		lapic_accept(l, (uint8_t)lvt, false);
}

void lapic_local(struct lapic *l, enum lapic_lvt which)
{
	uint32_t lvt = l->lvt[which];
	enum apic_delivery how = LVT_DELIVERY(lvt);

	if ((lvt & LVT_MASKED) || !lapic_enabled(l))
		return;
	/* The timer's and the error's entries have no delivery mode. */
	if (which == LAPIC_TIMER || which == LAPIC_ERROR || how == APIC_FIXED)
		lapic_accept(l, (uint8_t)lvt, false);
	else if (how == APIC_NMI)
		l->nmi = true;
	else if (how == APIC_INIT)
		lapic_init_signal(l);
}

bool lapic_takes_pic(const struct lapic *l)
{
	uint32_t lvt = l->lvt[LAPIC_LINT0];

	/* Without its APIC a processor has the INTR pin: SDM 3A 11.4.3. */
	if (!lapic_enabled(l))
		return l->base & LAPIC_BASE_BSP;
	return !(lvt & LVT_MASKED) && LVT_DELIVERY(lvt) == APIC_EXTINT;
}

/* SDM 3A figure 11-27: x2APIC is entered from xAPIC and left to disabled. */
static bool transition_ok(uint64_t from, uint64_t to)
{
	bool was_on = from & LAPIC_BASE_ENABLE, was_x2 = from & LAPIC_BASE_X2;
	bool on = to & LAPIC_BASE_ENABLE, x2 = to & LAPIC_BASE_X2;

	if (x2 && !on)
		return false;
	if (x2)
		return was_on;
	return !(was_x2 && on);
}

bool lapic_set_base(struct lapic *l, uint64_t value, unsigned maxphyaddr)
{
	uint64_t allowed = (UINT64_C(1) << maxphyaddr) - 1;
	uint64_t was = l->base;

	allowed &= ~UINT64_C(0xfff);
	allowed |= LAPIC_BASE_BSP | LAPIC_BASE_X2 | LAPIC_BASE_ENABLE;
	if ((value & ~allowed) || !transition_ok(was, value))
		return false;
	l->base = value;
	l->stale = true;
	/* Off and on again is a reset of all but the base: 11.4.3. */
	if ((was ^ value) & LAPIC_BASE_ENABLE)
		registers_reset(l);
	if (lapic_is_x2(l))
		l->ldr = x2_logical(l->id);
	return true;
}

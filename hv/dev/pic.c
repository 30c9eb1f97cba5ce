/*
 * The 8259A: Intel data sheet 231468. Its three registers are IRR
 * (requests), ISR (in service) and IMR (mask); priority runs round from
 * `top`:
 *
 *   request = highest of IRR & ~IMR
 *   INT     = request, if it is above every bit in ISR
 *   INTA    : ISR |= request; an edge request leaves IRR
 *   EOI     : ISR loses its highest bit, or the one that is named
 *
 * An edge request is held only while its line stays high: the data sheet
 * has it gone if the line falls before INTA.
 */
#include "dev/pic.h"

#include <string.h>

#define CASCADE 2u

#define ICW1	   0x10
#define ICW1_IC4   0x01
#define ICW1_SNGL  0x02
#define ICW1_LTIM  0x08
#define ICW4_AEOI  0x02
#define ICW4_SFNM  0x10
#define OCW3	   0x08
#define OCW3_POLL  0x04
#define OCW3_RR	   0x02
#define OCW3_RIS   0x01
#define OCW3_ESMM  0x40
#define OCW3_SMM   0x20
#define POLL_FOUND 0x80

void pic_reset(struct pic *p)
{
	memset(p, 0, sizeof(*p));
	/* As firmware leaves it: nobody is interrupted before asking. */
	p->chip[0].imr = 0xff;
	p->chip[1].imr = 0xff;
	p->chip[0].base = 0x08;
	p->chip[1].base = 0x70;
}

/* Places from the top: 0 is the highest priority; 8 when no bit is set. */
static unsigned rank(const struct pic_chip *c, uint8_t bits)
{
	for (unsigned place = 0; place < 8; place++)
		if (bits & 1u << ((c->top + place) & 7))
			return place;
	return 8;
}

static uint8_t level_mask(const struct pic_chip *c)
{
	return c->all_level ? 0xff : c->level;
}

/* The input whose request wins, or -1. */
static int request(const struct pic_chip *c, bool primary)
{
	uint8_t service = c->isr;
	unsigned place = rank(c, (uint8_t)(c->irr & ~c->imr));

	if (c->special_mask)
		service &= (uint8_t)~c->imr;
	/* Special fully nested: a higher request of the second chip may
	 * interrupt its own lower one. */
	if (primary && c->nested)
		service &= (uint8_t) ~(1u << CASCADE);
	if (place >= rank(c, service))
		return -1;
	return (int)((c->top + place) & 7);
}

static void chip_line(struct pic_chip *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);
	bool rises = level && !(c->lines & bit);

	if (!level) {
		c->lines &= (uint8_t)~bit;
		c->irr &= (uint8_t)~bit;
		return;
	}
	c->lines |= bit;
	if (rises || (level_mask(c) & bit))
		c->irr |= bit;
}

/* The second chip's INT is the first one's input 2. */
static void cascade(struct pic *p)
{
	chip_line(&p->chip[0], CASCADE, request(&p->chip[1], false) >= 0);
}

void pic_set(struct pic *p, unsigned irq, bool level)
{
	if (irq > 15 || irq == CASCADE)
		return;
	chip_line(&p->chip[irq >> 3], irq & 7, level);
	if (irq >= 8)
		cascade(p);
}

/* The chip's half of INTA (or of a poll): the request goes into service. */
static void serve(struct pic_chip *c, unsigned n)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!(level_mask(c) & bit))
		c->irr &= (uint8_t)~bit;
	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->top = (uint8_t)((n + 1) & 7);
}

int pic_pending(const struct pic *p)
{
	int n = request(&p->chip[0], true);
	int m;

	if (n < 0)
		return -1;
	if (n != (int)CASCADE)
		return p->chip[0].base + n;
	m = request(&p->chip[1], false);
	/* Input 7 answers for a request that has gone: spurious. */
	return p->chip[1].base + (m < 0 ? 7 : m);
}

int pic_ack(struct pic *p)
{
	int n = request(&p->chip[0], true);
	int vector = pic_pending(p);
	int m;

	if (n < 0)
		return -1;
	serve(&p->chip[0], (unsigned)n);
	if (n == (int)CASCADE) {
		m = request(&p->chip[1], false);
		if (m >= 0)
			serve(&p->chip[1], (unsigned)m);
		/* INT falls at INTA, so that a further request is an edge. */
		chip_line(&p->chip[0], CASCADE, false);
		cascade(p);
	}
	return vector;
}

static void icw1(struct pic_chip *c, uint8_t value)
{
	c->imr = 0;
	c->isr = 0;
	/* The edge sense is reset: a line must rise again to be seen. */
	c->all_level = value & ICW1_LTIM;
	c->irr = c->lines & level_mask(c);
	c->top = 0;
	c->want_icw4 = value & ICW1_IC4;
	c->single = value & ICW1_SNGL;
	c->auto_eoi = false;
	c->nested = false;
	c->rotate_aeoi = false;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->icw = 2;
}

/* OCW2, bits 7-5: rotate, specific, end of interrupt. */
static void ocw2(struct pic_chip *c, uint8_t value)
{
	bool rotate = value & 0x80;
	bool specific = value & 0x40;
	bool eoi = value & 0x20;
	unsigned n = value & 7;

	if (!eoi && !specific) {
		c->rotate_aeoi = rotate;
		return;
	}
	if (eoi && !specific) {
		unsigned place = rank(c, c->isr);

		if (place == 8)
			return;
		n = (c->top + place) & 7;
	}
	if (eoi)
		c->isr &= (uint8_t) ~(1u << n);
	if (rotate)
		c->top = (uint8_t)((n + 1) & 7);
}

static void ocw3(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_POLL)
		c->poll = true;
	if (value & OCW3_RR)
		c->read_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		c->special_mask = value & OCW3_SMM;
}

static void write_data(struct pic_chip *c, uint8_t value)
{
	switch (c->icw) {
	case 2:
		c->base = value & 0xf8;
		c->icw = c->single ? (c->want_icw4 ? 4 : 0) : 3;
		break;
	case 3: /* the wiring is known */
		c->icw = c->want_icw4 ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = value & ICW4_AEOI;
		c->nested = value & ICW4_SFNM;
		c->icw = 0;
		break;
	default:
		c->imr = value;
		break;
	}
}

void pic_out(struct pic *p, unsigned chip, unsigned a0, uint8_t value)
{
	struct pic_chip *c = &p->chip[chip & 1];

	if (a0)
		write_data(c, value);
	else if (value & ICW1)
		icw1(c, value);
	else if (value & OCW3)
		ocw3(c, value);
	else
		ocw2(c, value);
	cascade(p);
}

/* A poll is an INTA cycle by a read: bit 7 and the input, or 0. */
static uint8_t poll(struct pic *p, unsigned chip)
{
	struct pic_chip *c = &p->chip[chip];
	int n = request(c, chip == 0);

	c->poll = false;
	if (n < 0)
		return 0;
	serve(c, (unsigned)n);
	if (chip == 1)
		chip_line(&p->chip[0], CASCADE, false);
	cascade(p);
	return (uint8_t)(POLL_FOUND | n);
}

uint8_t pic_in(struct pic *p, unsigned chip, unsigned a0)
{
	const struct pic_chip *c = &p->chip[chip & 1];

	if (c->poll)
		return poll(p, chip & 1);
	if (a0)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

uint8_t pic_elcr_in(const struct pic *p, unsigned chip)
{
	return p->chip[chip & 1].level;
}

void pic_elcr_out(struct pic *p, unsigned chip, uint8_t value)
{
	/* IRQ 0, 1, 2, 8 and 13 are edge-triggered by their wiring. */
	static const uint8_t allowed[2] = { 0xf8, 0xde };
	struct pic_chip *c = &p->chip[chip & 1];

	c->level = value & allowed[chip & 1];
	c->irr |= c->lines & c->level;
	cascade(p);
}

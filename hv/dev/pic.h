/*
 * The pair of Intel 8259A interrupt controllers of a PC, the second on the
 * first's input 2. Pure: lines in, one INT output, one INTA cycle.
 */
#ifndef HV_DEV_PIC_H
#define HV_DEV_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct pic_chip {
	uint8_t lines;	/* inputs as they are now */
	uint8_t irr;	/* requests */
	uint8_t isr;	/* in service */
	uint8_t imr;	/* mask */
	uint8_t level;	/* ELCR: 1 = level-triggered */
	uint8_t base;	/* ICW2: vector of input 0 */
	uint8_t top;	/* input of highest priority; rotation moves it */
	uint8_t icw;	/* next of ICW2..4 expected, 0: none */
	bool want_icw4; /* ICW1 bit 0 */
	bool single;	/* ICW1 bit 1: no ICW3 */
	bool all_level; /* ICW1 bit 3, LTIM */
	bool auto_eoi;	/* ICW4 bit 1 */
	bool nested;	/* ICW4 bit 4: special fully nested */
	bool rotate_aeoi;
	bool special_mask;
	bool read_isr; /* OCW3: reads give ISR, else IRR */
	bool poll;     /* OCW3: next read is a poll */
};

struct pic {
	struct pic_chip chip[2];
};

void pic_reset(struct pic *p);

/* irq: 0 .. 15. Input 2 is the cascade: a level set there is ignored. */
void pic_set(struct pic *p, unsigned irq, bool level);

/* Ports 0x20/0x21 (chip 0) and 0xa0/0xa1 (chip 1): a0 is the low bit. */
uint8_t pic_in(struct pic *p, unsigned chip, unsigned a0);
void pic_out(struct pic *p, unsigned chip, unsigned a0, uint8_t value);

/* Ports 0x4d0 and 0x4d1. */
uint8_t pic_elcr_in(const struct pic *p, unsigned chip);
void pic_elcr_out(struct pic *p, unsigned chip, uint8_t value);

/* The vector that an INTA cycle would give now; -1: INT is not asserted. */
int pic_pending(const struct pic *p);

/* The INTA cycle. -1 when INT is not asserted. */
int pic_ack(struct pic *p);

#endif

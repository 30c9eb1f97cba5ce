/*
 * The Intel 8254 interval timer: three counters at 1193182 Hz. Counter 0's
 * output is IRQ 0, counter 2's gate and output are in port 0x61.
 *
 * Nothing ticks: a counter is its start time and its count, and everything
 * that can be read is computed from the TSC.
 */
#ifndef HV_DEV_PIT_H
#define HV_DEV_PIT_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ 1193182u

struct pit_counter {
	uint8_t mode; /* 0 .. 5 */
	uint8_t rw;   /* 1: low byte, 2: high byte, 3: low then high */
	bool bcd;
	bool gate;
	bool loaded;	  /* a count has been written since the mode was */
	bool triggered;	  /* modes 1 and 5: the gate has risen since then */
	bool write_high;  /* rw 3: the next byte written is the high one */
	bool read_high;	  /* rw 3: the next byte read is the high one */
	uint8_t low;	  /* rw 3: low byte, waiting for the high one */
	uint8_t latched;  /* bytes of `latch` that are still to be read */
	bool has_status;  /* `status` is read first */
	uint8_t status;	  /* latched by the read-back command */
	uint16_t latch;	  /* the count, as latched */
	uint32_t count;	  /* 1 .. 65536 */
	uint32_t next;	  /* modes 2, 3: count from the next period on; 0 */
	uint64_t start;	  /* tick at which the count began */
	uint64_t elapsed; /* gate low, modes 0 and 4: ticks counted so far */
};

struct pit {
	uint64_t tsc_hz;
	struct pit_counter counter[3];
	uint8_t speaker;   /* port 0x61, bit 1 */
	uint64_t seen;	   /* tick up to which edges have been reported */
	uint64_t deadline; /* TSC of the next edge; TSC_NEVER */
};

void pit_reset(struct pit *p, uint64_t tsc_hz);

/* Ports 0x40 .. 0x43: reg 0 .. 3. Edges up to `now` are to be taken first:
 * see pit_tick. */
uint8_t pit_in(struct pit *p, unsigned reg, uint64_t now);
void pit_out(struct pit *p, unsigned reg, uint8_t value, uint64_t now);

/* Port 0x61. */
uint8_t pit_port61_in(struct pit *p, uint64_t now);
void pit_port61_out(struct pit *p, uint8_t value, uint64_t now);

/* Counter 0's output. */
bool pit_output(struct pit *p, uint64_t now);

/* True when counter 0's output has risen since it was last called; edges
 * that were missed count as one. Sets the next deadline. */
bool pit_tick(struct pit *p, uint64_t now);

#endif

/*
 * The board's wires: from a device's output to the interrupt controllers,
 * and from the devices' deadlines to the board's. For board*.c only.
 */
#ifndef HV_DEV_BOARD_WIRE_H
#define HV_DEV_BOARD_WIRE_H

#include "dev/board.h"

/* An interrupt line changes: ISA 0 .. 15, I/O APIC pins 16 .. 23. */
void board_wire_irq(struct board *b, unsigned irq, bool asserted);

/* The PIC's registers were touched: its output may have changed. */
void board_wire_pic(struct board *b);

/* The UART's line has moved. */
void board_wire_uart(struct board *b);

/* After an access to a device: its line, and the deadline. */
void board_wire_rtc(struct board *b);
void board_wire_pm(struct board *b);

/* PIT edges up to `now`. */
void board_wire_pit(struct board *b, uint64_t now);

/* The earliest deadline of all devices. */
void board_wire_deadline(struct board *b);

static inline uint64_t board_now(const struct board *b)
{
	return b->host.now(b->host.ctx);
}

#endif

/*
 * The serial port: a 16550A with 16-byte FIFOs, as National's PC16550D data
 * sheet describes it. What is sent leaves at once, so the transmitter is
 * always empty; what is received waits here until the guest reads it.
 *
 * Pure: the caller sends the bytes that uart_out reports, and copies `line`
 * to the interrupt controllers after each call (see uart_line_take).
 */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO 16

struct uart {
	uint8_t ier, lcr, mcr, scr;
	uint8_t dll, dlm;  /* the divisor: stored, it slows nothing */
	uint8_t msr_delta; /* MSR bits 0-3: changed since last read */
	uint8_t overrun;   /* LSR bit 1, or 0 */
	bool fifo;	   /* FCR bit 0 */
	uint8_t trigger;   /* bytes that raise "received data" */
	bool thre;	   /* "transmitter empty" not yet acknowledged */
	uint8_t rx[UART_FIFO];
	uint8_t rx_head, rx_count;
	bool line;  /* interrupt output, as gated by OUT2 */
	bool dip;   /* it was low for a moment since uart_line_take */
	bool taken; /* the level last handed out */
};

/* What the pin did since the last look. */
enum uart_edge {
	UART_LINE_SAME,
	UART_LINE_LOW,
	UART_LINE_HIGH,
	UART_LINE_PULSE, /* low, then high again: a new edge */
};

void uart_reset(struct uart *u);

/* reg: 0 .. 7. */
uint8_t uart_in(struct uart *u, unsigned reg);

/* True: `value` is a byte that leaves on the wire now. */
bool uart_out(struct uart *u, unsigned reg, uint8_t value);

/* A byte arrives. False: the FIFO is full, offer it again later. */
bool uart_receive(struct uart *u, uint8_t byte);

enum uart_edge uart_line_take(struct uart *u);

/* False: uart_line_take would answer UART_LINE_SAME. */
static inline bool uart_line_moved(const struct uart *u)
{
	return u->line != u->taken || u->dip;
}

#endif

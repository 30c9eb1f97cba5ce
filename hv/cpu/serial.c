/*
 * See serial.h. Output polls the line status; once the holding register is
 * empty a UART with FIFOs takes 16 bytes without another look (National
 * Semiconductor PC16550D data sheet, 8.4).
 */
#include "cpu/serial.h"

#include <stdbool.h>

#include "cpu/cpu.h"

enum {
	DATA = 0,
	IER = 1,
	IIR_FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
};
#define IER_RECEIVED   0x01
#define IIR_FIFOS_ON   0xc0
#define FCR_ON_CLEARED 0x07
#define LCR_8N1	       0x03
#define LCR_DLAB       0x80
#define MCR_DTR_RTS    0x03
#define MCR_OUT2       0x08 /* lets the interrupt line through, on a PC */
#define LSR_DATA       0x01
#define LSR_THR_EMPTY  0x20
#define LSR_ALL_SENT   0x40 /* the shift register too */

#define FIFO_BYTES 16
#define RING_BYTES 1024 /* a power of two */

/* How often a busy transmitter is looked at: what it holds it can send in a
 * thousand looks, but an emulated one is busy as long as the other end does
 * not read. So that is waited for, for a minute or so; then bytes are lost, at
 * one look each, until the transmitter is empty again. */
#define POLLS_MAX 100000000

struct uart {
	uint16_t port;
	uint8_t burst;		  /* bytes that fit in an empty transmitter */
	uint8_t room;		  /* of those, not yet used */
	bool deserted;		  /* was busy for all that time */
	uint32_t in, out;	  /* of the ring */
	uint8_t ring[RING_BYTES]; /* what was received */
};

static struct uart com1 = { .port = 0x3f8 };
static struct uart com2 = { .port = 0x2f8 };

static void uart_init(struct uart *u)
{
	outb((uint16_t)(u->port + IER), 0);
	outb((uint16_t)(u->port + LCR), LCR_DLAB);
	outb((uint16_t)(u->port + DATA), 1); /* divisor 1: 115200 */
	outb((uint16_t)(u->port + IER), 0);
	outb((uint16_t)(u->port + LCR), LCR_8N1);
	outb((uint16_t)(u->port + IIR_FCR), FCR_ON_CLEARED);
	outb((uint16_t)(u->port + MCR), MCR_DTR_RTS | MCR_OUT2);
	outb((uint16_t)(u->port + IER), IER_RECEIVED);
	u->burst = 1;
	if ((inb((uint16_t)(u->port + IIR_FCR)) & IIR_FIFOS_ON) == IIR_FIFOS_ON)
		u->burst = FIFO_BYTES;
	u->room = 0;
}

/* A port with nothing behind it reads 0xff, which looks empty: no wait. */
static bool uart_wait(struct uart *u, uint8_t status)
{
	uint32_t polls = u->deserted ? 1 : POLLS_MAX;

	for (u->deserted = true; polls && u->deserted; polls--) {
		u->deserted = !(inb((uint16_t)(u->port + LSR)) & status);
		cpu_relax();
	}
	if (!u->deserted)
		u->room = u->burst;
	return !u->deserted;
}

static void uart_write(struct uart *u, uint8_t byte)
{
	if (u->room == 0 && !uart_wait(u, LSR_THR_EMPTY))
		return;
	u->room--;
	outb((uint16_t)(u->port + DATA), byte);
}

void serial_init(void)
{
	uart_init(&com1);
	uart_init(&com2);
}

void serial_drain(void)
{
	uart_wait(&com1, LSR_ALL_SENT);
	uart_wait(&com2, LSR_ALL_SENT);
}

void host_console_write(uint8_t byte)
{
	uart_write(&com1, byte);
}

void report_write(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		uart_write(&com2, (uint8_t)text[i]);
}

static int uart_read(struct uart *u)
{
	uint8_t byte;

	if (u->out == u->in)
		return -1;
	byte = u->ring[u->out % RING_BYTES];
	u->out++;
	return byte;
}

int host_console_read(void)
{
	return uart_read(&com1);
}

int report_read(void)
{
	return uart_read(&com2);
}

/* Bounded by the FIFO and a margin: a stuck line status must not hold us. */
static void uart_take(struct uart *u)
{
	int i;
	uint8_t status, byte;

	for (i = 0; i < 4 * FIFO_BYTES; i++) {
		status = inb((uint16_t)(u->port + LSR));
		if (!(status & LSR_DATA) || status == 0xff)
			return;
		byte = inb((uint16_t)(u->port + DATA));
		if (u->in - u->out == RING_BYTES)
			continue;
		u->ring[u->in % RING_BYTES] = byte;
		u->in++;
	}
}

void serial_take_console(void)
{
	uart_take(&com1);
}

void serial_take_report(void)
{
	uart_take(&com2);
}

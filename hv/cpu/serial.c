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

#define FIFO_BYTES 16
#define POLLS_MAX  200000
#define RING_BYTES 1024 /* a power of two */

struct uart {
	uint16_t port;
	uint8_t burst; /* bytes that fit when the transmitter is empty */
	uint8_t room;  /* of those, not yet used */
};

static struct uart com1 = { .port = 0x3f8 };
static struct uart com2 = { .port = 0x2f8 };

static struct {
	uint8_t byte[RING_BYTES];
	uint32_t in, out;
} ring;

static void uart_init(struct uart *u, uint8_t ier)
{
	outb((uint16_t)(u->port + IER), 0);
	outb((uint16_t)(u->port + LCR), LCR_DLAB);
	outb((uint16_t)(u->port + DATA), 1); /* divisor 1: 115200 */
	outb((uint16_t)(u->port + IER), 0);
	outb((uint16_t)(u->port + LCR), LCR_8N1);
	outb((uint16_t)(u->port + IIR_FCR), FCR_ON_CLEARED);
	outb((uint16_t)(u->port + MCR), MCR_DTR_RTS | MCR_OUT2);
	outb((uint16_t)(u->port + IER), ier);
	u->burst = 1;
	if ((inb((uint16_t)(u->port + IIR_FCR)) & IIR_FIFOS_ON) == IIR_FIFOS_ON)
		u->burst = FIFO_BYTES;
	u->room = 0;
}

/* A port with nothing behind it reads 0xff, which looks empty: no wait. */
static bool uart_wait(struct uart *u)
{
	uint32_t i;

	for (i = 0; i < POLLS_MAX; i++) {
		if (inb((uint16_t)(u->port + LSR)) & LSR_THR_EMPTY) {
			u->room = u->burst;
			return true;
		}
		cpu_relax();
	}
	return false;
}

static void uart_write(struct uart *u, uint8_t byte)
{
	if (u->room == 0 && !uart_wait(u))
		return;
	u->room--;
	outb((uint16_t)(u->port + DATA), byte);
}

void serial_init(void)
{
	uart_init(&com1, IER_RECEIVED);
	uart_init(&com2, 0);
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

int host_console_read(void)
{
	uint8_t byte;

	if (ring.out == ring.in)
		return -1;
	byte = ring.byte[ring.out % RING_BYTES];
	ring.out++;
	return byte;
}

/* Bounded by the FIFO and a margin: a stuck line status must not hold us. */
void serial_take_input(void)
{
	int i;
	uint8_t status, byte;

	for (i = 0; i < 4 * FIFO_BYTES; i++) {
		status = inb((uint16_t)(com1.port + LSR));
		if (!(status & LSR_DATA) || status == 0xff)
			return;
		byte = inb((uint16_t)(com1.port + DATA));
		if (ring.in - ring.out == RING_BYTES)
			continue;
		ring.byte[ring.in % RING_BYTES] = byte;
		ring.in++;
	}
}

/*
 * The 16550A: PC16550D data sheet, section 8 (registers) and table 4
 * (interrupt priorities).
 *
 *   reg  DLAB=0 read  DLAB=0 write  DLAB=1
 *   0    RBR          THR           DLL
 *   1    IER          IER           DLM
 *   2    IIR          FCR           IIR / FCR
 *   3    LCR   4 MCR   5 LSR   6 MSR   7 SCR
 *
 * The "transmitter empty" interrupt is an event, not a level: it comes when
 * THR has become empty and when it is enabled while THR is empty; it goes
 * when IIR has reported it or THR is written. As sending takes no time, a
 * write to THR makes it go and come again: the pin dips.
 *
 * Received bytes below the FIFO's trigger level are announced at once as
 * "character timeout": the line behind us falls idle after every byte.
 */
#include "dev/uart.h"

#include <string.h>

#define IER_RDA	 0x01 /* received data, and character timeout */
#define IER_THRE 0x02
#define IER_RLS	 0x04 /* receiver line status */
#define IER_MS	 0x08 /* modem status */
#define IER_ALL	 0x0f

#define IIR_MS	    0x00
#define IIR_NONE    0x01
#define IIR_THRE    0x02
#define IIR_RDA	    0x04
#define IIR_RLS	    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02

#define LCR_DLAB 0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL	 0x1f

#define LSR_DR	  0x01
#define LSR_OE	  0x02
#define LSR_EMPTY 0x60 /* THRE and TEMT */

#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI	0x40
#define MSR_DCD 0x80

static unsigned source(const struct uart *u)
{
	if ((u->ier & IER_RLS) && u->overrun)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->rx_count >= u->trigger)
		return IIR_RDA;
	if ((u->ier & IER_RDA) && u->rx_count)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre)
		return IIR_THRE;
	if ((u->ier & IER_MS) && u->msr_delta)
		return IIR_MS;
	return IIR_NONE;
}

/* On a PC, OUT2 gates the interrupt pin; loopback takes OUT2 off its pin. */
static void drive(struct uart *u)
{
	bool gate = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	u->line = gate && source(u) != IIR_NONE;
	/* Low now, so that a rise before the next look is a new edge. */
	if (!u->line && u->taken)
		u->dip = true;
}

void uart_reset(struct uart *u)
{
	memset(u, 0, sizeof(*u));
	u->trigger = 1;
	u->thre = true;
}

static uint8_t modem_lines(const struct uart *u)
{
	uint8_t msr = 0;

	/* A cable to a machine that is always ready. */
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	msr |= u->mcr & MCR_RTS ? MSR_CTS : 0;
	msr |= u->mcr & MCR_DTR ? MSR_DSR : 0;
	msr |= u->mcr & MCR_OUT1 ? MSR_RI : 0;
	msr |= u->mcr & MCR_OUT2 ? MSR_DCD : 0;
	return msr;
}

static uint8_t read_data(struct uart *u)
{
	uint8_t byte;

	if (!u->rx_count)
		return 0;
	byte = u->rx[u->rx_head];
	u->rx_head = (uint8_t)((u->rx_head + 1) % UART_FIFO);
	u->rx_count--;
	drive(u);
	return byte;
}

static uint8_t read_iir(struct uart *u)
{
	unsigned id = source(u);

	if (id == IIR_THRE) {
		u->thre = false;
		drive(u);
	}
	return (uint8_t)(id | (u->fifo ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct uart *u)
{
	uint8_t lsr = (uint8_t)(LSR_EMPTY | u->overrun);

	if (u->rx_count)
		lsr |= LSR_DR;
	if (u->overrun) {
		u->overrun = 0;
		drive(u);
	}
	return lsr;
}

static uint8_t read_msr(struct uart *u)
{
	uint8_t msr = (uint8_t)(modem_lines(u) | u->msr_delta);

	u->msr_delta = 0;
	drive(u);
	return msr;
}

uint8_t uart_in(struct uart *u, unsigned reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case 0:
		return dlab ? u->dll : read_data(u);
	case 1:
		return dlab ? u->dlm : u->ier;
	case 2:
		return read_iir(u);
	case 3:
		return u->lcr;
	case 4:
		return u->mcr;
	case 5:
		return read_lsr(u);
	case 6:
		return read_msr(u);
	default:
		return u->scr;
	}
}

static bool store(struct uart *u, uint8_t byte)
{
	unsigned room = u->fifo ? UART_FIFO : 1;

	if (u->rx_count >= room)
		return false;
	u->rx[(u->rx_head + u->rx_count) % UART_FIFO] = byte;
	u->rx_count++;
	drive(u);
	return true;
}

bool uart_receive(struct uart *u, uint8_t byte)
{
	/* Loopback takes the receiver off the wire: the byte has to wait. */
	if (u->mcr & MCR_LOOP)
		return false;
	return store(u, byte);
}

static bool write_data(struct uart *u, uint8_t byte)
{
	bool wire = !(u->mcr & MCR_LOOP);

	if (!wire && !store(u, byte))
		u->overrun = LSR_OE;
	u->thre = true;
	if (u->ier & IER_THRE)
		u->dip = true;
	if (u->ier)
		drive(u);
	return wire;
}

static void write_ier(struct uart *u, uint8_t value)
{
	uint8_t enabled = (uint8_t)(value & ~u->ier);

	u->ier = value & IER_ALL;
	if (enabled & IER_THRE)
		u->thre = true;
	drive(u);
}

static void write_fcr(struct uart *u, uint8_t value)
{
	static const uint8_t trigger[4] = { 1, 4, 8, 14 };
	bool fifo = value & FCR_ENABLE;

	if (fifo != u->fifo || (fifo && (value & FCR_CLEAR_RX)))
		u->rx_count = 0;
	u->fifo = fifo;
	/* The other bits are written only with bit 0 set. */
	u->trigger = fifo ? trigger[value >> 6] : 1;
	drive(u);
}

static void write_mcr(struct uart *u, uint8_t value)
{
	unsigned before = modem_lines(u);
	unsigned changed;

	u->mcr = value & MCR_ALL;
	changed = before ^ modem_lines(u);
	/* TERI: the ring indicator's trailing edge only. */
	changed &= before | (0xffu ^ MSR_RI);
	u->msr_delta = (uint8_t)(u->msr_delta | changed >> 4);
	drive(u);
}

bool uart_out(struct uart *u, unsigned reg, uint8_t value)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case 0:
		if (!dlab)
			return write_data(u, value);
		u->dll = value;
		break;
	case 1:
		if (dlab)
			u->dlm = value;
		else
			write_ier(u, value);
		break;
	case 2:
		write_fcr(u, value);
		break;
	case 3:
		u->lcr = value;
		break;
	case 4:
		write_mcr(u, value);
		break;
	case 7:
		u->scr = value;
		break;
	default: /* LSR and MSR: writes are for factory tests only */
		break;
	}
	return false;
}

enum uart_edge uart_line_take(struct uart *u)
{
	bool was = u->taken;
	bool dip = u->dip;

	u->taken = u->line;
	u->dip = false;
	if (was && u->line)
		return dip ? UART_LINE_PULSE : UART_LINE_SAME;
	if (was == u->line)
		return UART_LINE_SAME;
	return u->line ? UART_LINE_HIGH : UART_LINE_LOW;
}

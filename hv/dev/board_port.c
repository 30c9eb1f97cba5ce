/*
 * I/O ports. A wide access to devices that have byte registers is made byte
 * by byte, as the ISA bridge does it; the few wide registers come first.
 */
#include "dev/board.h"
#include "dev/board_wire.h"

#define UART_BASE    0x3f8u
#define UART_PORTS   8u
#define PORT_8042    0x64
#define PORT_A20     0x92
#define PORT_RESET   0xcf9
#define PORT_STORE   0xe0
#define PORT_FLUSH   0xe4
#define PORT_EXIT    0xf4
#define PORT_FW_KEY  0x510
#define PORT_FW_DATA 0x511
#define PORT_PM_END  (PM_PORT_TIMER + 4)
#define PORT_LINES   0x2000u
#define LINES	     IOAPIC_PINS

#define PULSE_RESET 0xfe /* 8042 command: pull the reset line */
#define A20_RESET   0x01
#define A20_ON	    0x02
#define RESET_CPU   0x04 /* 0xcf9: a rising edge resets */

static void end(struct board *b, enum board_end how, uint32_t code)
{
	if (b->end != BOARD_RUNNING)
		return;
	b->end = how;
	b->end_code = code;
}

static bool is_pm(uint16_t port)
{
	return port >= PM_PORT_EVENT && port < PORT_PM_END;
}

static uint32_t mask_of(unsigned size)
{
	return size >= 4 ? UINT32_MAX : (UINT32_C(1) << 8 * size) - 1;
}

/* ACPI: 16-bit registers, and the timer's 32 bits, of which any part. */
static uint32_t pm_read(struct board *b, uint16_t port, unsigned size)
{
	uint64_t now = board_now(b);
	uint64_t value;

	if (port >= PM_PORT_TIMER) {
		value = pm_timer(&b->pm, now) >> 8 * (port & 3);
	} else {
		value = pm_in(&b->pm, port & ~1u, now);
		/* Status and enable in one. */
		if (port == PM_PORT_EVENT && size == 4)
			value |= (uint64_t)pm_in(&b->pm, port + 2u, now) << 16;
		value >>= 8 * (port & 1);
	}
	board_wire_pm(b);
	return (uint32_t)value & mask_of(size);
}

static void pm_write_half(struct board *b, unsigned port, uint32_t value,
			  uint64_t now)
{
	if (pm_out(&b->pm, port, (uint16_t)value, now))
		end(b, BOARD_POWEROFF, 0);
}

static void pm_write(struct board *b, uint16_t port, unsigned size,
		     uint32_t value)
{
	uint64_t now = board_now(b);
	unsigned reg = port & ~1u;
	unsigned shift = 8 * (port & 1);
	uint32_t keep = 0;

	/* The timer is read-only. */
	if (port >= PM_PORT_TIMER)
		return;
	/* One byte of a register: the other stays. In the status register
	 * that is written as 0, which clears nothing. */
	if (size == 1 && reg != PM_PORT_EVENT)
		keep = pm_in(&b->pm, reg, now) & ~(UINT32_C(0xff) << shift);
	pm_write_half(b, reg, value << shift | keep, now);
	if (size == 4 && port == PM_PORT_EVENT)
		pm_write_half(b, reg + 2, value >> 16, now);
	board_wire_pm(b);
}

static uint8_t pit_read(struct board *b, unsigned reg)
{
	uint64_t now = board_now(b);
	uint8_t value;

	board_wire_pit(b, now);
	value = pit_in(&b->pit, reg, now);
	board_wire_deadline(b);
	return value;
}

static void pit_write(struct board *b, unsigned reg, uint8_t value)
{
	uint64_t now = board_now(b);

	board_wire_pit(b, now);
	pit_out(&b->pit, reg, value, now);
	/* A new mode puts the output to its initial level. */
	if (reg == 3)
		board_wire_irq(b, 0, pit_output(&b->pit, now));
	board_wire_deadline(b);
}

static uint8_t rtc_read(struct board *b, unsigned a0)
{
	uint8_t value = rtc_in(&b->rtc, a0, board_now(b));

	board_wire_rtc(b);
	return value;
}

static void rtc_write(struct board *b, unsigned a0, uint8_t value)
{
	rtc_out(&b->rtc, a0, value, board_now(b));
	board_wire_rtc(b);
}

static uint8_t pic_read(struct board *b, unsigned chip, unsigned a0)
{
	uint8_t value = pic_in(&b->pic, chip, a0);

	board_wire_pic(b);
	return value;
}

static void pic_write(struct board *b, unsigned chip, unsigned a0,
		      uint8_t value)
{
	pic_out(&b->pic, chip, a0, value);
	board_wire_pic(b);
}

static uint8_t uart_read(struct board *b, unsigned reg)
{
	uint8_t value = uart_in(&b->uart, reg);

	if (uart_line_moved(&b->uart))
		board_wire_uart(b);
	return value;
}

static void uart_write(struct board *b, unsigned reg, uint8_t value)
{
	if (uart_out(&b->uart, reg, value))
		b->host.console_out(b->host.ctx, value);
	if (uart_line_moved(&b->uart))
		board_wire_uart(b);
}

static uint8_t in_byte(struct board *b, uint16_t port)
{
	switch (port) {
	case 0x20:
	case 0x21:
		return pic_read(b, 0, port & 1);
	case 0xa0:
	case 0xa1:
		return pic_read(b, 1, port & 1);
	case 0x40:
	case 0x41:
	case 0x42:
	case 0x43:
		return pit_read(b, port & 3);
	case 0x61:
		return pit_port61_in(&b->pit, board_now(b));
	case 0x70:
	case 0x71:
		return rtc_read(b, port & 1);
	case PORT_A20:
		return A20_ON;
	case 0x4d0:
	case 0x4d1:
		return pic_elcr_in(&b->pic, port & 1);
	case PORT_RESET:
		return b->reset_control;
	case PORT_STORE:
	case PORT_STORE + 1:
	case PORT_STORE + 2:
	case PORT_STORE + 3:
		return (uint8_t)(b->test_store >> 8 * (port & 3));
	case PORT_FW_DATA:
		return fwcfg_next(&b->fwcfg);
	default:
		return 0xff;
	}
}

uint32_t board_in(struct board *b, unsigned cpu, uint16_t port, unsigned size)
{
	uint32_t value = 0;

	(void)cpu;
	if (size == 1 && port - UART_BASE < UART_PORTS)
		return uart_read(b, port - UART_BASE);
	if (is_pm(port))
		return pm_read(b, port, size);
	if (port == PCI_PORT_ADDRESS && size == 4)
		return b->pci.address;
	if (port >= PCI_PORT_DATA && port + size <= PCI_PORT_DATA + 4)
		return pci_data_in(&b->pci, port, size);
	for (unsigned i = 0; i < size; i++) {
		uint16_t at = (uint16_t)(port + i);
		uint8_t byte = at - UART_BASE < UART_PORTS
				       ? uart_read(b, at - UART_BASE)
				       : in_byte(b, at);

		value |= (uint32_t)byte << 8 * i;
	}
	return value;
}

static void reset_control(struct board *b, uint8_t value)
{
	bool rises = value & ~b->reset_control & RESET_CPU;

	b->reset_control = value;
	if (rises)
		end(b, BOARD_RESET, 0);
}

static void out_byte(struct board *b, uint16_t port, uint8_t value)
{
	switch (port) {
	case 0x20:
	case 0x21:
		pic_write(b, 0, port & 1, value);
		break;
	case 0xa0:
	case 0xa1:
		pic_write(b, 1, port & 1, value);
		break;
	case 0x40:
	case 0x41:
	case 0x42:
	case 0x43:
		pit_write(b, port & 3, value);
		break;
	case 0x61:
		pit_port61_out(&b->pit, value, board_now(b));
		break;
	case 0x70:
	case 0x71:
		rtc_write(b, port & 1, value);
		break;
	case 0x4d0:
	case 0x4d1:
		pic_elcr_out(&b->pic, port & 1, value);
		board_wire_pic(b);
		break;
	case PORT_8042:
		if (value == PULSE_RESET)
			end(b, BOARD_RESET, 0);
		break;
	case PORT_A20:
		if (value & A20_RESET)
			end(b, BOARD_RESET, 0);
		break;
	case PORT_RESET:
		reset_control(b, value);
		break;
	case PORT_STORE:
	case PORT_STORE + 1:
	case PORT_STORE + 2:
	case PORT_STORE + 3:
		b->test_store &= ~(UINT32_C(0xff) << 8 * (port & 3));
		b->test_store |= (uint32_t)value << 8 * (port & 3);
		break;
	default:
		break;
	}
}

/* Registers that take their whole width at once. */
static bool out_wide(struct board *b, uint16_t port, unsigned size,
		     uint32_t value)
{
	if (port == PORT_EXIT) {
		end(b, BOARD_EXIT, value);
	} else if (port == PORT_FW_KEY && size == 2) {
		fwcfg_select(&b->fwcfg, (uint16_t)value);
	} else if (port == PORT_FLUSH && size == 4 && b->host.page_flush) {
		b->host.page_flush(b->host.ctx, mk_gpa(value));
	} else if (port >= PORT_LINES && port - PORT_LINES < LINES) {
		board_wire_irq(b, port - PORT_LINES, value != 0);
	} else if (is_pm(port)) {
		pm_write(b, port, size, value);
	} else if (port == PCI_PORT_ADDRESS && size == 4) {
		pci_address_out(&b->pci, value);
	} else {
		return false;
	}
	return true;
}

void board_out(struct board *b, unsigned cpu, uint16_t port, unsigned size,
	       uint32_t value)
{
	(void)cpu;
	value &= mask_of(size);
	if (size == 1 && port - UART_BASE < UART_PORTS) {
		uart_write(b, port - UART_BASE, (uint8_t)value);
		return;
	}
	if (out_wide(b, port, size, value))
		return;
	for (unsigned i = 0; i < size; i++) {
		uint16_t at = (uint16_t)(port + i);
		uint8_t byte = (uint8_t)(value >> 8 * i);

		if (at - UART_BASE < UART_PORTS)
			uart_write(b, at - UART_BASE, byte);
		else
			out_byte(b, at, byte);
	}
}

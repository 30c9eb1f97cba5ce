/*
 * Lines and deadlines. Every ISA interrupt reaches the PIC and the I/O APIC;
 * the guest masks the one that it does not use. The PIC's INT goes to every
 * local APIC's LINT0: as ExtINT it is looked at in board_pending, in other
 * delivery modes its rising edge is the event.
 */
#include "dev/board_wire.h"

#define IRQ_TIMER 0
#define IRQ_UART  4
#define IRQ_RTC	  8
#define TIMER_PIN 2 /* the I/O APIC's pin 0 is not wired, as on a PC */

void board_wire_pic(struct board *b)
{
	bool was = b->pic_int;

	b->pic_int = pic_pending(&b->pic) >= 0;
	for (unsigned i = 0; i < b->apic.cpus; i++) {
		struct lapic *l = &b->apic.cpu[i];

		l->stale = true;
		if (b->pic_int && !was)
			lapic_local(l, LAPIC_LINT0);
	}
}

void board_wire_irq(struct board *b, unsigned irq, bool asserted)
{
	if (irq < 16) {
		pic_set(&b->pic, irq, asserted);
		board_wire_pic(b);
	}
	ioapic_set(&b->apic, irq == IRQ_TIMER ? TIMER_PIN : irq, asserted);
}

static void pulse(struct board *b, unsigned irq)
{
	board_wire_irq(b, irq, false);
	board_wire_irq(b, irq, true);
}

void board_wire_uart(struct board *b)
{
	switch (uart_line_take(&b->uart)) {
	case UART_LINE_LOW:
		board_wire_irq(b, IRQ_UART, false);
		break;
	case UART_LINE_HIGH:
		board_wire_irq(b, IRQ_UART, true);
		break;
	case UART_LINE_PULSE:
		pulse(b, IRQ_UART);
		break;
	case UART_LINE_SAME:
		break;
	}
}

static bool line_is(const struct board *b, unsigned irq)
{
	return b->apic.ioapic.lines >> irq & 1;
}

void board_wire_rtc(struct board *b)
{
	if (b->rtc.line != line_is(b, IRQ_RTC))
		board_wire_irq(b, IRQ_RTC, b->rtc.line);
	board_wire_deadline(b);
}

void board_wire_pm(struct board *b)
{
	if (b->pm.line != line_is(b, PM_SCI))
		board_wire_irq(b, PM_SCI, b->pm.line);
	board_wire_deadline(b);
}

void board_wire_pit(struct board *b, uint64_t now)
{
	if (pit_tick(&b->pit, now))
		pulse(b, IRQ_TIMER);
}

void board_wire_deadline(struct board *b)
{
	uint64_t first = b->pit.deadline;

	if (b->rtc.deadline < first)
		first = b->rtc.deadline;
	if (b->pm.deadline < first)
		first = b->pm.deadline;
	for (unsigned i = 0; i < b->apic.cpus; i++)
		if (b->apic.cpu[i].timer.deadline < first)
			first = b->apic.cpu[i].timer.deadline;
	b->deadline = first;
}

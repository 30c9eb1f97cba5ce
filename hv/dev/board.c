/*
 * The board as a whole: its start, its time, its interrupts, its end. Ports
 * are in board_port.c, memory and MSRs in board_reg.c.
 */
#include "dev/board.h"

#include <string.h>

#include "dev/board_wire.h"
#include "dev/lapic_timer.h"
#include "dev/tsc.h"

void board_init(struct board *b, const struct board_config *config,
		const struct board_host *host)
{
	const uint64_t hz = config->tsc_khz * 1000;
	const struct rtc_config rtc = {
		.tsc_hz = hz,
		.epoch_sec = host->epoch_sec,
		.epoch_nsec = host->epoch_nsec,
		.ram_size = config->ram_size,
	};

	memset(b, 0, sizeof(*b));
	b->host = *host;
	b->config = *config;
	if (!b->config.maxphyaddr)
		b->config.maxphyaddr = 52;
	apic_bus_reset(&b->apic, config->cpus, hz);
	uart_reset(&b->uart);
	pic_reset(&b->pic);
	pit_reset(&b->pit, hz);
	rtc_reset(&b->rtc, &rtc);
	pm_reset(&b->pm, hz);
	fwcfg_reset(&b->fwcfg, config->ram_size, config->cpus);
	b->clock.rate = kvmclock_rate(config->tsc_khz);
	b->deadline = TSC_NEVER;
}

void board_tick(struct board *b, uint64_t now)
{
	if (now >= b->pit.deadline)
		board_wire_pit(b, now);
	if (now >= b->rtc.deadline) {
		rtc_tick(&b->rtc, now);
		board_wire_rtc(b);
	}
	if (now >= b->pm.deadline) {
		pm_tick(&b->pm, now);
		board_wire_pm(b);
	}
	for (unsigned i = 0; i < b->apic.cpus; i++)
		lapic_tick(&b->apic.cpu[i], now);
	board_wire_deadline(b);
}

static bool from_pic(const struct board *b, unsigned cpu)
{
	return b->pic_int && lapic_takes_pic(&b->apic.cpu[cpu]);
}

int board_pending_find(struct board *b, unsigned cpu)
{
	struct lapic *l = &b->apic.cpu[cpu];

	/* ExtINT is not subject to the processor priority: SDM 3A 11.5.1. */
	l->answer = (int16_t)(from_pic(b, cpu) ? pic_pending(&b->pic)
					       : lapic_pending(l));
	l->stale = false;
	return l->answer;
}

int board_ack(struct board *b, unsigned cpu)
{
	int vector;

	if (!from_pic(b, cpu))
		return lapic_take(&b->apic.cpu[cpu]);
	vector = pic_ack(&b->pic);
	board_wire_pic(b);
	return vector;
}

enum board_startup board_startup(struct board *b, unsigned cpu, uint8_t *vector)
{
	struct lapic *l = &b->apic.cpu[cpu];

	if (l->init) {
		l->init = false;
		return BOARD_STARTUP_INIT;
	}
	if (!l->startup)
		return BOARD_STARTUP_NONE;
	l->startup = false;
	*vector = l->startup_vector;
	return BOARD_STARTUP_SIPI;
}

bool board_console_in(struct board *b, uint8_t byte)
{
	bool taken = uart_receive(&b->uart, byte);

	board_wire_uart(b);
	return taken;
}

enum board_end board_end(const struct board *b, uint32_t *code)
{
	if (b->end == BOARD_EXIT)
		*code = b->end_code;
	return b->end;
}

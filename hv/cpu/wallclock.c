/*
 * The MC146818's time registers: BCD or binary, 12 or 24 hours (data sheet,
 * register B). Read until two readings agree, so that none is torn by an
 * update; boundedly, for a machine without the chip.
 */
#include "cpu/wallclock.h"

#include "cpu/cpu.h"
#include "dev/calendar.h"

#include <stdbool.h>

#define PORT_INDEX 0x70
#define PORT_DATA  0x71
#define NMI_OFF	   0x80
#define REG_B	   0x0b
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define HOUR_PM	   0x80

struct reading {
	uint8_t second, minute, hour, day, month, year;
};

static uint8_t cmos(uint8_t reg)
{
	outb(PORT_INDEX, reg | NMI_OFF);
	return inb(PORT_DATA);
}

static struct reading take(void)
{
	return (struct reading){ cmos(0), cmos(2), cmos(4),
				 cmos(7), cmos(8), cmos(9) };
}

static bool same(const struct reading *a, const struct reading *b)
{
	return a->second == b->second && a->minute == b->minute &&
	       a->hour == b->hour && a->day == b->day && a->month == b->month &&
	       a->year == b->year;
}

static unsigned plain(uint8_t value, bool binary)
{
	return binary ? value : (value >> 4) * 10u + (value & 15u);
}

static unsigned hour_of(const struct reading *r, uint8_t mode)
{
	unsigned hour = plain(r->hour & (uint8_t)~HOUR_PM, mode & B_BINARY);

	if (mode & B_24_HOURS)
		return hour;
	return hour % 12 + (r->hour & HOUR_PM ? 12 : 0);
}

uint64_t wallclock_read(void)
{
	struct reading a = take(), b = take();
	uint8_t mode = cmos(REG_B);
	bool binary = mode & B_BINARY;
	struct date date;

	for (int i = 0; i < 1000 && !same(&a, &b); i++) {
		a = b;
		b = take();
	}
	date = (struct date){ 2000 + (int32_t)plain(b.year, binary),
			      plain(b.month, binary), plain(b.day, binary) };
	return (uint64_t)calendar_days(&date) * 86400 +
	       hour_of(&b, mode) * 3600u + plain(b.minute, binary) * 60u +
	       plain(b.second, binary);
}

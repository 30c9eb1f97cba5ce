/*
 * The MC146818A: Motorola data sheet, "Address map", "Interrupts", "Update
 * cycle"; memory sizes at the addresses that PC firmware uses.
 *
 *   0 s, 2 min, 4 h, 6 weekday, 7 day, 8 month, 9 year, 0x32 century
 *   1, 3, 5 the same as alarm; A: UIP, rate; B: modes, enables; C: flags
 *
 * All is derived from one number, the ticks of 32768 Hz since 1970. A
 * periodic flag is due when ticks / period has changed since register C was
 * last brought up to date, an update flag when the second has, an alarm flag
 * when a matching second lies between. While the line is high nothing
 * further can happen to it, so there is no deadline: a guest that does not
 * read register C costs nothing.
 *
 * The divider bits do not stop the clock: guests set them only around
 * setting the time.
 */
#include "dev/rtc.h"

#include <string.h>

#include "dev/calendar.h"
#include "dev/rtc_alarm.h"
#include "dev/tsc.h"

#define REG_A	    10
#define REG_B	    11
#define REG_C	    12
#define REG_D	    13
#define REG_CENTURY 0x32

#define A_UIP	  0x80
#define A_RATE	  0x0f
#define A_DEFAULT 0x26 /* 32768 Hz base, 1024 Hz rate */
#define B_SET	  0x80
#define B_BINARY  0x04
#define B_24H	  0x02
#define FLAG_IRQ  0x80 /* C; the three below are in B and in C alike */
#define FLAG_PER  0x40
#define FLAG_ALM  0x20
#define FLAG_UPD  0x10
#define FLAGS	  (FLAG_PER | FLAG_ALM | FLAG_UPD)
#define D_VALID	  0x80
#define PM	  0x80 /* 12-hour notation: bit 7 of the hour */

#define DAY 86400
/* Update-in-progress shows 244 microseconds ahead: 8 ticks. */
#define UIP_TICKS 8
#define KIB	  1024u

static uint64_t ticks(const struct rtc *r, uint64_t now)
{
	return r->epoch + tsc_to_ticks(now, r->tsc_hz, RTC_HZ);
}

static int64_t seconds(const struct rtc *r, uint64_t tick)
{
	return (int64_t)(tick / RTC_HZ) + r->skew;
}

static uint32_t second_of_day(int64_t s)
{
	int64_t d = s % DAY;

	return (uint32_t)(d < 0 ? d + DAY : d);
}

static uint8_t encode(const struct rtc *r, uint32_t v)
{
	if (r->cmos[REG_B] & B_BINARY)
		return (uint8_t)v;
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static uint32_t decode(const struct rtc *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_BINARY)
		return v;
	return (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode_hour(const struct rtc *r, uint32_t hour)
{
	uint32_t h = hour % 12;

	if (r->cmos[REG_B] & B_24H)
		return encode(r, hour);
	return (uint8_t)(encode(r, h ? h : 12) | (hour >= 12 ? PM : 0));
}

static uint32_t decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & 0x7f) % 12 + (v & PM ? 12 : 0);
}

/* Writes the time into its registers, unless the guest is setting them. */
static void show(struct rtc *r, uint64_t tick)
{
	int64_t s = seconds(r, tick);
	uint32_t t = second_of_day(s);
	int64_t days = (s - t) / DAY;
	struct date date = calendar_date(days);
	uint32_t weekday = (uint32_t)((days % 7 + 11 + r->weekday) % 7);

	if (r->cmos[REG_B] & B_SET)
		return;
	r->cmos[0] = encode(r, t % 60);
	r->cmos[2] = encode(r, t / 60 % 60);
	r->cmos[4] = encode_hour(r, t / 3600);
	r->cmos[6] = encode(r, weekday + 1);
	r->cmos[7] = encode(r, date.day);
	r->cmos[8] = encode(r, date.month);
	r->cmos[9] = encode(r, (uint32_t)(date.year % 100));
	r->cmos[REG_CENTURY] = encode(r, (uint32_t)(date.year / 100));
}

/* The registers are the time from this tick on. */
static void take(struct rtc *r, uint64_t tick)
{
	struct date date = {
		.year = (int32_t)(decode(r, r->cmos[REG_CENTURY]) * 100 +
				  decode(r, r->cmos[9])),
		.month = decode(r, r->cmos[8]),
		.day = decode(r, r->cmos[7]),
	};
	int64_t days = calendar_days(&date);
	int64_t s = days * DAY + decode_hour(r, r->cmos[4]) * 3600 +
		    decode(r, r->cmos[2]) * 60 + decode(r, r->cmos[0]);
	uint32_t weekday = (uint32_t)((days % 7 + 11) % 7);

	r->skew = s - (int64_t)(tick / RTC_HZ);
	r->weekday = (uint8_t)((decode(r, r->cmos[6]) + 13 - weekday) % 7);
}

/* Ticks between periodic flags; 0: off. Rates 1 and 2 repeat 8 and 9. */
static uint64_t period(const struct rtc *r)
{
	unsigned rate = r->cmos[REG_A] & A_RATE;

	if (rate == 0)
		return 0;
	return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint32_t alarm_field(const struct rtc *r, unsigned reg)
{
	uint8_t v = r->cmos[reg];

	if ((v & 0xc0) == 0xc0)
		return RTC_ALARM_ANY;
	return reg == 5 ? decode_hour(r, v) : decode(r, v);
}

/* The first tick after `tick` at which the alarm is due. */
static uint64_t alarm_tick(const struct rtc *r, uint64_t tick)
{
	struct rtc_alarm alarm = {
		.hour = alarm_field(r, 5),
		.minute = alarm_field(r, 3),
		.second = alarm_field(r, 1),
	};
	uint32_t delay =
		rtc_alarm_delay(&alarm, second_of_day(seconds(r, tick)));

	if (delay == RTC_ALARM_NEVER)
		return UINT64_MAX;
	return (tick / RTC_HZ + delay) * RTC_HZ;
}

/* Brings the flags of register C up to `tick`. */
static void settle(struct rtc *r, uint64_t tick)
{
	uint64_t p = period(r);
	uint8_t due = 0;

	if (p && tick / p != r->seen / p)
		due |= FLAG_PER;
	if (!(r->cmos[REG_B] & B_SET) && tick / RTC_HZ != r->seen / RTC_HZ) {
		due |= FLAG_UPD;
		if (alarm_tick(r, r->seen) <= tick)
			due |= FLAG_ALM;
	}
	r->cmos[REG_C] |= due;
	r->seen = tick;
}

static uint64_t next_tick(const struct rtc *r)
{
	uint8_t enabled = r->cmos[REG_B] & FLAGS;
	uint64_t p = period(r);
	uint64_t next = UINT64_MAX;
	uint64_t alarm;

	if ((enabled & FLAG_PER) && p)
		next = (r->seen / p + 1) * p;
	if (r->cmos[REG_B] & B_SET)
		return next;
	if ((enabled & FLAG_UPD) && (r->seen / RTC_HZ + 1) * RTC_HZ < next)
		next = (r->seen / RTC_HZ + 1) * RTC_HZ;
	if (enabled & FLAG_ALM) {
		alarm = alarm_tick(r, r->seen);
		next = alarm < next ? alarm : next;
	}
	return next;
}

/* The line and the deadline, from the flags and what is enabled. */
static void drive(struct rtc *r)
{
	uint64_t next;

	r->line = r->cmos[REG_B] & r->cmos[REG_C] & FLAGS;
	r->cmos[REG_C] &= FLAGS;
	r->cmos[REG_C] |= r->line ? FLAG_IRQ : 0;
	r->deadline = TSC_NEVER;
	if (r->line || !(r->cmos[REG_B] & FLAGS))
		return;
	next = next_tick(r);
	if (next != UINT64_MAX)
		r->deadline = tsc_of_tick(next - r->epoch, r->tsc_hz, RTC_HZ);
}

void rtc_tick(struct rtc *r, uint64_t now)
{
	settle(r, ticks(r, now));
	drive(r);
}

static void set_size(struct rtc *r, unsigned reg, uint64_t units,
		     unsigned bytes)
{
	uint64_t most = (UINT64_C(1) << 8 * bytes) - 1;

	if (units > most)
		units = most;
	for (unsigned i = 0; i < bytes; i++)
		r->cmos[reg + i] = (uint8_t)(units >> 8 * i);
}

/* Memory above `from`, in units of `unit` bytes. */
static uint64_t above(uint64_t ram_size, uint64_t from, uint64_t unit)
{
	return ram_size > from ? (ram_size - from) / unit : 0;
}

void rtc_reset(struct rtc *r, const struct rtc_config *config)
{
	memset(r, 0, sizeof(*r));
	r->tsc_hz = config->tsc_hz;
	r->epoch = config->epoch_sec * RTC_HZ +
		   tsc_muldiv(config->epoch_nsec, RTC_HZ, 1000000000);
	r->seen = r->epoch;
	r->cmos[REG_A] = A_DEFAULT;
	r->cmos[REG_B] = B_24H;
	set_size(r, 0x15, 640, 2);
	set_size(r, 0x17, above(config->ram_size, 1024 * KIB, KIB), 2);
	set_size(r, 0x30, above(config->ram_size, 1024 * KIB, KIB), 2);
	set_size(r, 0x34, above(config->ram_size, 16384 * KIB, 64 * KIB), 2);
	r->deadline = TSC_NEVER;
}

static bool is_time(unsigned reg)
{
	return reg == 0 || reg == 2 || reg == 4 || (reg >= 6 && reg <= 9) ||
	       reg == REG_CENTURY;
}

static uint8_t read_a(const struct rtc *r, uint64_t tick)
{
	bool updating = tick % RTC_HZ >= RTC_HZ - UIP_TICKS;

	if (r->cmos[REG_B] & B_SET)
		updating = false;
	return (uint8_t)(r->cmos[REG_A] | (updating ? A_UIP : 0));
}

uint8_t rtc_in(struct rtc *r, unsigned a0, uint64_t now)
{
	uint64_t tick;
	uint8_t value;

	/* The index is write-only. */
	if (!a0)
		return 0xff;
	tick = ticks(r, now);
	if (is_time(r->index))
		show(r, tick);
	if (r->index == REG_A)
		return read_a(r, tick);
	if (r->index == REG_D)
		return D_VALID;
	if (r->index != REG_C)
		return r->cmos[r->index];
	settle(r, tick);
	drive(r);
	value = r->cmos[REG_C];
	r->cmos[REG_C] = 0;
	drive(r);
	return value;
}

static void write_b(struct rtc *r, uint8_t value, uint64_t tick)
{
	bool was_set = r->cmos[REG_B] & B_SET;

	/* The registers hold the time as it is while they are being set. */
	show(r, tick);
	/* Setting begins: update interrupts are off, says the data sheet. */
	if (value & B_SET)
		value &= (uint8_t)~FLAG_UPD;
	r->cmos[REG_B] = value;
	if (was_set && !(value & B_SET))
		take(r, tick);
}

static void write_reg(struct rtc *r, uint8_t value, uint64_t tick)
{
	switch (r->index) {
	case REG_A:
		r->cmos[REG_A] = value & (uint8_t)~A_UIP;
		return;
	case REG_B:
		write_b(r, value, tick);
		return;
	case REG_C:
	case REG_D:
		return;
	default:
		break;
	}
	if (is_time(r->index))
		show(r, tick);
	r->cmos[r->index] = value;
	if (is_time(r->index) && !(r->cmos[REG_B] & B_SET))
		take(r, tick);
}

void rtc_out(struct rtc *r, unsigned a0, uint8_t value, uint64_t now)
{
	uint64_t tick;

	/* Bit 7 of port 0x70 masks NMI on a PC, where there is a source. */
	if (!a0) {
		r->index = value & (RTC_BYTES - 1);
		return;
	}
	tick = ticks(r, now);
	settle(r, tick);
	write_reg(r, value, tick);
	drive(r);
}

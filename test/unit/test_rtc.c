/* hv/dev/rtc.c, rtc_alarm.c and calendar.c, by the MC146818A data sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "dev/calendar.h"
#include "dev/rtc.h"
#include "dev/rtc_alarm.h"
#include "dev/tsc.h"

#define HZ    UINT64_C(1000000000)
#define S(n)  ((uint64_t)(n)*HZ)
#define EPOCH 1767225599u /* 2025-12-31 23:59:59, a Wednesday */

enum { SEC, SEC_A, MIN, MIN_A, HOUR, HOUR_A, WDAY, DAY, MON, YEAR, A, B, C, D };
#define CENTURY 0x32

static struct rtc fresh(void)
{
	const struct rtc_config c = {
		.tsc_hz = HZ,
		.epoch_sec = EPOCH,
		.ram_size = UINT64_C(512) << 20,
	};
	struct rtc r;

	rtc_reset(&r, &c);
	return r;
}

static uint8_t get(struct rtc *r, uint8_t reg, uint64_t now)
{
	rtc_out(r, 0, reg, now);
	return rtc_in(r, 1, now);
}

static void set(struct rtc *r, uint8_t reg, uint8_t value, uint64_t now)
{
	rtc_out(r, 0, reg, now);
	rtc_out(r, 1, value, now);
}

static void calendar_agrees_with_libc(void **state)
{
	int64_t day;

	(void)state;
	for (day = -200000; day < 200000; day += 17) {
		time_t t = day * 86400;
		struct date d = calendar_date(day);
		struct tm tm;

		gmtime_r(&t, &tm);
		assert_int_equal(d.year, tm.tm_year + 1900);
		assert_int_equal(d.month, tm.tm_mon + 1);
		assert_int_equal(d.day, tm.tm_mday);
		assert_int_equal(calendar_days(&d), day);
	}
}

static void new_year(void **state)
{
	struct rtc r = fresh();

	(void)state;
	assert_int_equal(get(&r, SEC, 0), 0x59);
	assert_int_equal(get(&r, MIN, 0), 0x59);
	assert_int_equal(get(&r, HOUR, 0), 0x23);
	assert_int_equal(get(&r, WDAY, 0), 4);
	assert_int_equal(get(&r, DAY, 0), 0x31);
	assert_int_equal(get(&r, MON, 0), 0x12);
	assert_int_equal(get(&r, YEAR, 0), 0x25);
	assert_int_equal(get(&r, SEC, S(1) - 1), 0x59);
	assert_int_equal(get(&r, SEC, S(1)), 0x00);
	assert_int_equal(get(&r, HOUR, S(1)), 0x00);
	assert_int_equal(get(&r, WDAY, S(1)), 5);
	assert_int_equal(get(&r, DAY, S(1)), 0x01);
	assert_int_equal(get(&r, MON, S(1)), 0x01);
	assert_int_equal(get(&r, YEAR, S(1)), 0x26);
	assert_int_equal(get(&r, CENTURY, S(1)), 0x20);
	assert_int_equal(get(&r, D, 0), 0x80);
}

static void twelve_hours_and_binary(void **state)
{
	static const uint8_t want[24] = {
		0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
		0x08, 0x09, 0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
		0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91,
	};
	struct rtc r = fresh();
	unsigned h;

	(void)state;
	set(&r, B, 0x00, 0);
	for (h = 0; h < 24; h++)
		assert_int_equal(get(&r, HOUR, S(1 + 3600 * h)), want[h]);
	set(&r, B, 0x06, 0);
	assert_int_equal(get(&r, HOUR, 0), 23);
	assert_int_equal(get(&r, SEC, 0), 59);
	assert_int_equal(get(&r, YEAR, 0), 25);
}

static void setting_the_time(void **state)
{
	struct rtc r = fresh();

	(void)state;
	set(&r, B, 0x82, S(10));
	/* Registers stand still while they are set. */
	assert_int_equal(get(&r, SEC, S(10)), get(&r, SEC, S(90)));
	set(&r, CENTURY, 0x20, S(11));
	set(&r, YEAR, 0x24, S(11));
	set(&r, MON, 0x02, S(11));
	set(&r, DAY, 0x29, S(11));
	set(&r, WDAY, 0x05, S(11));
	set(&r, HOUR, 0x23, S(11));
	set(&r, MIN, 0x59, S(11));
	set(&r, SEC, 0x58, S(11));
	set(&r, B, 0x02, S(20));
	assert_int_equal(get(&r, SEC, S(21)), 0x59);
	assert_int_equal(get(&r, DAY, S(21)), 0x29);
	assert_int_equal(get(&r, SEC, S(22)), 0x00);
	assert_int_equal(get(&r, DAY, S(22)), 0x01);
	assert_int_equal(get(&r, MON, S(22)), 0x03);
	assert_int_equal(get(&r, WDAY, S(22)), 6);
	/* Without SET it is taken at once. */
	set(&r, MIN, 0x30, S(23));
	assert_int_equal(get(&r, MIN, S(24)), 0x30);
	assert_int_equal(get(&r, SEC, S(24)), 0x02);
}

static void any_bytes_are_survived(void **state)
{
	struct rtc r = fresh();
	unsigned v, reg;

	(void)state;
	for (v = 0; v < 256; v++) {
		for (reg = 0; reg < 10; reg++)
			set(&r, (uint8_t)reg, (uint8_t)(v * 7 + reg), S(v));
		set(&r, CENTURY, (uint8_t)v, S(v));
		set(&r, B, (uint8_t)(v & 0x7f), S(v));
		rtc_tick(&r, S(v) + 5);
		for (reg = 0; reg < 14; reg++)
			(void)get(&r, (uint8_t)reg, S(v) + 9);
	}
	assert_true(r.deadline >= S(255) || r.line);
}

static void update_in_progress(void **state)
{
	struct rtc r = fresh();

	(void)state;
	assert_int_equal(get(&r, A, S(3)), 0x26);
	assert_int_equal(get(&r, A, S(4) - 250000), 0x26);
	assert_int_equal(get(&r, A, S(4) - 240000), 0xa6);
	assert_int_equal(get(&r, A, S(4) - 1), 0xa6);
	assert_int_equal(get(&r, A, S(4)), 0x26);
	set(&r, B, 0x82, S(4));
	assert_int_equal(get(&r, A, S(5) - 1), 0x26);
}

static void periodic_interrupt(void **state)
{
	struct rtc r = fresh();
	uint64_t now;
	unsigned n = 0;

	(void)state;
	set(&r, B, 0x42, 0);
	while (r.deadline < S(1)) {
		now = r.deadline;
		rtc_tick(&r, now - 1);
		assert_false(r.line);
		rtc_tick(&r, now);
		assert_true(r.line);
		/* High: nothing more is due until C has been read. */
		assert_int_equal(r.deadline, TSC_NEVER);
		assert_int_equal(get(&r, C, now), 0xc0);
		assert_false(r.line);
		n++;
	}
	assert_int_equal(n, 1023); /* the 1024th is at 1 s */
	/* The flag also comes without its enable; the line does not. */
	set(&r, B, 0x02, S(1));
	assert_int_equal(get(&r, C, S(2)) & 0xc0, 0x40);
	set(&r, A, 0x20, S(2)); /* rate 0: off */
	(void)get(&r, C, S(2));
	assert_int_equal(get(&r, C, S(3)) & 0x40, 0);
}

static void update_interrupt(void **state)
{
	struct rtc r = fresh();

	(void)state;
	/* All flags have been set (the alarm was midnight): enabling one
	 * interrupts at once. */
	set(&r, B, 0x12, S(5) + 100);
	assert_true(r.line);
	assert_int_equal(get(&r, C, S(5) + 100), 0xf0);
	assert_int_equal(r.deadline, S(6));
	rtc_tick(&r, S(6));
	assert_true(r.line);
	assert_int_equal(get(&r, C, S(6)) & 0x90, 0x90);
	assert_int_equal(r.deadline, S(7));
	set(&r, B, 0x92, S(6)); /* setting turns it off */
	assert_int_equal(get(&r, B, S(6)), 0x82);
	assert_int_equal(r.deadline, TSC_NEVER);
}

static void alarm_interrupt(void **state)
{
	struct rtc r = fresh();

	(void)state;
	set(&r, HOUR_A, 0x01, 0);
	set(&r, MIN_A, 0x02, 0);
	set(&r, SEC_A, 0x03, 0);
	set(&r, B, 0x22, 0);
	/* 23:59:59 to 01:02:03. */
	assert_int_equal(r.deadline, S(1 + 3723));
	rtc_tick(&r, S(1 + 3723));
	assert_int_equal(get(&r, C, S(1 + 3723)) & 0xa0, 0xa0);
	assert_int_equal(r.deadline, S(1 + 3723 + 86400));
	set(&r, HOUR_A, 0xff, S(4000)); /* every hour */
	assert_int_equal(r.deadline, S(1 + 3723 + 3600));
	set(&r, MIN_A, 0x99, S(4000)); /* never */
	assert_int_equal(r.deadline, TSC_NEVER);
}

/* Every alarm against a search second by second. */
static void alarm_delays(void **state)
{
	static const uint32_t field[] = { 0, 1, 23, 59, 70, RTC_ALARM_ANY };
	unsigned h, m, s;
	uint32_t now, d;

	(void)state;
	for (h = 0; h < 6; h++)
		for (m = 0; m < 6; m++)
			for (s = 0; s < 6; s++) {
				struct rtc_alarm a = { field[h], field[m],
						       field[s] };
				uint32_t want = RTC_ALARM_NEVER;

				now = (h * 7919 + m * 104729 + s * 31) % 86400;
				for (d = 1; d <= 86400; d++) {
					uint32_t t = (now + d) % 86400;

					if ((a.hour == t / 3600 ||
					     a.hour == RTC_ALARM_ANY) &&
					    (a.minute == t / 60 % 60 ||
					     a.minute == RTC_ALARM_ANY) &&
					    (a.second == t % 60 ||
					     a.second == RTC_ALARM_ANY)) {
						want = d;
						break;
					}
				}
				assert_int_equal(rtc_alarm_delay(&a, now),
						 want);
			}
}

static void memory_sizes(void **state)
{
	struct rtc r = fresh();

	(void)state;
	assert_int_equal(get(&r, 0x15, 0) | get(&r, 0x16, 0) << 8, 640);
	assert_int_equal(get(&r, 0x30, 0) | get(&r, 0x31, 0) << 8, 0xffff);
	assert_int_equal(get(&r, 0x34, 0) | get(&r, 0x35, 0) << 8,
			 (512 - 16) * 16);
	set(&r, 0x40, 0x77, 0); /* the rest is memory */
	assert_int_equal(get(&r, 0x40, 0), 0x77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_agrees_with_libc),
		cmocka_unit_test(new_year),
		cmocka_unit_test(twelve_hours_and_binary),
		cmocka_unit_test(setting_the_time),
		cmocka_unit_test(any_bytes_are_survived),
		cmocka_unit_test(update_in_progress),
		cmocka_unit_test(periodic_interrupt),
		cmocka_unit_test(update_interrupt),
		cmocka_unit_test(alarm_interrupt),
		cmocka_unit_test(alarm_delays),
		cmocka_unit_test(memory_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

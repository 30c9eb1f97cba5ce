/*
 * The next second that an alarm with wildcards matches. Whole hours and
 * minutes that do not match are passed over, so that the search takes at
 * most 2 * (24 + 60 + 60) steps whatever the guest asks for.
 */
#include "dev/rtc_alarm.h"

#define DAY 86400u

static int matches(uint32_t want, uint32_t is)
{
	return want == RTC_ALARM_ANY || want == is;
}

uint32_t rtc_alarm_delay(const struct rtc_alarm *alarm, uint32_t second)
{
	uint32_t t = second + 1;

	while (t <= second + DAY) {
		uint32_t s = t % DAY;

		if (!matches(alarm->hour, s / 3600))
			t += 3600 - s % 3600;
		else if (!matches(alarm->minute, s / 60 % 60))
			t += 60 - s % 60;
		else if (!matches(alarm->second, s % 60))
			t++;
		else
			return t - second;
	}
	return RTC_ALARM_NEVER;
}

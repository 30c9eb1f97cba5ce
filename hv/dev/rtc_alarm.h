/* The RTC's alarm as a function of the time of day. */
#ifndef HV_DEV_RTC_ALARM_H
#define HV_DEV_RTC_ALARM_H

#include <stdint.h>

#define RTC_ALARM_ANY	0xffu /* a field that matches every value */
#define RTC_ALARM_NEVER UINT32_MAX

struct rtc_alarm {
	uint32_t hour, minute, second; /* binary, 24 hours */
};

/* Seconds from this second of the day (0 .. 86399) to the next that matches,
 * 1 .. 86400; RTC_ALARM_NEVER when none can. */
uint32_t rtc_alarm_delay(const struct rtc_alarm *alarm, uint32_t second);

#endif

/*
 * Days and dates of the Gregorian calendar, from 1970-01-01 on and before.
 */
#ifndef HV_DEV_CALENDAR_H
#define HV_DEV_CALENDAR_H

#include <stdint.h>

struct date {
	int32_t year;
	uint32_t month; /* 1 .. 12 */
	uint32_t day;	/* 1 .. 31 */
};

/* Days since 1970-01-01. Any day is taken; a month is taken modulo 12. */
int64_t calendar_days(const struct date *date);
struct date calendar_date(int64_t days);

#endif

/*
 * Dates by counting in years that begin on the 1st of March: the leap day is
 * then the last of its year, and a month's first day is a linear function,
 * (153 * m + 2) / 5 for m = 0 in March. 400 years are 146097 days.
 */
#include "dev/calendar.h"

#define DAYS_400Y    INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t calendar_days(const struct date *date)
{
	uint32_t month = (date->month + 9) % 12; /* March is 0 */
	int64_t year = (int64_t)date->year - (month >= 10);
	int64_t era = floor_div(year, 400);
	int64_t y = year - era * 400;
	int64_t in_year = (153 * (int64_t)month + 2) / 5 + date->day - 1;

	return era * DAYS_400Y + y * 365 + y / 4 - y / 100 + in_year -
	       DAYS_TO_1970;
}

struct date calendar_date(int64_t days)
{
	int64_t d = days + DAYS_TO_1970;
	int64_t era = floor_div(d, DAYS_400Y);
	int64_t in_era = d - era * DAYS_400Y;
	/* Take the leap days out; what is left has years of 365. */
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 -
		     in_era / (DAYS_400Y - 1)) /
		    365;
	int64_t in_year = in_era - (y * 365 + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;

	return (struct date){
		.year = (int32_t)(era * 400 + y + (m >= 10)),
		.month = (uint32_t)((m + 2) % 12 + 1),
		.day = (uint32_t)(in_year - (153 * m + 2) / 5 + 1),
	};
}

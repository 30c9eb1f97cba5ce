/*
 * The real-time clock and its CMOS memory: Motorola MC146818A, ports 0x70
 * and 0x71, IRQ 8. The time is the guest's TSC plus an epoch; nothing ticks.
 */
#ifndef HV_DEV_RTC_H
#define HV_DEV_RTC_H

#include <stdbool.h>
#include <stdint.h>

#define RTC_HZ	  32768u
#define RTC_BYTES 128

struct rtc {
	uint64_t tsc_hz;
	uint64_t epoch;	 /* 1970's RTC_HZ ticks at TSC 0 */
	int64_t skew;	 /* seconds that the guest has set it off by */
	uint8_t weekday; /* the same for the day of the week, 0 .. 6 */
	uint8_t index;
	uint8_t cmos[RTC_BYTES]; /* registers 0-13, then memory */
	uint64_t seen;		 /* tick up to which register C is right */
	bool line;		 /* IRQ 8 */
	uint64_t deadline;	 /* TSC at which the line rises; TSC_NEVER */
};

struct rtc_config {
	uint64_t tsc_hz;
	uint64_t epoch_sec; /* at TSC 0 */
	uint32_t epoch_nsec;
	uint64_t ram_size; /* bytes: firmware's memory size registers */
};

void rtc_reset(struct rtc *r, const struct rtc_config *config);

/* Ports 0x70 (a0 = 0) and 0x71. */
uint8_t rtc_in(struct rtc *r, unsigned a0, uint64_t now);
void rtc_out(struct rtc *r, unsigned a0, uint8_t value, uint64_t now);

/* Raises what is due. Sets `line` and the next deadline. */
void rtc_tick(struct rtc *r, uint64_t now);

#endif

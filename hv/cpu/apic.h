/*
 * The processor's own local APIC, in xAPIC mode or, where the firmware has
 * switched it on already, in x2APIC mode; and the host timer.
 */
#ifndef HV_CPU_APIC_H
#define HV_CPU_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/timer.h"

enum apic_register {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

/* Switches it on, with the PIC behind LINT0 (virtual wire). Needs paging:
 * its registers are mapped uncached. */
void apic_init(void);

uint32_t apic_read(enum apic_register r);
void apic_write(enum apic_register r, uint32_t value);
void apic_eoi(void);

#endif

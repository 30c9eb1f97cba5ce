/* A bus of local APICs, driven by register numbers. For the tests of hv/dev's
 * APIC code. */
#ifndef TEST_UNIT_APIC_RIG_H
#define TEST_UNIT_APIC_RIG_H

#include "dev/apic_bus.h"
#include "dev/lapic_reg.h"

#define HZ UINT64_C(1000000000)

/* Register numbers: MMIO offset / 16. */
enum {
	ID = 0x02,
	VERSION = 0x03,
	TPR = 0x08,
	PPR = 0x0a,
	END = 0x0b,
	LDR = 0x0d,
	DFR = 0x0e,
	SVR = 0x0f,
	ISR = 0x10,
	TMR = 0x18,
	IRR = 0x20,
	ESR = 0x28,
	ICR = 0x30,
	ICR2 = 0x31,
	LVTT = 0x32,
	LINT0 = 0x35,
	ERR = 0x37,
	INITIAL = 0x38,
	COUNT = 0x39,
	DIVIDE = 0x3e,
	SELF = 0x3f,
};

static struct apic_bus bus;

static inline uint32_t rd(unsigned cpu, unsigned reg, uint64_t now)
{
	return lapic_reg_read(&bus, cpu, reg << 4, now);
}

static inline void wr(unsigned cpu, unsigned reg, uint32_t value, uint64_t now)
{
	lapic_reg_write(&bus, cpu, reg << 4, value, now);
}

static inline void start(unsigned cpus)
{
	unsigned i;

	apic_bus_reset(&bus, cpus, HZ);
	for (i = 0; i < cpus; i++)
		wr(i, SVR, 0x1ff, 0);
}

static inline void to_x2(unsigned cpu)
{
	struct lapic *l = &bus.cpu[cpu];

	assert_true(lapic_set_base(l, l->base | LAPIC_BASE_X2, 48));
}

static inline bool msr_wr(unsigned cpu, unsigned reg, uint64_t value)
{
	return lapic_msr_write(&bus, cpu, 0x800 + reg, value, 0);
}

#endif

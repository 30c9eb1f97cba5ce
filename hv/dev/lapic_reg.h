/*
 * The local APIC's registers, as the guest reaches them: by memory (xAPIC,
 * SDM 3A table 11-1) and by MSR (x2APIC, table 11-6). One numbering serves
 * both: the MMIO offset / 16 is the MSR - 0x800.
 */
#ifndef HV_DEV_LAPIC_REG_H
#define HV_DEV_LAPIC_REG_H

#include "dev/apic_bus.h"

/* MMIO, 32 bits at offset 0 .. 0xff0 on a multiple of 16. */
uint32_t lapic_reg_read(struct apic_bus *bus, unsigned cpu, unsigned offset,
			uint64_t now);
void lapic_reg_write(struct apic_bus *bus, unsigned cpu, unsigned offset,
		     uint32_t value, uint64_t now);

/* MSR 0x800 .. 0x8ff. False: #GP. */
bool lapic_msr_read(struct apic_bus *bus, unsigned cpu, uint32_t msr,
		    uint64_t *value, uint64_t now);
bool lapic_msr_write(struct apic_bus *bus, unsigned cpu, uint32_t msr,
		     uint64_t value, uint64_t now);

#endif

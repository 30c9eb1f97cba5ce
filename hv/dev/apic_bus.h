/*
 * What local APICs and the I/O APIC send each other: SDM 3A 11.6.
 */
#ifndef HV_DEV_APIC_BUS_H
#define HV_DEV_APIC_BUS_H

#include "dev/ioapic.h"
#include "dev/lapic.h"

#define APIC_CPUS_MAX 8

struct apic_bus {
	unsigned cpus;
	unsigned turn; /* lowest priority: where the next search begins */
	struct lapic cpu[APIC_CPUS_MAX];
	struct ioapic ioapic;
};

struct apic_message {
	enum apic_delivery delivery;
	uint8_t vector;
	bool level;	/* trigger mode */
	bool logical;	/* destination mode */
	bool broadcast; /* `dest` is the sender's "all" */
	uint32_t dest;
};

void apic_bus_reset(struct apic_bus *bus, unsigned cpus, uint64_t tsc_hz);

/* False: nobody accepted it. */
bool apic_bus_send(struct apic_bus *bus, const struct apic_message *m);

/* The interrupt command register of vCPU `cpu` was written. */
void apic_bus_command(struct apic_bus *bus, unsigned cpu, uint64_t icr);

/* EOI by vCPU `cpu`. */
void apic_bus_end(struct apic_bus *bus, unsigned cpu);

#endif

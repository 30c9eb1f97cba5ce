/*
 * The I/O APIC: Intel 82093AA, 24 inputs, with the EOI register of the
 * later chips (version 0x20).
 */
#ifndef HV_DEV_IOAPIC_H
#define HV_DEV_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define IOAPIC_PINS 24
#define IOAPIC_GPA  UINT64_C(0xfec00000)
#define IOAPIC_SIZE 0x1000u
#define IOAPIC_ID   15u

struct apic_bus;

struct ioapic {
	uint32_t id;	/* register: bits 27-24 */
	uint8_t select; /* index of the register in the window */
	uint32_t lines; /* inputs that are asserted now */
	uint64_t entry[IOAPIC_PINS];
};

void ioapic_reset(struct ioapic *io);

/* An input changes. `asserted` means active: the polarity bits describe
 * wires that this board does not have. */
void ioapic_set(struct apic_bus *bus, unsigned pin, bool asserted);

/* A local APIC has ended this level-triggered vector. */
void ioapic_end(struct apic_bus *bus, uint8_t vector);

/* offset: from IOAPIC_GPA, on a multiple of 16. */
uint32_t ioapic_reg_read(const struct ioapic *io, unsigned offset);
void ioapic_reg_write(struct apic_bus *bus, unsigned offset, uint32_t value);

#endif

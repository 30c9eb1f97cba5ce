/*
 * The ACPI tables that describe the board to its guest: RSDP, XSDT, FADT,
 * FACS, MADT, DSDT.
 */
#ifndef HV_DEV_ACPI_H
#define HV_DEV_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include <vmmu/addr.h>

struct acpi_config {
	unsigned cpus; /* 1 .. 8 */
};

/* Builds the tables for guest-physical `base`, which is 64-byte aligned and
 * below 4 GiB; the RSDP is first. Returns the bytes used; 0: `size` does not
 * suffice. 4096 bytes always do. Writes nothing beyond buf[size - 1]. */
size_t acpi_build(uint8_t *buf, size_t size, gpa_t base,
		  const struct acpi_config *config);

#endif

/*
 * The DSDT. In ASL it reads:
 *
 *   Name (\_S5, Package (4) { 5, 5, 0, 0 })
 *   Scope (\_SB) {
 *       Device (C000) { Name (_HID, "ACPI0007") Name (_UID, 0) }  // ...
 *       Device (COM1) { Name (_HID, EisaId ("PNP0501")) Name (_UID, 1)
 *                       Name (_CRS, IO 0x3f8-0x3ff, IRQ 4) }
 *       Device (RTC_) { PNP0B00, IO 0x70-0x71, IRQ 8 }
 *       Device (TIMR) { PNP0100, IO 0x40-0x43, IRQ 0 }
 *   }
 *
 * The S5 package is the SLP_TYP to write for power-off: pm.c knows it.
 */
#include "dev/dsdt.h"

#include "dev/pm.h"

static void sleep_states(struct aml *a)
{
	size_t package;

	aml_define(a, "\\_S5_");
	package = aml_package(a, 4);
	aml_integer(a, PM_SLEEP_S5);
	aml_integer(a, PM_SLEEP_S5);
	aml_integer(a, 0);
	aml_integer(a, 0);
	aml_end(a, package);
}

static void processor(struct aml *a, unsigned n)
{
	const char name[] = { 'C', '0', '0', (char)('0' + n % 10), 0 };
	size_t device = aml_device(a, name);

	aml_define_string(a, "_HID", "ACPI0007");
	aml_define_integer(a, "_UID", n);
	aml_end(a, device);
}

static void isa_device(struct aml *a, const char *name, const char *id,
		       uint16_t port, uint8_t ports, uint8_t irq)
{
	size_t device = aml_device(a, name);

	aml_define_eisa(a, "_HID", id);
	aml_define_integer(a, "_UID", 1);
	aml_define_io_irq(a, port, ports, irq);
	aml_end(a, device);
}

void dsdt_build(struct aml *a, unsigned cpus)
{
	size_t scope;

	sleep_states(a);
	scope = aml_scope(a, "\\_SB_");
	for (unsigned n = 0; n < cpus; n++)
		processor(a, n);
	isa_device(a, "COM1", "PNP0501", 0x3f8, 8, 4);
	isa_device(a, "RTC_", "PNP0B00", 0x70, 2, 8);
	isa_device(a, "TIMR", "PNP0100", 0x40, 4, 0);
	aml_end(a, scope);
}

/*
 * Writing ACPI Machine Language: ACPI 6.4, chapter 20. Only what the board's
 * DSDT says. A buffer that is too small sets `full`, and nothing is written
 * beyond it.
 */
#ifndef HV_DEV_AML_H
#define HV_DEV_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t size;
	size_t used;
	bool full;
};

void aml_byte(struct aml *a, uint8_t byte);
void aml_bytes(struct aml *a, const void *bytes, size_t n);

/* An integer constant, in its shortest form. */
void aml_integer(struct aml *a, uint32_t value);

/* name: four characters, NUL-terminated; "\\" may precede it. */
void aml_name(struct aml *a, const char *name);

/* Terms with a body: what follows belongs to it, until aml_end with the
 * value that the opening returned. */
size_t aml_scope(struct aml *a, const char *name);
size_t aml_device(struct aml *a, const char *name);
size_t aml_package(struct aml *a, uint8_t elements);
void aml_end(struct aml *a, size_t mark);

/* Name (NAME, ...): the value comes next. */
void aml_define(struct aml *a, const char *name);
void aml_define_integer(struct aml *a, const char *name, uint32_t value);
void aml_define_string(struct aml *a, const char *name, const char *value);
/* _HID with a compressed identifier such as "PNP0501". */
void aml_define_eisa(struct aml *a, const char *name, const char *id);

/* _CRS: one run of I/O ports and one ISA interrupt. */
void aml_define_io_irq(struct aml *a, uint16_t port, uint8_t ports,
		       uint8_t irq);

#endif

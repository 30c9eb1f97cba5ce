/*
 * AML terms. A term's length field stands before its body and counts itself;
 * it is always written in the two-byte form, so that it can be filled in
 * when the body is complete:
 *
 *   byte 0: 01 00 llll (low four bits)   byte 1: llllllll  -> at most 4095
 */
#include "dev/aml.h"

#define OP_ZERO	    0x00
#define OP_ONE	    0x01
#define OP_NAME	    0x08
#define OP_BYTE	    0x0a
#define OP_WORD	    0x0b
#define OP_DWORD    0x0c
#define OP_STRING   0x0d
#define OP_SCOPE    0x10
#define OP_BUFFER   0x11
#define OP_PACKAGE  0x12
#define OP_EXTENDED 0x5b
#define OP_DEVICE   0x82 /* after OP_EXTENDED */

#define LENGTH_MAX 0xfff

void aml_byte(struct aml *a, uint8_t byte)
{
	if (a->used >= a->size) {
		a->full = true;
		return;
	}
	a->buf[a->used++] = byte;
}

void aml_bytes(struct aml *a, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		aml_byte(a, p[i]);
}

static void little_endian(struct aml *a, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		aml_byte(a, (uint8_t)(value >> 8 * i));
}

void aml_integer(struct aml *a, uint32_t value)
{
	if (value <= 1) {
		aml_byte(a, value ? OP_ONE : OP_ZERO);
	} else if (value <= 0xff) {
		aml_byte(a, OP_BYTE);
		little_endian(a, value, 1);
	} else if (value <= 0xffff) {
		aml_byte(a, OP_WORD);
		little_endian(a, value, 2);
	} else {
		aml_byte(a, OP_DWORD);
		little_endian(a, value, 4);
	}
}

void aml_name(struct aml *a, const char *name)
{
	for (; *name; name++)
		aml_byte(a, (uint8_t)*name);
}

static size_t begin(struct aml *a)
{
	size_t mark = a->used;

	little_endian(a, 0, 2);
	return mark;
}

void aml_end(struct aml *a, size_t mark)
{
	size_t length = a->used - mark;

	if (a->full || length > LENGTH_MAX) {
		a->full = true;
		return;
	}
	a->buf[mark] = (uint8_t)(0x40 | (length & 0xf));
	a->buf[mark + 1] = (uint8_t)(length >> 4);
}

size_t aml_scope(struct aml *a, const char *name)
{
	size_t mark;

	aml_byte(a, OP_SCOPE);
	mark = begin(a);
	aml_name(a, name);
	return mark;
}

size_t aml_device(struct aml *a, const char *name)
{
	size_t mark;

	aml_byte(a, OP_EXTENDED);
	aml_byte(a, OP_DEVICE);
	mark = begin(a);
	aml_name(a, name);
	return mark;
}

size_t aml_package(struct aml *a, uint8_t elements)
{
	size_t mark;

	aml_byte(a, OP_PACKAGE);
	mark = begin(a);
	aml_byte(a, elements);
	return mark;
}

void aml_define(struct aml *a, const char *name)
{
	aml_byte(a, OP_NAME);
	aml_name(a, name);
}

void aml_define_integer(struct aml *a, const char *name, uint32_t value)
{
	aml_define(a, name);
	aml_integer(a, value);
}

void aml_define_string(struct aml *a, const char *name, const char *value)
{
	aml_define(a, name);
	aml_byte(a, OP_STRING);
	aml_name(a, value);
	aml_byte(a, 0);
}

static unsigned hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* ACPI 6.4, 19.3.4 EISAID: three letters of five bits, four hex digits, in
 * big-endian order. */
void aml_define_eisa(struct aml *a, const char *name, const char *id)
{
	unsigned letters = (unsigned)(id[0] - '@') << 10 |
			   (unsigned)(id[1] - '@') << 5 |
			   (unsigned)(id[2] - '@');

	aml_define(a, name);
	aml_byte(a, OP_DWORD);
	aml_byte(a, (uint8_t)(letters >> 8));
	aml_byte(a, (uint8_t)letters);
	aml_byte(a, (uint8_t)(hex(id[3]) << 4 | hex(id[4])));
	aml_byte(a, (uint8_t)(hex(id[5]) << 4 | hex(id[6])));
}

/* Small resource descriptors: ACPI 6.4, 6.4.2. */
void aml_define_io_irq(struct aml *a, uint16_t port, uint8_t ports, uint8_t irq)
{
	const uint8_t crs[] = {
		/* I/O, 16-bit decode: minimum, maximum, alignment, length */
		0x47, 0x01, (uint8_t)port, (uint8_t)(port >> 8), (uint8_t)port,
		(uint8_t)(port >> 8), 0x01, ports,
		/* IRQ, active high, edge: a mask of lines */
		0x22, (uint8_t)(1u << irq), (uint8_t)(1u << irq >> 8),
		/* end; checksum 0: not computed */
		0x79, 0x00
	};
	size_t mark;

	aml_define(a, "_CRS");
	aml_byte(a, OP_BUFFER);
	mark = begin(a);
	aml_integer(a, sizeof(crs));
	aml_bytes(a, crs, sizeof(crs));
	aml_end(a, mark);
}

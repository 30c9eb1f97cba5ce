/*
 * ACPI 6.4: 5.2.5 RSDP, 5.2.8 XSDT, 5.2.9 FADT, 5.2.10 FACS, 5.2.12 MADT.
 *
 *   base -> RSDP -> XSDT -> FADT -> FACS
 *                        |       -> DSDT
 *                        -> MADT
 *
 * Tables are laid out one after another, each on a multiple of 64 bytes, the
 * ones that are pointed at first, so that every pointer is known when it is
 * written. Each ends by having its length and checksum put in.
 */
#include "dev/acpi.h"

#include <string.h>

#include "dev/aml.h"
#include "dev/dsdt.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pm.h"

#define HEADER	   36u
#define RSDP_SIZE  36u
#define FACS_SIZE  64u
#define FADT_SIZE  276u /* revision 6 */
#define XSDT_COUNT 2u
#define ALIGN	   64u

#define AT_LENGTH   4u
#define AT_CHECKSUM 9u

#define RESET_PORT  0xcf9u
#define RESET_VALUE 0x06u

/* FADT flags: WBINVD works, C1 exists, no fixed power and sleep buttons, no
 * fixed RTC wake, 32-bit timer, reset register. */
#define FADT_FLAGS                                                             \
	(1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 10)
/* IAPC_BOOT_ARCH: ISA devices, no VGA, no MSI, no PCIe ASPM; no 8042. */
#define BOOT_ARCH (1u << 0 | 1u << 2 | 1u << 3 | 1u << 4)

struct tables {
	uint8_t *buf;
	size_t size;
	size_t used;
	uint64_t base;
	bool full;
};

static void put(uint8_t *p, unsigned at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[at + i] = (uint8_t)(value >> 8 * i);
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)-sum;
}

/* Room for one table, zeroed; NULL when there is none. */
static uint8_t *room(struct tables *t, size_t n)
{
	size_t at = (t->used + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (at > t->size || n > t->size - at) {
		t->full = true;
		return NULL;
	}
	t->used = at + n;
	memset(t->buf + at, 0, n);
	return t->buf + at;
}

static uint64_t address(const struct tables *t, const uint8_t *table)
{
	return t->base + (uint64_t)(table - t->buf);
}

static void header(uint8_t *p, const char *signature, uint8_t revision)
{
	memcpy(p, signature, 4);
	p[8] = revision;
	memcpy(p + 10, "VMMU  ", 6);
	memcpy(p + 16, "VMMUBORD", 8);
	put(p, 24, 1, 4);
	memcpy(p + 28, "VMMU", 4);
	put(p, 32, 1, 4);
}

static void seal(uint8_t *p, size_t length)
{
	put(p, AT_LENGTH, length, 4);
	p[AT_CHECKSUM] = 0;
	p[AT_CHECKSUM] = checksum(p, length);
}

static uint64_t build_facs(struct tables *t)
{
	uint8_t *p = room(t, FACS_SIZE);

	if (!p)
		return 0;
	memcpy(p, "FACS", 4);
	put(p, AT_LENGTH, FACS_SIZE, 4);
	p[32] = 2; /* version */
	return address(t, p);
}

static uint64_t build_dsdt(struct tables *t, const struct acpi_config *config)
{
	uint8_t *p = room(t, HEADER);
	struct aml a;

	if (!p)
		return 0;
	header(p, "DSDT", 2);
	a = (struct aml){ .buf = p, .used = HEADER };
	a.size = t->size - (size_t)(p - t->buf);
	dsdt_build(&a, config->cpus);
	if (a.full) {
		t->full = true;
		return 0;
	}
	t->used = (size_t)(p - t->buf) + a.used;
	seal(p, a.used);
	return address(t, p);
}

/* A generic address structure: system I/O, one register. */
static void port(uint8_t *p, unsigned at, unsigned bits, unsigned address_io)
{
	p[at] = 1; /* system I/O */
	p[at + 1] = (uint8_t)bits;
	/* Access size: byte, word or double word. */
	p[at + 3] = (uint8_t)(bits == 8 ? 1 : bits == 16 ? 2 : 3);
	put(p, at + 4, address_io, 8);
}

static void fadt_fixed_hardware(uint8_t *p)
{
	put(p, 46, PM_SCI, 2);
	put(p, 56, PM_PORT_EVENT, 4);
	put(p, 64, PM_PORT_CTRL, 4);
	put(p, 76, PM_PORT_TIMER, 4);
	p[88] = 4; /* PM1_EVT_LEN */
	p[89] = 2; /* PM1_CNT_LEN */
	p[91] = 4; /* PM_TMR_LEN */
	/* C2 and C3 latencies that say: there is no C2, no C3. */
	put(p, 96, 0xfff, 2);
	put(p, 98, 0xfff, 2);
	port(p, 148, 32, PM_PORT_EVENT);
	port(p, 172, 16, PM_PORT_CTRL);
	port(p, 208, 32, PM_PORT_TIMER);
}

static uint64_t build_fadt(struct tables *t, uint64_t facs, uint64_t dsdt)
{
	uint8_t *p = room(t, FADT_SIZE);

	if (!p)
		return 0;
	header(p, "FACP", 6);
	put(p, 36, facs, 4);
	put(p, 40, dsdt, 4);
	put(p, 140, dsdt, 8);
	fadt_fixed_hardware(p);
	p[108] = 0x32; /* the century's CMOS register */
	put(p, 109, BOOT_ARCH, 2);
	put(p, 112, FADT_FLAGS, 4);
	port(p, 116, 8, RESET_PORT);
	p[128] = RESET_VALUE;
	memcpy(p + 268, "VMMU", 4); /* hypervisor vendor identity */
	seal(p, FADT_SIZE);
	return address(t, p);
}

static void madt_override(uint8_t *p, unsigned irq, unsigned gsi,
			  unsigned flags)
{
	p[0] = 2;
	p[1] = 10;
	p[3] = (uint8_t)irq;
	put(p, 4, gsi, 4);
	put(p, 8, flags, 2);
}

static void madt_ioapic(uint8_t *p)
{
	p[0] = 1;
	p[1] = 12;
	p[2] = IOAPIC_ID;
	put(p, 4, IOAPIC_GPA, 4);
}

/* LINT1 of every processor is NMI. */
static void madt_nmi(uint8_t *p)
{
	p[0] = 4;
	p[1] = 6;
	p[2] = 0xff;
	p[5] = 1;
}

static uint64_t build_madt(struct tables *t, unsigned cpus)
{
	size_t size = HEADER + 8 + 8 * cpus + 12 + 2 * 10 + 6;
	uint8_t *p = room(t, size);
	uint8_t *entry;

	if (!p)
		return 0;
	header(p, "APIC", 4);
	put(p, 36, LAPIC_BASE_GPA, 4);
	put(p, 40, 1, 4); /* PCAT_COMPAT: there is a pair of 8259s */
	entry = p + 44;
	for (unsigned i = 0; i < cpus; i++, entry += 8) {
		entry[0] = 0;
		entry[1] = 8;
		entry[2] = (uint8_t)i; /* _UID of its device */
		entry[3] = (uint8_t)i; /* APIC ID */
		put(entry, 4, 1, 4);
	}
	madt_ioapic(entry);
	madt_override(entry + 12, 0, 2, 0);
	/* SCI: active high, level. */
	madt_override(entry + 22, PM_SCI, PM_SCI, 0x0d);
	madt_nmi(entry + 32);
	seal(p, size);
	return address(t, p);
}

static uint64_t build_xsdt(struct tables *t, uint64_t fadt, uint64_t madt)
{
	uint8_t *p = room(t, HEADER + 8 * XSDT_COUNT);

	if (!p)
		return 0;
	header(p, "XSDT", 1);
	put(p, HEADER, fadt, 8);
	put(p, HEADER + 8, madt, 8);
	seal(p, HEADER + 8 * XSDT_COUNT);
	return address(t, p);
}

/* Two checksums: of ACPI 1.0's 20 bytes, and of all 36. */
static void build_rsdp(uint8_t *p, uint64_t xsdt)
{
	memset(p, 0, RSDP_SIZE);
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "VMMU  ", 6);
	p[15] = 2; /* revision */
	put(p, 20, RSDP_SIZE, 4);
	put(p, 24, xsdt, 8);
	p[8] = checksum(p, 20);
	p[32] = checksum(p, RSDP_SIZE);
}

size_t acpi_build(uint8_t *buf, size_t size, gpa_t base,
		  const struct acpi_config *config)
{
	struct tables t = { .buf = buf, .size = size, .base = base.v };
	uint8_t *rsdp = room(&t, RSDP_SIZE);
	uint64_t facs = build_facs(&t);
	uint64_t dsdt = build_dsdt(&t, config);
	uint64_t fadt = build_fadt(&t, facs, dsdt);
	uint64_t madt = build_madt(&t, config->cpus);
	uint64_t xsdt = build_xsdt(&t, fadt, madt);

	if (t.full)
		return 0;
	build_rsdp(rsdp, xsdt);
	return t.used;
}

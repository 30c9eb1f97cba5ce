/*
 * The 82093AA: Intel data sheet 290566.
 *
 *   entry: | dest 63:56 | mask 16 | trigger 15 | remote IRR 14 | pol 13 |
 *          | status 12 | logical 11 | delivery 10:8 | vector 7:0 |
 *
 *   edge   the message goes out when the input rises; masked: it is lost
 *   level  the message goes out while the input is asserted and remote IRR
 *          is 0; when accepted, it sets that; the end of the interrupt clears
 * it, and a line that is still asserted sends again
 */
#include "dev/ioapic.h"

#include <string.h>

#include "dev/apic_bus.h"

#define REG_ID	      0
#define REG_VERSION   1
#define REG_ARBITER   2
#define REG_ENTRIES   16
#define VERSION	      0x20u
#define OFFSET_SELECT 0x00
#define OFFSET_WINDOW 0x10
#define OFFSET_END    0x40

#define ENTRY_LOGICAL (UINT64_C(1) << 11)
#define ENTRY_REMOTE  (UINT64_C(1) << 14)
#define ENTRY_LEVEL   (UINT64_C(1) << 15)
#define ENTRY_MASKED  (UINT64_C(1) << 16)
/* Bits that a write changes: not status, not remote IRR. */
#define ENTRY_WRITABLE UINT64_C(0xff0000000001afff)

void ioapic_reset(struct ioapic *io)
{
	memset(io, 0, sizeof(*io));
	io->id = IOAPIC_ID << 24;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->entry[pin] = ENTRY_MASKED;
}

static bool send(struct apic_bus *bus, uint64_t entry)
{
	struct apic_message m = {
		.delivery = (enum apic_delivery)(entry >> 8 & 7),
		.vector = (uint8_t)entry,
		.level = entry & ENTRY_LEVEL,
		.logical = entry & ENTRY_LOGICAL,
		.broadcast = entry >> 56 == 0xff,
		.dest = (uint32_t)(entry >> 56),
	};

	return apic_bus_send(bus, &m);
}

/* Level-triggered: sends if it is due. */
static void send_level(struct apic_bus *bus, unsigned pin)
{
	uint64_t *entry = &bus->ioapic.entry[pin];
	bool asserted = bus->ioapic.lines >> pin & 1;

	if (!asserted || !(*entry & ENTRY_LEVEL))
		return;
	if (*entry & (ENTRY_MASKED | ENTRY_REMOTE))
		return;
	if (send(bus, *entry))
		*entry |= ENTRY_REMOTE;
}

void ioapic_set(struct apic_bus *bus, unsigned pin, bool asserted)
{
	struct ioapic *io = &bus->ioapic;
	uint32_t bit = UINT32_C(1) << (pin % IOAPIC_PINS);
	uint64_t entry = io->entry[pin % IOAPIC_PINS];
	bool rises = asserted && !(io->lines & bit);

	if (pin >= IOAPIC_PINS)
		return;
	io->lines = asserted ? io->lines | bit : io->lines & ~bit;
	if (entry & ENTRY_LEVEL)
		send_level(bus, pin);
	else if (rises && !(entry & ENTRY_MASKED))
		(void)send(bus, entry);
}

void ioapic_end(struct apic_bus *bus, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *entry = &bus->ioapic.entry[pin];

		if ((uint8_t)*entry != vector || !(*entry & ENTRY_LEVEL))
			continue;
		*entry &= ~ENTRY_REMOTE;
		send_level(bus, pin);
	}
}

static uint32_t read_window(const struct ioapic *io)
{
	unsigned n = (unsigned)io->select - REG_ENTRIES;

	switch (io->select) {
	case REG_ID:
	case REG_ARBITER:
		return io->id;
	case REG_VERSION:
		return VERSION | (IOAPIC_PINS - 1) << 16;
	default:
		break;
	}
	if (io->select < REG_ENTRIES || n >= 2 * IOAPIC_PINS)
		return 0;
	return (uint32_t)(io->entry[n / 2] >> (n % 2 ? 32 : 0));
}

static void write_entry(struct apic_bus *bus, unsigned n, uint32_t value)
{
	uint64_t *entry = &bus->ioapic.entry[n / 2];
	unsigned at = n % 2 ? 32 : 0;
	uint64_t half = (UINT64_C(0xffffffff) << at) & ENTRY_WRITABLE;

	*entry = (*entry & ~half) | ((uint64_t)value << at & half);
	/* Remote IRR is of level entries only. Making an entry edge and level
	 * again is how software ends an interrupt without an EOI register. */
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE;
	send_level(bus, n / 2);
}

static void write_window(struct apic_bus *bus, uint32_t value)
{
	struct ioapic *io = &bus->ioapic;
	unsigned n = (unsigned)io->select - REG_ENTRIES;

	if (io->select == REG_ID)
		io->id = value & 0x0f000000;
	else if (io->select >= REG_ENTRIES && n < 2 * IOAPIC_PINS)
		write_entry(bus, n, value);
}

uint32_t ioapic_reg_read(const struct ioapic *io, unsigned offset)
{
	if (offset == OFFSET_SELECT)
		return io->select;
	return offset == OFFSET_WINDOW ? read_window(io) : 0;
}

void ioapic_reg_write(struct apic_bus *bus, unsigned offset, uint32_t value)
{
	if (offset == OFFSET_SELECT)
		bus->ioapic.select = (uint8_t)value;
	else if (offset == OFFSET_WINDOW)
		write_window(bus, value);
	else if (offset == OFFSET_END)
		ioapic_end(bus, (uint8_t)value);
}

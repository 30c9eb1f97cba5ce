/*
 * Destinations: SDM 3A 11.6.2.
 *
 *   physical         dest = the APIC's ID, or all ones for everyone
 *   logical, flat    LDR[31:24] & dest
 *   logical, cluster LDR[31:28] = dest[7:4] and LDR[27:24] & dest[3:0]
 *   logical, x2APIC  LDR[31:16] = dest[31:16] and LDR[15:0] & dest[15:0]
 *
 * Lowest priority goes to the matching processor with the lowest processor
 * priority; among equals they take turns.
 */
#include "dev/apic_bus.h"

#include <string.h>

#define ICR_DELIVERY(v) ((enum apic_delivery)((v) >> 8 & 7))
#define ICR_LOGICAL	(UINT64_C(1) << 11)
#define ICR_ASSERT	(UINT64_C(1) << 14)
#define ICR_LEVEL	(UINT64_C(1) << 15)
enum { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS };

void apic_bus_reset(struct apic_bus *bus, unsigned cpus, uint64_t tsc_hz)
{
	memset(bus, 0, sizeof(*bus));
	bus->cpus = cpus;
	for (unsigned i = 0; i < cpus; i++)
		lapic_reset(&bus->cpu[i], i, tsc_hz);
	ioapic_reset(&bus->ioapic);
}

static bool logical_match(const struct lapic *l, uint32_t dest)
{
	uint32_t ldr = l->ldr >> 24;

	if (lapic_is_x2(l))
		return l->ldr >> 16 == dest >> 16 && (l->ldr & dest & 0xffff);
	if (l->dfr >> 28 == 0xf)
		return ldr & dest;
	return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
}

static bool matches(const struct lapic *l, const struct apic_message *m)
{
	/* Switched off by IA32_APIC_BASE, it is not on the bus at all. */
	if (!lapic_enabled(l))
		return false;
	if (m->broadcast)
		return true;
	return m->logical ? logical_match(l, m->dest) : l->id == m->dest;
}

static void startup(struct lapic *l, uint8_t vector)
{
	/* Only a processor that waits for SIPI hears it. */
	if (!l->waiting)
		return;
	l->waiting = false;
	l->startup = true;
	l->startup_vector = vector;
}

/* False: it is not accepted, or is of a kind that nobody acknowledges. */
static bool deliver(struct lapic *l, const struct apic_message *m)
{
	switch (m->delivery) {
	case APIC_FIXED:
	case APIC_LOWEST:
		/* Software-disabled: 11.4.7.2, only the modes below. */
		if (!lapic_soft_enabled(l))
			break;
		lapic_accept(l, m->vector, m->level);
		return true;
	case APIC_NMI:
		l->nmi = true;
		break;
	case APIC_INIT:
		lapic_init_signal(l);
		break;
	case APIC_STARTUP:
		startup(l, m->vector);
		break;
	case APIC_SMI:	  /* there is no system management mode */
	case APIC_EXTINT: /* nor a PIC behind any pin of the I/O APIC */
	default:
		break;
	}
	return false;
}

static bool send_lowest(struct apic_bus *bus, const struct apic_message *m)
{
	struct lapic *best = NULL;

	for (unsigned i = 0; i < bus->cpus; i++) {
		struct lapic *l = &bus->cpu[(bus->turn + i) % bus->cpus];

		if (!matches(l, m) || !lapic_soft_enabled(l))
			continue;
		if (!best || lapic_ppr(l) < lapic_ppr(best))
			best = l;
	}
	if (!best)
		return false;
	bus->turn = (best->id + 1) % bus->cpus;
	return deliver(best, m);
}

bool apic_bus_send(struct apic_bus *bus, const struct apic_message *m)
{
	bool accepted = false;

	if (m->delivery == APIC_LOWEST)
		return send_lowest(bus, m);
	for (unsigned i = 0; i < bus->cpus; i++)
		if (matches(&bus->cpu[i], m))
			accepted |= deliver(&bus->cpu[i], m);
	return accepted;
}

static void send_others(struct apic_bus *bus, unsigned cpu,
			const struct apic_message *m)
{
	for (unsigned i = 0; i < bus->cpus; i++)
		if (i != cpu && lapic_enabled(&bus->cpu[i]))
			deliver(&bus->cpu[i], m);
}

static struct apic_message decode(const struct lapic *from, uint64_t icr)
{
	uint32_t high = (uint32_t)(icr >> 32);
	uint32_t dest = lapic_is_x2(from) ? high : high >> 24;

	return (struct apic_message){
		.delivery = ICR_DELIVERY(icr),
		.vector = (uint8_t)icr,
		.logical = icr & ICR_LOGICAL,
		.broadcast = dest == (lapic_is_x2(from) ? UINT32_MAX : 0xff),
		.dest = dest,
	};
}

void apic_bus_command(struct apic_bus *bus, unsigned cpu, uint64_t icr)
{
	struct lapic *from = &bus->cpu[cpu];
	struct apic_message m = decode(from, icr);

	from->icr = icr;
	/* INIT level de-assert: only arbitration IDs of old heard it. */
	if (m.delivery == APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	if (m.delivery <= APIC_LOWEST && m.vector < 16) {
		lapic_error(from, LAPIC_ESR_SEND);
		return;
	}
	switch (icr >> 18 & 3) {
	case TO_DEST:
		apic_bus_send(bus, &m);
		break;
	case TO_SELF:
		deliver(from, &m);
		break;
	case TO_ALL:
		m.broadcast = true;
		apic_bus_send(bus, &m);
		break;
	case TO_OTHERS:
		send_others(bus, cpu, &m);
		break;
	}
}

void apic_bus_end(struct apic_bus *bus, unsigned cpu)
{
	int vector = lapic_end(&bus->cpu[cpu]);

	if (vector >= 0)
		ioapic_end(bus, (uint8_t)vector);
}

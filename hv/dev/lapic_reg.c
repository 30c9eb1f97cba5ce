/*
 * Registers in both modes: SDM 3A tables 11-1 and 11-6.
 *
 * Reads and writes share one switch each. What differs in x2APIC mode is
 * checked before it: registers that are gone (DFR, ICR's upper half) or new
 * (self IPI), reserved bits that give #GP, ICR as one 64-bit register.
 */
#include "dev/lapic_reg.h"

#include "dev/lapic_timer.h"

enum reg {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32,
	REG_LVT_LAST = 0x37,
	REG_INITIAL = 0x38,
	REG_COUNT = 0x39,
	REG_DIVIDE = 0x3e,
	REG_SELF = 0x3f,
};

#define LVT_REMOTE_IRR (1u << 14) /* of the LINT pins, read-only */

/* An integrated APIC, six LVT entries, no EOI-broadcast suppression. */
#define VERSION	    (0x14u | (LAPIC_LVTS - 1) << 16)
#define SVR_BITS    0x3ffu
#define SVR_ENABLE  0x100u
#define ICR_BITS    UINT64_C(0xffffffff000ccfff)
#define ICR_STATUS  UINT64_C(0x1000) /* delivery pending: never, here */
#define DIVIDE_BITS 0xbu

static const uint32_t lvt_bits[LAPIC_LVTS] = {
	[LAPIC_TIMER] = 0x700ff,   [LAPIC_THERMAL] = 0x107ff,
	[LAPIC_COUNTER] = 0x107ff, [LAPIC_LINT0] = 0x1a7ff,
	[LAPIC_LINT1] = 0x1a7ff,   [LAPIC_ERROR] = 0x100ff,
};

static bool in_group(unsigned reg, unsigned first, unsigned count)
{
	return reg - first < count;
}

static bool is_lvt(unsigned reg)
{
	return in_group(reg, REG_LVT, LAPIC_LVTS);
}

/* Registers that exist in both modes and can be read. */
static bool read_common(const struct lapic *l, unsigned reg, uint64_t now,
			uint32_t *value)
{
	if (in_group(reg, REG_ISR, 8))
		*value = l->isr.word[reg - REG_ISR];
	else if (in_group(reg, REG_TMR, 8))
		*value = l->tmr.word[reg - REG_TMR];
	else if (in_group(reg, REG_IRR, 8))
		*value = l->irr.word[reg - REG_IRR];
	else if (is_lvt(reg))
		*value = l->lvt[reg - REG_LVT];
	else if (reg == REG_VERSION)
		*value = VERSION;
	else if (reg == REG_TPR)
		*value = l->tpr;
	else if (reg == REG_PPR)
		*value = lapic_ppr(l);
	else if (reg == REG_LDR)
		*value = l->ldr;
	else if (reg == REG_SVR)
		*value = l->svr;
	else if (reg == REG_ESR)
		*value = l->esr;
	else if (reg == REG_INITIAL)
		*value = l->timer.initial;
	else if (reg == REG_COUNT)
		*value = lapic_timer_count(l, now);
	else if (reg == REG_DIVIDE)
		*value = l->timer.divide;
	else
		return false;
	return true;
}

static void write_svr(struct lapic *l, uint32_t value)
{
	l->svr = value & SVR_BITS;
	/* 11.4.7.2: while it is disabled, every LVT entry is masked. */
	if (!(value & SVR_ENABLE))
		for (unsigned i = 0; i < LAPIC_LVTS; i++)
			l->lvt[i] |= LVT_MASKED;
	l->stale = true;
}

static void write_lvt(struct lapic *l, unsigned which, uint32_t value)
{
	value &= lvt_bits[which];
	if (!lapic_soft_enabled(l))
		value |= LVT_MASKED;
	if (which == LAPIC_TIMER)
		lapic_timer_lvt(l, value);
	else
		l->lvt[which] = value;
	l->stale = true;
}

/* Registers that exist in both modes and can be written. */
static bool write_common(struct apic_bus *bus, unsigned cpu, unsigned reg,
			 uint32_t value, uint64_t now)
{
	struct lapic *l = &bus->cpu[cpu];

	if (is_lvt(reg)) {
		write_lvt(l, reg - REG_LVT, value);
		return true;
	}
	switch (reg) {
	case REG_TPR:
		lapic_set_tpr(l, (uint8_t)value);
		return true;
	case REG_EOI:
		apic_bus_end(bus, cpu);
		return true;
	case REG_SVR:
		write_svr(l, value);
		return true;
	case REG_ESR:
		/* A write makes what was noted readable, and starts anew. */
		l->esr = l->errors;
		l->errors = 0;
		return true;
	case REG_INITIAL:
		lapic_timer_start(l, value, now);
		return true;
	case REG_DIVIDE:
		lapic_timer_divide(l, value, now);
		return true;
	default:
		return false;
	}
}

uint32_t lapic_reg_read(struct apic_bus *bus, unsigned cpu, unsigned offset,
			uint64_t now)
{
	struct lapic *l = &bus->cpu[cpu];
	unsigned reg = offset >> 4;
	uint32_t value = 0;

	if (read_common(l, reg, now, &value))
		return value;
	switch (reg) {
	case REG_ID:
		return l->id << 24;
	case REG_DFR:
		return l->dfr;
	case REG_ICR:
		return (uint32_t)l->icr;
	case REG_ICR_HIGH:
		return (uint32_t)(l->icr >> 32);
	case REG_APR:
	case REG_RRD:
	case REG_EOI:
		return 0;
	default:
		lapic_error(l, LAPIC_ESR_REGISTER);
		return 0;
	}
}

static void write_icr(struct apic_bus *bus, unsigned cpu, uint32_t low)
{
	uint64_t icr = bus->cpu[cpu].icr & UINT64_C(0xff00000000000000);

	apic_bus_command(bus, cpu, icr | (low & (uint32_t)ICR_BITS));
}

void lapic_reg_write(struct apic_bus *bus, unsigned cpu, unsigned offset,
		     uint32_t value, uint64_t now)
{
	struct lapic *l = &bus->cpu[cpu];
	unsigned reg = offset >> 4;

	if (write_common(bus, cpu, reg, value, now))
		return;
	switch (reg) {
	case REG_LDR:
		l->ldr = value & 0xff000000;
		break;
	case REG_DFR:
		l->dfr = value | 0x0fffffff;
		break;
	case REG_ICR:
		write_icr(bus, cpu, value);
		break;
	case REG_ICR_HIGH:
		l->icr = (uint32_t)l->icr | (uint64_t)(value & 0xff000000)
						    << 32;
		break;
	case REG_ID: /* fixed by the board */
	case REG_VERSION:
	case REG_PPR:
	case REG_COUNT:
		break;
	default:
		if (!in_group(reg, REG_ISR, 24))
			lapic_error(l, LAPIC_ESR_REGISTER);
		break;
	}
}

bool lapic_msr_read(struct apic_bus *bus, unsigned cpu, uint32_t msr,
		    uint64_t *value, uint64_t now)
{
	struct lapic *l = &bus->cpu[cpu];
	unsigned reg = msr - 0x800;
	uint32_t low = 0;

	if (!lapic_is_x2(l))
		return false;
	if (reg == REG_ICR)
		*value = l->icr;
	else if (reg == REG_ID)
		*value = l->id;
	else if (read_common(l, reg, now, &low))
		*value = low;
	else
		return false;
	return true;
}

/* Bits that may be set in a write of this register in x2APIC mode. */
static uint64_t x2_allowed(unsigned reg)
{
	if (is_lvt(reg))
		/* The read-only bits may be written as anything. */
		return lvt_bits[reg - REG_LVT] | ICR_STATUS | LVT_REMOTE_IRR;
	switch (reg) {
	case REG_TPR:
	case REG_SELF:
		return 0xff;
	case REG_SVR:
		return SVR_BITS;
	case REG_INITIAL:
		return UINT32_MAX;
	case REG_DIVIDE:
		return DIVIDE_BITS;
	case REG_ICR:
		return ICR_BITS | ICR_STATUS;
	default: /* EOI, ESR: only 0; others cannot be written */
		return 0;
	}
}

static bool msr_write_rare(struct apic_bus *bus, unsigned cpu, unsigned reg,
			   uint64_t value, uint64_t now)
{
	if (value & ~x2_allowed(reg))
		return false;
	if (reg != REG_SELF)
		return write_common(bus, cpu, reg, (uint32_t)value, now);
	if (value < 16)
		lapic_error(&bus->cpu[cpu], LAPIC_ESR_SEND);
	else if (lapic_soft_enabled(&bus->cpu[cpu]))
		lapic_accept(&bus->cpu[cpu], (uint8_t)value, false);
	return true;
}

bool lapic_msr_write(struct apic_bus *bus, unsigned cpu, uint32_t msr,
		     uint64_t value, uint64_t now)
{
	unsigned reg = msr - 0x800;

	if (!lapic_is_x2(&bus->cpu[cpu]))
		return false;
	switch (reg) {
	case REG_EOI:
		if (value)
			return false;
		apic_bus_end(bus, cpu);
		return true;
	case REG_ICR:
		if (value & ~(ICR_BITS | ICR_STATUS))
			return false;
		apic_bus_command(bus, cpu, value & ICR_BITS);
		return true;
	default:
		return msr_write_rare(bus, cpu, reg, value, now);
	}
}

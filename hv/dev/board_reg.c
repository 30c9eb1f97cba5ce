/*
 * Memory-mapped registers and MSRs. The MSR writes that a tick of the
 * guest's clock makes (TSC deadline, EOI) are tested for first and ask the
 * host for nothing.
 */
#include "dev/board.h"

#include "dev/board_wire.h"
#include "dev/lapic_reg.h"
#include "dev/lapic_timer.h"

#define MSR_APIC_BASE	 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC	 0x800u
#define MSR_X2APIC_END	 0x900u

#define PAGE_OF(v) ((v) & ~(uint64_t)VMMU_PAGE_MASK)

/* Only three registers of a local APIC look at the clock: initial count,
 * current count, divide. Their numbers are offset / 16. */
static bool needs_time(unsigned reg)
{
	return reg == 0x38 || reg == 0x39 || reg == 0x3e;
}

static uint64_t time_for(const struct board *b, unsigned reg)
{
	return needs_time(reg) ? board_now(b) : 0;
}

static bool is_lapic(const struct board *b, unsigned cpu, gpa_t gpa)
{
	const struct lapic *l = &b->apic.cpu[cpu];

	return lapic_enabled(l) && !lapic_is_x2(l) &&
	       PAGE_OF(gpa.v) == PAGE_OF(l->base);
}

static bool is_ioapic(gpa_t gpa)
{
	return gpa.v - IOAPIC_GPA < IOAPIC_SIZE;
}

bool board_mmio_read(struct board *b, unsigned cpu, gpa_t gpa, unsigned size,
		     uint64_t *value)
{
	unsigned offset = gpa.v & VMMU_PAGE_MASK;
	unsigned reg = offset & ~0xfu;
	uint32_t all;

	if (is_lapic(b, cpu, gpa))
		all = lapic_reg_read(&b->apic, cpu, reg, time_for(b, reg >> 4));
	else if (is_ioapic(gpa))
		all = ioapic_reg_read(&b->apic.ioapic, reg);
	else
		return false;
	/* A register is the first four of its sixteen bytes. */
	*value = (offset & 0xf) < 4 ? all >> 8 * (offset & 3) : 0;
	if (size < 4)
		*value &= (UINT64_C(1) << 8 * size) - 1;
	return true;
}

bool board_mmio_write(struct board *b, unsigned cpu, gpa_t gpa, unsigned size,
		      uint64_t value)
{
	unsigned offset = gpa.v & VMMU_PAGE_MASK;
	bool local = is_lapic(b, cpu, gpa);

	if (!local && !is_ioapic(gpa))
		return false;
	/* SDM 3A 11.4.1: other accesses than these are undefined. Here they
	 * change nothing; a byte for the I/O APIC's selector is allowed. */
	if ((offset & 0xf) || (local && size < 4) || (size < 4 && offset))
		return true;
	if (!local) {
		ioapic_reg_write(&b->apic, offset, (uint32_t)value);
		return true;
	}
	lapic_reg_write(&b->apic, cpu, offset, (uint32_t)value,
			time_for(b, offset >> 4));
	board_wire_deadline(b);
	return true;
}

enum board_msr board_rdmsr(struct board *b, unsigned cpu, uint32_t msr,
			   uint64_t *value)
{
	struct lapic *l = &b->apic.cpu[cpu];

	switch (msr) {
	case MSR_APIC_BASE:
		*value = l->base;
		return BOARD_MSR_OK;
	case MSR_TSC_DEADLINE:
		*value = lapic_timer_target(l);
		return BOARD_MSR_OK;
	case KVMCLOCK_MSR_WALL_OLD:
	case KVMCLOCK_MSR_WALL:
		*value = b->clock.wall;
		return BOARD_MSR_OK;
	case KVMCLOCK_MSR_SYSTEM_OLD:
	case KVMCLOCK_MSR_SYSTEM:
		*value = b->clock.system[cpu];
		return BOARD_MSR_OK;
	default:
		break;
	}
	if (msr < MSR_X2APIC || msr >= MSR_X2APIC_END)
		return BOARD_MSR_NOT_OURS;
	return lapic_msr_read(&b->apic, cpu, msr, value,
			      time_for(b, msr - MSR_X2APIC))
		       ? BOARD_MSR_OK
		       : BOARD_MSR_GP;
}

/* Where the guest has no memory nothing is written: its loss. */
static void put(struct board *b, uint64_t gpa, const void *buf, size_t n)
{
	(void)b->host.guest_write(b->host.ctx, mk_gpa(gpa), buf, n);
}

/* The version is odd while the rest is being written. */
static void write_wall(struct board *b, uint64_t gpa)
{
	struct kvmclock_wall w = {
		.sec = (uint32_t)b->host.epoch_sec,
		.nsec = b->host.epoch_nsec,
	};

	b->clock.wall = gpa;
	w.version = b->clock.wall_version + 1;
	put(b, gpa, &w, sizeof(w));
	b->clock.wall_version += 2;
	put(b, gpa, &b->clock.wall_version, sizeof(w.version));
}

/* Where the TSCs of vCPUs differ, one page does not serve them all. */
static bool tsc_alike(const struct board *b)
{
	for (unsigned i = 1; i < b->config.cpus; i++)
		if (b->clock.adjust[i] != b->clock.adjust[0])
			return false;
	return true;
}

static void write_system(struct board *b, unsigned cpu, uint64_t value)
{
	struct kvmclock_time t = {
		.tsc_timestamp = b->clock.adjust[cpu],
		.mul = b->clock.rate.mul,
		.shift = b->clock.rate.shift,
		.flags = tsc_alike(b) ? KVMCLOCK_TSC_STABLE : 0,
	};
	uint64_t gpa = value & ~UINT64_C(1);

	b->clock.system[cpu] = value;
	if (!(value & 1))
		return;
	t.version = b->clock.version[cpu] + 1;
	put(b, gpa, &t.version, sizeof(t.version));
	put(b, gpa, &t, sizeof(t));
	b->clock.version[cpu] += 2;
	put(b, gpa, &b->clock.version[cpu], sizeof(t.version));
}

void board_set_tsc_adjust(struct board *b, unsigned cpu, uint64_t adjust)
{
	b->clock.adjust[cpu] = adjust;
	for (unsigned i = 0; i < b->config.cpus; i++)
		write_system(b, i, b->clock.system[i]);
}

static enum board_msr write_base(struct board *b, unsigned cpu, uint64_t value)
{
	if (b->config.hide_x2apic && (value & LAPIC_BASE_X2))
		return BOARD_MSR_GP;
	if (!lapic_set_base(&b->apic.cpu[cpu], value, b->config.maxphyaddr))
		return BOARD_MSR_GP;
	board_wire_deadline(b);
	return BOARD_MSR_OK;
}

static enum board_msr write_x2apic(struct board *b, unsigned cpu, uint32_t msr,
				   uint64_t value)
{
	unsigned reg = msr - MSR_X2APIC;

	if (!lapic_msr_write(&b->apic, cpu, msr, value, time_for(b, reg)))
		return BOARD_MSR_GP;
	/* EOI and ICR leave the timers as they are. */
	if (reg > 0x30)
		board_wire_deadline(b);
	return BOARD_MSR_OK;
}

enum board_msr board_wrmsr(struct board *b, unsigned cpu, uint32_t msr,
			   uint64_t value)
{
	if (msr == MSR_TSC_DEADLINE) {
		lapic_timer_set_target(&b->apic.cpu[cpu], value);
		board_wire_deadline(b);
		return BOARD_MSR_OK;
	}
	if (msr >= MSR_X2APIC && msr < MSR_X2APIC_END)
		return write_x2apic(b, cpu, msr, value);
	switch (msr) {
	case MSR_APIC_BASE:
		return write_base(b, cpu, value);
	case KVMCLOCK_MSR_WALL_OLD:
	case KVMCLOCK_MSR_WALL:
		write_wall(b, value);
		return BOARD_MSR_OK;
	case KVMCLOCK_MSR_SYSTEM_OLD:
	case KVMCLOCK_MSR_SYSTEM:
		write_system(b, cpu, value);
		return BOARD_MSR_OK;
	default:
		return BOARD_MSR_NOT_OURS;
	}
}

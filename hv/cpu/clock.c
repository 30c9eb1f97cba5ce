/*
 * See clock.h. From CPUID: leaf 0x15, TSC and core crystal (Intel SDM 3B
 * 18.7.3); leaf 0x40000010, what hypervisors tell their guests. Otherwise
 * channel 2 of the PIT (Intel 8254 data sheet) is left to count down from
 * 65535 while TSC and APIC timer run; all are read together, twice.
 *
 * A reading is taken several times and the one that took the shortest kept,
 * so that an emulator that was held up meanwhile does not spoil it. What
 * remains is one PIT tick in PIT_TICKS; a rate that lies within that of a
 * whole number of MHz is taken to be it.
 */
#include "cpu/clock.h"

#include "cpu/apic.h"
#include "cpu/cpu.h"

#define PIT_HZ	     1193182u
#define PIT_TICKS    23864u /* 20 ms */
#define PIT_CHANNEL2 0x42
#define PIT_CONTROL  0x43
#define PIT_2_MODE0  0xb0 /* channel 2, low then high byte, mode 0 */
#define PIT_2_LATCH  0x80
#define PORT_61	     0x61
#define GATE2	     0x01
#define SPEAKER	     0x02
#define READINGS     8
#define POLLS_MAX    10000000u

struct reading {
	uint64_t tsc;
	uint32_t apic; /* counts down */
	uint16_t pit;  /* counts down */
};

static uint16_t pit_read(void)
{
	uint8_t low;

	outb(PIT_CONTROL, PIT_2_LATCH);
	low = inb(PIT_CHANNEL2);
	return (uint16_t)(inb(PIT_CHANNEL2) << 8 | low);
}

static struct reading read_all(void)
{
	struct reading r, best = { 0 };
	uint64_t before, took, best_took = UINT64_MAX;
	int i;

	for (i = 0; i < READINGS; i++) {
		before = rdtsc();
		r.pit = pit_read();
		r.apic = apic_read(APIC_TIMER_CURRENT);
		r.tsc = rdtsc();
		took = r.tsc - before;
		if (took < best_took) {
			best_took = took;
			best = r;
		}
	}
	return best;
}

static void counters_start(void)
{
	outb(PORT_61, (uint8_t)((inb(PORT_61) & ~SPEAKER) | GATE2));
	outb(PIT_CONTROL, PIT_2_MODE0);
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
}

static uint64_t rate_khz(uint64_t ticks, uint32_t pit_ticks)
{
	uint64_t hz = ticks * PIT_HZ / pit_ticks;
	uint64_t mhz = (hz + 500000) / 1000000;
	uint64_t whole = mhz * 1000000;
	uint64_t off = hz > whole ? hz - whole : whole - hz;

	if (off <= 2 * hz / pit_ticks)
		return mhz * 1000;
	return hz / 1000;
}

static void measure(struct clock_rates *rates)
{
	struct reading from, to;
	uint32_t polls = 0;

	counters_start();
	from = read_all();
	while ((uint16_t)(from.pit - pit_read()) < PIT_TICKS) {
		if (++polls == POLLS_MAX)
			return; /* it stands: there is no PIT */
	}
	to = read_all();
	apic_write(APIC_TIMER_INITIAL, 0);
	rates->tsc_khz =
		rate_khz(to.tsc - from.tsc, (uint16_t)(from.pit - to.pit));
	rates->apic_khz =
		rate_khz(from.apic - to.apic, (uint16_t)(from.pit - to.pit));
}

static void ask_leaf_15(struct clock_rates *rates)
{
	struct cpuid_regs r = cpuid(0x15, 0);

	if (r.eax == 0 || r.ebx == 0 || r.ecx == 0)
		return;
	rates->tsc_khz = (uint64_t)r.ecx * r.ebx / r.eax / 1000;
	rates->apic_khz = r.ecx / 1000;
}

static void ask_hypervisor(struct clock_rates *rates)
{
	struct cpuid_regs r = cpuid(0x40000010, 0);

	/* 100 MHz to 100 GHz; the leaf is some hypervisors' own. */
	if (r.eax < 100000 || r.eax > 100000000 || r.ebx == 0)
		return;
	rates->tsc_khz = r.eax;
	rates->apic_khz = r.ebx;
}

void clock_measure(struct clock_rates *rates)
{
	*rates = (struct clock_rates){ 0 };
	/* Leaf 1, ecx[31]: under a hypervisor, leaves 0x400000xx are its. */
	if ((cpuid(1, 0).ecx & 1u << 31) &&
	    cpuid(0x40000000, 0).eax >= 0x40000010)
		ask_hypervisor(rates);
	else if (cpuid(0, 0).eax >= 0x15)
		ask_leaf_15(rates);
	if (rates->tsc_khz == 0 || rates->apic_khz == 0)
		measure(rates);
}

/*
 * The board: every device that one VM sees, behind one object.
 *
 *   ISA interrupt n --> PIC input n ------INT--> LINT0 of the local APICs
 *                  \--> I/O APIC pin n (0: 2) --> local APIC by message
 *
 *   I/O ports          0x20 0x21 0xa0 0xa1 0x4d0 0x4d1   PIC
 *                      0x40-0x43 0x61                    PIT (IRQ 0)
 *                      0x70 0x71                         RTC (IRQ 8)
 *                      0x3f8-0x3ff                       UART (IRQ 4)
 *                      0x600-0x60b                       ACPI (SCI: IRQ 9)
 *                      0x64 0x92 0xcf9                   reset
 *                      0xcf8 0xcfc-0xcff                 PCI host bridge
 *                      0xf4                              exit
 *                      0x510 0x511                       firmware config.
 *                      0xe0-0xe7 0x2000-0x2017           test device
 *   memory             0xfee00000 (movable) 0xfec00000   local, I/O APIC
 *   MSRs               0x1b 0x6e0 0x800-0x8ff            local APIC
 *                      0x11 0x12 0x4b564d00 0x4b564d01   kvmclock
 *
 * Pure C: no hardware, no globals, no allocation, so that it is tested
 * hosted. Time is the TSC of a guest that has not written it. The VM loop calls
 * in from one vCPU at a time; `cpu` is below board_config.cpus everywhere.
 */
#ifndef HV_DEV_BOARD_H
#define HV_DEV_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmmu/addr.h>

#include "dev/acpi.h"
#include "dev/apic_bus.h"
#include "dev/fwcfg.h"
#include "dev/kvmclock.h"
#include "dev/pic.h"
#include "dev/pit.h"
#include "dev/pci.h"
#include "dev/pm.h"
#include "dev/rtc.h"
#include "dev/uart.h"

#define BOARD_CPUS_MAX APIC_CPUS_MAX

/* What the devices ask of the VM that they are in. */
struct board_host {
	uint64_t (*now)(void *ctx); /* guest TSC */
	void (*console_out)(void *ctx, uint8_t byte);
	/* False when the guest has no memory there. */
	bool (*guest_write)(void *ctx, gpa_t gpa, const void *buf, size_t n);
	/* The test device asks that the host's mapping of the guest page at
	 * gpa be dropped and made anew. NULL: there is no such device. */
	void (*page_flush)(void *ctx, gpa_t gpa);
	/* Seconds since 1970-01-01 UTC when guest TSC was 0, and the
	 * nanoseconds beyond: for the RTC and the kvmclock wall clock. */
	uint64_t epoch_sec;
	uint32_t epoch_nsec;
	void *ctx;
};

struct board_config {
	uint64_t tsc_khz;    /* 4000 (4 MHz) or more */
	uint64_t ram_size;   /* bytes, for the firmware-configuration ports */
	unsigned cpus;	     /* 1 .. BOARD_CPUS_MAX */
	unsigned maxphyaddr; /* as CPUID shows it, 36 .. 52; 0: 52 */
	bool hide_x2apic;    /* CPUID does not show it: entering it is #GP */
};

enum board_end {
	BOARD_RUNNING,
	BOARD_POWEROFF, /* ACPI S5 */
	BOARD_RESET,	/* keyboard controller, 0x92, 0xcf9 = ACPI's register */
	BOARD_EXIT,	/* exit port: code is the value written */
};

enum board_msr {
	BOARD_MSR_OK,
	BOARD_MSR_GP, /* ours, and this access is a #GP */
	BOARD_MSR_NOT_OURS,
};

/* What a vCPU has been told by INIT and SIPI: SDM 3A 9.4. */
enum board_startup {
	BOARD_STARTUP_NONE,
	BOARD_STARTUP_INIT, /* reset; then wait for SIPI, the boot processor
			     * goes to its reset vector */
	BOARD_STARTUP_SIPI, /* run from vector << 12, in real mode */
};

struct board_clock {
	uint64_t wall, system[BOARD_CPUS_MAX]; /* the MSRs */
	uint32_t wall_version, version[BOARD_CPUS_MAX];
	uint64_t adjust[BOARD_CPUS_MAX]; /* guest TSC - board time */
	struct kvmclock_rate rate;
};

struct board {
	struct board_host host;
	struct board_config config;
	uint64_t deadline; /* the earliest of all devices' */
	enum board_end end;
	uint32_t end_code;
	bool pic_int;	       /* the PIC's output */
	uint8_t reset_control; /* port 0xcf9 */
	uint32_t test_store;   /* test device, ports 0xe0-0xe3 */
	struct apic_bus apic;
	struct uart uart;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct pci pci;
	struct pm pm;
	struct fwcfg fwcfg;
	struct board_clock clock;
};

void board_init(struct board *b, const struct board_config *config,
		const struct board_host *host);

/* size: 1, 2 or 4. Where nothing answers: all ones. */
uint32_t board_in(struct board *b, unsigned cpu, uint16_t port, unsigned size);
void board_out(struct board *b, unsigned cpu, uint16_t port, unsigned size,
	       uint32_t value);

/* size: 1, 2, 4 or 8. False: no device there; a read is all ones then. */
bool board_mmio_read(struct board *b, unsigned cpu, gpa_t gpa, unsigned size,
		     uint64_t *value);
bool board_mmio_write(struct board *b, unsigned cpu, gpa_t gpa, unsigned size,
		      uint64_t value);

enum board_msr board_rdmsr(struct board *b, unsigned cpu, uint32_t msr,
			   uint64_t *value);
enum board_msr board_wrmsr(struct board *b, unsigned cpu, uint32_t msr,
			   uint64_t value);

/* Nothing is pending for this vCPU, not even an NMI, and nothing has changed
 * since that was found. */
static inline bool board_quiet(const struct board *b, unsigned cpu)
{
	const struct lapic *l = &b->apic.cpu[cpu];

	return !(l->stale | l->nmi) && l->answer < 0;
}

/* board_pending when something has changed. */
int board_pending_find(struct board *b, unsigned cpu);

/* The vector that this vCPU would take now if it had interrupts enabled;
 * -1: none. */
static inline int board_pending(struct board *b, unsigned cpu)
{
	const struct lapic *l = &b->apic.cpu[cpu];

	return l->stale ? board_pending_find(b, cpu) : l->answer;
}

/* The vCPU's own TSC is the board's time + adjust from now on: kvmclock's
 * pages say so. TSC_DEADLINE stays in the board's time. */
void board_set_tsc_adjust(struct board *b, unsigned cpu, uint64_t adjust);

/* Interrupt acknowledge: takes that vector, -1 when there is none. */
int board_ack(struct board *b, unsigned cpu);

/* An NMI is waiting for this vCPU; take it to clear it. */
static inline bool board_nmi(const struct board *b, unsigned cpu)
{
	return b->apic.cpu[cpu].nmi;
}

static inline bool board_nmi_take(struct board *b, unsigned cpu)
{
	bool nmi = b->apic.cpu[cpu].nmi;

	b->apic.cpu[cpu].nmi = false;
	return nmi;
}

/* True while the vCPU waits for SIPI and must not run: all but the boot
 * processor, from the start. */
static inline bool board_waiting(const struct board *b, unsigned cpu)
{
	return b->apic.cpu[cpu].waiting;
}

/* What INIT and SIPI have done since the last call, in order, one a call.
 * *vector is set with BOARD_STARTUP_SIPI. */
enum board_startup board_startup(struct board *b, unsigned cpu,
				 uint8_t *vector);

/* CR8 is TPR's upper half. value: 0 .. 15. */
static inline uint8_t board_cr8(const struct board *b, unsigned cpu)
{
	return b->apic.cpu[cpu].tpr >> 4;
}

static inline void board_set_cr8(struct board *b, unsigned cpu, uint8_t value)
{
	lapic_set_tpr(&b->apic.cpu[cpu], (uint8_t)(value << 4));
}

/* CPUID.1:EDX.APIC follows IA32_APIC_BASE's enable bit. */
static inline bool board_apic_enabled(const struct board *b, unsigned cpu)
{
	return lapic_enabled(&b->apic.cpu[cpu]);
}

/* Guest TSC at which board_tick is to be called next; UINT64_MAX: never. It
 * may lie in the past: then at once. */
static inline uint64_t board_deadline(const struct board *b)
{
	return b->deadline;
}

void board_tick(struct board *b, uint64_t now);

/* A byte from the console. False: offer it again later. */
bool board_console_in(struct board *b, uint8_t byte);

/* How the guest ended its machine; *code is set with BOARD_EXIT. */
enum board_end board_end(const struct board *b, uint32_t *code);

#endif

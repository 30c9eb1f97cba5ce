/*
 * One local APIC: SDM 3A chapter 11 (APM 2 chapter 16). This file is the
 * part that one vCPU has to itself: acceptance, priority, LVT, timer. What
 * goes from one APIC to another is apic_bus.h; the register file is
 * lapic_reg.h.
 *
 * The timer's clock is the TSC: one bus tick is one TSC tick, so a guest
 * that calibrates finds tsc_hz, and no arithmetic is lost to a conversion.
 */
#ifndef HV_DEV_LAPIC_H
#define HV_DEV_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* IA32_APIC_BASE. */
#define LAPIC_BASE_BSP	  (UINT64_C(1) << 8)
#define LAPIC_BASE_X2	  (UINT64_C(1) << 10)
#define LAPIC_BASE_ENABLE (UINT64_C(1) << 11)
#define LAPIC_BASE_GPA	  UINT64_C(0xfee00000)

/* Delivery modes, as in ICR, LVT and the I/O APIC's entries. */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
	APIC_EXTINT = 7,
};

/* Local vector table, in the order of the registers from 0x320 on. */
enum lapic_lvt {
	LAPIC_TIMER,
	LAPIC_THERMAL,
	LAPIC_COUNTER,
	LAPIC_LINT0,
	LAPIC_LINT1,
	LAPIC_ERROR,
	LAPIC_LVTS,
};

#define LVT_MASKED (UINT32_C(1) << 16)

/* ESR bits. */
#define LAPIC_ESR_SEND	   0x20u /* illegal vector in a message sent */
#define LAPIC_ESR_RECEIVE  0x40u /* ... received */
#define LAPIC_ESR_REGISTER 0x80u /* a register that does not exist */

/* 256 bits, and one bit for each word of them that is not 0. */
struct lapic_set {
	uint32_t word[8];
	uint32_t words;
};

struct lapic_timer {
	uint64_t deadline; /* TSC at which lapic_tick is due; TSC_NEVER */
	uint64_t edge;	   /* one-shot, periodic: TSC of an expiry */
	uint64_t period;   /* TSC ticks from initial count to 0 */
	uint32_t initial;
	uint32_t divide; /* the register */
	bool running;	 /* one-shot, periodic: edge is meant */
	uint64_t target; /* IA32_TSC_DEADLINE, 0: not armed */
};

struct lapic {
	struct lapic_set irr, isr, tmr;
	int16_t answer; /* board_pending's last answer for this vCPU */
	bool stale;	/* something changed since */
	bool nmi;	/* one is pending */
	bool init;	/* INIT came, and nobody has taken notice yet */
	bool startup;	/* SIPI came, the same */
	bool waiting;	/* for SIPI: the vCPU does not run */
	uint8_t startup_vector;
	uint8_t tpr;
	uint32_t id;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t svr, ldr, dfr;
	uint32_t esr;	 /* as a read gives it */
	uint32_t errors; /* since the last write to ESR */
	uint64_t icr;
	uint32_t lvt[LAPIC_LVTS];
	struct lapic_timer timer;
	uint64_t gap; /* TSC ticks between periodic interrupts, at least */
};

/* Power-up. id 0 is the boot processor: it runs, its LINT0 passes the PIC's
 * interrupts as firmware would set it up. The others wait for SIPI. */
void lapic_reset(struct lapic *l, uint32_t id, uint64_t tsc_hz);

/* What INIT does: registers as at power-up; base and id stay. */
void lapic_init_signal(struct lapic *l);

static inline bool lapic_enabled(const struct lapic *l)
{
	return l->base & LAPIC_BASE_ENABLE;
}

static inline bool lapic_is_x2(const struct lapic *l)
{
	return l->base & LAPIC_BASE_X2;
}

/* SVR bit 8. */
static inline bool lapic_soft_enabled(const struct lapic *l)
{
	return l->svr & 0x100;
}

/* A fixed interrupt arrives. Vectors below 16 become an error instead. */
void lapic_accept(struct lapic *l, uint8_t vector, bool level);

/* Highest request above the processor priority; -1. */
int lapic_pending(const struct lapic *l);

/* Takes that request into service. */
int lapic_take(struct lapic *l);

/* End of the highest interrupt in service: its vector if it was a level
 * interrupt, so that the I/O APICs must hear of it; else -1. */
int lapic_end(struct lapic *l);

/* PPR: SDM 3A 11.8.3.1. */
uint8_t lapic_ppr(const struct lapic *l);

void lapic_set_tpr(struct lapic *l, uint8_t tpr);

/* Notes an ESR bit, and raises the error interrupt for a new one. */
void lapic_error(struct lapic *l, uint32_t bit);

/* The event of a local source: what its LVT entry says happens. */
void lapic_local(struct lapic *l, enum lapic_lvt which);

/* The PIC's INT reaches this processor as ExtINT. */
bool lapic_takes_pic(const struct lapic *l);

/* MSR 0x1b. False: #GP. */
bool lapic_set_base(struct lapic *l, uint64_t value, unsigned maxphyaddr);

/* Bits of a set, for tests and register reads. */
bool lapic_set_has(const struct lapic_set *s, uint8_t vector);

#endif

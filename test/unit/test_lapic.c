/* hv/dev/lapic.c, lapic_reg.c, lapic_timer.c, apic_bus.c, by SDM 3A 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/apic_bus.h"
#include "dev/lapic_reg.h"
#include "dev/lapic_timer.h"
#include "dev/tsc.h"

#define HZ UINT64_C(1000000000)

/* Register numbers: MMIO offset / 16. */
enum {
	ID = 0x02,
	VERSION = 0x03,
	TPR = 0x08,
	PPR = 0x0a,
	END = 0x0b,
	LDR = 0x0d,
	DFR = 0x0e,
	SVR = 0x0f,
	ISR = 0x10,
	TMR = 0x18,
	IRR = 0x20,
	ESR = 0x28,
	ICR = 0x30,
	ICR2 = 0x31,
	LVTT = 0x32,
	LINT0 = 0x35,
	ERR = 0x37,
	INITIAL = 0x38,
	COUNT = 0x39,
	DIVIDE = 0x3e,
	SELF = 0x3f,
};

static struct apic_bus bus;

static uint32_t rd(unsigned cpu, unsigned reg, uint64_t now)
{
	return lapic_reg_read(&bus, cpu, reg << 4, now);
}

static void wr(unsigned cpu, unsigned reg, uint32_t value, uint64_t now)
{
	lapic_reg_write(&bus, cpu, reg << 4, value, now);
}

static void start(unsigned cpus)
{
	unsigned i;

	apic_bus_reset(&bus, cpus, HZ);
	for (i = 0; i < cpus; i++)
		wr(i, SVR, 0x1ff, 0);
}

static void to_x2(unsigned cpu)
{
	struct lapic *l = &bus.cpu[cpu];

	assert_true(lapic_set_base(l, l->base | LAPIC_BASE_X2, 48));
}

static bool msr_wr(unsigned cpu, unsigned reg, uint64_t value)
{
	return lapic_msr_write(&bus, cpu, 0x800 + reg, value, 0);
}

/* 11.4.7.1: state after power-up. */
static void reset_state(void **state)
{
	(void)state;
	apic_bus_reset(&bus, 2, HZ);
	assert_int_equal(rd(0, VERSION, 0), 0x00050014);
	assert_int_equal(rd(1, ID, 0), 1u << 24);
	assert_int_equal(rd(0, SVR, 0), 0xff);
	assert_int_equal(rd(0, DFR, 0), 0xffffffff);
	assert_int_equal(rd(1, LINT0, 0), 0x10000);
	/* The boot processor's LINT0 as firmware leaves it: ExtINT. */
	assert_int_equal(rd(0, LINT0, 0), 0x700);
	assert_true(lapic_takes_pic(&bus.cpu[0]));
	assert_false(lapic_takes_pic(&bus.cpu[1]));
	assert_false(bus.cpu[0].waiting);
	assert_true(bus.cpu[1].waiting);
}

static void one_at_a_time_by_class(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	assert_int_equal(lapic_pending(l), -1);
	lapic_accept(l, 0x31, false);
	lapic_accept(l, 0x45, false);
	assert_int_equal(rd(0, IRR + 1, 0), 1u << 17);
	assert_int_equal(rd(0, IRR + 2, 0), 1u << 5);
	assert_int_equal(lapic_pending(l), 0x45);
	assert_int_equal(lapic_take(l), 0x45);
	assert_int_equal(rd(0, ISR + 2, 0), 1u << 5);
	assert_int_equal(rd(0, PPR, 0), 0x40);
	/* Same class, lower class: they wait. Higher class: it does not. */
	lapic_accept(l, 0x4f, false);
	assert_int_equal(lapic_take(l), -1);
	lapic_accept(l, 0x50, false);
	assert_int_equal(lapic_take(l), 0x50);
	wr(0, END, 0, 0);
	assert_int_equal(lapic_pending(l), -1);
	wr(0, END, 0, 0);
	assert_int_equal(lapic_take(l), 0x4f);
	wr(0, END, 0, 0);
	assert_int_equal(lapic_take(l), 0x31);
	wr(0, END, 0, 0);
	wr(0, END, 0, 0); /* nothing in service: nothing happens */
	assert_int_equal(lapic_pending(l), -1);
}

static void task_priority(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	lapic_accept(l, 0x61, false);
	wr(0, TPR, 0x60, 0);
	assert_int_equal(lapic_pending(l), -1);
	assert_int_equal(rd(0, PPR, 0), 0x60);
	wr(0, TPR, 0x5f, 0);
	assert_int_equal(lapic_take(l), 0x61);
	/* TPR above the class in service shows with its sub-class. */
	wr(0, TPR, 0x7a, 0);
	assert_int_equal(rd(0, PPR, 0), 0x7a);
	wr(0, TPR, 0x65, 0);
	assert_int_equal(rd(0, PPR, 0), 0x65);
	wr(0, TPR, 0x55, 0);
	assert_int_equal(rd(0, PPR, 0), 0x60);
}

/* Any vector from 16 on; below, an error. */
static void all_vectors(void **state)
{
	struct lapic *l = &bus.cpu[0];
	unsigned v;

	(void)state;
	start(1);
	for (v = 0; v < 256; v++) {
		lapic_accept(l, (uint8_t)v, false);
		if (v < 16) {
			assert_int_equal(lapic_pending(l), -1);
			continue;
		}
		assert_int_equal(lapic_take(l), v);
		wr(0, END, 0, 0);
	}
	wr(0, ESR, 0, 0);
	assert_int_equal(rd(0, ESR, 0), 0x40);
	wr(0, ESR, 0, 0);
	assert_int_equal(rd(0, ESR, 0), 0);
}

static void errors_interrupt_once(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, ERR, 0xfe, 0);
	wr(0, ICR, 0x40000 | 5, 0); /* to self, vector 5 */
	assert_int_equal(lapic_take(l), 0xfe);
	wr(0, ICR, 0x40000 | 6, 0);
	assert_int_equal(lapic_pending(l), -1); /* noted already */
	assert_int_equal(rd(0, ESR, 0), 0);	/* until it is written */
	wr(0, ESR, 0, 0);
	assert_int_equal(rd(0, ESR, 0), 0x20);
	wr(0, END, 0, 0);
	(void)rd(0, 0x3d, 0); /* no such register */
	assert_int_equal(lapic_take(l), 0xfe);
	/* An error interrupt that is itself illegal does not recurse. */
	start(1);
	wr(0, ERR, 0x03, 0);
	(void)rd(0, 0x3d, 0);
	wr(0, ESR, 0, 0);
	assert_int_equal(rd(0, ESR, 0), 0xc0);
}

static void software_disabled(void **state)
{
	struct apic_message m = { .vector = 0x40, .broadcast = true };

	(void)state;
	start(1);
	wr(0, LVTT, 0x20, 0);
	wr(0, SVR, 0xff, 0);
	assert_int_equal(rd(0, LVTT, 0), 0x10020); /* all are masked */
	wr(0, LVTT, 0x20, 0);
	assert_int_equal(rd(0, LVTT, 0), 0x10020); /* and stay so */
	assert_false(apic_bus_send(&bus, &m));
	m.delivery = APIC_NMI;
	apic_bus_send(&bus, &m);
	assert_true(bus.cpu[0].nmi);
}

static void one_shot(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, LVTT, 0x30, 0);
	wr(0, DIVIDE, 0x3, 0); /* 16 */
	wr(0, INITIAL, 1000, 100);
	assert_int_equal(l->timer.deadline, 100 + 16000);
	assert_int_equal(rd(0, COUNT, 100), 1000);
	assert_int_equal(rd(0, COUNT, 100 + 8000), 500);
	lapic_tick(l, 16099);
	assert_int_equal(lapic_pending(l), -1);
	lapic_tick(l, 16100);
	assert_int_equal(lapic_pending(l), 0x30);
	assert_int_equal(rd(0, COUNT, 16100), 0);
	assert_int_equal(rd(0, INITIAL, 16100), 1000);
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	wr(0, INITIAL, 1000, 20000);
	wr(0, INITIAL, 0, 20001); /* stops */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	assert_int_equal(rd(0, COUNT, 20002), 0);
}

static void divisors(void **state)
{
	static const uint8_t reg[8] = { 0, 1, 2, 3, 8, 9, 10, 11 };
	static const unsigned by[8] = { 2, 4, 8, 16, 32, 64, 128, 1 };
	unsigned i;

	(void)state;
	start(1);
	for (i = 0; i < 8; i++) {
		wr(0, DIVIDE, reg[i], 0);
		assert_int_equal(rd(0, DIVIDE, 0), reg[i]);
		wr(0, INITIAL, 10, 0);
		assert_int_equal(bus.cpu[0].timer.deadline, 10 * by[i]);
	}
	/* Changed while it counts: what is left is counted at the new rate. */
	wr(0, DIVIDE, 11, 0);
	wr(0, INITIAL, 1000, 0);
	wr(0, DIVIDE, 0, 400);
	assert_int_equal(bus.cpu[0].timer.deadline, 400 + 600 * 2);
}

static void periodic(void **state)
{
	struct lapic *l = &bus.cpu[0];
	unsigned i;

	(void)state;
	start(1);
	wr(0, LVTT, 0x20030, 0);
	wr(0, DIVIDE, 0xb, 0);
	wr(0, INITIAL, 1000000, 0);
	for (i = 1; i <= 5; i++) {
		assert_int_equal(l->timer.deadline, i * 1000000);
		lapic_tick(l, l->timer.deadline);
		assert_int_equal(lapic_take(l), 0x30);
		wr(0, END, 0, 0);
	}
	/* Late by many periods: one interrupt, the phase is kept. */
	lapic_tick(l, 123456789);
	assert_int_equal(lapic_take(l), 0x30);
	assert_int_equal(lapic_take(l), -1);
	assert_int_equal(l->timer.deadline, 124000000);
	assert_int_equal(rd(0, COUNT, 123456789), 124000000 - 123456789);
	/* The count is right also where no tick was taken in time. */
	assert_int_equal(rd(0, COUNT, 200250000), 750000);
}

static void shortest_period_is_bounded(void **state)
{
	struct lapic *l = &bus.cpu[0];
	uint64_t now = 0;
	unsigned n = 0;

	(void)state;
	start(1);
	wr(0, LVTT, 0x20030, 0);
	wr(0, DIVIDE, 0xb, 0);
	wr(0, INITIAL, 1, 0);
	while (now < HZ / 100) {
		now = l->timer.deadline;
		lapic_tick(l, now);
		n++;
	}
	assert_in_range(n, 100, 1005); /* 100000 a second */
}

static void tsc_deadline(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	lapic_timer_set_target(l, 500); /* another mode: lost */
	assert_int_equal(lapic_timer_target(l), 0);
	wr(0, LVTT, 0x40030, 0);
	lapic_timer_set_target(l, 500);
	assert_int_equal(lapic_timer_target(l), 500);
	assert_int_equal(l->timer.deadline, 500);
	wr(0, INITIAL, 77, 0); /* ignored in this mode */
	assert_int_equal(rd(0, INITIAL, 0), 0);
	assert_int_equal(rd(0, COUNT, 0), 0);
	lapic_tick(l, 499);
	assert_int_equal(lapic_pending(l), -1);
	lapic_tick(l, 500);
	assert_int_equal(lapic_take(l), 0x30);
	assert_int_equal(lapic_timer_target(l), 0);
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	lapic_timer_set_target(l, 900);
	lapic_timer_set_target(l, 0); /* disarms */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	lapic_timer_set_target(l, 900);
	wr(0, LVTT, 0x30, 0); /* so does leaving the mode */
	assert_int_equal(l->timer.deadline, TSC_NEVER);
	assert_int_equal(lapic_timer_target(l), 0);
}

static void masked_timer_is_silent(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, LVTT, 0x10030, 0);
	wr(0, INITIAL, 10, 0);
	lapic_tick(l, 100);
	assert_int_equal(lapic_pending(l), -1);
}

/* Figure 11-27: every pair of states. */
static void mode_transitions(void **state)
{
	static const uint64_t mode[4] = { 0, LAPIC_BASE_ENABLE,
					  LAPIC_BASE_ENABLE | LAPIC_BASE_X2,
					  LAPIC_BASE_X2 };
	static const bool allowed[3][4] = {
		{ true, true, false, false },
		{ true, true, true, false },
		{ true, false, true, false },
	};
	unsigned from, to;

	(void)state;
	for (from = 0; from < 3; from++)
		for (to = 0; to < 4; to++) {
			struct lapic l;

			lapic_reset(&l, 3, HZ);
			l.base = LAPIC_BASE_GPA | mode[from];
			assert_int_equal(
				lapic_set_base(&l, LAPIC_BASE_GPA | mode[to],
					       48),
				allowed[from][to]);
		}
}

static void base_reserved_bits(void **state)
{
	struct lapic *l = &bus.cpu[0];
	const uint64_t base = l->base;
	unsigned bit;

	(void)state;
	start(1);
	for (bit = 0; bit < 64; bit++) {
		bool reserved = bit < 8 || bit == 9 || bit >= 40;

		if (!reserved)
			continue;
		assert_false(lapic_set_base(l, base | UINT64_C(1) << bit, 40));
	}
	assert_true(lapic_set_base(l, 0xfed00000 | LAPIC_BASE_ENABLE, 40));
	/* Off is a reset, and the PIC then has the INTR pin. */
	start(1);
	wr(0, TPR, 0x50, 0);
	assert_true(lapic_set_base(l, LAPIC_BASE_GPA | LAPIC_BASE_BSP, 40));
	assert_true(lapic_takes_pic(l));
	assert_true(lapic_set_base(l, base, 40));
	assert_int_equal(rd(0, TPR, 0), 0);
}

static void x2apic_registers(void **state)
{
	uint64_t v;

	(void)state;
	start(8);
	assert_false(lapic_msr_read(&bus, 5, 0x802, &v, 0));
	assert_false(msr_wr(5, END, 0));
	to_x2(5);
	assert_true(lapic_msr_read(&bus, 5, 0x802, &v, 0));
	assert_int_equal(v, 5);
	assert_true(lapic_msr_read(&bus, 5, 0x80d, &v, 0));
	assert_int_equal(v, 1u << 5);
	assert_true(lapic_msr_read(&bus, 5, 0x803, &v, 0));
	assert_int_equal(v, 0x50014);
	/* Gone, or read-only, or write-only. */
	assert_false(lapic_msr_read(&bus, 5, 0x80e, &v, 0));
	assert_false(lapic_msr_read(&bus, 5, 0x80b, &v, 0));
	assert_false(lapic_msr_read(&bus, 5, 0x831, &v, 0));
	assert_false(lapic_msr_read(&bus, 5, 0x83f, &v, 0));
	assert_false(lapic_msr_read(&bus, 5, 0x840, &v, 0));
	assert_false(msr_wr(5, ID, 0));
	assert_false(msr_wr(5, LDR, 0));
	assert_false(msr_wr(5, IRR, 0));
	assert_false(msr_wr(5, PPR, 0));
	assert_false(msr_wr(5, COUNT, 0));
	/* Reserved bits. */
	assert_false(msr_wr(5, END, 1));
	assert_false(msr_wr(5, ESR, 1));
	assert_false(msr_wr(5, TPR, 0x100));
	assert_false(msr_wr(5, SVR, 0x400));
	assert_false(msr_wr(5, ICR, 0x10000));
	assert_false(msr_wr(5, LVTT, 0x80000));
	assert_false(msr_wr(5, DIVIDE, 4));
	assert_false(msr_wr(5, INITIAL, UINT64_C(1) << 32));
	assert_true(msr_wr(5, TPR, 0x20));
	assert_true(msr_wr(5, LVTT, 0x40030));
	assert_true(msr_wr(5, ESR, 0));
}

static void self_ipi(void **state)
{
	(void)state;
	start(2);
	to_x2(1);
	assert_true(msr_wr(1, SELF, 0x41));
	assert_int_equal(lapic_take(&bus.cpu[1]), 0x41);
	assert_true(msr_wr(1, END, 0));
	assert_true(msr_wr(1, SELF, 3));
	assert_true(msr_wr(1, ESR, 0));
	assert_int_equal(bus.cpu[1].esr, 0x20);
}

static unsigned takers(unsigned cpus)
{
	unsigned i, set = 0;

	for (i = 0; i < cpus; i++)
		if (lapic_take(&bus.cpu[i]) >= 0) {
			set |= 1u << i;
			wr(i, END, 0, 0);
		}
	return set;
}

static void send(unsigned from, uint32_t dest, uint32_t low)
{
	wr(from, ICR2, dest << 24, 0);
	wr(from, ICR, low, 0);
}

static void physical_and_shorthands(void **state)
{
	(void)state;
	start(4);
	send(0, 2, 0x50);
	assert_int_equal(takers(4), 1u << 2);
	send(0, 0xff, 0x50);
	assert_int_equal(takers(4), 0xf);
	send(0, 9, 0x50);
	assert_int_equal(takers(4), 0);
	send(1, 0, 0x40050); /* self */
	assert_int_equal(takers(4), 1u << 1);
	send(1, 0, 0x80050); /* all */
	assert_int_equal(takers(4), 0xf);
	send(1, 0, 0xc0050); /* others */
	assert_int_equal(takers(4), 0xd);
	/* ICR reads back, delivery status idle. */
	assert_int_equal(rd(1, ICR, 0), 0xc0050);
}

static void logical_flat_and_cluster(void **state)
{
	unsigned i;

	(void)state;
	start(4);
	for (i = 0; i < 4; i++)
		wr(i, LDR, 1u << (24 + i), 0);
	send(0, 0x0a, 0x850);
	assert_int_equal(takers(4), 0xa);
	send(0, 0xff, 0x850);
	assert_int_equal(takers(4), 0xf);
	for (i = 0; i < 4; i++) {
		wr(i, DFR, 0x0fffffff, 0);
		wr(i, LDR, (i / 2) << 28 | 1u << (24 + i % 2), 0);
	}
	send(0, 0x13, 0x850); /* cluster 1, both */
	assert_int_equal(takers(4), 0xc);
	send(0, 0x02, 0x850);
	assert_int_equal(takers(4), 0x2);
}

static void logical_x2apic(void **state)
{
	unsigned i;

	(void)state;
	start(4);
	for (i = 0; i < 4; i++)
		to_x2(i);
	assert_true(msr_wr(0, ICR, UINT64_C(5) << 32 | 0x850));
	for (i = 0; i < 4; i++)
		assert_int_equal(lapic_take(&bus.cpu[i]),
				 i == 0 || i == 2 ? 0x50 : -1);
	assert_true(msr_wr(0, ICR, UINT64_C(0x10001) << 32 | 0x860));
	for (i = 0; i < 4; i++)
		assert_int_equal(lapic_take(&bus.cpu[i]), -1);
	assert_true(msr_wr(0, ICR, UINT64_C(0xffffffff) << 32 | 0x60));
	for (i = 0; i < 4; i++)
		assert_int_equal(lapic_take(&bus.cpu[i]), 0x60);
}

static void lowest_priority(void **state)
{
	unsigned i, got = 0;

	(void)state;
	start(3);
	wr(0, TPR, 0x30, 0);
	wr(1, TPR, 0x10, 0);
	wr(2, TPR, 0x20, 0);
	send(0, 0xff, 0x150);
	assert_int_equal(takers(3), 1u << 1);
	/* Equals take turns. */
	for (i = 0; i < 3; i++)
		wr(i, TPR, 0, 0);
	for (i = 0; i < 3; i++) {
		send(0, 0xff, 0x150);
		got |= takers(3);
	}
	assert_int_equal(got, 7);
}

static void init_and_startup(void **state)
{
	struct lapic *l = &bus.cpu[1];

	(void)state;
	start(2);
	wr(1, TPR, 0x40, 0);
	send(0, 1, 0x4500); /* INIT, assert */
	assert_true(l->init);
	assert_true(l->waiting);
	assert_int_equal(rd(1, TPR, 0), 0);
	send(0, 1, 0x8500); /* level de-assert: no second INIT */
	l->init = false;
	send(0, 1, 0x8500);
	assert_false(l->init);
	send(0, 1, 0x4608);
	assert_true(l->startup);
	assert_false(l->waiting);
	assert_int_equal(l->startup_vector, 8);
	l->startup = false;
	send(0, 1, 0x4609); /* it runs: it does not hear */
	assert_false(l->startup);
	/* The boot processor does not wait. */
	send(1, 0, 0x4500);
	assert_true(bus.cpu[0].init);
	assert_false(bus.cpu[0].waiting);
	send(0, 1, 0x4400); /* NMI */
	assert_true(l->nmi);
}

static void switched_off_hears_nothing(void **state)
{
	(void)state;
	start(2);
	assert_true(lapic_set_base(&bus.cpu[1], LAPIC_BASE_GPA, 48));
	send(0, 0, 0x80050);
	assert_int_equal(lapic_take(&bus.cpu[0]), 0x50);
	assert_int_equal(lapic_take(&bus.cpu[1]), -1);
	send(0, 1, 0x4500);
	assert_false(bus.cpu[1].init);
}

static void local_sources(void **state)
{
	struct lapic *l = &bus.cpu[0];

	(void)state;
	start(1);
	wr(0, LINT0, 0x44, 0);
	lapic_local(l, LAPIC_LINT0);
	assert_int_equal(lapic_take(l), 0x44);
	wr(0, LINT0, 0x400, 0); /* NMI */
	lapic_local(l, LAPIC_LINT0);
	assert_true(l->nmi);
	wr(0, LINT0, 0x10400, 0);
	l->nmi = false;
	lapic_local(l, LAPIC_LINT0);
	assert_false(l->nmi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state),
		cmocka_unit_test(one_at_a_time_by_class),
		cmocka_unit_test(task_priority),
		cmocka_unit_test(all_vectors),
		cmocka_unit_test(errors_interrupt_once),
		cmocka_unit_test(software_disabled),
		cmocka_unit_test(one_shot),
		cmocka_unit_test(divisors),
		cmocka_unit_test(periodic),
		cmocka_unit_test(shortest_period_is_bounded),
		cmocka_unit_test(tsc_deadline),
		cmocka_unit_test(masked_timer_is_silent),
		cmocka_unit_test(mode_transitions),
		cmocka_unit_test(base_reserved_bits),
		cmocka_unit_test(x2apic_registers),
		cmocka_unit_test(self_ipi),
		cmocka_unit_test(physical_and_shorthands),
		cmocka_unit_test(logical_flat_and_cluster),
		cmocka_unit_test(logical_x2apic),
		cmocka_unit_test(lowest_priority),
		cmocka_unit_test(init_and_startup),
		cmocka_unit_test(switched_off_hears_nothing),
		cmocka_unit_test(local_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

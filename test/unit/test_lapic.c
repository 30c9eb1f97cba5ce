/* hv/dev/lapic.c and lapic_reg.c, by SDM 3A 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "apic_rig.h"

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
		cmocka_unit_test(mode_transitions),
		cmocka_unit_test(base_reserved_bits),
		cmocka_unit_test(x2apic_registers),
		cmocka_unit_test(local_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

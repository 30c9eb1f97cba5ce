/* hv/dev/apic_bus.c, by SDM 3A 11.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "apic_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_ipi),
		cmocka_unit_test(physical_and_shorthands),
		cmocka_unit_test(logical_flat_and_cluster),
		cmocka_unit_test(logical_x2apic),
		cmocka_unit_test(lowest_priority),
		cmocka_unit_test(init_and_startup),
		cmocka_unit_test(switched_off_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

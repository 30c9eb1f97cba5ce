/* hv/dev/ioapic.c, by the 82093AA data sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/apic_bus.h"
#include "dev/lapic_reg.h"

#define LEVEL  0x8000u
#define MASKED 0x10000u
#define REMOTE 0x4000u

static struct apic_bus bus;

static uint32_t get(unsigned reg)
{
	ioapic_reg_write(&bus, 0, reg);
	return ioapic_reg_read(&bus.ioapic, 0x10);
}

static void set(unsigned reg, uint32_t value)
{
	ioapic_reg_write(&bus, 0, reg);
	ioapic_reg_write(&bus, 0x10, value);
}

static void route(unsigned pin, uint32_t low, uint32_t dest)
{
	set(0x11 + 2 * pin, dest << 24);
	set(0x10 + 2 * pin, low);
}

static int take(unsigned cpu)
{
	return lapic_take(&bus.cpu[cpu]);
}

static void start(unsigned cpus)
{
	unsigned i;

	apic_bus_reset(&bus, cpus, 1000000000);
	for (i = 0; i < cpus; i++)
		lapic_reg_write(&bus, i, 0xf0, 0x1ff, 0);
}

static void registers(void **state)
{
	unsigned pin;

	(void)state;
	start(1);
	assert_int_equal(get(1), 0x00170020);
	set(1, 0xffffffff);
	assert_int_equal(get(1), 0x00170020);
	set(0, 0xffffffff);
	assert_int_equal(get(0), 0x0f000000);
	for (pin = 0; pin < 24; pin++) {
		assert_int_equal(get(0x10 + 2 * pin), MASKED);
		/* Status and remote IRR cannot be written. */
		set(0x10 + 2 * pin, 0xffffffff);
		assert_int_equal(get(0x10 + 2 * pin), 0x1afff);
		set(0x11 + 2 * pin, 0xffffffff);
		assert_int_equal(get(0x11 + 2 * pin), 0xff000000);
	}
	assert_int_equal(get(0x40), 0);
	set(0x40, 1);
	set(0xff, 1);
	assert_int_equal(get(5), 0);
}

static void edge(void **state)
{
	(void)state;
	start(2);
	route(4, 0x34, 1);
	ioapic_set(&bus, 4, true);
	assert_int_equal(take(0), -1);
	assert_int_equal(take(1), 0x34);
	assert_false(lapic_set_has(&bus.cpu[1].tmr, 0x34));
	apic_bus_end(&bus, 1);
	ioapic_set(&bus, 4, true); /* no rise */
	assert_int_equal(take(1), -1);
	ioapic_set(&bus, 4, false);
	ioapic_set(&bus, 4, true);
	assert_int_equal(take(1), 0x34);
	apic_bus_end(&bus, 1);
	/* Masked: the edge is lost, also when the mask goes. */
	ioapic_set(&bus, 4, false);
	route(4, MASKED | 0x34, 1);
	ioapic_set(&bus, 4, true);
	route(4, 0x34, 1);
	assert_int_equal(take(1), -1);
}

static void level(void **state)
{
	(void)state;
	start(1);
	route(9, LEVEL | 0x39, 0);
	ioapic_set(&bus, 9, true);
	assert_int_equal(get(0x10 + 18), LEVEL | REMOTE | 0x39);
	assert_int_equal(take(0), 0x39);
	assert_true(lapic_set_has(&bus.cpu[0].tmr, 0x39));
	apic_bus_end(&bus, 0); /* still asserted: again */
	assert_int_equal(take(0), 0x39);
	ioapic_set(&bus, 9, true); /* in service: not a second time */
	ioapic_set(&bus, 9, false);
	apic_bus_end(&bus, 0);
	assert_int_equal(take(0), -1);
	assert_int_equal(get(0x10 + 18), LEVEL | 0x39);
	/* Masked while asserted, then unmasked: it is sent then. */
	route(9, LEVEL | MASKED | 0x39, 0);
	ioapic_set(&bus, 9, true);
	assert_int_equal(take(0), -1);
	route(9, LEVEL | 0x39, 0);
	assert_int_equal(take(0), 0x39);
}

/* Ends without a broadcast: by the EOI register; by trigger mode. */
static void ends_by_hand(void **state)
{
	(void)state;
	start(1);
	route(9, LEVEL | 0x39, 0);
	ioapic_set(&bus, 9, true);
	ioapic_set(&bus, 9, false);
	ioapic_reg_write(&bus, 0x40, 0x38);
	assert_true(get(0x10 + 18) & REMOTE);
	ioapic_reg_write(&bus, 0x40, 0x39);
	assert_false(get(0x10 + 18) & REMOTE);
	ioapic_set(&bus, 9, true);
	ioapic_set(&bus, 9, false);
	assert_true(get(0x10 + 18) & REMOTE);
	route(9, MASKED | 0x39, 0); /* edge */
	route(9, LEVEL | 0x39, 0);
	assert_false(get(0x10 + 18) & REMOTE);
}

/* Nobody took it: it is not in service anywhere, and is sent again. */
static void not_accepted(void **state)
{
	(void)state;
	start(1);
	route(9, LEVEL | 0x39, 7);
	ioapic_set(&bus, 9, true);
	assert_false(get(0x10 + 18) & REMOTE);
	route(9, LEVEL | 0x39, 0);
	assert_int_equal(take(0), 0x39);
}

static void two_pins_one_vector(void **state)
{
	(void)state;
	start(1);
	route(10, LEVEL | 0x41, 0);
	route(11, LEVEL | 0x41, 0);
	ioapic_set(&bus, 10, true);
	ioapic_set(&bus, 11, true);
	assert_int_equal(take(0), 0x41);
	ioapic_set(&bus, 10, false);
	apic_bus_end(&bus, 0);
	assert_int_equal(take(0), 0x41);
	ioapic_set(&bus, 11, false);
	apic_bus_end(&bus, 0);
	assert_int_equal(take(0), -1);
}

static void other_deliveries(void **state)
{
	(void)state;
	start(4);
	route(3, 0x400, 2); /* NMI to processor 2 */
	ioapic_set(&bus, 3, true);
	assert_true(bus.cpu[2].nmi);
	assert_false(bus.cpu[0].nmi);
	route(5, 0x45, 0xff); /* all */
	ioapic_set(&bus, 5, true);
	assert_int_equal(take(0), 0x45);
	assert_int_equal(take(3), 0x45);
	route(6, 0x05, 0); /* an illegal vector */
	ioapic_set(&bus, 6, true);
	assert_int_equal(bus.cpu[0].errors, LAPIC_ESR_RECEIVE);
	ioapic_set(&bus, 24, true); /* no such pin */
	assert_int_equal(bus.ioapic.lines >> 24, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(edge),
		cmocka_unit_test(level),
		cmocka_unit_test(ends_by_hand),
		cmocka_unit_test(not_accepted),
		cmocka_unit_test(two_pins_one_vector),
		cmocka_unit_test(other_deliveries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

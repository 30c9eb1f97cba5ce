/* hv/dev/board_reg.c: memory-mapped registers and MSRs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board_rig.h"

static uint64_t from_ram(unsigned at, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, ram + at, n);
	return v;
}

static void tsc_deadline_by_msr(void **state)
{
	uint64_t v;

	(void)state;
	start(1);
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, APIC | 0xd00), BOARD_MSR_OK);
	assert_false(board_mmio_read(&b, 0, mk_gpa(APIC), 4, &v));
	assert_int_equal(board_wrmsr(&b, 0, 0x80f, 0x1ff), BOARD_MSR_OK);
	assert_int_equal(board_wrmsr(&b, 0, 0x832, 0x400ec), BOARD_MSR_OK);
	assert_int_equal(board_wrmsr(&b, 0, 0x6e0, 5000), BOARD_MSR_OK);
	assert_int_equal(board_deadline(&b), 5000);
	wait_for_timer();
	assert_int_equal(now, 5000);
	assert_int_equal(board_pending(&b, 0), 0xec);
	board_set_cr8(&b, 0, 14);
	assert_int_equal(board_cr8(&b, 0), 14);
	assert_int_equal(board_pending(&b, 0), -1);
	board_set_cr8(&b, 0, 0);
	assert_int_equal(board_ack(&b, 0), 0xec);
	assert_int_equal(board_wrmsr(&b, 0, 0x80b, 0), BOARD_MSR_OK);
	assert_int_equal(board_rdmsr(&b, 0, 0x6e0, &v), BOARD_MSR_OK);
	assert_int_equal(v, 0);
	assert_true(board_deadline(&b) == UINT64_MAX);
	assert_int_equal(board_wrmsr(&b, 0, 0x80b, 1), BOARD_MSR_GP);
	assert_int_equal(board_rdmsr(&b, 0, 0x8ff, &v), BOARD_MSR_GP);
	assert_int_equal(board_rdmsr(&b, 0, 0x10, &v), BOARD_MSR_NOT_OURS);
	assert_int_equal(board_wrmsr(&b, 0, 0x900, 0), BOARD_MSR_NOT_OURS);
}

static void timer_by_msr(void **state)
{
	(void)state;
	start(1);
	board_wrmsr(&b, 0, 0x1b, APIC | 0xd00);
	board_wrmsr(&b, 0, 0x80f, 0x1ff);
	board_wrmsr(&b, 0, 0x832, 0x30);
	board_wrmsr(&b, 0, 0x83e, 0xb);
	now = 1000;
	assert_int_equal(board_wrmsr(&b, 0, 0x838, 500), BOARD_MSR_OK);
	assert_int_equal(board_deadline(&b), 1500);
	wait_for_timer();
	assert_int_equal(board_ack(&b, 0), 0x30);
}

static void x2apic_hidden(void **state)
{
	(void)state;
	start(1);
	b.config.hide_x2apic = true;
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, APIC | 0xd00), BOARD_MSR_GP);
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, APIC | 0x900), BOARD_MSR_OK);
}

static void apic_page_moves_and_goes(void **state)
{
	uint64_t v = 0;

	(void)state;
	start(2);
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, 0xfed00900), BOARD_MSR_OK);
	assert_false(board_mmio_read(&b, 0, mk_gpa(APIC + 0x30), 4, &v));
	assert_true(board_mmio_read(&b, 0, mk_gpa(0xfed00030), 4, &v));
	assert_int_equal(v, 0x50014);
	/* Each processor has its own. */
	assert_true(board_mmio_read(&b, 1, mk_gpa(APIC + 0x20), 4, &v));
	assert_int_equal(v, 1u << 24);
	assert_false(board_mmio_write(&b, 0, mk_gpa(0xfed01000), 4, 0));
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, UINT64_C(1) << 40 | 0x900),
			 BOARD_MSR_GP);
}

static void odd_mmio_accesses(void **state)
{
	uint64_t v;

	(void)state;
	start(1);
	mmio(APIC + 0xf0, 0x1ff);
	assert_true(board_mmio_read(&b, 0, mk_gpa(APIC + 0xf0), 1, &v));
	assert_int_equal(v, 0xff);
	assert_true(board_mmio_read(&b, 0, mk_gpa(APIC + 0xf1), 1, &v));
	assert_int_equal(v, 0x01);
	assert_true(board_mmio_read(&b, 0, mk_gpa(APIC + 0xf0), 8, &v));
	assert_int_equal(v, 0x1ff);
	assert_true(board_mmio_read(&b, 0, mk_gpa(APIC + 0xf4), 4, &v));
	assert_int_equal(v, 0);
	assert_true(board_mmio_write(&b, 0, mk_gpa(APIC + 0x80), 1, 0x20));
	assert_true(board_mmio_write(&b, 0, mk_gpa(APIC + 0x84), 4, 0x20));
	assert_int_equal(board_cr8(&b, 0), 0);
	assert_true(board_mmio_write(&b, 0, mk_gpa(IOAPIC), 1, 1));
	assert_true(board_mmio_read(&b, 0, mk_gpa(IOAPIC + 0x10), 4, &v));
	assert_int_equal(v, 0x170020);
	assert_false(board_mmio_read(&b, 0, mk_gpa(0xfed00000), 4, &v));
}

/* Two vCPUs whose TSCs differ: each page has its own origin, and none is good
 * for both. */
static void kvmclock_of_two_minds(void **state)
{
	(void)state;
	start(2);
	board_wrmsr(&b, 0, 0x4b564d01, 0x2001);
	board_wrmsr(&b, 1, 0x4b564d01, 0x3001);
	board_set_tsc_adjust(&b, 1, 777);
	assert_int_equal(from_ram(0x2008, 8), 0);
	assert_int_equal(from_ram(0x3008, 8), 777);
	assert_int_equal(from_ram(0x201d, 1), 0);
	assert_int_equal(from_ram(0x301d, 1), 0);
	board_set_tsc_adjust(&b, 0, 777);
	assert_int_equal(from_ram(0x2008, 8), 777);
	assert_int_equal(from_ram(0x201d, 1), 1);
	assert_int_equal(from_ram(0x301d, 1), 1);
}

static void kvmclock(void **state)
{
	uint64_t v;

	(void)state;
	start(2);
	assert_int_equal(board_wrmsr(&b, 1, 0x4b564d01, 0x2001), BOARD_MSR_OK);
	/* Odd, odd with the rest, even. */
	assert_int_equal(writes, 3);
	assert_int_equal(first_word[0] & 1, 1);
	assert_int_equal(first_word[1], first_word[0]);
	assert_int_equal(first_word[2], first_word[0] + 1);
	assert_int_not_equal(from_ram(0x2000, 4), 0);
	assert_int_equal(from_ram(0x2008, 8), 0);
	assert_int_equal(from_ram(0x2010, 8), 0);
	assert_int_equal(from_ram(0x2018, 4), 0x80000000);
	assert_int_equal(from_ram(0x201c, 1), 1);
	assert_int_equal(from_ram(0x201d, 1), 1);
	assert_int_equal(board_rdmsr(&b, 1, 0x12, &v), BOARD_MSR_OK);
	assert_int_equal(v, 0x2001);
	assert_int_equal(board_wrmsr(&b, 0, 0x4b564d00, 0x3000), BOARD_MSR_OK);
	assert_int_equal(first_word[3], 1);
	assert_int_equal(from_ram(0x3000, 4), 2);
	assert_int_equal(from_ram(0x3004, 4), 1767225599);
	assert_int_equal(from_ram(0x3008, 4), 500000000);
	assert_int_equal(board_rdmsr(&b, 0, 0x11, &v), BOARD_MSR_OK);
	assert_int_equal(v, 0x3000);
	/* Disabled: nothing is written. No memory: nothing happens. */
	writes = 0;
	board_wrmsr(&b, 0, 0x4b564d01, 0x4000);
	assert_int_equal(writes, 0);
	board_wrmsr(&b, 0, 0x4b564d01, UINT64_MAX);
	board_wrmsr(&b, 0, 0x4b564d00, UINT64_MAX);
	assert_int_equal(writes, 0);
}

static void startup_in_order(void **state)
{
	uint8_t vector = 0;

	(void)state;
	start(2);
	mmio(APIC + 0x310, 1u << 24);
	mmio(APIC + 0x300, 0x4500);
	mmio(APIC + 0x300, 0x4699);
	assert_int_equal(board_startup(&b, 1, &vector), BOARD_STARTUP_INIT);
	assert_int_equal(board_startup(&b, 1, &vector), BOARD_STARTUP_SIPI);
	assert_int_equal(vector, 0x99);
	assert_int_equal(board_startup(&b, 1, &vector), BOARD_STARTUP_NONE);
	assert_false(board_waiting(&b, 1));
	mmio(APIC + 0x300, 0x4400);
	assert_true(board_nmi(&b, 1));
	assert_true(board_nmi_take(&b, 1));
	assert_false(board_nmi_take(&b, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tsc_deadline_by_msr),
		cmocka_unit_test(timer_by_msr),
		cmocka_unit_test(x2apic_hidden),
		cmocka_unit_test(apic_page_moves_and_goes),
		cmocka_unit_test(odd_mmio_accesses),
		cmocka_unit_test(kvmclock),
		cmocka_unit_test(kvmclock_of_two_minds),
		cmocka_unit_test(startup_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

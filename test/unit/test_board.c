/* hv/dev/board.c and board_wire.c: interrupts and time, end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "board_rig.h"

static void nothing_at_first(void **state)
{
	uint32_t code = 7;
	unsigned i;

	(void)state;
	start(BOARD_CPUS_MAX);
	for (i = 0; i < BOARD_CPUS_MAX; i++) {
		assert_int_equal(board_pending(&b, i), -1);
		assert_false(b.apic.cpu[i].stale); /* not sought again */
		assert_int_equal(board_ack(&b, i), -1);
		assert_int_equal(board_waiting(&b, i), i != 0);
	}
	assert_true(board_deadline(&b) == UINT64_MAX);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	assert_int_equal(code, 7);
}

/* A PC as its firmware leaves it: PIC through LINT0, no APIC set up. */
static void pit_through_pic(void **state)
{
	unsigned i;

	(void)state;
	start(2);
	pic_ready();
	io_out(0x43, 0x34);
	io_out(0x40, 0x9c); /* 11932: 100 Hz */
	io_out(0x40, 0x2e);
	for (i = 0; i < 5; i++) {
		wait_for_timer();
		assert_int_equal(board_pending(&b, 0), 0x30);
		assert_int_equal(board_pending(&b, 1), -1);
		assert_int_equal(board_ack(&b, 0), 0x30);
		assert_int_equal(board_pending(&b, 0), -1);
		io_out(0x20, 0x20);
	}
	/* 100 Hz, to the TSC tick. */
	assert_int_equal(now, tsc_of_tick(5 * 11932, KHZ * 1000, PIT_HZ));
	io_out(0x21, 0x01);
	wait_for_timer();
	assert_int_equal(board_pending(&b, 0), -1);
}

/* The PIC counts for a processor whose local APIC is off, too. */
static void pic_without_apic(void **state)
{
	(void)state;
	start(1);
	pic_ready();
	assert_int_equal(board_wrmsr(&b, 0, 0x1b, APIC | 0x100), BOARD_MSR_OK);
	assert_false(board_apic_enabled(&b, 0));
	io_out(0x3fc, 8);
	io_out(0x3f9, 2);
	assert_int_equal(board_ack(&b, 0), 0x34);
	/* LINT0 masked: not for one whose APIC is on. */
	io_out(0x3fa, 0);
	start(1);
	pic_ready();
	mmio(APIC + 0x350, 0x10700);
	io_out(0x3fc, 8);
	io_out(0x3f9, 2);
	assert_int_equal(board_pending(&b, 0), -1);
	/* As a fixed interrupt: "virtual wire" by an edge of INT. */
	start(1);
	pic_ready();
	mmio(APIC + 0xf0, 0x1ff);
	mmio(APIC + 0x350, 0x51);
	io_out(0x3fc, 8);
	io_out(0x3f9, 2);
	assert_int_equal(board_ack(&b, 0), 0x51);
}

/* The same line at the I/O APIC: pin n, but 2 for the timer. */
static void every_line_reaches_both(void **state)
{
	unsigned n, pin;

	(void)state;
	for (n = 0; n < 24; n++) {
		start(1);
		pic_ready();
		mmio(APIC + 0xf0, 0x1ff);
		pin = n == 0 ? 2 : n;
		ioapic(0x10 + 2 * pin, 0x60 + n);
		board_out(&b, 0, (uint16_t)(0x2000 + n), 4, 1);
		if (n < 16 && n != 2) {
			assert_int_equal(board_ack(&b, 0), 0x30 + n);
			assert_int_equal(board_pending(&b, 0), 0x60 + n);
		}
		assert_int_equal(board_ack(&b, 0), 0x60 + n);
		board_out(&b, 0, (uint16_t)(0x2000 + n), 4, 0);
		mmio(APIC + 0xb0, 0);
		assert_int_equal(b.apic.ioapic.lines, 0);
	}
}

/* A stock kernel's UART interrupt: edge at pin 4, THRE handler. */
static void uart_interrupts(void **state)
{
	unsigned i;

	(void)state;
	start(1);
	mmio(APIC + 0xf0, 0x1ff);
	ioapic(0x10 + 8, 0x44);
	io_out(0x3fc, 8);
	io_out(0x3fa, 1);
	io_out(0x3f9, 2);
	for (i = 0; i < 3; i++) {
		assert_int_equal(board_ack(&b, 0), 0x44);
		assert_int_equal(io_in(0x3fa), 0xc2);
		assert_int_equal(io_in(0x3fa), 0xc1);
		io_out(0x3f8, 'a');
		mmio(APIC + 0xb0, 0);
	}
	assert_int_equal(out_count, 3);
	io_out(0x3f9, 1);
	assert_int_equal(board_ack(&b, 0), 0x44); /* the last byte's */
	mmio(APIC + 0xb0, 0);
	assert_true(board_console_in(&b, 'z'));
	assert_int_equal(board_ack(&b, 0), 0x44);
	assert_int_equal(io_in(0x3fa), 0xc4);
}

/*
 * Whatever a guest writes, wherever: the board survives, a tick ends, and
 * what it says is pending is what an acknowledge takes. Under sanitizers.
 */
static void random_guest(void **state)
{
	static const uint16_t port[] = { 0x20,	0x21,  0xa0,  0xa1,   0x40,
					 0x42,	0x43,  0x61,  0x70,   0x71,
					 0x3f8, 0x3f9, 0x3fa, 0x3fb,  0x3fc,
					 0x3fd, 0x4d0, 0x4d1, 0x600,  0x602,
					 0x608, 0x510, 0x511, 0x2004, 0xe0 };
	static const uint32_t msr[] = { 0x1b,  0x6e0, 0x80b, 0x80f,
					0x830, 0x832, 0x838, 0x83e,
					0x83f, 0x808, 0x12,  0x11 };
	unsigned round, i;
	uint64_t v;

	(void)state;
	srand(42);
	for (round = 0; round < 200; round++) {
		start(1 + (unsigned)rand() % BOARD_CPUS_MAX);
		for (i = 0; i < 400; i++) {
			unsigned cpu = (unsigned)rand() % b.config.cpus;
			unsigned size = 1u << rand() % 3;
			uint32_t value = (uint32_t)rand() >> rand() % 31;
			uint16_t p = port[(unsigned)rand() % 25];
			uint64_t page = rand() & 1 ? APIC : IOAPIC;
			gpa_t gpa = mk_gpa(page + ((unsigned)rand() & 0xff3));
			int want;

			switch (rand() % 7) {
			case 0:
			case 1:
				board_out(&b, cpu, p, size, value);
				break;
			case 2:
				v = board_in(&b, cpu, p, size);
				assert_true(size == 4 || v >> 8 * size == 0);
				break;
			case 3:
				board_mmio_write(&b, cpu, gpa, 4, value);
				break;
			case 4:
				board_mmio_read(&b, cpu, gpa, 4, &v);
				break;
			case 5:
				v = rand() & 1 ? value : APIC | (value & 0xc00);
				board_wrmsr(&b, cpu, msr[(unsigned)rand() % 12],
					    v);
				break;
			case 6:
				now += value;
				board_tick(&b, now);
				assert_true(board_deadline(&b) > now);
				break;
			}
			want = board_pending(&b, cpu);
			assert_int_equal(board_pending_find(&b, cpu), want);
			assert_in_range(want + 1, 0, 256);
			if (rand() % 4 == 0)
				assert_int_equal(board_ack(&b, cpu), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_first),
		cmocka_unit_test(pit_through_pic),
		cmocka_unit_test(pic_without_apic),
		cmocka_unit_test(every_line_reaches_both),
		cmocka_unit_test(uart_interrupts),
		cmocka_unit_test(random_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * hv/dev/board*.c: the devices as wired together, driven as the VM loop
 * drives them: tick when the deadline has come, ask what is pending, ack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dev/board.h"
#include "dev/tsc.h"

#define KHZ    1000000u
#define APIC   UINT64_C(0xfee00000)
#define IOAPIC UINT64_C(0xfec00000)
#define RAM    65536

static struct board b;
static uint64_t now;
static char out[64];
static unsigned out_count;
static uint8_t ram[RAM];
static unsigned writes, flushes;
static uint64_t flushed;

static uint64_t host_now(void *ctx)
{
	(void)ctx;
	return now;
}

static void host_out(void *ctx, uint8_t byte)
{
	(void)ctx;
	out[out_count++ % sizeof(out)] = (char)byte;
}

static bool host_write(void *ctx, gpa_t gpa, const void *buf, size_t n)
{
	(void)ctx;
	if (gpa.v > RAM || n > RAM - gpa.v)
		return false;
	memcpy(ram + gpa.v, buf, n);
	writes++;
	return true;
}

static void host_flush(void *ctx, gpa_t gpa)
{
	(void)ctx;
	flushed = gpa.v;
	flushes++;
}

static void start(unsigned cpus)
{
	const struct board_config c = {
		.tsc_khz = KHZ,
		.ram_size = UINT64_C(512) << 20,
		.cpus = cpus,
		.maxphyaddr = 40,
	};
	const struct board_host h = {
		.now = host_now,
		.console_out = host_out,
		.guest_write = host_write,
		.page_flush = host_flush,
		.epoch_sec = 1767225599,
		.epoch_nsec = 500000000,
	};

	now = 0;
	out_count = writes = flushes = 0;
	memset(out, 0, sizeof(out));
	memset(ram, 0, sizeof(ram));
	board_init(&b, &c, &h);
}

static void io_out(uint16_t port, uint32_t value)
{
	board_out(&b, 0, port, 1, value);
}

static uint32_t io_in(uint16_t port)
{
	return board_in(&b, 0, port, 1);
}

static void mmio(uint64_t gpa, uint32_t value)
{
	assert_true(board_mmio_write(&b, 0, mk_gpa(gpa), 4, value));
}

static void ioapic(unsigned reg, uint32_t value)
{
	mmio(IOAPIC, reg);
	mmio(IOAPIC + 0x10, value);
}

/* To the deadline, as the host's timer would. */
static void wait_for_timer(void)
{
	assert_true(board_deadline(&b) != UINT64_MAX);
	if (board_deadline(&b) > now)
		now = board_deadline(&b);
	board_tick(&b, now);
}

static void pic_ready(void)
{
	io_out(0x20, 0x11);
	io_out(0x21, 0x30);
	io_out(0x21, 0x04);
	io_out(0x21, 0x01);
	io_out(0xa0, 0x11);
	io_out(0xa1, 0x38);
	io_out(0xa1, 0x02);
	io_out(0xa1, 0x01);
}

static void nothing_at_first(void **state)
{
	uint32_t code = 7;
	unsigned i;

	(void)state;
	start(BOARD_CPUS_MAX);
	for (i = 0; i < BOARD_CPUS_MAX; i++) {
		assert_int_equal(board_pending(&b, i), -1);
		assert_int_equal(board_ack(&b, i), -1);
		assert_int_equal(board_waiting(&b, i), i != 0);
	}
	assert_true(board_deadline(&b) == UINT64_MAX);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	assert_int_equal(code, 7);
}

static void empty_ports_read_all_ones(void **state)
{
	static const uint16_t port[] = { 0x2f8, 0x3e8, 0x60,  0x64,  0x80,
					 0xcfc, 0x3d4, 0x1f7, 0xffff };
	unsigned i;

	(void)state;
	start(1);
	for (i = 0; i < sizeof(port) / sizeof(port[0]); i++) {
		assert_int_equal(board_in(&b, 0, port[i], 1), 0xff);
		io_out(port[i], 0);
	}
	assert_int_equal(board_in(&b, 0, 0x2f8, 2), 0xffff);
}

/* One host bridge: what a kernel wants to see before it trusts the bus. */
static void pci_bus(void **state)
{
	uint32_t reg;

	(void)state;
	start(1);
	assert_int_equal(board_in(&b, 0, 0xcfc, 4), 0xffffffff);
	board_out(&b, 0, 0xcf8, 4, 0x80000008);
	assert_int_equal(board_in(&b, 0, 0xcf8, 4), 0x80000008);
	assert_int_equal(board_in(&b, 0, 0xcfe, 2), 0x0600);
	assert_int_equal(board_in(&b, 0, 0xcff, 1), 0x06);
	/* Read-only, and a byte at 0xcf9 is the reset register's. */
	board_out(&b, 0, 0xcfc, 4, 0);
	io_out(0xcf9, 0);
	assert_int_equal(board_in(&b, 0, 0xcfe, 2), 0x0600);
	for (reg = 0x80000800; reg < 0x81000000; reg += 0x100) {
		board_out(&b, 0, 0xcf8, 4, reg);
		assert_int_equal(board_in(&b, 0, 0xcfc, 4), 0xffffffff);
	}
}

static void console(void **state)
{
	const char *text = "hello";
	unsigned i;

	(void)state;
	start(1);
	for (i = 0; i < 5; i++) {
		assert_int_equal(io_in(0x3fd), 0x60);
		io_out(0x3f8, (uint8_t)text[i]);
	}
	assert_string_equal(out, text);
	assert_true(board_console_in(&b, 'x'));
	assert_false(board_console_in(&b, 'y'));
	assert_int_equal(io_in(0x3fd), 0x61);
	assert_int_equal(io_in(0x3f8), 'x');
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

static uint64_t from_ram(unsigned at, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, ram + at, n);
	return v;
}

static void kvmclock(void **state)
{
	uint64_t v;

	(void)state;
	start(2);
	assert_int_equal(board_wrmsr(&b, 1, 0x4b564d01, 0x2001), BOARD_MSR_OK);
	assert_int_equal(from_ram(0x2000, 4) & 1, 0);
	assert_int_not_equal(from_ram(0x2000, 4), 0);
	assert_int_equal(from_ram(0x2008, 8), 0);
	assert_int_equal(from_ram(0x2010, 8), 0);
	assert_int_equal(from_ram(0x2018, 4), 0x80000000);
	assert_int_equal(from_ram(0x201c, 1), 1);
	assert_int_equal(from_ram(0x201d, 1), 1);
	assert_int_equal(board_rdmsr(&b, 1, 0x12, &v), BOARD_MSR_OK);
	assert_int_equal(v, 0x2001);
	assert_int_equal(board_wrmsr(&b, 0, 0x4b564d00, 0x3000), BOARD_MSR_OK);
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

static void ends(void **state)
{
	uint32_t code = 0;

	(void)state;
	start(1);
	board_out(&b, 0, 0xf4, 4, 0xdeadbeef);
	assert_int_equal(board_end(&b, &code), BOARD_EXIT);
	assert_int_equal(code, 0xdeadbeef);
	io_out(0x64, 0xfe); /* the first end counts */
	assert_int_equal(board_end(&b, &code), BOARD_EXIT);
	start(1);
	io_out(0x64, 0xd1);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	io_out(0x64, 0xfe);
	assert_int_equal(board_end(&b, &code), BOARD_RESET);
	start(1);
	io_out(0xcf9, 0x02);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	io_out(0xcf9, 0x06);
	assert_int_equal(board_end(&b, &code), BOARD_RESET);
	start(1);
	io_out(0x92, 0x02);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	io_out(0x92, 0x03);
	assert_int_equal(board_end(&b, &code), BOARD_RESET);
	start(1);
	board_out(&b, 0, 0x604, 2, 5 << 10);
	assert_int_equal(board_end(&b, &code), BOARD_RUNNING);
	board_out(&b, 0, 0x604, 2, 5 << 10 | 1 << 13);
	assert_int_equal(board_end(&b, &code), BOARD_POWEROFF);
	start(1);
	board_out(&b, 0, 0x605, 1, 5 << 2 | 1 << 5); /* the byte alone */
	assert_int_equal(board_end(&b, &code), BOARD_POWEROFF);
}

static void acpi_registers(void **state)
{
	(void)state;
	start(1);
	pic_ready();
	io_out(0x4d1, 0x02); /* SCI is level-triggered */
	assert_int_equal(board_in(&b, 0, 0x604, 2), 1);
	board_out(&b, 0, 0x602, 2, 1);
	assert_int_equal(board_in(&b, 0, 0x602, 2), 1);
	/* 2^31 ticks of 3579545 Hz: ten minutes. */
	assert_int_equal(board_deadline(&b) / 1000000000, 599);
	wait_for_timer();
	assert_int_equal(board_in(&b, 0, 0x608, 4), 1u << 31);
	assert_int_equal(board_in(&b, 0, 0x60b, 1), 0x80);
	assert_int_equal(board_in(&b, 0, 0x600, 4), 0x00010001);
	assert_int_equal(board_ack(&b, 0), 0x39);
	board_out(&b, 0, 0x600, 2, 1);
	assert_int_equal(board_in(&b, 0, 0x600, 2), 0);
	io_out(0xa0, 0x20);
	io_out(0x20, 0x20);
	assert_int_equal(board_pending(&b, 0), -1);
}

static void rtc_interrupt(void **state)
{
	(void)state;
	start(1);
	pic_ready();
	io_out(0x70, 0x0b);
	io_out(0x71, 0x12); /* update-ended */
	assert_int_equal(board_deadline(&b), 500000000);
	wait_for_timer();
	assert_int_equal(board_ack(&b, 0), 0x38);
	io_out(0x70, 0x0c);
	assert_int_equal(io_in(0x71) & 0x90, 0x90);
	assert_int_equal(board_deadline(&b), 1500000000);
}

static void firmware_config_and_test_device(void **state)
{
	(void)state;
	start(3);
	board_out(&b, 0, 0x510, 2, 5);
	assert_int_equal(io_in(0x511), 3);
	board_out(&b, 0, 0x510, 2, 0);
	assert_int_equal(io_in(0x511), 'Q');
	assert_int_equal(io_in(0x511), 'E');
	board_out(&b, 0, 0xe0, 4, 0x12345678);
	assert_int_equal(board_in(&b, 0, 0xe0, 4), 0x12345678);
	assert_int_equal(board_in(&b, 0, 0xe1, 1), 0x56);
	board_out(&b, 0, 0xe2, 2, 0xabcd);
	assert_int_equal(board_in(&b, 0, 0xe0, 4), 0xabcd5678);
	board_out(&b, 0, 0xe4, 4, 0x7000);
	assert_int_equal(flushes, 1);
	assert_int_equal(flushed, 0x7000);
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
		cmocka_unit_test(empty_ports_read_all_ones),
		cmocka_unit_test(pci_bus),
		cmocka_unit_test(console),
		cmocka_unit_test(pit_through_pic),
		cmocka_unit_test(pic_without_apic),
		cmocka_unit_test(every_line_reaches_both),
		cmocka_unit_test(uart_interrupts),
		cmocka_unit_test(tsc_deadline_by_msr),
		cmocka_unit_test(x2apic_hidden),
		cmocka_unit_test(apic_page_moves_and_goes),
		cmocka_unit_test(odd_mmio_accesses),
		cmocka_unit_test(kvmclock),
		cmocka_unit_test(ends),
		cmocka_unit_test(acpi_registers),
		cmocka_unit_test(rtc_interrupt),
		cmocka_unit_test(firmware_config_and_test_device),
		cmocka_unit_test(startup_in_order),
		cmocka_unit_test(random_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

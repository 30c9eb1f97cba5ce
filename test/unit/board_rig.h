/* A board with a host behind it, driven as the VM loop drives it: tick when
 * the deadline has come, ask what is pending, acknowledge. */
#ifndef TEST_UNIT_BOARD_RIG_H
#define TEST_UNIT_BOARD_RIG_H

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
static uint32_t first_word[8]; /* of each write to memory */
static uint64_t flushed;

static inline uint64_t host_now(void *ctx)
{
	(void)ctx;
	return now;
}

static inline void host_out(void *ctx, uint8_t byte)
{
	(void)ctx;
	out[out_count++ % sizeof(out)] = (char)byte;
}

static inline bool host_write(void *ctx, gpa_t gpa, const void *buf, size_t n)
{
	(void)ctx;
	if (gpa.v > RAM || n > RAM - gpa.v)
		return false;
	memcpy(ram + gpa.v, buf, n);
	memcpy(&first_word[writes++ % 8], buf, 4);
	return true;
}

static inline void host_flush(void *ctx, gpa_t gpa)
{
	(void)ctx;
	flushed = gpa.v;
	flushes++;
}

static inline void start(unsigned cpus)
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

static inline void io_out(uint16_t port, uint32_t value)
{
	board_out(&b, 0, port, 1, value);
}

static inline uint32_t io_in(uint16_t port)
{
	return board_in(&b, 0, port, 1);
}

static inline void mmio(uint64_t gpa, uint32_t value)
{
	assert_true(board_mmio_write(&b, 0, mk_gpa(gpa), 4, value));
}

static inline void ioapic(unsigned reg, uint32_t value)
{
	mmio(IOAPIC, reg);
	mmio(IOAPIC + 0x10, value);
}

/* To the deadline, as the host's timer would. */
static inline void wait_for_timer(void)
{
	assert_true(board_deadline(&b) != UINT64_MAX);
	if (board_deadline(&b) > now)
		now = board_deadline(&b);
	board_tick(&b, now);
}

static inline void pic_ready(void)
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

#endif

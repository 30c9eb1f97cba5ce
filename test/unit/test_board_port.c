/* hv/dev/board_port.c and pci.c: the I/O ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_ports_read_all_ones),
		cmocka_unit_test(pci_bus),
		cmocka_unit_test(console),
		cmocka_unit_test(ends),
		cmocka_unit_test(acpi_registers),
		cmocka_unit_test(rtc_interrupt),
		cmocka_unit_test(firmware_config_and_test_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hv/dev/uart.c, by the rules of the PC16550D data sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR  IIR
#define OUT2 0x08

static struct uart fresh(void)
{
	struct uart u;

	uart_reset(&u);
	uart_out(&u, MCR, OUT2);
	(void)uart_line_take(&u);
	return u;
}

/* What Linux's autoconfig looks at, step by step: it must find a 16550A. */
static void is_found_as_16550a(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_out(&u, IER, 0);
	assert_int_equal(uart_in(&u, IER), 0);
	uart_out(&u, IER, 0xff);
	assert_int_equal(uart_in(&u, IER), 0x0f);
	uart_out(&u, IER, 0);
	uart_out(&u, MCR, 0x1a); /* loop, OUT2, RTS */
	assert_int_equal(uart_in(&u, MSR) & 0xf0, 0x90);
	uart_out(&u, MCR, 0);
	uart_out(&u, FCR, 1);
	assert_int_equal(uart_in(&u, IIR) >> 6, 3);
	uart_out(&u, FCR, 0);
	assert_int_equal(uart_in(&u, IIR), 0x01);
	/* No 64-byte FIFO, no unit-enable bit: not a later chip. */
	uart_out(&u, FCR, 0x21);
	assert_int_equal(uart_in(&u, IIR) & 0x20, 0);
	uart_out(&u, SCR, 0x5a);
	assert_int_equal(uart_in(&u, SCR), 0x5a);
}

static void divisor_hides_data_and_ier(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_out(&u, IER, 3);
	uart_out(&u, LCR, 0x83);
	assert_false(uart_out(&u, DATA, 0x12)); /* not sent */
	uart_out(&u, IER, 0x34);
	assert_int_equal(uart_in(&u, DATA), 0x12);
	assert_int_equal(uart_in(&u, IER), 0x34);
	uart_out(&u, LCR, 0x03);
	assert_int_equal(uart_in(&u, IER), 3);
	assert_true(uart_out(&u, DATA, 'x'));
}

static void empty_transmitter_is_an_event(void **state)
{
	struct uart u = fresh();

	(void)state;
	assert_int_equal(uart_in(&u, LSR), 0x60);
	uart_out(&u, IER, 2);
	assert_int_equal(uart_line_take(&u), UART_LINE_HIGH);
	assert_int_equal(uart_in(&u, IIR), 0x02);
	/* Reported: gone. */
	assert_int_equal(uart_line_take(&u), UART_LINE_LOW);
	assert_int_equal(uart_in(&u, IIR), 0x01);
	/* Writing the same enable again is no new event. */
	uart_out(&u, IER, 2);
	assert_int_equal(uart_line_take(&u), UART_LINE_SAME);
	uart_out(&u, IER, 0);
	uart_out(&u, IER, 2);
	assert_int_equal(uart_line_take(&u), UART_LINE_HIGH);
	/* Each byte makes it full and empty again: a new edge. */
	assert_true(uart_out(&u, DATA, 'a'));
	assert_int_equal(uart_line_take(&u), UART_LINE_PULSE);
	assert_int_equal(uart_line_take(&u), UART_LINE_SAME);
}

static void receives_in_order(void **state)
{
	struct uart u = fresh();
	unsigned i;

	(void)state;
	uart_out(&u, FCR, 1);
	for (i = 0; i < 16; i++)
		assert_true(uart_receive(&u, (uint8_t)i));
	assert_false(uart_receive(&u, 99)); /* full: nothing is lost */
	for (i = 0; i < 16; i++) {
		assert_int_equal(uart_in(&u, LSR), 0x61);
		assert_int_equal(uart_in(&u, DATA), i);
	}
	assert_int_equal(uart_in(&u, LSR), 0x60);
}

static void holds_one_byte_without_fifo(void **state)
{
	struct uart u = fresh();

	(void)state;
	assert_true(uart_receive(&u, 1));
	assert_false(uart_receive(&u, 2));
	assert_int_equal(uart_in(&u, DATA), 1);
	assert_true(uart_receive(&u, 2));
}

/* Data sheet table 4: at the trigger level "data", below it "timeout". */
static void trigger_level(void **state)
{
	struct uart u = fresh();
	unsigned i;

	(void)state;
	uart_out(&u, FCR, 0x81); /* 8 bytes */
	uart_out(&u, IER, 1);
	for (i = 1; i <= 10; i++) {
		uart_receive(&u, 0);
		assert_int_equal(uart_in(&u, IIR), i < 8 ? 0xcc : 0xc4);
		assert_true(u.line);
	}
	uart_out(&u, FCR, 0x83); /* clear the receiver */
	assert_int_equal(uart_in(&u, IIR), 0xc1);
	assert_false(u.line);
}

/* Table 4's order: line status, data, transmitter, modem. */
static void priorities(void **state)
{
	struct uart u = fresh();

	(void)state;
	uart_out(&u, MCR, 0x10);
	uart_out(&u, IER, 0x0f);
	uart_out(&u, MCR, 0x12); /* RTS moves CTS: a delta */
	uart_out(&u, DATA, 1);	 /* looped: received */
	uart_out(&u, DATA, 2);	 /* overrun */
	assert_int_equal(uart_in(&u, IIR), 0x06);
	assert_int_equal(uart_in(&u, LSR), 0x63);
	assert_int_equal(uart_in(&u, LSR), 0x61); /* read clears overrun */
	assert_int_equal(uart_in(&u, IIR), 0x04);
	assert_int_equal(uart_in(&u, DATA), 1);
	assert_int_equal(uart_in(&u, IIR), 0x02);
	assert_int_equal(uart_in(&u, IIR), 0x00);
	assert_int_equal(uart_in(&u, MSR) & 0x0f, 0x0b); /* CTS, DSR, DCD */
	assert_int_equal(uart_in(&u, MSR) & 0x0f, 0);
	assert_int_equal(uart_in(&u, IIR), 0x01);
}

static void loopback_lines(void **state)
{
	static const uint8_t pair[4][2] = {
		{ 0x01, 0x20 }, { 0x02, 0x10 }, { 0x04, 0x40 }, { 0x08, 0x80 }
	};
	struct uart u = fresh();
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uart_out(&u, MCR, 0x10 | pair[i][0]);
		assert_int_equal(uart_in(&u, MSR) & 0xf0, pair[i][1]);
	}
	/* Ring: only its trailing edge is noted. */
	uart_out(&u, MCR, 0x10);
	uart_in(&u, MSR);
	uart_out(&u, MCR, 0x14);
	assert_int_equal(uart_in(&u, MSR), 0x40);
	uart_out(&u, MCR, 0x10);
	assert_int_equal(uart_in(&u, MSR), 0x04);
	assert_false(uart_out(&u, DATA, 7)); /* stays inside */
	assert_false(uart_receive(&u, 8));   /* the wire is cut */
	assert_int_equal(uart_in(&u, DATA), 7);
}

static void out2_gates_the_pin(void **state)
{
	struct uart u;

	(void)state;
	uart_reset(&u);
	uart_out(&u, IER, 2);
	assert_false(u.line);
	uart_out(&u, MCR, OUT2);
	assert_true(u.line);
	uart_out(&u, MCR, OUT2 | 0x10);
	assert_false(u.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_found_as_16550a),
		cmocka_unit_test(divisor_hides_data_and_ier),
		cmocka_unit_test(empty_transmitter_is_an_event),
		cmocka_unit_test(receives_in_order),
		cmocka_unit_test(holds_one_byte_without_fifo),
		cmocka_unit_test(trigger_level),
		cmocka_unit_test(priorities),
		cmocka_unit_test(loopback_lines),
		cmocka_unit_test(out2_gates_the_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

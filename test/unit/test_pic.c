/* hv/dev/pic.c, by the rules of the 8259A data sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/pic.h"

/* As a PC's firmware and Linux set the pair up: vectors 0x30 and 0x38. */
static struct pic ready(void)
{
	struct pic p;

	pic_reset(&p);
	pic_out(&p, 0, 0, 0x11);
	pic_out(&p, 0, 1, 0x30);
	pic_out(&p, 0, 1, 0x04);
	pic_out(&p, 0, 1, 0x01);
	pic_out(&p, 1, 0, 0x11);
	pic_out(&p, 1, 1, 0x38);
	pic_out(&p, 1, 1, 0x02);
	pic_out(&p, 1, 1, 0x01);
	return p;
}

static uint8_t isr(struct pic *p, unsigned chip)
{
	pic_out(p, chip, 0, 0x0b);
	return pic_in(p, chip, 0);
}

static uint8_t irr(struct pic *p, unsigned chip)
{
	pic_out(p, chip, 0, 0x0a);
	return pic_in(p, chip, 0);
}

static void masked_until_programmed(void **state)
{
	struct pic p;

	(void)state;
	pic_reset(&p);
	pic_set(&p, 0, true);
	assert_int_equal(pic_pending(&p), -1);
	assert_int_equal(pic_in(&p, 0, 1), 0xff);
	assert_int_equal(pic_ack(&p), -1);
}

/* The probe Linux makes: the mask register reads back. */
static void mask_reads_back(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_out(&p, 0, 1, 0xfb);
	assert_int_equal(pic_in(&p, 0, 1), 0xfb);
	pic_out(&p, 1, 1, 0xa5);
	assert_int_equal(pic_in(&p, 1, 1), 0xa5);
}

static void each_input_has_its_vector(void **state)
{
	struct pic p = ready();
	unsigned i;

	(void)state;
	for (i = 0; i < 16; i++) {
		if (i == 2)
			continue;
		pic_set(&p, i, true);
		assert_int_equal(pic_pending(&p), 0x30 + i);
		assert_int_equal(pic_ack(&p), 0x30 + i);
		assert_int_equal(pic_pending(&p), -1);
		pic_set(&p, i, false);
		if (i >= 8)
			pic_out(&p, 1, 0, 0x20);
		pic_out(&p, 0, 0, 0x20);
		assert_int_equal(isr(&p, 0), 0);
		assert_int_equal(isr(&p, 1), 0);
	}
}

/* 0 1 8..15 3..7: the second chip sits at input 2. */
static void priority_order(void **state)
{
	static const int order[] = { 0,	 1,  8, 9, 10, 11, 12, 13,
				     14, 15, 3, 4, 5,  6,  7 };
	struct pic p = ready();
	unsigned i;

	(void)state;
	for (i = 16; i-- > 0;)
		pic_set(&p, i, true);
	for (i = 0; i < 15; i++) {
		assert_int_equal(pic_ack(&p), 0x30 + order[i]);
		/* In service, it blocks everything below it. */
		assert_int_equal(pic_pending(&p), -1);
		if (order[i] >= 8)
			pic_out(&p, 1, 0, 0x20);
		pic_out(&p, 0, 0, 0x20);
	}
	assert_int_equal(pic_pending(&p), -1);
}

static void higher_interrupts_lower(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set(&p, 4, true);
	assert_int_equal(pic_ack(&p), 0x34);
	pic_set(&p, 5, true);
	assert_int_equal(pic_pending(&p), -1);
	pic_set(&p, 1, true);
	assert_int_equal(pic_ack(&p), 0x31);
	assert_int_equal(isr(&p, 0), 0x12);
	pic_out(&p, 0, 0, 0x20);
	assert_int_equal(isr(&p, 0), 0x10);
	pic_out(&p, 0, 0, 0x64); /* specific EOI of 4 */
	assert_int_equal(isr(&p, 0), 0);
	assert_int_equal(pic_pending(&p), 0x35);
}

static void edge_needs_a_rise(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set(&p, 4, true);
	pic_ack(&p);
	pic_out(&p, 0, 0, 0x20);
	pic_set(&p, 4, true); /* still high: no edge */
	assert_int_equal(pic_pending(&p), -1);
	pic_set(&p, 4, false);
	pic_set(&p, 4, true);
	assert_int_equal(irr(&p, 0), 0x10);
	pic_set(&p, 4, false); /* fell before INTA: gone */
	assert_int_equal(irr(&p, 0), 0);
	assert_int_equal(pic_pending(&p), -1);
}

static void level_asks_again(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_elcr_out(&p, 1, 0xff);
	assert_int_equal(pic_elcr_in(&p, 1), 0xde);
	pic_elcr_out(&p, 0, 0xff);
	assert_int_equal(pic_elcr_in(&p, 0), 0xf8);
	pic_set(&p, 9, true);
	assert_int_equal(pic_ack(&p), 0x39);
	pic_out(&p, 1, 0, 0x20);
	pic_out(&p, 0, 0, 0x20);
	assert_int_equal(pic_pending(&p), 0x39);
	pic_set(&p, 9, false);
	assert_int_equal(pic_pending(&p), -1);
}

static void rotation(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_out(&p, 0, 0, 0xc3); /* 3 is lowest: 4 is highest */
	pic_set(&p, 0, true);
	pic_set(&p, 3, true);
	pic_set(&p, 4, true);
	assert_int_equal(pic_ack(&p), 0x34);
	pic_out(&p, 0, 0, 0xa0); /* rotate on EOI: 4 is lowest now */
	assert_int_equal(pic_ack(&p), 0x30);
	pic_out(&p, 0, 0, 0x20);
	assert_int_equal(pic_ack(&p), 0x33);
}

static void automatic_eoi(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_out(&p, 1, 0, 0x11);
	pic_out(&p, 1, 1, 0x38);
	pic_out(&p, 1, 1, 0x02);
	pic_out(&p, 1, 1, 0x03);
	pic_out(&p, 0, 0, 0x11);
	pic_out(&p, 0, 1, 0x30);
	pic_out(&p, 0, 1, 0x04);
	pic_out(&p, 0, 1, 0x03);
	pic_set(&p, 9, true);
	pic_set(&p, 10, true);
	pic_set(&p, 3, true);
	assert_int_equal(pic_ack(&p), 0x39);
	assert_int_equal(isr(&p, 0), 0);
	/* Nothing is in service, and the second chip asks once more. */
	assert_int_equal(pic_ack(&p), 0x3a);
	assert_int_equal(pic_ack(&p), 0x33);
	assert_int_equal(pic_ack(&p), -1);
}

static void special_mask(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set(&p, 3, true);
	assert_int_equal(pic_ack(&p), 0x33);
	pic_set(&p, 6, true);
	assert_int_equal(pic_pending(&p), -1);
	pic_out(&p, 0, 1, 0x08); /* mask 3 */
	pic_out(&p, 0, 0, 0x68); /* special mask: what is masked blocks not */
	assert_int_equal(pic_pending(&p), 0x36);
	pic_out(&p, 0, 0, 0x48);
	assert_int_equal(pic_pending(&p), -1);
}

static void special_fully_nested(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set(&p, 12, true);
	assert_int_equal(pic_ack(&p), 0x3c);
	pic_set(&p, 9, true); /* higher, but from the same chip */
	assert_int_equal(pic_pending(&p), -1);
	p = ready();
	pic_out(&p, 0, 0, 0x11);
	pic_out(&p, 0, 1, 0x30);
	pic_out(&p, 0, 1, 0x04);
	pic_out(&p, 0, 1, 0x11);
	pic_set(&p, 12, true);
	assert_int_equal(pic_ack(&p), 0x3c);
	pic_set(&p, 9, true);
	assert_int_equal(pic_ack(&p), 0x39);
}

static void poll_command(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_out(&p, 0, 0, 0x0c);
	assert_int_equal(pic_in(&p, 0, 0), 0);
	pic_set(&p, 5, true);
	pic_out(&p, 0, 0, 0x0c);
	assert_int_equal(pic_in(&p, 0, 0), 0x85);
	assert_int_equal(isr(&p, 0), 0x20);
}

/* Initialisation: mask and service registers clear, lines must rise anew. */
static void icw1_starts_over(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_out(&p, 0, 1, 0xff);
	pic_set(&p, 5, true);
	pic_out(&p, 0, 0, 0x13); /* single, ICW4 */
	pic_out(&p, 0, 1, 0x40);
	pic_out(&p, 0, 1, 0x01);
	assert_int_equal(pic_in(&p, 0, 1), 0);
	assert_int_equal(pic_pending(&p), -1);
	pic_set(&p, 5, false);
	pic_set(&p, 5, true);
	assert_int_equal(pic_ack(&p), 0x45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked_until_programmed),
		cmocka_unit_test(mask_reads_back),
		cmocka_unit_test(each_input_has_its_vector),
		cmocka_unit_test(priority_order),
		cmocka_unit_test(higher_interrupts_lower),
		cmocka_unit_test(edge_needs_a_rise),
		cmocka_unit_test(level_asks_again),
		cmocka_unit_test(rotation),
		cmocka_unit_test(automatic_eoi),
		cmocka_unit_test(special_mask),
		cmocka_unit_test(special_fully_nested),
		cmocka_unit_test(poll_command),
		cmocka_unit_test(icw1_starts_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

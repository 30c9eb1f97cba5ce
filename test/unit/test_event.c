/* The table of double faults, row by row: SDM 3A 6.15, table 6-5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm/event.h"

static enum event_outcome after(uint8_t first, uint8_t second)
{
	const struct event e = { .type = EVENT_EXCEPTION, .vector = first };

	return event_outcome(&e, second);
}

static const uint8_t contributory[] = { 0, 10, 11, 12, 13, 21 };
static const uint8_t benign[] = { 1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19 };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void nothing_first_is_no_double_fault(void **state)
{
	static const enum event_type types[] = { EVENT_NONE, EVENT_INTERRUPT,
						 EVENT_NMI };

	(void)state;
	for (size_t t = 0; t < COUNT(types); t++) {
		/* An interrupt's vector may be that of an exception. */
		const struct event e = { .type = types[t], .vector = 14 };

		for (unsigned second = 0; second < 32; second++)
			assert_int_equal(event_outcome(&e, (uint8_t)second),
					 EVENT_SECOND);
	}
}

static void benign_ones_do_not_count(void **state)
{
	(void)state;
	for (size_t b = 0; b < COUNT(benign); b++) {
		for (unsigned other = 0; other < 32; other++) {
			assert_int_equal(after(benign[b], (uint8_t)other),
					 EVENT_SECOND);
			assert_int_equal(after((uint8_t)other, benign[b]),
					 EVENT_SECOND);
		}
	}
}

static void contributory_ones_add_up(void **state)
{
	(void)state;
	for (size_t a = 0; a < COUNT(contributory); a++) {
		for (size_t b = 0; b < COUNT(contributory); b++)
			assert_int_equal(
				after(contributory[a], contributory[b]),
				EVENT_DOUBLE);
		assert_int_equal(after(contributory[a], 14), EVENT_SECOND);
		assert_int_equal(after(14, contributory[a]), EVENT_DOUBLE);
	}
	assert_int_equal(after(14, 14), EVENT_DOUBLE);
}

static void a_double_fault_ends_in_shutdown(void **state)
{
	(void)state;
	for (size_t a = 0; a < COUNT(contributory); a++)
		assert_int_equal(after(8, contributory[a]), EVENT_SHUTDOWN);
	assert_int_equal(after(8, 14), EVENT_SHUTDOWN);
	assert_int_equal(after(8, 8), EVENT_SHUTDOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_first_is_no_double_fault),
		cmocka_unit_test(benign_ones_do_not_count),
		cmocka_unit_test(contributory_ones_add_up),
		cmocka_unit_test(a_double_fault_ends_in_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

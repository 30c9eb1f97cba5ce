/* hv/dev/pm.c, by ACPI 6.4, 4.8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/pm.h"
#include "dev/tsc.h"

#define HZ (UINT64_C(1000) * PM_HZ) /* 1000 TSC ticks a timer tick */

enum { STATUS = PM_PORT_EVENT, ENABLE = STATUS + 2, CTRL = PM_PORT_CTRL };

static void timer_counts(void **state)
{
	struct pm pm;

	(void)state;
	pm_reset(&pm, HZ);
	assert_int_equal(pm_timer(&pm, 999), 0);
	assert_int_equal(pm_timer(&pm, 1000), 1);
	assert_int_equal(pm_timer(&pm, UINT64_C(1000) << 32), 0);
	assert_int_equal(pm_timer(&pm, (UINT64_C(1000) << 32) + 5000), 5);
}

/* TMR_STS sets when the top bit changes, either way. */
static void timer_status(void **state)
{
	const uint64_t half = UINT64_C(1000) << 31;
	struct pm pm;

	(void)state;
	pm_reset(&pm, HZ);
	assert_int_equal(pm_in(&pm, STATUS, half - 1), 0);
	assert_int_equal(pm_in(&pm, STATUS, half), 1);
	assert_false(pm.line);
	pm_out(&pm, STATUS, 0, half); /* writing 0 clears nothing */
	assert_int_equal(pm_in(&pm, STATUS, half), 1);
	pm_out(&pm, STATUS, 1, half);
	assert_int_equal(pm_in(&pm, STATUS, half), 0);
	assert_int_equal(pm.deadline, TSC_NEVER);
	pm_out(&pm, ENABLE, 0xffff, half);
	assert_int_equal(pm_in(&pm, ENABLE, half), 0x0721);
	assert_int_equal(pm.deadline, 2 * half);
	pm_tick(&pm, 2 * half - 1);
	assert_false(pm.line);
	pm_tick(&pm, 2 * half);
	assert_true(pm.line);
	assert_int_equal(pm.deadline, TSC_NEVER);
	pm_out(&pm, STATUS, 1, 2 * half);
	assert_false(pm.line);
	assert_int_equal(pm.deadline, 3 * half);
}

static void power_off(void **state)
{
	struct pm pm;
	unsigned type;

	(void)state;
	pm_reset(&pm, HZ);
	assert_int_equal(pm_in(&pm, CTRL, 0), 1); /* SCI_EN */
	for (type = 0; type < 8; type++) {
		uint16_t value = (uint16_t)(type << 10);

		assert_false(pm_out(&pm, CTRL, value, 0));
		assert_int_equal(pm_in(&pm, CTRL, 0), value | 1);
		/* SLP_EN does it, and only for S5. */
		assert_int_equal(pm_out(&pm, CTRL, value | 0x2000, 0),
				 type == PM_SLEEP_S5);
		assert_int_equal(pm_in(&pm, CTRL, 0), value | 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_counts),
		cmocka_unit_test(timer_status),
		cmocka_unit_test(power_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

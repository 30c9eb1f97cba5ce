/* hv/dev/fwcfg.c, by QEMU's specification of the interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/fwcfg.h"

static struct fwcfg f;

static uint64_t item(uint16_t key, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	fwcfg_select(&f, key);
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)fwcfg_next(&f) << 8 * i;
	return v;
}

static void items(void **state)
{
	(void)state;
	fwcfg_reset(&f, UINT64_C(0x123456000), 3);
	assert_int_equal(item(0, 4), 0x554d4551); /* QEMU */
	assert_int_equal(item(1, 4), 1);
	assert_int_equal(item(3, 8), UINT64_C(0x123456000));
	assert_int_equal(item(5, 2), 3);
	assert_int_equal(item(0x0f, 2), 3);
	assert_int_equal(item(0x19, 8), 0);
	assert_int_equal(item(0xffff, 8), 0);
}

static void past_the_end_is_zero(void **state)
{
	unsigned i;

	(void)state;
	fwcfg_reset(&f, UINT64_MAX, 1);
	(void)item(3, 8);
	for (i = 0; i < 1000; i++)
		assert_int_equal(fwcfg_next(&f), 0);
	assert_int_equal(item(3, 8), UINT64_MAX); /* selecting rewinds */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items),
		cmocka_unit_test(past_the_end_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

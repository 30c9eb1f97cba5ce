/* hv/vmx/pml.c: which entries of the page-modification log count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vmx/pml.h"

struct seen {
	uint64_t gpa[PML_ENTRIES + 1];
	unsigned count;
};

static void see(void *ctx, uint64_t gpa)
{
	struct seen *s = ctx;

	assert_true(s->count < PML_ENTRIES);
	s->gpa[s->count++] = gpa;
}

/* As hardware does it. */
static void put(uint64_t *log, uint16_t *index, uint64_t gpa)
{
	assert_true(*index < PML_ENTRIES);
	log[(*index)--] = gpa;
}

static void tells_what_was_put(void **state)
{
	(void)state;
	for (unsigned count = 0; count <= PML_ENTRIES; count++) {
		uint64_t log[PML_ENTRIES] = { 0 };
		struct seen s = { .count = 0 };
		uint16_t index = PML_EMPTY;

		for (unsigned i = 0; i < count; i++)
			put(log, &index, 0x100000 + i * UINT64_C(0x1000));
		pml_drain(log, index, see, &s);
		assert_int_equal(s.count, count);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(s.gpa[count - 1 - i],
					 0x100000 + i * UINT64_C(0x1000));
	}
}

static void full_logs_have_any_index_beyond(void **state)
{
	static const uint16_t full[] = { 0xffff, 512, 0x8000 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t log[PML_ENTRIES] = { [0] = 0x5123, [511] = 0x6fff };
		struct seen s = { .count = 0 };

		pml_drain(log, full[i], see, &s);
		assert_int_equal(s.count, PML_ENTRIES);
		assert_int_equal(s.gpa[0], 0x5000);
		assert_int_equal(s.gpa[511], 0x6000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_was_put),
		cmocka_unit_test(full_logs_have_any_index_beyond),
	};

	return cmocka_run_group_tests_name("vmx_pml", tests, NULL, NULL);
}

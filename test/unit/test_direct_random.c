/*
 * Direct paging under random operations: what the fuzzer does, for a fixed
 * sequence of bytes, and with the state's allocation refused at every n.
 */
#include "direct_test.h"

#include "test/unit/direct_play.h"

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void random_operations_break_no_invariant(void **state)
{
	uint64_t seed = 88172645463325252;
	uint8_t data[3000];

	(void)state;
	for (unsigned n = 0; n < 60; n++) {
		const char *wrong;

		for (unsigned i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(next(&seed) >> 24);
		wrong = direct_play(data, sizeof(data));
		if (wrong)
			fail_msg("play %u: %s", n, wrong);
	}
}

static void a_refused_allocation_leaves_nothing(void **state)
{
	struct direct_rig *r = malloc(sizeof(*r));
	unsigned n;

	(void)state;
	for (n = 1; n < 9; n++) {
		rig_init(r);
		r->fail_at = n;
		if (rig_start_vm(r, 0))
			break;
		assert_int_equal(r->vm[0].vm.pool.used, 0);
		assert_null(r->vm[0].vm.cpus);
		vmmu_direct_vm_fini(&r->vm[0].direct);
		vmmu_vm_fini(&r->vm[0].vm);
		assert_int_equal(r->states_out, 0);
		rig_fini(r);
	}
	/* One page of state is all that it ever asks for. */
	assert_int_equal(n, 2);
	rig_fini(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_break_no_invariant),
		cmocka_unit_test(a_refused_allocation_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

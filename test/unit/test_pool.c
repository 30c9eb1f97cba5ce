/* The pool: its bound, its spares, and a host that refuses. */
#include "table_rig.h"

struct fixture {
	struct lab_host lab;
	struct vmmu_host host;
	struct pt_pool pool;
};

static int setup(void **state)
{
	static const struct lab_host_config config = { .memory = VMMU_2M,
						       .extent = VMMU_PAGE_SIZE,
						       .table_pages = 64 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_true(lab_host_init(&f->lab, &config));
	f->host = lab_host_ops(&f->lab);
	pt_pool_init(&f->pool, &f->host, 8);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pt_pool_fini(&f->pool);
	assert_int_equal(f->lab.count.tables_out, 0);
	lab_host_fini(&f->lab);
	free(f);
	return 0;
}

static void gives_no_more_than_the_limit(void **state)
{
	struct fixture *f = *state;
	hpa_t page[9];
	uint64_t *entries;

	for (unsigned i = 0; i < 8; i++)
		assert_true(pt_pool_get(&f->pool, &page[i], &entries));
	assert_false(pt_pool_get(&f->pool, &page[8], &entries));
	assert_int_equal(f->pool.used, 8);
	assert_int_equal(f->pool.peak, 8);
	for (unsigned i = 0; i < 8; i++)
		pt_pool_put(&f->pool, page[i]);
	assert_int_equal(f->pool.used, 0);
	assert_int_equal(f->pool.spare, 8);
	assert_int_equal(f->pool.peak, 8);
}

static void reuses_spares_zeroed_and_asks_no_one(void **state)
{
	struct fixture *f = *state;
	uint64_t *entries, asked;
	hpa_t a, b;

	assert_true(pt_pool_get(&f->pool, &a, &entries));
	assert_true(pt_pool_get(&f->pool, &b, &entries));
	memset(entries, 0xff, VMMU_PAGE_SIZE);
	pt_pool_put(&f->pool, a);
	pt_pool_put(&f->pool, b);
	asked = f->lab.count.table_allocs;
	for (unsigned n = 0; n < 2; n++) {
		assert_true(pt_pool_get(&f->pool, &a, &entries));
		assert_ptr_equal(entries, lab_host_ptr(&f->lab, a));
		for (unsigned i = 0; i < 512; i++)
			assert_int_equal(entries[i], 0);
	}
	assert_int_equal(f->lab.count.table_allocs, asked);
	pt_pool_put(&f->pool, a);
	pt_pool_put(&f->pool, b);
}

/* A stale paging-structure cache may lead hardware into a spare page. */
static void a_spare_page_holds_no_present_entry(void **state)
{
	struct fixture *f = *state;
	hpa_t page[3];
	uint64_t *entries;

	for (unsigned i = 0; i < 3; i++)
		assert_true(pt_pool_get(&f->pool, &page[i], &entries));
	for (unsigned i = 0; i < 3; i++)
		pt_pool_put(&f->pool, page[i]);
	for (unsigned i = 0; i < 3; i++) {
		entries = lab_host_ptr(&f->lab, page[i]);
		for (unsigned n = 0; n < 512; n++)
			assert_int_equal(entries[n] & VMMU_PAGE_MASK, 0);
	}
}

static void reserves_all_or_says_no(void **state)
{
	struct fixture *f = *state;
	uint64_t *entries, asked;
	hpa_t page[8];

	assert_true(pt_pool_reserve(&f->pool, 5));
	asked = f->lab.count.table_allocs;
	for (unsigned i = 0; i < 5; i++)
		assert_true(pt_pool_get(&f->pool, &page[i], &entries));
	assert_int_equal(f->lab.count.table_allocs, asked);
	assert_false(pt_pool_reserve(&f->pool, 4));
	assert_true(pt_pool_reserve(&f->pool, 3));
	for (unsigned i = 0; i < 5; i++)
		pt_pool_put(&f->pool, page[i]);
	assert_true(f->pool.used + f->pool.spare <= f->pool.limit);
}

static void passes_on_that_the_host_has_none(void **state)
{
	struct fixture *f = *state;
	uint64_t *entries;
	hpa_t page;

	f->lab.fail_table_at = 1;
	assert_false(pt_pool_get(&f->pool, &page, &entries));
	assert_int_equal(f->pool.used, 0);
	assert_true(pt_pool_get(&f->pool, &page, &entries));
	f->lab.fail_table_at = 2;
	assert_false(pt_pool_reserve(&f->pool, 2));
	/* What it did get is kept. */
	assert_int_equal(f->pool.spare, 1);
	pt_pool_put(&f->pool, page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gives_no_more_than_the_limit,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			reuses_spares_zeroed_and_asks_no_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_spare_page_holds_no_present_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(reserves_all_or_says_no, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			passes_on_that_the_host_has_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

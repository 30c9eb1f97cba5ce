/*
 * The short ways: what they do is what the long ones do, what is not theirs
 * they leave alone, and what is refused changes nothing. The random tests take
 * them too, with the audit and the model after each step.
 */
#include "direct_test.h"

#define OK	  VMMU_DIRECT_OK
#define AT(index) rig_at(0, 3, (index)).v

static bool update(struct direct_rig *r, uint64_t at, uint64_t value)
{
	return vmmu_direct_update_quick(&r->vm[0].vm, at, value, false);
}

static void an_entry_is_changed_and_counted(void **state)
{
	struct direct_rig *r = direct_rig();
	const struct vmmu_direct_stats *s = &r->vm[0].direct.stats;
	const uint64_t *l1 = rig_page(r, rig_hfn(0, 3));
	struct vmmu_frame *f = rig_frame(r, 0, RIG_DATA);
	uint32_t total = f->total_count, type = f->type_count;

	(void)state;
	assert_true(update(r, AT(300), rig_to(0, RIG_DATA, RW)));
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U));
	assert_int_equal(f->total_count, total + 1);
	assert_int_equal(f->type_count, type + 1);
	/* Read-only, writable again, gone: the page stays the same. */
	assert_true(update(r, AT(300), rig_to(0, RIG_DATA, RO)));
	assert_int_equal(f->total_count, total + 1);
	assert_int_equal(f->type_count, type);
	assert_true(update(r, AT(300), rig_to(0, RIG_DATA, RW)));
	assert_int_equal(f->type_count, type + 1);
	assert_true(update(r, AT(300), 0));
	assert_int_equal(f->total_count, total);
	assert_int_equal(f->type_count, type);
	assert_int_equal(s->update_single, 4);
	assert_int_equal(s->update_level[1], 4);
	direct_rig_free(r);
}

static void a_tables_page_does_not_become_writable(void **state)
{
	struct direct_rig *r = direct_rig();
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3)), was = l1[2];

	(void)state;
	/* gfn 2 is an L2, mapped read-only at its own address. */
	assert_int_equal(rig_frame(r, 0, 2)->type, VMMU_FRAME_L2);
	assert_false(update(r, AT(2), rig_to(0, 2, RW)));
	assert_int_equal(l1[2], was);
	direct_rig_free(r);
}

/* A page that has another type so far is left to the long way. */
static void a_change_of_type_is_not_for_it(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	assert_int_equal(rig_frame(r, 0, 5)->type, VMMU_FRAME_NONE);
	assert_false(update(r, AT(300), rig_to(0, 5, RW)));
	assert_int_equal(rig_page(r, rig_hfn(0, 3))[300], 0);
	assert_int_equal(rig_frame(r, 0, 5)->type, VMMU_FRAME_NONE);
	direct_rig_free(r);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct direct_rig *r = direct_rig();
	const struct {
		uint64_t at, value;
	} u[] = {
		{ AT(300), rig_to(1, RIG_DATA, RW) },	      /* another VM's */
		{ AT(300), rig_entry(UINT64_C(1) << 39, P) }, /* no frame */
		{ AT(300), rig_to(0, RIG_DATA, RW | 0x80) },  /* PAT */
		{ AT(300), rig_to(0, RIG_DATA, RW | 0x18) },  /* PWT, PCD */
		{ AT(300), rig_to(0, 3, RW) },		      /* itself */
		{ AT(300) + 4, 0 },
		{ rig_at(1, 3, 300).v, 0 }, /* another's table */
		{ rig_at(0, 2, 1).v, 0 },   /* an L2 */
		{ rig_at(0, 0, 256).v, 0 }, /* the hypervisor's slot */
		{ rig_at(0, 0, 1).v, 0 },   /* an L4 */
		{ 0, 0 },
		{ UINT64_MAX & ~UINT64_C(7), 0 },
	};
	const uint64_t *l1 = rig_page(r, rig_hfn(0, 3));

	(void)state;
	for (size_t i = 0; i < sizeof(u) / sizeof(u[0]); i++) {
		assert_false(update(r, u[i].at, u[i].value));
		assert_int_equal(l1[300], 0);
	}
	assert_int_equal(r->vm[0].direct.stats.update_single, 0);
	direct_rig_free(r);
}

static void a_page_of_data_is_written(void **state)
{
	struct direct_rig *r = direct_rig();

	(void)state;
	assert_true(update(r, rig_at(0, RIG_DATA, 7).v, 0x123456));
	assert_int_equal(rig_page(r, rig_hfn(0, RIG_DATA))[7], 0x123456);
	assert_int_equal(r->vm[0].direct.stats.update_level[0], 1);
	direct_rig_free(r);
}

static void a_trapped_write_is_carried_out(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3)), old = 1;
	struct vmmu_frame *f = rig_frame(r, 0, RIG_DATA);
	uint32_t total = f->total_count, type = f->type_count;
	const gva_t gva = mk_gva(3 * VMMU_PAGE_SIZE + 8 * 300);

	(void)state;
	assert_true(vmmu_direct_trapped_quick(cpu, gva, rig_to(0, RIG_DATA, RW),
					      &old));
	assert_int_equal(old, 0);
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U));
	assert_int_equal(f->type_count, type + 1);
	/* lock andb $~W, with what hardware has set meanwhile. */
	l1[300] |= A | D;
	assert_true(vmmu_direct_trapped_and(cpu, gva, ~W, &old));
	assert_int_equal(old, rig_to(0, RIG_DATA, RW | U | A | D));
	assert_int_equal(l1[300], rig_to(0, RIG_DATA, (RW | U | A | D) & ~W));
	assert_int_equal(f->type_count, type);
	assert_int_equal(f->total_count, total + 1);
	assert_true(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	assert_int_equal(l1[300], 0);
	assert_int_equal(f->total_count, total);
	assert_int_equal(r->vm[0].direct.stats.trapped_writes, 3);
	direct_rig_free(r);
}

static void a_trapped_write_is_refused(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const uint64_t page = 3 * VMMU_PAGE_SIZE;
	const uint64_t *l1 = rig_page(r, rig_hfn(0, 3));
	const struct {
		uint64_t gva, value;
	} w[] = {
		{ page + 8 * 300, rig_to(0, 3, RW) },
		{ page + 8 * 300, rig_to(1, RIG_DATA, RO) },
		{ page + 8 * 300, rig_to(0, RIG_DATA, RW | 0x80) },
		{ page + 8 * 300 + 1, 0 },
		{ 2 * VMMU_PAGE_SIZE, 0 },	     /* an L2 */
		{ RIG_DATA * VMMU_PAGE_SIZE, 0 },    /* writable data */
		{ UINT64_C(0xffff800000003000), 0 }, /* our slots */
		{ UINT64_C(0x0001000000003000), 0 }, /* no address */
		{ UINT64_C(0x0000400000003000), 0 }, /* no table */
	};
	uint64_t old;

	(void)state;
	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		assert_false(vmmu_direct_trapped_quick(cpu, mk_gva(w[i].gva),
						       w[i].value, &old));
		assert_false(i > 2 && vmmu_direct_trapped_and(
					      cpu, mk_gva(w[i].gva), 0, &old));
		assert_int_equal(l1[300], 0);
	}
	/* Where a table above withholds W, the fault is the guest's. */
	assert_int_equal(rig_update(r, 0, rig_at(0, 1, 0), rig_to(0, 2, P)),
			 OK);
	assert_false(vmmu_direct_trapped_quick(cpu, mk_gva(page), 0, &old));
	assert_false(vmmu_direct_trapped_and(cpu, mk_gva(page), 0, &old));
	assert_int_equal(r->vm[0].direct.stats.trapped_writes, 0);
	direct_rig_free(r);
}

static void roots_change_places(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const hfn_t first = mk_hfn(rig_hfn(0, 0)),
		    other = mk_hfn(rig_hfn(0, 4));

	(void)state;
	/* No table yet; not an L4; not the VM's. */
	assert_false(vmmu_direct_set_root_quick(cpu, other));
	assert_false(vmmu_direct_set_root_quick(cpu, mk_hfn(rig_hfn(0, 1))));
	assert_false(vmmu_direct_set_root_quick(cpu, mk_hfn(rig_hfn(1, 0))));
	assert_false(vmmu_direct_set_root_quick(cpu, mk_hfn(UINT64_MAX)));
	/* There is no user root that it could take the place of. */
	assert_false(vmmu_direct_set_user_root_quick(cpu, first));
	rig_page(r, rig_hfn(0, 4))[0] = rig_to(0, 1, P | W);
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	assert_true(vmmu_direct_set_root_quick(cpu, other));
	assert_int_equal(cpu->root.v, rig_at(0, 4, 0).v);
	assert_int_equal(rig_frame(r, 0, 4)->type_count, 2);
	assert_int_equal(rig_frame(r, 0, 0)->type_count, 2);
	/* The last use of a table is not given up so. */
	assert_int_equal(rig_unpin(r, 0, 4), OK);
	assert_false(vmmu_direct_set_root_quick(cpu, first));
	assert_int_equal(rig_root(r, 0, 0, 0), OK);
	assert_int_equal(vmmu_direct_set_user_root(cpu, first, NULL), OK);
	assert_true(vmmu_direct_set_user_root_quick(cpu, first));
	assert_int_equal(rig_frame(r, 0, 0)->type_count, 4);
	direct_rig_free(r);
}

/* What would make of an entry one that may not be is refused there too: W is
 * not among what AND can give, but a bit that is not the guest's is. */
static void an_and_gives_nothing(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const gva_t gva = mk_gva(3 * VMMU_PAGE_SIZE + 8 * 300);
	uint64_t *l1 = rig_page(r, rig_hfn(0, 3)), old;

	(void)state;
	assert_int_equal(
		rig_update(r, 0, mk_hpa(AT(300)), rig_to(0, RIG_DATA, RW)), OK);
	/* Another frame, which is a table, by clearing bits of its number. */
	for (unsigned i = 0; i < RIG_DATA; i++) {
		uint64_t to = rig_to(0, i, RW | U);

		if ((l1[300] & to) != to)
			continue;
		assert_false(vmmu_direct_trapped_and(
			cpu, gva, to | UINT64_C(0xfff), &old));
		assert_int_equal(l1[300], rig_to(0, RIG_DATA, RW | U));
	}
	/* An absent entry may not name memory either: L1TF. */
	assert_false(vmmu_direct_trapped_and(cpu, gva, ~P, &old));
	assert_true(vmmu_direct_trapped_and(cpu, gva, 0, &old));
	assert_int_equal(l1[300], 0);
	direct_rig_free(r);
}

/* Both roots, to and fro, or neither. */
static void two_roots_change_places(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const hfn_t a = mk_hfn(rig_hfn(0, 0)), b = mk_hfn(rig_hfn(0, 4)),
		    c = mk_hfn(rig_hfn(0, 5)), none = mk_hfn(UINT64_MAX);
	const hfn_t bad[] = { mk_hfn(rig_hfn(0, 1)), mk_hfn(rig_hfn(1, 0)),
			      none, mk_hfn(0) };
	uint32_t epoch, count = rig_frame(r, 0, 0)->type_count;

	(void)state;
	for (unsigned i = 4; i < 6; i++) {
		rig_page(r, rig_hfn(0, i))[0] = rig_to(0, 1, P | W);
		assert_int_equal(rig_pin(r, 0, i, 4), OK);
	}
	/* There is no user root yet that could be left. */
	assert_false(vmmu_direct_set_roots_quick(cpu, b, c));
	assert_int_equal(vmmu_direct_set_user_root(cpu, c, NULL), OK);
	for (unsigned i = 0; i < 4; i++) {
		assert_false(vmmu_direct_set_roots_quick(cpu, bad[i], c));
		assert_false(vmmu_direct_set_roots_quick(cpu, b, bad[i]));
	}
	assert_false(vmmu_direct_set_roots_quick(cpu, b, b));
	assert_int_equal(cpu->root.v, rig_at(0, 0, 0).v);
	epoch = r->vm[0].direct.epoch;
	assert_true(vmmu_direct_set_roots_quick(cpu, b, a));
	assert_int_equal(r->vm[0].direct.epoch, epoch + 1);
	assert_int_equal(cpu->root.v, rig_at(0, 4, 0).v);
	assert_int_equal(vmmu_direct_cpu(cpu)->user_root.v, rig_at(0, 0, 0).v);
	/* The two for one another; and each for itself. */
	assert_true(vmmu_direct_set_roots_quick(cpu, a, b));
	assert_true(vmmu_direct_set_roots_quick(cpu, a, b));
	assert_int_equal(rig_frame(r, 0, 0)->type_count, count);
	assert_int_equal(rig_frame(r, 0, 4)->type_count, 2);
	assert_int_equal(rig_frame(r, 0, 5)->type_count, 1);
	/* A root that is nothing else is not left so, either of the two. */
	assert_int_equal(rig_unpin(r, 0, 4), OK);
	assert_false(vmmu_direct_set_roots_quick(cpu, a, c));
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	assert_true(vmmu_direct_set_roots_quick(cpu, a, c));
	/* A count at its limit. */
	r->vm[0].direct.table.count_limit = rig_frame(r, 0, 4)->total_count;
	assert_false(vmmu_direct_set_roots_quick(cpu, b, c));
	assert_false(vmmu_direct_set_roots_quick(cpu, a, b));
	direct_rig_free(r);
}

/* The way down that a trapped write went is not gone again when a link of it
 * is another, or says less. */
static void a_way_is_kept_only_as_long_as_it_leads(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const gva_t gva = mk_gva(3 * VMMU_PAGE_SIZE + 8 * 300);
	const uint64_t *was = rig_page(r, rig_hfn(0, 3));
	uint64_t *now = rig_page(r, rig_hfn(0, 4)), old;

	(void)state;
	now[3] = rig_to(0, 4, P);
	assert_int_equal(rig_pin(r, 0, 4, 1), OK);
	assert_true(vmmu_direct_trapped_quick(cpu, gva, rig_to(0, RIG_DATA, RO),
					      &old));
	assert_int_equal(was[300], rig_to(0, RIG_DATA, RO | U));
	assert_int_equal(rig_update(r, 0, rig_at(0, 2, 0), rig_to(0, 4, P | W)),
			 OK);
	assert_true(
		vmmu_direct_trapped_quick(cpu, gva, rig_to(0, 5, RO), &old));
	assert_int_equal(old, 0);
	assert_int_equal(was[300], rig_to(0, RIG_DATA, RO | U));
	assert_int_equal(now[300], rig_to(0, 5, RO | U));
	/* Its own leaf is looked at each time. */
	assert_int_equal(rig_update(r, 0, rig_at(0, 4, 3), 0), OK);
	assert_false(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	assert_int_equal(rig_update(r, 0, rig_at(0, 4, 3), rig_to(0, 4, P)),
			 OK);
	assert_true(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	assert_int_equal(rig_update(r, 0, rig_at(0, 1, 0), rig_to(0, 2, P)),
			 OK);
	assert_false(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	direct_rig_free(r);
}

/* Nor when its root has been a page of data meanwhile and is a root again. */
static void a_way_ends_with_its_tables(void **state)
{
	struct direct_rig *r = direct_rig();
	struct vmmu_cpu *cpu = &r->vm[0].cpu[0];
	const gva_t gva = mk_gva(3 * VMMU_PAGE_SIZE + 8 * 300);
	uint64_t old;
	hpa_t at;

	(void)state;
	rig_page(r, rig_hfn(0, 4))[0] = rig_to(0, 1, P | W);
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	assert_int_equal(rig_root(r, 0, 0, 4), OK);
	assert_true(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	assert_int_equal(rig_root(r, 0, 0, 0), OK);
	assert_int_equal(rig_unpin(r, 0, 4), OK);
	assert_int_equal(rig_update(r, 0, rig_at(0, 4, 0), 0), OK);
	assert_int_equal(rig_pin(r, 0, 4, 4), OK);
	assert_int_equal(rig_root(r, 0, 0, 4), OK);
	assert_false(vmmu_direct_trapped_quick(cpu, gva, 0, &old));
	assert_false(vmmu_direct_is_trapped(cpu, gva, &at));
	direct_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_changed_and_counted),
		cmocka_unit_test(a_tables_page_does_not_become_writable),
		cmocka_unit_test(a_change_of_type_is_not_for_it),
		cmocka_unit_test(what_is_refused_changes_nothing),
		cmocka_unit_test(a_page_of_data_is_written),
		cmocka_unit_test(a_trapped_write_is_carried_out),
		cmocka_unit_test(a_trapped_write_is_refused),
		cmocka_unit_test(an_and_gives_nothing),
		cmocka_unit_test(roots_change_places),
		cmocka_unit_test(two_roots_change_places),
		cmocka_unit_test(a_way_is_kept_only_as_long_as_it_leads),
		cmocka_unit_test(a_way_ends_with_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

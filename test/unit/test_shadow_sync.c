/*
 * The guest writes to a leaf table that was shadowed in many of the registers'
 * modes: what is kept out of sync, and compared at each flush, is of the mode
 * of now alone. And it unhooks a table: its frame is memory like any other.
 */
#include "vtlb_rig.h"

#define VA     0x1000
#define WINDOW 0x5000 /* where the guest sees its leaf table */
#define DATA   (2 * MIB)
#define COUNT  8u
#define FAR    (6 * MIB)
#define OTHER  0x40000 /* its leaf table */

/* The n-th of the modes. */
static void set_mode(struct guest *g, unsigned n)
{
	const uint64_t cr4 = VMMU_CR4_SMEP | VMMU_CR4_SMAP;

	g->regs.cr0 = (g->regs.cr0 & ~VMMU_CR0_WP) | (n & 1 ? VMMU_CR0_WP : 0);
	g->regs.cr4 = (g->regs.cr4 & ~cr4) | (n & 2 ? VMMU_CR4_SMEP : 0) |
		      (n & 4 ? VMMU_CR4_SMAP : 0);
	set_regs(g);
}

static struct guest *begin(void)
{
	struct guest *g = guest(LEVEL4);

	g->vm.roots = 16;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, VA, DATA | P | W | A | D);
	map(g, WINDOW, (place(g, VA, 1) & ~VMMU_PAGE_MASK) | P | W | A | D);
	return g;
}

static void only_the_mode_of_now_goes_out_of_sync(void **state)
{
	struct guest *g = begin();
	uint64_t zapped, unsync;

	(void)state;
	for (unsigned n = 0; n < COUNT; n++) {
		set_mode(g, n);
		assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	}
	quiet(g);
	zapped = g->vm.stats.mmu_shadow_zapped;
	unsync = g->vm.stats.mmu_unsync;
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mmu_unsync, unsync + 1);
	assert_int_equal(g->vm.stats.mmu_shadow_zapped, zapped + COUNT - 1);
	end(g);
}

/* What was given up is made again, from what the guest has now. */
static void the_others_come_back_right(void **state)
{
	struct guest *g = begin();

	(void)state;
	for (unsigned n = 0; n < COUNT; n++) {
		set_mode(g, n);
		assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	}
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	write_entry(g, place(g, VA, 1), (DATA + 0x3000) | P | W | A | D);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
	for (unsigned n = COUNT; n-- > 0;) {
		set_mode(g, n);
		assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
		assert_int_equal(g->hpa, hpa_of(g, DATA + 0x3000));
	}
	end(g);
}

/* FAR by a leaf table of its own, which is seen in WINDOW. */
static struct guest *begin_far(uint64_t table, uint64_t window)
{
	struct guest *g = guest(LEVEL4);

	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, WINDOW, table | window);
	write_entry(g, place(g, FAR, 2), table | P | W | U | A);
	write_entry(g, table, DATA | P | W | A | D);
	return g;
}

static void hook(struct guest *g, uint64_t entry)
{
	write_entry(g, place(g, FAR, 2), entry);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(place(g, FAR, 2)), 8);
}

static void an_unhooked_table_is_memory_again(void **state)
{
	struct guest *g = begin_far(OTHER, P | W | A | D);

	(void)state;
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(touch(g, FAR, VMMU_R), VMMU_RESUME);
	quiet(g);
	assert_true(reaches(g, WINDOW, VMMU_R));
	assert_false(reaches(g, WINDOW, VMMU_W));
	hook(g, 0);
	assert_false(reaches(g, FAR, VMMU_R));
	assert_true(reaches(g, WINDOW, VMMU_W));
	assert_int_equal(g->vm.stats.mmu_shadow_zapped, 1);
	hook(g, OTHER | P | W | U | A);
	assert_int_equal(touch(g, FAR, VMMU_R), VMMU_RESUME);
	quiet(g);
	assert_false(reaches(g, WINDOW, VMMU_W));
	end(g);
}

/* W comes back only where it would be given: the guest's W and D, and a slot
 * that does not log. */
static void it_is_granted_no_more_than_it_was(void **state)
{
	const struct {
		uint64_t table, window;
	} cases[] = {
		{ OTHER, P | A | D },
		{ OTHER, P | W | A },
		{ LOG, P | W | A | D },
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct guest *g = begin_far(cases[i].table, cases[i].window);

		assert_int_equal(touch(g, WINDOW, VMMU_R), VMMU_RESUME);
		assert_int_equal(touch(g, FAR, VMMU_R), VMMU_RESUME);
		quiet(g);
		hook(g, 0);
		assert_true(reaches(g, WINDOW, VMMU_R));
		assert_false(reaches(g, WINDOW, VMMU_W));
		end(g);
	}
}

/* Two ways led to it: with the first gone it is a table still. */
static void a_table_hooked_twice_is_one(void **state)
{
	struct guest *g = begin_far(OTHER, P | W | A | D);

	(void)state;
	write_entry(g, place(g, FAR + 2 * MIB, 2), OTHER | P | W | U | A);
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(touch(g, FAR, VMMU_R), VMMU_RESUME);
	assert_int_equal(touch(g, FAR + 2 * MIB, VMMU_R), VMMU_RESUME);
	quiet(g);
	hook(g, 0);
	assert_false(reaches(g, WINDOW, VMMU_W));
	assert_true(reaches(g, FAR + 2 * MIB, VMMU_R));
	end(g);
}

/* A table whose last entry went, and the one above with it. */
static void an_emptied_table_goes_too(void **state)
{
	const uint64_t away = UINT64_C(1) << 39, upper = 0x41000;
	struct guest *g = begin_far(OTHER, P | W | A | D);
	uint64_t page = OTHER + 0x10000;

	(void)state;
	/* Three tables of its own, the middle one in WINDOW. */
	write_entry(g, place(g, away, 4), (upper + 0x1000) | P | W | U | A);
	write_entry(g, upper + 0x1000, upper | P | W | U | A);
	write_entry(g, upper, page | P | W | U | A);
	write_entry(g, page, DATA | P | W | A | D);
	map(g, WINDOW, upper | P | W | A | D);
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	map(g, WINDOW + 0x1000, (upper + 0x1000) | P | W | A | D);
	assert_int_equal(touch(g, WINDOW + 0x1000, VMMU_W), VMMU_RESUME);
	assert_int_equal(touch(g, away, VMMU_R), VMMU_RESUME);
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_EMULATE);
	assert_int_equal(touch(g, WINDOW + 0x1000, VMMU_W), VMMU_EMULATE);
	write_entry(g, upper, 0);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(upper), 8);
	assert_true(reaches(g, WINDOW, VMMU_W));
	assert_true(reaches(g, WINDOW + 0x1000, VMMU_W));
	assert_int_equal(g->vm.stats.mmu_shadow_zapped, 3);
	assert_false(reaches(g, away, VMMU_R));
	/* Written without an exit, and right when it is used again. */
	write_entry(g, upper + 0x1000, upper | P | W | U | A);
	write_entry(g, upper, page | P | W | U | A);
	assert_int_equal(touch(g, away, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, DATA));
	end(g);
}

/* A TLB may write to a page by an entry that the guest has taken away and not
 * flushed: SDM 3A 4.10.4.3. So before the page is a table in sync it must
 * forget. */
static void no_tlb_writes_to_a_new_table(void **state)
{
	struct guest *g = begin_far(OTHER, P | W | A | D);
	uint64_t upper = OTHER + 0x1000, flushes;

	(void)state;
	write_entry(g, place(g, FAR, 3) + 8, upper | P | W | U | A);
	write_entry(g, upper, OTHER | P | W | U | A);
	map(g, WINDOW, upper | P | W | A | D);
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	write_entry(g, place(g, WINDOW, 1), 0);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(place(g, WINDOW, 1)), 8);
	flushes = g->lab.count.flush_all;
	assert_int_equal(touch(g, 1024 * MIB, VMMU_R), VMMU_RESUME);
	assert_true(g->lab.count.flush_all > flushes);
	end(g);
}

/* Who emulates need not walk again to where the write was found to go. */
static void an_emulated_write_was_granted(void **state)
{
	struct guest *g = begin();
	uint64_t upper = place(g, VA, 2) & ~VMMU_PAGE_MASK;

	(void)state;
	map(g, VA + 0x7000, upper | P | W | A);
	assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	assert_int_equal(touch(g, VA + 0x7008, VMMU_W), VMMU_EMULATE);
	assert_true(g->answer.granted);
	assert_int_equal(g->answer.gpa.v, upper + 8);
	assert_int_equal(leaf_now(g, VA + 0x7000), upper | P | W | A | D);
	map(g, VA + 0x7000, upper | P | A);
	assert_int_equal(touch(g, VA + 0x7008, VMMU_W), VMMU_INJECT);
	assert_false(g->answer.granted);
	end(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unhooked_table_is_memory_again),
		cmocka_unit_test(it_is_granted_no_more_than_it_was),
		cmocka_unit_test(a_table_hooked_twice_is_one),
		cmocka_unit_test(an_emptied_table_goes_too),
		cmocka_unit_test(no_tlb_writes_to_a_new_table),
		cmocka_unit_test(an_emulated_write_was_granted),
		cmocka_unit_test(only_the_mode_of_now_goes_out_of_sync),
		cmocka_unit_test(the_others_come_back_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

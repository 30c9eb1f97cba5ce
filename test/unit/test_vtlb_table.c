/* The table of `vtlb`: what flushes drop, large pages, table memory. */
#include "vtlb_rig.h"

/* 1. Flushes. */

static void cr3_drops_all_but_global_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | U);
	map(g, 0x404000, 0x8000 | P | U | G);
	touch(g, 0x403000, VMMU_R);
	touch(g, 0x404000, VMMU_R);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_false(reaches(g, 0x403000, VMMU_R));
	assert_true(reaches(g, 0x404000, VMMU_R));
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_ALL);
	assert_false(reaches(g, 0x404000, VMMU_R));
	/* Without PGE nothing is global, and its change drops what was. */
	touch(g, 0x404000, VMMU_R);
	g->regs.cr4 &= ~VMMU_CR4_PGE;
	set_regs(g);
	assert_false(reaches(g, 0x404000, VMMU_R));
	touch(g, 0x404000, VMMU_R);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_false(reaches(g, 0x404000, VMMU_R));
	assert_int_equal(g->lab.count.flush_cpu >= 4, 1);
	end(g);
}
EACH(cr3_drops_all_but_global)

/* More than the log of one load of CR3 holds, and places that change kind. */
static void the_log_may_overflow_in(enum mode mode)
{
	struct guest *g = guest(mode);

	for (unsigned round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 500; i++)
			map(g, 0x400000 + i * 0x1000,
			    (0x400000 + i * 0x1000) | P | U | A |
				    (i % 5 == round ? G : 0));
		for (uint64_t i = 0; i < 500; i++) {
			touch(g, 0x400000 + i * 0x1000, VMMU_R);
			if (i % 3 == 0)
				vmmu_cpu_invalidate(
					&g->cpu, mk_gva(0x400000 + i * 0x1000));
		}
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		for (uint64_t i = 0; i < 500; i++)
			assert_int_equal(
				reaches(g, 0x400000 + i * 0x1000, VMMU_R),
				i % 5 == round);
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_ALL);
		assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[1], 0);
		assert_true(audit(g));
	}
	end(g);
}
EACH(the_log_may_overflow)

static void invlpg_drops_and_refills_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | W | U);
	touch(g, 0x403000, VMMU_W);
	/* What was changed counts after the flush, at once. */
	map(g, 0x403000, 0x9000 | P | U | A | D);
	assert_true(reaches(g, 0x403000, VMMU_W));
	vmmu_cpu_invalidate(&g->cpu, mk_gva(0x403000));
	assert_int_equal(g->lab.count.flush_gva, 1);
	assert_true(reaches(g, 0x403000, VMMU_R));
	assert_int_equal(g->hpa, hpa_of(g, 0x9000));
	assert_false(reaches(g, 0x403000, VMMU_W));
	/* Not where A would have to be set, nor where nothing is. */
	map(g, 0x403000, 0x9000 | P | U);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(0x403000));
	assert_false(reaches(g, 0x403000, VMMU_R));
	assert_int_equal(leaf_now(g, 0x403000) & A, 0);
	touch(g, 0x403000, VMMU_R);
	map(g, 0x403000, 0);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(0x403000));
	assert_false(reaches(g, 0x403000, VMMU_R));
	assert_int_equal(g->vm.stats.invlpg, 3);
	end(g);
}
EACH(invlpg_drops_and_refills)

/* Neighbours in the guest's group of eight, if nothing would be set. */
static void used_neighbours_come_along_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x408000, 0x8000 | P | W | U | A | D);
	map(g, 0x409000, 0x9000 | P | W | U | A); /* clean */
	map(g, 0x40a000, 0xa000 | P | W | U);	  /* never used */
	map(g, 0x40b000, 0xb000 | P | W | A | D); /* another's */
	map(g, 0x40c000, HOLE | P | W | U | A | D);
	map(g, 0x40d000, ROM | P | W | U | A | D);
	map(g, 0x40e000, (LOG + 0x2000) | P | W | U | A | D);
	map(g, 0x40f000, 0xf000 | P | W | U | A | D);
	map(g, 0x410000, 0x7000 | P | W | U | A | D); /* the next group */
	assert_int_equal(touch(g, 0x408000, VMMU_R), VMMU_RESUME);
	assert_int_equal(g->vm.stats.pf_prefetched, 4);
	assert_true(reaches(g, 0x409000, VMMU_R | VMMU_U));
	assert_int_equal(g->hpa, hpa_of(g, 0x9000));
	assert_false(reaches(g, 0x409000, VMMU_W));
	assert_false(reaches(g, 0x40a000, VMMU_R));
	assert_false(reaches(g, 0x40b000, VMMU_R));
	assert_false(reaches(g, 0x40c000, VMMU_R));
	assert_true(reaches(g, 0x40d000, VMMU_R));
	assert_false(reaches(g, 0x40d000, VMMU_W));
	assert_true(reaches(g, 0x40e000, VMMU_R));
	assert_false(reaches(g, 0x40e000, VMMU_W));
	assert_true(reaches(g, 0x40f000, VMMU_W | VMMU_U));
	assert_false(reaches(g, 0x410000, VMMU_R));
	assert_int_equal(g->dirty[0], 0);
	assert_int_equal(leaf_now(g, 0x40a000) & A, 0);
	/* CR3 drops them like the rest. */
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_false(reaches(g, 0x40f000, VMMU_R));
	end(g);
}
EACH(used_neighbours_come_along)

static void a_change_without_a_flush_may_wait_in(enum mode mode)
{
	struct guest *g = guest(mode);

	map(g, 0x403000, 0x7000 | P | U);
	touch(g, 0x403000, VMMU_R);
	map(g, 0x403000, 0);
	assert_true(reaches(g, 0x403000, VMMU_R));
	end(g);
}
EACH(a_change_without_a_flush_may_wait)

/* 2. Large pages. */

static unsigned large_level(const struct guest *g)
{
	return g->mode >= LEVEL4 ? 3 : 2;
}

static void large_over_large_is_large_in(enum mode mode)
{
	struct guest *g = guest(mode);
	uint64_t leaf = 0x800000 | P | W | U | PS;

	map_at(g, 0x800000, 2, leaf);
	touch(g, 0x812345, VMMU_R);
	assert_int_equal(g->hpa, hpa_of(g, 0x812345));
	assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[2], 1);
	/* Clean: a write to any part of it is seen, and makes all dirty. */
	assert_false(reaches(g, 0x9ff000, VMMU_W));
	touch(g, 0x9ff000, VMMU_W);
	assert_true(reaches(g, 0x800000, VMMU_W));
	end(g);
}
EACH(large_over_large_is_large)

static void pieces_of_a_page_go_together_in(enum mode mode)
{
	struct guest *g = guest_of(mode, (struct shape){ 0x1000, 128 });
	unsigned level = large_level(g);
	uint64_t size = UINT64_C(1) << shift_of(g, level);
	uint64_t far = level == 3 ? 30 * MIB : size - 0x1000;

	map_at(g, size, level, P | W | U | PS | A | D | G);
	touch(g, size, VMMU_R);
	touch(g, size + far, VMMU_R);
	assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[1], 2);
	/* Nothing that another address touches goes. */
	vmmu_cpu_invalidate(&g->cpu, mk_gva(2 * size));
	assert_true(reaches(g, size + far, VMMU_R));
	/* Any address of the page will do, mapped by us or not. */
	map_at(g, size, level, 0);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(size + 0x5000));
	assert_false(reaches(g, size, VMMU_R));
	assert_false(reaches(g, size + far, VMMU_R));
	end(g);
}
EACH(pieces_of_a_page_go_together)

/* It was of a small page, and is found to be of a large one: by a fault that
 * only a stale TLB explains. */
static void a_small_page_becomes_a_piece_in(enum mode mode)
{
	struct guest *g = guest_of(mode, (struct shape){ 0x1000, 128 });
	const struct vmmu_fault f = { .gva = mk_gva(8 * MIB),
				      .access = VMMU_R };
	const uint64_t spurious = g->vm.stats.pf_spurious;

	map(g, 8 * MIB, (4 * MIB) | P | W | U | A | D);
	assert_int_equal(touch(g, 8 * MIB, VMMU_W), VMMU_RESUME);
	map_at(g, 8 * MIB, 2, (4 * MIB) | P | W | U | A | D | PS);
	vmmu_cpu_fault(&g->cpu, &f, &g->answer);
	assert_int_equal(g->vm.stats.pf_spurious, spurious + 1);
	map_at(g, 8 * MIB, 2, 0);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(8 * MIB + 0x5000));
	assert_false(reaches(g, 8 * MIB, VMMU_R));
	end(g);
}
EACH(a_small_page_becomes_a_piece)

/* The halves of 4 MiB are two of our entries, each large. */
static void halves_of_4_mib_go_together(void **state)
{
	struct guest *g = guest(BITS32);

	(void)state;
	map_at(g, 0x800000, 2, 0x800000 | P | W | U | PS | A | D);
	touch(g, 0x800000, VMMU_R);
	touch(g, 0xa00000, VMMU_R);
	assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[2], 2);
	map_at(g, 0x800000, 2, 0);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(0x9ff000));
	assert_int_equal(vmmu_vtlb.cpu_table(&g->cpu)->leaves[2], 0);
	end(g);
}

static void large_and_small_take_each_others_place_in(enum mode mode)
{
	struct guest *g = guest(mode);
	uint64_t big = 0x800000 | P | W | U | PS | A | D;

	for (unsigned i = 0; i < 3; i++) {
		map_at(g, 0x800000, 2, big);
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		touch(g, 0x801000, VMMU_R);
		assert_int_equal(g->hpa, hpa_of(g, 0x801000));
		/* Without a flush: the old may stay, but must not mix. */
		map(g, 0x802000, 0x7000 | P | W | U | A | D);
		touch(g, 0x802000, VMMU_X);
		vmmu_cpu_invalidate(&g->cpu, mk_gva(0x802000));
		touch(g, 0x802000, VMMU_W);
		assert_int_equal(g->hpa, hpa_of(g, 0x7000));
		assert_true(audit(g));
	}
	end(g);
}
EACH(large_and_small_take_each_others_place)

/* 3. Table memory. */

static void little_table_memory_is_enough_in(enum mode mode)
{
	struct guest *g = guest_of(mode, (struct shape){ 0x1000, 16 });

	for (uint64_t i = 0; i < 300; i++) {
		uint64_t gva = i * 0x7403000;

		if (mode < LEVEL4)
			gva &= 0xfffff000;
		map(g, gva, (0x100000 + i * 0x1000) | P | W | U);
		vmmu_cpu_invalidate(&g->cpu, mk_gva(gva));
		assert_int_equal(touch(g, gva, VMMU_W), VMMU_RESUME);
		assert_int_equal(g->hpa, hpa_of(g, 0x100000 + i * 0x1000));
		if (i % 16 == 15)
			vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		assert_true(g->vm.pool.used <= 16);
		assert_true(i % 32 || audit(g));
	}
	assert_true(g->vm.stats.mmu_recycled > 0);
	end(g);
}
EACH(little_table_memory_is_enough)

static void dead_tables_are_given_back_in(enum mode mode)
{
	struct guest *g = guest_of(mode, (struct shape){ 0x1000, 64 });

	/* One process after the other, each elsewhere; the kernel stays. */
	map(g, 0x403000, 0x7000 | P | G | A);
	touch(g, 0x403000, VMMU_R);
	for (uint64_t i = 1; i < 400; i++) {
		uint64_t gva = 0x800000 + i * 0x7403000;

		if (mode < LEVEL4)
			gva &= 0xfffff000;
		map(g, gva, 0x8000 | P | U);
		touch(g, gva, VMMU_R);
		map(g, gva, 0);
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		if (gva >> 21 != 2)
			assert_true(reaches(g, 0x403000, VMMU_R));
	}
	assert_int_equal(g->vm.stats.mmu_recycled, 0);
	end(g);
}
EACH(dead_tables_are_given_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cr3_drops_all_but_global),
		cmocka_unit_test(the_log_may_overflow),
		cmocka_unit_test(invlpg_drops_and_refills),
		cmocka_unit_test(used_neighbours_come_along),
		cmocka_unit_test(a_change_without_a_flush_may_wait),
		cmocka_unit_test(large_over_large_is_large),
		cmocka_unit_test(pieces_of_a_page_go_together),
		cmocka_unit_test(a_small_page_becomes_a_piece),
		cmocka_unit_test(halves_of_4_mib_go_together),
		cmocka_unit_test(large_and_small_take_each_others_place),
		cmocka_unit_test(little_table_memory_is_enough),
		cmocka_unit_test(dead_tables_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

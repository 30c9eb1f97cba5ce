/*
 * The short ways of `shadow`: faults without a walk, neighbours, what a new
 * root inherits, where the processor finds a gva, all zapped at once.
 */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA   (2 * MIB) /* guest memory without tables */
#define ROOT_2 0x20000	 /* another process's root */
#define VA     0x1000
#define KERNEL UINT64_C(0xffff888000001000)
#define FAR    (UINT64_C(1) << 39)
#define FAR_3  0x40000 /* its level 3 table; more behind */

static struct guest *shadowed(void)
{
	struct guest *g = guest_of(LEVEL4, (struct shape){ 2 * MIB, 128 });

	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	return g;
}

static void map_row(struct guest *g, unsigned count, uint64_t bits)
{
	for (unsigned i = 0; i < count; i++)
		map(g, VA + i * 0x1000, (DATA + i * 0x1000) | bits);
}

/* The upper tables are not read again: they could not have changed unseen. */
static void a_known_way_is_not_walked(void **state)
{
	struct guest *g = shadowed();
	uint64_t upper, entry = 0;

	(void)state;
	map(g, VA, DATA | P | W | U | A | D);
	map(g, VA + 0x5000, (DATA + 0x5000) | P | W | U);
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	upper = place(g, VA, 2);
	vmmu_gmem_read(&g->cpu.mem, mk_gpa(upper), &entry, 8);
	write_entry(g, upper, 0);
	assert_int_equal(touch(g, VA + 0x5000, VMMU_W | VMMU_U), VMMU_RESUME);
	assert_int_equal(touch(g, VA + 0x9000, VMMU_W | VMMU_U), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, VMMU_PF_W | VMMU_PF_U);
	write_entry(g, upper, entry);
	/* A and D were set as hardware would. */
	assert_int_equal(leaf_now(g, VA + 0x5000),
			 (DATA + 0x5000) | P | W | U | A | D);
	end(g);
}

static void it_forbids_what_a_walk_would(void **state)
{
	struct guest *g = shadowed();

	(void)state;
	map(g, VA, DATA | P | W | U | A | D);
	assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	map(g, VA + 0x7000, DATA | P | A | NX);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_W), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, VMMU_PF_P | VMMU_PF_W);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_R | VMMU_U), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, VMMU_PF_P | VMMU_PF_U);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_X), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, VMMU_PF_P | VMMU_PF_I);
	map(g, VA + 0x7000, DATA | P | A | UINT64_C(1) << 45);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_R), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, VMMU_PF_P | VMMU_PF_RSVD);
	map(g, VA + 0x7000, HOLE | P | W | A | D);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_W), VMMU_MMIO);
	assert_int_equal(g->answer.gpa.v, HOLE);
	map(g, VA + 0x7000, ROM | P | W | A | D);
	assert_int_equal(touch(g, VA + 0x7000, VMMU_R), VMMU_RESUME);
	assert_false(reaches(g, VA + 0x7000, VMMU_W));
	end(g);
}

/* Going on through memory doubles them; what nobody used is counted. */
static void neighbours_learn(void **state)
{
	struct guest *g = shadowed();
	const struct vmmu_stats *s = &g->vm.stats;
	uint64_t before;

	(void)state;
	map_row(g, 64, P | W | U | A | D);
	assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME); /* by a walk */
	assert_int_equal(s->pf_prefetched, 0);
	for (unsigned i = 1; i < 64; i++)
		assert_int_equal(touch(g, VA + i * 0x1000, VMMU_R),
				 VMMU_RESUME);
	assert_true(s->pf_taken < 14);
	assert_true(s->pf_prefetched > 50);
	assert_int_equal(s->pf_prefetch_wasted, 0);
	map(g, VA + 0x60000, DATA | P | A | D);
	map(g, VA + 0x61000, DATA | P | A | D);
	before = s->pf_prefetched;
	assert_int_equal(touch(g, VA + 0x60000, VMMU_R), VMMU_RESUME);
	assert_int_equal(s->pf_prefetched, before + 1);
	vmmu_vm_backing_changed(&g->vm, mk_hva(g->lab.hva_base.v + DATA),
				0x1000);
	assert_int_equal(s->pf_prefetch_wasted, 1);
	end(g);
}

/* Without A the processor itself would have to write. */
static void neighbours_have_a_set(void **state)
{
	struct guest *g = shadowed();

	(void)state;
	map_row(g, 4, P | W | U | A);
	map(g, VA + 0x2000, (DATA + 0x2000) | P | W | U);
	touch(g, VA + 0x5000, VMMU_R); /* the way is not known */
	assert_int_equal(touch(g, VA + 0x3000, VMMU_R), VMMU_RESUME);
	assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	assert_true(reaches(g, VA + 0x1000, VMMU_R));
	assert_false(reaches(g, VA + 0x1000, VMMU_W)); /* D is clear */
	assert_false(reaches(g, VA + 0x2000, VMMU_R));
	assert_int_equal(leaf_now(g, VA + 0x2000), (DATA + 0x2000) | P | W | U);
	end(g);
}

static void a_new_root_has_what_was_there(void **state)
{
	struct guest *g = shadowed();
	uint64_t entry = 0, taken;

	(void)state;
	g->vm.roots = 1;
	map(g, KERNEL, DATA | P | W | A | D);
	map(g, VA, DATA | P | W | U | A | D);
	assert_int_equal(touch(g, KERNEL, VMMU_W), VMMU_RESUME);
	for (uint64_t at = 0; at < VMMU_PAGE_SIZE; at += 8) {
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE + at), &entry, 8);
		write_entry(g, ROOT_2 + at, entry);
	}
	taken = g->vm.stats.pf_taken;
	vmmu_cpu_load_root(&g->cpu, ROOT_2);
	assert_true(reaches(g, KERNEL, VMMU_W));
	assert_false(reaches(g, VA, VMMU_W));
	/* The lower half is looked for where a root had to go. */
	vmmu_cpu_load_root(&g->cpu, TABLE);
	assert_true(reaches(g, KERNEL, VMMU_W));
	assert_true(reaches(g, VA, VMMU_W));
	assert_int_equal(g->vm.stats.pf_taken, taken);
	assert_true(audit(g));
	end(g);
}

/* What ours were made for is what the new root's entry must say, too. */
static void a_new_root_has_no_more_than_it_says(void **state)
{
	static const uint64_t takes[] = { P, W, A };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct guest *g = shadowed();
		uint64_t entry = 0;

		map(g, VA, DATA | P | W | U | A | D);
		assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE), &entry, 8);
		write_entry(g, ROOT_2, entry & ~takes[i]);
		g->vm.roots = 1;
		vmmu_cpu_load_root(&g->cpu, ROOT_2 + 0x1000);
		vmmu_cpu_load_root(&g->cpu, ROOT_2);
		assert_false(reaches(g, VA, VMMU_R));
		assert_true(audit(g));
		end(g);
	}
}

static void translate_is_what_hardware_finds(void **state)
{
	struct guest *g = shadowed();
	hpa_t hpa;

	(void)state;
	map(g, KERNEL, DATA | P | W | A | D);
	assert_false(vmmu_cpu_translate(&g->cpu, mk_gva(KERNEL), &hpa));
	assert_int_equal(touch(g, KERNEL, VMMU_R), VMMU_RESUME);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(vmmu_cpu_translate(&g->cpu, mk_gva(KERNEL + 0x123),
					       &hpa));
		assert_int_equal(hpa.v, hpa_of(g, DATA) + 0x123);
	}
	vmmu_vm_backing_changed(&g->vm, mk_hva(g->lab.hva_base.v + DATA),
				0x1000);
	assert_false(vmmu_cpu_translate(&g->cpu, mk_gva(KERNEL), &hpa));
	end(g);
}

/* Three tables of its own, the root's and the last with a large leaf. */
static void map_far(struct guest *g, uint64_t gva, uint64_t table,
		    uint64_t data)
{
	write_entry(g, place(g, gva, 4), FAR_3 | P | W | U | A);
	write_entry(g, FAR_3 + (gva >> 30 & 511) * 8, table | P | W | U | A);
	write_entry(g, table, data | P | W | A | D | PS);
	assert_int_equal(touch(g, gva, VMMU_R), VMMU_RESUME);
}

static void take_away(struct guest *g, uint64_t gpa)
{
	write_entry(g, gpa, 0);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(gpa), 8);
}

/* A table that had one large leaf goes, and its page is used for what the
 * guest says of others, where PAT is where a large leaf has PS. */
static void translate_forgets_a_table_that_went(void **state)
{
	struct guest *g = shadowed();
	hpa_t hpa;

	(void)state;
	map_far(g, FAR + 4096 * MIB, FAR_3 + 0x1000, DATA);
	map_far(g, FAR, FAR_3 + 0x2000, DATA + 2 * MIB);
	assert_int_equal(g->vm.stats.mapped[2], 2);
	assert_true(vmmu_cpu_translate(&g->cpu, mk_gva(FAR), &hpa));
	take_away(g, FAR_3 + 0x2000);
	take_away(g, FAR_3);
	assert_int_equal(g->vm.stats.mmu_shadow_zapped, 1);
	write_entry(g, FAR_3 + 0x1008, (FAR_3 + 0x3000) | P | W | U | A);
	write_entry(g, FAR_3 + 0x3000, DATA | P | W | A | D | PS);
	assert_int_equal(touch(g, FAR + 4098 * MIB, VMMU_R), VMMU_RESUME);
	assert_false(reaches(g, FAR, VMMU_R));
	assert_false(vmmu_cpu_translate(&g->cpu, mk_gva(FAR), &hpa));
	end(g);
}

static void all_goes_at_once(void **state)
{
	struct guest *g = shadowed();

	(void)state;
	map_row(g, 8, P | W | U | A | D);
	map(g, KERNEL, DATA | P | W | A | D);
	for (unsigned i = 0; i < 8; i++)
		touch(g, VA + i * 0x1000, VMMU_W);
	touch(g, KERNEL, VMMU_W);
	shadow_zap_all(shadow_of(&g->vm));
	shadow_settle(shadow_of(&g->vm));
	assert_true(audit(g));
	assert_int_equal(shadow_of(&g->vm)->count, 1); /* the vCPU's root */
	assert_false(reaches(g, VA, VMMU_R));
	assert_false(reaches(g, KERNEL, VMMU_R));
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(touch(g, KERNEL, VMMU_W), VMMU_RESUME);
	end(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_way_is_not_walked),
		cmocka_unit_test(it_forbids_what_a_walk_would),
		cmocka_unit_test(neighbours_learn),
		cmocka_unit_test(neighbours_have_a_set),
		cmocka_unit_test(a_new_root_has_what_was_there),
		cmocka_unit_test(a_new_root_has_no_more_than_it_says),
		cmocka_unit_test(translate_is_what_hardware_finds),
		cmocka_unit_test(translate_forgets_a_table_that_went),
		cmocka_unit_test(all_goes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

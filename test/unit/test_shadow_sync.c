/*
 * The guest writes to a leaf table that was shadowed in many of the registers'
 * modes: what is kept out of sync, and compared at each flush, is of the mode
 * of now alone.
 */
#include "vtlb_rig.h"

#define VA     0x1000
#define WINDOW 0x5000 /* where the guest sees its leaf table */
#define DATA   (2 * MIB)
#define COUNT  8u

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
	uint64_t zapped;

	(void)state;
	for (unsigned n = 0; n < COUNT; n++) {
		set_mode(g, n);
		assert_int_equal(touch(g, VA, VMMU_R), VMMU_RESUME);
	}
	zapped = g->vm.stats.mmu_shadow_zapped;
	assert_int_equal(g->vm.stats.mmu_unsync, 0);
	assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mmu_unsync, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_mode_of_now_goes_out_of_sync),
		cmocka_unit_test(the_others_come_back_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

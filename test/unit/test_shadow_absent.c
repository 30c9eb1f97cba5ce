/*
 * lib/scheme/shadow_absent.c, on hardware that takes faults with P = 0 to the
 * guest: which those are, and that they stop when nothing is known any more.
 */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA   (2 * MIB) /* guest memory without tables */
#define VA     0x10000	 /* mapped; what follows is absent */
#define WINDOW 0x5000	 /* where the guest sees its own leaf table */
#define PAGE   0x1000u

enum hw { WALKS, DIRECT, COMES };

/* What hardware does with an access, by itself. */
static enum hw hw(struct guest *g, uint64_t gva, unsigned access)
{
	struct smmu_regs real;
	struct smmu_result r;

	assert_true(rootwalk_regs(&g->root, &real));
	rootwalk_access(&g->root, &real, mk_gva(gva), access, &r);
	if (r.outcome == SMMU_OK)
		return WALKS;
	assert_int_equal(r.outcome, SMMU_FAULT);
	if (r.error & VMMU_PF_P)
		return COMES;
	/* As the guest's own tables would have it. */
	assert_int_equal(r.error, (access & VMMU_W ? VMMU_PF_W : 0) |
					  (access & VMMU_U ? VMMU_PF_U : 0) |
					  (access & VMMU_X ? VMMU_PF_I : 0));
	return DIRECT;
}

static enum vmmu_verdict fault(struct guest *g, uint64_t gva, unsigned access)
{
	const struct vmmu_fault f = { .gva = mk_gva(gva), .access = access };

	assert_int_equal(hw(g, gva, access), COMES);
	vmmu_cpu_fault(&g->cpu, &f, &g->answer);
	return g->answer.verdict;
}

static struct guest *filtered(enum mode mode)
{
	struct guest *g = guest_of(mode, (struct shape){ 2 * MIB, 128 });

	g->vm.roots = 16;
	g->vm.hw.filters_faults = true;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	return g;
}

/* One page mapped and used, the leaf table visible to the guest, and one true
 * fault taken the long way. */
static struct guest *known(enum mode mode)
{
	struct guest *g = filtered(mode);
	uint64_t table = place(g, VA, 1) & ~VMMU_PAGE_MASK;

	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, table | P | W | A | D);
	assert_int_equal(fault(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(hw(g, VA, VMMU_W), WALKS);
	assert_int_equal(hw(g, VA + PAGE, VMMU_R), COMES);
	assert_int_equal(fault(g, VA + PAGE, VMMU_R), VMMU_INJECT);
	assert_int_equal(g->answer.error_code, 0);
	return g;
}

/* The guest stores an entry; the store is emulated. */
static void emulated(struct guest *g, uint64_t gva, uint64_t entry)
{
	uint64_t at = place(g, gva, 1);

	assert_int_equal(fault(g, WINDOW + (at & VMMU_PAGE_MASK), VMMU_W),
			 VMMU_EMULATE);
	write_entry(g, at, entry);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(at), g->size);
}

static const enum mode long_modes[] = { LEVEL4, LEVEL5 };
#define EACH_LONG(name)                                                        \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		for (unsigned i = 0; i < 2; i++)                               \
			name##_in(long_modes[i]);                              \
	}

static void what_is_absent_is_learnt_at_once_in(enum mode mode)
{
	struct guest *g = known(mode);

	assert_true(vmmu_cpu_direct_faults(&g->cpu));
	assert_int_equal(hw(g, VA + PAGE, VMMU_R), DIRECT);
	assert_int_equal(hw(g, VA + 7 * PAGE, VMMU_W | VMMU_U), DIRECT);
	assert_int_equal(hw(g, VA + 8 * PAGE, VMMU_X | VMMU_U), DIRECT);
	/* Another table: nothing is known of it. */
	assert_int_equal(hw(g, VA + 2 * MIB, VMMU_R), COMES);
	/* Present, and not asked for yet: hidden. */
	assert_int_equal(hw(g, WINDOW, VMMU_R), COMES);
	end(g);
}
EACH_LONG(what_is_absent_is_learnt_at_once)

/* As a guest answers faults: one exit for each, the write. */
static void a_filled_entry_is_there_in(enum mode mode)
{
	struct guest *g = known(mode);

	for (unsigned i = 1; i < 20; i++) {
		uint64_t gva = VA + i * PAGE;

		assert_int_equal(hw(g, gva, VMMU_W | VMMU_U), DIRECT);
		emulated(g, gva, (DATA + i * PAGE) | P | W | U | A | D);
		assert_int_equal(hw(g, gva, VMMU_W | VMMU_U), WALKS);
	}
	assert_int_equal(g->vm.stats.pf_direct, 19);
	assert_int_equal(g->vm.stats.mmu_unsync, 0);
	/* And taken away again: what a TLB may keep goes with the flush. */
	emulated(g, VA + 5 * PAGE, 0);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(VA + 5 * PAGE));
	assert_int_equal(hw(g, VA + 5 * PAGE, VMMU_R), DIRECT);
	end(g);
}
EACH_LONG(a_filled_entry_is_there)

/* Entry after entry, none of them used: the table goes out of sync, and what
 * was known of it is no more. */
static void a_guest_in_a_hurry_is_let_in(enum mode mode)
{
	struct guest *g = known(mode);
	uint64_t at = WINDOW + (place(g, VA, 1) & VMMU_PAGE_MASK);
	unsigned i = 1;

	assert_int_equal(hw(g, VA + 9 * PAGE, VMMU_R), DIRECT);
	while (fault(g, at + i * 8, VMMU_W) == VMMU_EMULATE) {
		write_entry(g, place(g, VA + i * PAGE, 1),
			    (DATA + i * PAGE) | P | W | U | A | D);
		vmmu_cpu_wrote(&g->cpu, mk_gpa(place(g, VA + i * PAGE, 1)), 8);
		assert_true(++i < 10);
	}
	assert_int_equal(g->answer.verdict, VMMU_RESUME);
	assert_int_equal(g->vm.stats.mmu_unsync, 1);
	assert_int_equal(hw(g, VA + 9 * PAGE, VMMU_R), COMES);
	/* It writes unseen, and needs no flush for what was absent. */
	write_entry(g, place(g, VA + 9 * PAGE, 1),
		    (DATA + 9 * PAGE) | P | W | U | A | D);
	assert_int_equal(fault(g, VA + 9 * PAGE, VMMU_W), VMMU_RESUME);
	assert_int_equal(hw(g, VA + 9 * PAGE, VMMU_W), WALKS);
	end(g);
}
EACH_LONG(a_guest_in_a_hurry_is_let)

/* Devices write too. */
static void a_devices_write_is_seen_in(enum mode mode)
{
	struct guest *g = known(mode);
	uint64_t at = place(g, VA + 3 * PAGE, 1);

	write_entry(g, at, (DATA + 3 * PAGE) | P | U); /* A is clear */
	vmmu_cpu_wrote(&g->cpu, mk_gpa(at), 8);
	assert_int_equal(fault(g, VA + 3 * PAGE, VMMU_R | VMMU_U), VMMU_RESUME);
	assert_int_equal(hw(g, VA + 3 * PAGE, VMMU_R | VMMU_U), WALKS);
	end(g);
}
EACH_LONG(a_devices_write_is_seen)

/* A table page that is freed leaves nothing behind: end() looks. */
static void pages_come_back_empty_in(enum mode mode)
{
	struct guest *g = known(mode);

	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_vtlb));
	assert_false(vmmu_cpu_direct_faults(&g->cpu));
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(touch(g, VA + PAGE, VMMU_W), VMMU_INJECT);
	end(g);
}
EACH_LONG(pages_come_back_empty)

static void other_modes_have_none(void **state)
{
	static const enum mode modes[] = { BITS32, PAE };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest *g = filtered(modes[i]);

		assert_false(vmmu_cpu_direct_faults(&g->cpu));
		end(g);
	}
}

/* Ours has NXE, so hardware's error code would say that a fetch is one. */
static void error_codes_without_i_are_ours_to_make(void **state)
{
	struct guest *g = filtered(LEVEL4);

	(void)state;
	g->regs.efer &= ~VMMU_EFER_NXE;
	set_regs(g);
	assert_false(vmmu_cpu_direct_faults(&g->cpu));
	g->regs.cr4 |= VMMU_CR4_SMEP;
	set_regs(g);
	assert_true(vmmu_cpu_direct_faults(&g->cpu));
	end(g);
}

/* Hardware that cannot tell faults apart sees entries that are plainly none. */
static void without_a_filter_nothing_changes(void **state)
{
	struct guest *g = guest_of(LEVEL4, (struct shape){ 2 * MIB, 128 });
	const struct shadow_page *root;

	(void)state;
	g->vm.roots = 16;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	assert_false(vmmu_cpu_direct_faults(&g->cpu));
	root = g->cpu.state;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		assert_int_equal(root->table[i], 0);
	end(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_absent_is_learnt_at_once),
		cmocka_unit_test(a_filled_entry_is_there),
		cmocka_unit_test(a_guest_in_a_hurry_is_let),
		cmocka_unit_test(a_devices_write_is_seen),
		cmocka_unit_test(pages_come_back_empty),
		cmocka_unit_test(other_modes_have_none),
		cmocka_unit_test(error_codes_without_i_are_ours_to_make),
		cmocka_unit_test(without_a_filter_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

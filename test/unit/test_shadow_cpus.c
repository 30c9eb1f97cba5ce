/*
 * What the guest's other vCPUs do while the library answers for one: they
 * write to tables that are out of sync, until these are protected and every
 * processor was told. And what INVLPG says of tables that were let out of sync
 * because the instruction could not be emulated.
 */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA	(2 * MIB)
#define OTHERS	0x40000 /* leaf tables, one behind the other */
#define COUNT	(SHADOW_UNSYNC + 2)
#define FAR(n)	((n + 1) * 4 * MIB)   /* by the n-th of them */
#define SEEN(n) (0x1000 + (n)*0x1000) /* where the guest sees it */

#define AWAY (2048 * MIB) /* by no table that is here */

/* An entry that the other vCPU writes at the next flush of all. */
static uint64_t late_gpa, late_entry;

static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct guest *g = ctx;

	if (!gva)
		g->root.pdptes_loaded = false;
	if (cpu || !late_gpa)
		return;
	memcpy(lab_host_ptr(&g->lab, mk_hpa(hpa_of(g, late_gpa))), &late_entry,
	       g->size);
	late_gpa = 0;
}

static uint64_t table(unsigned n)
{
	return OTHERS + n * VMMU_PAGE_SIZE;
}

static void go(struct guest *g, uint64_t gva, unsigned access)
{
	g->root.pdptes_loaded = false;
	assert_int_equal(touch(g, gva, access), VMMU_RESUME);
}

static struct guest *begin(enum mode mode)
{
	struct guest *g = guest(mode);

	late_gpa = 0;
	g->lab.hooks.flushed = flushed;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	return g;
}

/* As many tables as may be out of sync are, the one that shows them first. */
static void open_all(struct guest *g)
{
	for (unsigned n = 0; n < COUNT; n++) {
		map(g, SEEN(n), table(n) | P | W | A | D);
		write_entry(g, place(g, FAR(n), 2), table(n) | P | W | U | A);
		write_entry(g, table(n), DATA | P | W | A | D);
	}
	go(g, SEEN(0), VMMU_R);
	for (unsigned n = 0; n < COUNT; n++)
		go(g, FAR(n), VMMU_R);
	for (unsigned n = 0; n < COUNT - 1; n++)
		if (shadow_of(&g->vm)->unsync_count < SHADOW_UNSYNC)
			go(g, SEEN(n), VMMU_W);
	assert_int_equal(shadow_of(&g->vm)->unsync_count, SHADOW_UNSYNC);
}

/* One more is written, by an entry of the first: all are closed between the
 * fault's look at that entry and the leaf that is made from it. */
static void what_another_vcpu_wrote_last_counts_in(enum mode mode)
{
	struct guest *g = begin(mode);
	struct vmmu_cpu other;
	const unsigned last = COUNT - 1;

	assert_true(vmmu_cpu_init(&other, &g->vm, &vmmu_shadow));
	map(g, SEEN(0), DATA | P | W | A | D); /* PAE: the PDPTEs */
	vmmu_cpu_set_regs(&other, &g->regs, &g->features);
	open_all(g);
	late_gpa = place(g, SEEN(last), 1);
	late_entry = (DATA + 0x9000) | P | W | A | D;
	go(g, SEEN(last), VMMU_W);
	assert_int_equal(late_gpa, 0);
	vmmu_cpu_invalidate(&other, mk_gva(SEEN(last)));
	vmmu_cpu_invalidate(&g->cpu, mk_gva(SEEN(last)));
	go(g, SEEN(last), VMMU_W);
	assert_int_equal(g->hpa, hpa_of(g, DATA + 0x9000));
	vmmu_cpu_fini(&other);
	end(g);
}
EACH(what_another_vcpu_wrote_last_counts)

/* A root is made anew for a vCPU that comes from another scheme, and takes what
 * the guest's leads to from the cache: that is read when every processor knows
 * that it may not write there. */
static void a_new_root_is_read_when_it_is_protected(void **state)
{
	struct guest *g = guest(LEVEL4);
	const uint64_t root = OTHERS, upper = OTHERS + 0x10000;
	struct vmmu_cpu other;
	uint64_t entry = 0;

	(void)state;
	late_gpa = 0;
	g->vm.roots = 1;
	g->lab.hooks.flushed = flushed;
	assert_true(vmmu_cpu_init(&other, &g->vm, &vmmu_vtlb));
	vmmu_cpu_set_regs(&other, &g->regs, &g->features);
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, SEEN(0), DATA | P | W | U | A | D);
	go(g, SEEN(0), VMMU_W);
	/* The first root goes, and what was below it stays. */
	vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE), &entry, 8);
	write_entry(g, root, entry);
	vmmu_cpu_load_root(&g->cpu, root);
	quiet(g);
	assert_true(shadow_of(&g->vm)->orphans);
	late_gpa = TABLE;
	late_entry = upper | P | W | U | A;
	assert_true(vmmu_cpu_switch(&other, &vmmu_shadow));
	assert_int_equal(late_gpa, 0);
	g->root.cpu = &other;
	assert_false(reaches(g, SEEN(0), VMMU_R));
	vmmu_cpu_fini(&other);
	end(g);
}

/* SDM 3A 4.10.4.1: INVLPG drops all entries to tables that are cached, of
 * whichever address. So an entry made below later is not for who had the table
 * before. */
static void invlpg_closes_upper_tables_in(enum mode mode)
{
	struct guest *g = begin(mode);
	uint64_t upper = place(g, FAR(0), 2) & ~VMMU_PAGE_MASK;

	/* Two ways to one table. */
	map(g, SEEN(0), upper | P | W | A | D);
	write_entry(g, place(g, FAR(0), 2), table(0) | P | W | U | A);
	write_entry(g, place(g, FAR(1), 2), table(0) | P | W | U | A);
	write_entry(g, table(0), DATA | P | W | A | D);
	write_entry(g, table(0) + g->size, (DATA + 0x1000) | P | W | A | D);
	write_entry(g, table(1) + g->size, (DATA + 0x2000) | P | W | A | D);
	go(g, FAR(0), VMMU_R);
	go(g, FAR(1), VMMU_R);
	g->root.pdptes_loaded = false;
	assert_int_equal(touch(g, SEEN(0), VMMU_W), VMMU_EMULATE);
	assert_true(vmmu_cpu_unshadow(&g->cpu, g->answer.gpa));
	go(g, SEEN(0), VMMU_W);
	/* Unseen: the first way leads elsewhere now. */
	write_entry(g, place(g, FAR(0), 2), table(1) | P | W | U | A);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(AWAY));
	go(g, FAR(1) + 0x1000, VMMU_W);
	go(g, FAR(0) + 0x1000, VMMU_W);
	assert_int_equal(g->hpa, hpa_of(g, DATA + 0x2000));
	end(g);
}
EACH(invlpg_closes_upper_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_another_vcpu_wrote_last_counts),
		cmocka_unit_test(a_new_root_is_read_when_it_is_protected),
		cmocka_unit_test(invlpg_closes_upper_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

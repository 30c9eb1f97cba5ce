/*
 * What the guest's other vCPUs do while the library answers for one: they
 * write to tables that are out of sync, until these are protected and every
 * processor was told.
 */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA	(2 * MIB)
#define OTHERS	0x40000 /* leaf tables, one behind the other */
#define COUNT	(SHADOW_UNSYNC + 2)
#define FAR(n)	((n + 1) * 4 * MIB)   /* by the n-th of them */
#define SEEN(n) (0x1000 + (n)*0x1000) /* where the guest sees it */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_another_vcpu_wrote_last_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A host that takes backing from elsewhere to answer a question, as host.h lets
 * it, while shadow pages are in hand: what lay in the frames is no table any
 * more. test/diff/nth.c does the same at every question.
 */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA   (2 * MIB)
#define VA     0x1000
#define TABLES 0x8000 /* bytes of the guest's tables */

static bool armed;
static unsigned moves; /* still to be made: what_was_found_moves */

static void move(struct guest *g, uint64_t offset, uint64_t size)
{
	lab_host_move(&g->lab, mk_hva(g->lab.hva_base.v + offset), size);
}

static void move_what_was_found(struct guest *g, uint64_t offset)
{
	if (moves == 2 && offset == DATA + 0x3000) {
		moves--;
		move(g, 8 * MIB, VMMU_PAGE_SIZE);
	} else if (moves == 1) {
		moves--;
		move(g, DATA + 0x3000, VMMU_PAGE_SIZE);
	}
}

/* The tables go elsewhere, once. */
static void resolving(void *ctx, hva_t hva)
{
	struct guest *g = ctx;

	move_what_was_found(g, hva.v - g->lab.hva_base.v);
	if (!armed)
		return;
	armed = false;
	move(g, TABLE, TABLES);
}

static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct guest *g = ctx;

	(void)cpu;
	if (!gva)
		g->root.pdptes_loaded = false;
}

static struct guest *begin(enum mode mode)
{
	struct guest *g = guest(mode);

	g->lab.hooks.resolving = resolving;
	g->lab.hooks.flushed = flushed;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, VA, DATA | P | W | U | A | D);
	return g;
}

/* What was asked is forgotten, and the next answer is given late. */
static void arm(struct guest *g)
{
	vmmu_vm_backing_changed(&g->vm, mk_hva(g->lab.hva_base.v + 8 * MIB),
				VMMU_PAGE_SIZE);
	armed = true;
}

/* A device writes: by none of the vCPU's pointers. */
static void device(struct guest *g, uint64_t gpa, uint64_t entry)
{
	memcpy(lab_host_ptr(&g->lab, mk_hpa(hpa_of(g, gpa))), &entry, g->size);
}

static void go(struct guest *g, uint64_t gva, enum vmmu_verdict want)
{
	g->root.pdptes_loaded = false;
	assert_int_equal(touch(g, gva, VMMU_W), want);
}

/* Page and child go while the written entry of the page is read. */
static void a_table_moves_while_a_write_is_seen_in(enum mode mode)
{
	struct guest *g = begin(mode);
	uint64_t upper = place(g, VA, 2);

	go(g, VA, VMMU_RESUME);
	arm(g);
	device(g, upper, 0);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(upper), 2 * g->size);
	assert_false(armed);
	assert_true(audit(g));
	go(g, VA, VMMU_INJECT);
	map(g, VA, (DATA + 0x3000) | P | W | U | A | D);
	go(g, VA, VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, DATA + 0x3000));
	end(g);
}
EACH(a_table_moves_while_a_write_is_seen)

/* It is looked at for the last time, after two that found nothing changed, and
 * is in sync already when the answer is there. */
static void an_idle_table_moves_in(enum mode mode)
{
	struct guest *g = begin(mode);

	go(g, VA, VMMU_RESUME);
	for (unsigned i = 0; i < 2; i++)
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_int_equal(shadow_of(&g->vm)->unsync_count, 1);
	arm(g);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_false(armed);
	assert_int_equal(shadow_of(&g->vm)->unsync_count, 0);
	assert_true(audit(g));
	go(g, VA, VMMU_RESUME);
	end(g);
}
EACH(an_idle_table_moves)

/* The page that was found goes while a table is looked at again, because one
 * that nobody asked for went while it was found. */
static void what_was_found_moves_in(enum mode mode)
{
	struct guest *g = begin(mode);

	go(g, VA, VMMU_RESUME);
	map(g, VA + 0x800000, (DATA + 0x3000) | P | W | U | A | D);
	write_entry(g, place(g, VA + 0x800000, 2),
		    (place(g, VA, 1) & ~VMMU_PAGE_MASK) | P | W | U | A);
	arm(g);
	armed = false;
	moves = 2;
	go(g, VA + 0x800000, VMMU_RESUME);
	assert_int_equal(moves, 0);
	assert_int_equal(g->hpa, hpa_of(g, DATA + 0x3000));
	end(g);
}
EACH(what_was_found_moves)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_moves_while_a_write_is_seen),
		cmocka_unit_test(an_idle_table_moves),
		cmocka_unit_test(what_was_found_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

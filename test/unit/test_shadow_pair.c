/* The scheme `shadow` for a guest in ring 3: two roots a vCPU, and entries of
 * its client's in each. */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA   (2 * MIB)
#define ROOT_2 0x20000 /* the users' */
#define ROOT_3 0x21000
#define VA     0x1000
#define WINDOW 0x5000 /* where the guest sees a table of its own */

static const uint64_t mine[2] = { 0x7001, 0x8003 };

static struct guest *paired(uint32_t roots, bool filters)
{
	struct guest *g = guest_of(LEVEL4, (struct shape){ 2 * MIB, 128 });

	g->vm.roots = roots;
	g->vm.hw.filters_faults = filters;
	g->vm.hw.root_entries = mine;
	g->vm.hw.root_first = 256;
	g->vm.hw.root_count = 2;
	assert_false(vmmu_cpu_pair(&g->cpu));
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, (place(g, VA, 1) & ~VMMU_PAGE_MASK) | P | W | A | D);
	return g;
}

static void load(struct guest *g, uint64_t cr3)
{
	g->regs.cr3 = cr3;
	vmmu_cpu_load_root(&g->cpu, cr3);
}

static void swap(struct guest *g)
{
	vmmu_cpu_swap(&g->cpu);
	g->regs.cr3 = g->cpu.mode.regs.cr3;
}

/* This root is the first one's, but for where its entries lie. */
static void copy_root(struct guest *g, uint64_t to)
{
	uint64_t entry = 0;

	for (uint64_t at = 0; at < VMMU_PAGE_SIZE; at += 8) {
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE + at), &entry, 8);
		write_entry(g, to + at, entry);
	}
}

/* Kernel on TABLE, users on ROOT_2. */
static struct guest *with_users(uint32_t roots)
{
	struct guest *g = paired(roots, false);

	copy_root(g, ROOT_2);
	load(g, TABLE);
	assert_true(vmmu_cpu_pair(&g->cpu));
	assert_ptr_equal(g->cpu.other.state, g->cpu.state);
	swap(g);
	load(g, ROOT_2);
	swap(g);
	assert_ptr_not_equal(g->cpu.other.state, g->cpu.state);
	return g;
}

static void a_swap_is_of_roots_alone(void **state)
{
	struct guest *g = with_users(4);
	uint64_t hits, root = g->cpu.root.v, other = g->cpu.other.root.v;

	(void)state;
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	swap(g);
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	hits = g->vm.stats.root_hits;
	for (unsigned i = 0; i < 4; i++) {
		swap(g);
		assert_int_equal(g->cpu.root.v, i & 1 ? other : root);
		assert_int_equal(g->cpu.mode.root, i & 1 ? ROOT_2 : TABLE);
		assert_true(reaches(g, VA, VMMU_W));
		assert_true(audit(g));
	}
	assert_int_equal(g->vm.stats.root_hits, hits);
	assert_false(vmmu_cpu_switch(&g->cpu, &vmmu_vtlb));
	end(g);
}

/* Whatever else is loaded, and when all pages are given up. */
static void the_other_root_stays(void **state)
{
	struct guest *g = with_users(1);
	const struct shadow_page *p = g->cpu.other.state;

	(void)state;
	copy_root(g, ROOT_3);
	for (unsigned i = 0; i < 8; i++) {
		load(g, i & 1 ? TABLE : ROOT_3);
		assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
		if (i == 4)
			vm_recycle(&g->vm);
		assert_ptr_equal(g->cpu.other.state, p);
		assert_int_equal(p->key.gfn, ROOT_2 >> VMMU_PAGE_SHIFT);
		assert_int_equal(p->table[256], mine[0]);
		assert_true(audit(g));
	}
	swap(g);
	assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
	end(g);
}

/* What is out of sync under the other root alone is in order, too, when the
 * guest has flushed under this one. */
static void flushes_are_of_both(void **state)
{
	(void)state;
	for (unsigned all = 0; all < 2; all++) {
		struct guest *g = with_users(4);
		uint64_t entry = place(g, VA, 1);

		load(g, ROOT_3); /* of a process without this table */
		swap(g);
		assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
		assert_int_equal(touch(g, WINDOW, VMMU_W), VMMU_RESUME);
		swap(g);
		write_entry(g, entry, 0);
		if (all)
			vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		else
			vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
		swap(g);
		assert_false(reaches(g, VA, VMMU_R));
		assert_true(audit(g));
		end(g);
	}
}

static void another_mode_pairs_anew(void **state)
{
	struct guest *g = with_users(4);

	(void)state;
	g->regs.cr0 &= ~VMMU_CR0_WP;
	set_regs(g);
	assert_ptr_equal(g->cpu.other.state, g->cpu.state);
	assert_true(audit(g));
	end(g);
}

/* A root in use is never freed for being written; nobody emulates here. */
static void the_guest_writes_to_a_root_in_use(void **state)
{
	struct guest *g = with_users(4);
	uint64_t window = WINDOW + 0x1000;

	(void)state;
	map(g, window, ROOT_2 | P | W | A | D);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(touch(g, window, VMMU_W), VMMU_EMULATE);
		assert_true(vmmu_cpu_unshadow(&g->cpu, g->answer.gpa));
		assert_int_equal(touch(g, window, VMMU_W), VMMU_RESUME);
		write_entry(g, ROOT_2, 0);
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
		swap(g);
		assert_false(reaches(g, VA, VMMU_R));
		assert_true(audit(g));
		swap(g);
	}
	end(g);
}

/* Where faults are filtered, none of the hypervisor's entries becomes a trap,
 * and all others are one. */
static void the_client_stays_beside_traps(void **state)
{
	const struct vmmu_fault write = { .gva = mk_gva(VA), .access = VMMU_W };
	struct guest *g = paired(2, true);
	const struct shadow_page *p;
	struct vmmu_answer answer;

	(void)state;
	copy_root(g, ROOT_2);
	for (unsigned i = 0; i < 6; i++) {
		load(g, i & 1 ? TABLE : ROOT_2);
		vmmu_cpu_fault(&g->cpu, &write, &answer);
		assert_int_equal(answer.verdict, VMMU_RESUME);
		if (i == 3)
			vm_recycle(&g->vm);
		p = g->cpu.state;
		assert_int_equal(p->table[256], mine[0]);
		assert_int_equal(p->table[257], mine[1]);
		assert_int_equal(p->table[258], SHADOW_TRAP);
		assert_true(audit(g));
	}
	end(g);
}

/* The guest has an entry among the same eight as the client's. */
static void a_root_goes_without_the_clients(void **state)
{
	const uint64_t gva = UINT64_C(0xffff810000000000); /* slot 258 */
	struct guest *g = paired(1, false);

	(void)state;
	copy_root(g, ROOT_2);
	for (unsigned i = 0; i < 4; i++) {
		load(g, i & 1 ? ROOT_2 : TABLE);
		map(g, gva, DATA | P | W | A | D);
		write_entry(g, g->regs.cr3 + 258 * 8,
			    (TABLE + VMMU_PAGE_SIZE) | P | W | U | A);
		assert_int_equal(touch(g, gva, VMMU_W), VMMU_RESUME);
		assert_true(audit(g));
	}
	end(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_swap_is_of_roots_alone),
		cmocka_unit_test(the_other_root_stays),
		cmocka_unit_test(flushes_are_of_both),
		cmocka_unit_test(another_mode_pairs_anew),
		cmocka_unit_test(the_guest_writes_to_a_root_in_use),
		cmocka_unit_test(the_client_stays_beside_traps),
		cmocka_unit_test(a_root_goes_without_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

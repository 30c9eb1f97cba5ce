/* The scheme `shadow`, rule by rule: roots, protection, sync, sharing. */
#include "vtlb_rig.h"

#include "scheme/shadow_page.h"

#define DATA   (2 * MIB) /* guest memory without tables */
#define ROOT_2 0x20000	 /* another process's root */
#define VA     0x1000
#define WINDOW 0x5000 /* where the guest sees a table of its own */

/* CR3 is loaded again, and the PDPTEs with it. */
static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct guest *g = ctx;

	(void)cpu;
	if (!gva)
		g->root.pdptes_loaded = false;
}

static struct guest *shadowed(enum mode mode, uint32_t roots, uint32_t tables)
{
	struct guest *g = guest_of(mode, (struct shape){ 2 * MIB, tables });

	g->vm.roots = roots;
	g->lab.hooks.flushed = flushed;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	return g;
}

static struct guest *plain(enum mode mode)
{
	return shadowed(mode, 16, 128);
}

/* The processor enters anew, with the PDPTEs of now. */
static enum vmmu_verdict go(struct guest *g, uint64_t gva, unsigned access)
{
	g->root.pdptes_loaded = false;
	return touch(g, gva, access);
}

static bool there(struct guest *g, uint64_t gva, unsigned access)
{
	g->root.pdptes_loaded = false;
	return reaches(g, gva, access);
}

/* The guest stores an entry where it may write unseen. */
static void store(struct guest *g, uint64_t gpa, uint64_t entry)
{
	write_entry(g, gpa, entry);
}

/* Software does it: an emulated store. */
static void emulated(struct guest *g, uint64_t gpa, uint64_t entry)
{
	write_entry(g, gpa, entry);
	vmmu_cpu_wrote(&g->cpu, mk_gpa(gpa), g->size);
}

static void load_cr3(struct guest *g, uint64_t cr3)
{
	g->regs.cr3 = cr3;
	if (g->mode >= LEVEL4) {
		vmmu_cpu_load_root(&g->cpu, cr3);
		return;
	}
	if (g->mode == PAE)
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(cr3), g->regs.pdpte, 32);
	set_regs(g);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
}

/* The second process has the first one's upper entries: it shares all below. */
static void copy_root(struct guest *g, uint64_t to)
{
	uint64_t entry = 0;

	for (uint64_t at = 0; at < VMMU_PAGE_SIZE; at += g->size) {
		vmmu_gmem_read(&g->cpu.mem, mk_gpa(TABLE + at), &entry,
			       g->size);
		write_entry(g, to + at, entry);
	}
}

/* 1. Roots. */

static void a_cached_root_costs_nothing_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint32_t used;
	uint64_t hits;

	map(g, VA, DATA | P | W | U | A | D);
	copy_root(g, ROOT_2);
	load_cr3(g, TABLE);
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	load_cr3(g, ROOT_2);
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	used = g->vm.pool.used;
	hits = g->vm.stats.root_hits;
	load_cr3(g, TABLE);
	assert_true(there(g, VA, VMMU_W));
	load_cr3(g, ROOT_2);
	assert_true(there(g, VA, VMMU_W));
	assert_int_equal(g->hpa, hpa_of(g, DATA));
	assert_int_equal(g->vm.pool.used, used);
	assert_int_equal(g->vm.stats.root_hits, hits + 2);
	end(g);
}
EACH(a_cached_root_costs_nothing)

static void one_root_forgets_in(enum mode mode)
{
	struct guest *g = shadowed(mode, 1, 128);

	map(g, VA, DATA | P | W | U | A | D);
	copy_root(g, ROOT_2);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t misses = g->vm.stats.root_misses;

		load_cr3(g, i & 1 ? TABLE : ROOT_2);
		assert_int_equal(g->vm.stats.root_misses, misses + 1);
		assert_int_equal(go(g, VA, VMMU_R), VMMU_RESUME);
		assert_true(audit(g));
	}
	end(g);
}
EACH(one_root_forgets)

/* Whatever the guest has there, and whatever becomes of its roots. */
static void a_client_has_entries_in_each_root(void **state)
{
	static const uint64_t mine[2] = { 0x7001, 0x8003 };
	struct guest *g = guest_of(LEVEL4, (struct shape){ 2 * MIB, 128 });
	struct shadow_page *p;

	(void)state;
	g->vm.hw.root_entries = mine;
	g->vm.hw.root_first = 256;
	g->vm.hw.root_count = 2;
	g->vm.roots = 2;
	g->lab.hooks.flushed = flushed;
	assert_true(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	map(g, VA, DATA | P | W | U | A | D);
	copy_root(g, ROOT_2);
	for (unsigned i = 0; i < 6; i++) {
		load_cr3(g, i & 1 ? TABLE : ROOT_2);
		assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
		store(g, (i & 1 ? TABLE : ROOT_2) + 257 * 8, 0x3000 | P | A);
		if (i == 3)
			vm_recycle(&g->vm);
		p = g->cpu.state;
		assert_int_equal(p->table[256], mine[0]);
		assert_int_equal(p->table[257], mine[1]);
		assert_int_equal(p->table[258], 0);
		assert_true(audit(g));
	}
	p->table[257] = 0x9003;
	assert_false(audit(g));
	p->table[257] = mine[1];
	end(g);
}

static void the_mode_is_part_of_the_role(void **state)
{
	struct guest *g = plain(LEVEL4);
	uint64_t misses;

	(void)state;
	map(g, VA, DATA | P | U | A | D);
	assert_int_equal(go(g, VA, VMMU_R), VMMU_RESUME);
	assert_int_equal(go(g, VA, VMMU_W), VMMU_INJECT);
	g->regs.cr0 &= ~VMMU_CR0_WP;
	set_regs(g);
	assert_false(there(g, VA, VMMU_R));
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	misses = g->vm.stats.root_misses;
	g->regs.cr0 |= VMMU_CR0_WP;
	set_regs(g);
	assert_int_equal(g->vm.stats.root_misses, misses);
	assert_true(there(g, VA, VMMU_R));
	assert_false(there(g, VA, VMMU_W));
	end(g);
}

/* 2. Writes to tables. */

static void a_leaf_table_goes_out_of_sync_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t table, entry;

	map(g, VA, DATA | P | W | U | A | D);
	entry = place(g, VA, 1);
	table = entry & ~VMMU_PAGE_MASK;
	map(g, WINDOW, table | P | W | A | D);
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	quiet(g);
	assert_true(there(g, WINDOW, VMMU_R));
	assert_false(there(g, WINDOW, VMMU_W));
	assert_int_equal(g->vm.stats.mmu_unsync, 1);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mmu_unsync, 2);
	store(g, entry, (DATA + 0x3000) | P | W | U | A | D);
	vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
	assert_true(there(g, WINDOW, VMMU_W));
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->hpa, hpa_of(g, DATA + 0x3000));
	end(g);
}
EACH(a_leaf_table_goes_out_of_sync)

/* Takes away rights, and keeps the leaf: no fault for what is left. */
static void sync_takes_what_changed_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t table, taken;

	map(g, VA, DATA | P | W | U | A | D);
	map(g, VA + 0x1000, (DATA + 0x1000) | P | W | U | A | D);
	table = place(g, VA, 1) & ~VMMU_PAGE_MASK;
	map(g, WINDOW, table | P | W | A | D);
	go(g, VA, VMMU_W);
	go(g, VA + 0x1000, VMMU_W);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	store(g, place(g, VA, 1), DATA | P | U | A | D);
	store(g, place(g, VA + 0x1000, 1), 0);
	taken = g->vm.stats.pf_taken;
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_true(there(g, VA, VMMU_R | VMMU_U));
	assert_false(there(g, VA, VMMU_W));
	assert_false(there(g, VA + 0x1000, VMMU_R));
	for (unsigned i = 0; i < 3; i++) { /* it changed: stays open */
		assert_true(there(g, WINDOW, VMMU_W));
		vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	}
	assert_false(there(g, WINDOW, VMMU_W)); /* it did not: closed */
	assert_int_equal(g->vm.stats.pf_taken, taken);
	end(g);
}
EACH(sync_takes_what_changed)

static void tables_that_do_not_run_follow_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t table;

	map(g, VA, DATA | P | W | U | A | D);
	table = place(g, VA, 1) & ~VMMU_PAGE_MASK;
	map(g, WINDOW, table | P | W | A | D);
	copy_root(g, ROOT_2);
	load_cr3(g, TABLE);
	go(g, VA, VMMU_W);
	load_cr3(g, ROOT_2);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	store(g, place(g, VA, 1), 0);
	load_cr3(g, TABLE);
	assert_false(there(g, VA, VMMU_R));
	assert_int_equal(go(g, VA, VMMU_R), VMMU_INJECT);
	end(g);
}
EACH(tables_that_do_not_run_follow)

static void an_upper_write_is_emulated_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t upper = place(g, VA, 2);

	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, (upper & ~VMMU_PAGE_MASK) | P | W | A | D);
	go(g, VA, VMMU_W);
	assert_int_equal(go(g, WINDOW, VMMU_R), VMMU_RESUME);
	assert_int_equal(go(g, WINDOW + 8, VMMU_W), VMMU_EMULATE);
	assert_int_equal(g->answer.gpa.v, (upper & ~VMMU_PAGE_MASK) + 8);
	emulated(g, upper, 0);
	assert_false(there(g, VA, VMMU_R));
	assert_int_equal(go(g, VA, VMMU_R), VMMU_INJECT);
	assert_int_equal(g->vm.stats.mmu_pte_write, 1);
	end(g);
}
EACH(an_upper_write_is_emulated)

static void a_table_not_linked_is_data_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t upper = place(g, VA, 2), zapped;
	uint64_t table = place(g, VA, 1) & ~VMMU_PAGE_MASK;

	map(g, VA, DATA | P | W | U | A | D);
	go(g, VA, VMMU_W);
	quiet(g);
	/* Through a large page, or another table, the guest sees it. */
	emulated(g, upper, (ROOT_2 + 0x1000) | P | W | U | A);
	store(g, ROOT_2 + 0x1000 + (WINDOW >> 12) * g->size,
	      table | P | W | A | D);
	zapped = g->vm.stats.mmu_shadow_zapped;
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mmu_shadow_zapped, zapped + 1);
	assert_int_equal(g->vm.stats.mmu_unsync, 2); /* as they began */
	end(g);
}
EACH(a_table_not_linked_is_data)

/* Another process's root, written like data. */
static void flooding_unshadows_in(enum mode mode)
{
	struct guest *g = plain(mode);
	unsigned writes = 0;

	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, ROOT_2 | P | W | A | D);
	copy_root(g, ROOT_2);
	load_cr3(g, ROOT_2);
	go(g, VA, VMMU_R);
	load_cr3(g, TABLE);
	while (go(g, WINDOW, VMMU_W) == VMMU_EMULATE && writes < 20) {
		emulated(g, ROOT_2 + 0x800, writes);
		writes++;
	}
	assert_in_range(writes, 0, 10);
	assert_true(there(g, WINDOW, VMMU_W));
	load_cr3(g, ROOT_2);
	assert_int_equal(go(g, VA, VMMU_R), VMMU_RESUME);
	end(g);
}
EACH(flooding_unshadows)

static void what_cannot_be_emulated_is_let_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t upper = place(g, VA, 2);

	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, (upper & ~VMMU_PAGE_MASK) | P | W | A | D);
	go(g, VA, VMMU_W);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_EMULATE);
	vmmu_cpu_unshadow(&g->cpu, g->answer.gpa);
	assert_int_equal(go(g, WINDOW, VMMU_W), VMMU_RESUME);
	store(g, upper, 0);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	assert_false(there(g, VA, VMMU_R));
	assert_int_equal(go(g, VA, VMMU_R), VMMU_INJECT);
	end(g);
}
EACH(what_cannot_be_emulated_is_let)

/* 3. Leaves. */

static void the_first_write_to_a_clean_page_is_seen_in(enum mode mode)
{
	struct guest *g = plain(mode);

	map(g, VA, DATA | P | W | U);
	assert_int_equal(go(g, VA, VMMU_R), VMMU_RESUME);
	assert_int_equal(leaf_now(g, VA) & (A | D), A);
	assert_false(there(g, VA, VMMU_W));
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	assert_int_equal(leaf_now(g, VA) & (A | D), A | D);
	end(g);
}
EACH(the_first_write_to_a_clean_page_is_seen)

/* 4 MiB, or 2 MiB: large where no table lies, in pieces where one does. */
static void no_large_leaf_holds_a_table_in(enum mode mode)
{
	struct guest *g = plain(mode);
	const uint64_t va = 8 * MIB;
	uint64_t table = place(g, va, 2) & ~VMMU_PAGE_MASK;

	map_at(g, va, 2, 0 | PS | P | W | U | A | D);
	assert_int_equal(go(g, va + DATA, VMMU_R),
			 mode == BITS32 ? VMMU_RESUME : VMMU_INJECT);
	assert_int_equal(go(g, va + table, VMMU_R), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mapped[1], 1);
	assert_int_equal(g->vm.stats.mapped[2], mode == BITS32);
	assert_int_equal(go(g, va + table, VMMU_W), VMMU_EMULATE);
	assert_int_equal(go(g, va + 0x40000, VMMU_W), VMMU_RESUME);
	end(g);
}
EACH(no_large_leaf_holds_a_table)

static void a_table_appears_in_a_large_leaf_in(enum mode mode)
{
	struct guest *g = plain(mode);
	const uint64_t va = 8 * MIB, table = 4 * MIB + 0x5000;
	uint64_t upper;

	map_at(g, va, 2, (4 * MIB) | PS | P | W | U | A | D);
	assert_int_equal(go(g, va, VMMU_W), VMMU_RESUME);
	assert_int_equal(g->vm.stats.mapped[2], 1);
	store(g, table + (VA >> 12) * g->size, DATA | P | W | A | D);
	upper = place(g, VA, 2);
	emulated(g, upper, table | P | W | U | A);
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	quiet(g);
	assert_false(there(g, va, VMMU_W));
	assert_int_equal(go(g, va, VMMU_W), VMMU_RESUME);
	assert_int_equal(go(g, va + 0x5000, VMMU_R), VMMU_RESUME);
	assert_false(there(g, va + 0x5000, VMMU_W));
	end(g);
}
EACH(a_table_appears_in_a_large_leaf)

static void leaves_are_what_the_formats_say(void **state)
{
	static const struct pt_format *const formats[] = { &pt_x86_pae,
							   &pt_x86_64,
							   &pt_x86_la57 };

	(void)state;
	for (unsigned i = 0; i < 3 * 3 * 16; i++) {
		struct shadow_page p = { .key.level = (uint8_t)(1 + i % 3) };
		const struct pt_level *row =
			&formats[i / 3 % 3]->level[p.key.level];
		unsigned perms = i / 9 | VMMU_R;
		uint64_t leaf;

		if (!row->leaf)
			continue;
		leaf = pt_make_leaf(row, 8 * VMMU_1G, perms, VMMU_WB) |
		       row->accessed | (perms & VMMU_W ? row->dirty : 0);
		assert_int_equal(shadow_leaf(&p, 8 * VMMU_1G, perms, 0), leaf);
	}
}

/* 4. Slots, backing, memory. */

static void withdrawal_takes_one_page_in(enum mode mode)
{
	struct guest *g = plain(mode);

	map(g, VA, DATA | P | W | U | A | D);
	map(g, VA + 0x1000, (DATA + 0x1000) | P | W | U | A | D);
	go(g, VA, VMMU_W);
	go(g, VA + 0x1000, VMMU_W);
	vmmu_vm_backing_changed(&g->vm, mk_hva(g->lab.hva_base.v + DATA),
				VMMU_PAGE_SIZE);
	assert_false(there(g, VA, VMMU_R));
	assert_true(there(g, VA + 0x1000, VMMU_W));
	end(g);
}
EACH(withdrawal_takes_one_page)

static void the_dirty_log_works_in(enum mode mode)
{
	struct guest *g = plain(mode);
	uint64_t log = 0;

	map(g, VA, LOG | P | W | U | A | D);
	assert_int_equal(go(g, VA, VMMU_R), VMMU_RESUME);
	assert_false(there(g, VA, VMMU_W));
	assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
	assert_true(vmmu_vm_get_dirty_log(&g->vm, 2, &log));
	assert_int_equal(log, 1);
	assert_false(there(g, VA, VMMU_W));
	assert_true(there(g, VA, VMMU_R));
	end(g);
}
EACH(the_dirty_log_works)

static void little_memory_is_enough_in(enum mode mode)
{
	struct guest *g = shadowed(mode, 64, SHADOW_LIMIT_MIN);

	map(g, VA, DATA | P | W | U | A | D);
	for (unsigned i = 0; i < 135; i++) {
		uint64_t root = ROOT_2 + i % 45 * VMMU_PAGE_SIZE;

		if (i < 45)
			copy_root(g, root);
		load_cr3(g, root);
		assert_int_equal(go(g, VA, VMMU_W), VMMU_RESUME);
		assert_true(audit(g));
		assert_true(shadow_of(&g->vm)->count <= SHADOW_LIMIT_MIN);
	}
	assert_true(g->vm.stats.mmu_recycled);
	assert_true(g->vm.pool.peak <= 3 * SHADOW_LIMIT_MIN);
	end(g);
}
EACH(little_memory_is_enough)

static void too_little_is_refused(void **state)
{
	struct guest *g = guest_of(LEVEL4, (struct shape){ 2 * MIB, 39 });

	(void)state;
	assert_false(vmmu_cpu_switch(&g->cpu, &vmmu_shadow));
	assert_ptr_equal(g->cpu.scheme, &vmmu_vtlb);
	end(g);
}

static struct shadow_page *leaf_page(struct guest *g, uint64_t va, unsigned *i)
{
	struct shadow_vm *s = shadow_of(&g->vm);
	struct shadow_page *p = g->cpu.state;

	while (p->key.level > 1)
		p = shadow_child(s, p, shadow_index(p, va));
	*i = shadow_index(p, va);
	return p;
}

/* Each place of a directory refers to one table, as a guest may have it in all
 * its directories: what refers to a page stays few, and all of it is right. */
static void many_ways_lead_to_one_table(void **state)
{
	struct guest *g = plain(LEVEL4);
	const struct shadow_page *p;
	unsigned i;

	(void)state;
	for (i = 0; i < SHADOW_ENTRIES; i++) {
		map(g, VA + i * 2 * MIB, DATA | P | W | U | A | D);
		assert_int_equal(go(g, VA + i * 2 * MIB, VMMU_R), VMMU_RESUME);
		p = leaf_page(g, VA + i * 2 * MIB, &(unsigned){ 0 });
		assert_in_range(p->parent_count, 1, SHADOW_PARENTS);
	}
	assert_int_equal(p->parent_count, SHADOW_PARENTS);
	assert_true(there(g, VA + (i - SHADOW_PARENTS) * 2 * MIB, VMMU_R));
	assert_false(there(g, VA + (i - SHADOW_PARENTS - 1) * 2 * MIB, VMMU_R));
	map(g, VA, (DATA + 0x1000) | P | W | U | A | D);
	vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
	for (i = 0; i < SHADOW_ENTRIES; i++) {
		assert_int_equal(go(g, VA + i * 2 * MIB, VMMU_W), VMMU_RESUME);
		assert_int_equal(g->hpa, hpa_of(g, DATA + 0x1000));
	}
	/* And they go one by one. */
	for (i = 0; i < SHADOW_ENTRIES; i++)
		emulated(g, place(g, VA + i * 2 * MIB, 2), 0);
	assert_false(there(g, VA, VMMU_R));
	end(g);
}

/* 5. The audit finds what is planted. */

static unsigned found;

static void count(void *ctx, unsigned invariant, const char *sentence,
		  uint64_t addr, uint64_t entry)
{
	(void)addr;
	(void)entry;
	found += *(const unsigned *)ctx == invariant && sentence[1] != 0;
}

static bool finds(struct guest *g, unsigned invariant)
{
	struct vmmu_audit a = { .breach = count, .ctx = &invariant };

	found = 0;
	return !vmmu_audit(&g->vm, &a) && found;
}

static void the_audit_finds_it(void **state)
{
	struct guest *g = plain(LEVEL4);
	struct shadow_vm *s;
	struct shadow_page *p;
	unsigned i;

	(void)state;
	map(g, VA, DATA | P | W | U | A | D);
	map(g, WINDOW, TABLE | P | W | A | D);
	go(g, VA, VMMU_W);
	go(g, WINDOW, VMMU_R);
	s = shadow_of(&g->vm);
	p = leaf_page(g, WINDOW, &i);
	p->table[i] |= SHADOW_W; /* a table may be written */
	assert_true(finds(g, 1));
	p->table[i] &= ~SHADOW_W;
	p->table[i] += VMMU_PAGE_SIZE; /* another frame */
	assert_true(finds(g, 1));
	p->table[i] -= VMMU_PAGE_SIZE;
	p->present++;
	assert_true(finds(g, 4));
	p->present--;
	s->region[0] += 1;
	assert_true(finds(g, 4));
	s->region[0] -= 1;
	p->parent_count++;
	assert_true(finds(g, 4));
	p->parent_count--;
	p->table[i + 1] = p->table[i]; /* in no chain */
	assert_true(finds(g, 4));
	p->table[i + 1] = 0;
	p->links[i].other ^= 1; /* another chain, or another before it */
	assert_true(finds(g, 4));
	p->links[i].other ^= 1;
	end(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cached_root_costs_nothing),
		cmocka_unit_test(one_root_forgets),
		cmocka_unit_test(a_client_has_entries_in_each_root),
		cmocka_unit_test(the_mode_is_part_of_the_role),
		cmocka_unit_test(a_leaf_table_goes_out_of_sync),
		cmocka_unit_test(sync_takes_what_changed),
		cmocka_unit_test(tables_that_do_not_run_follow),
		cmocka_unit_test(an_upper_write_is_emulated),
		cmocka_unit_test(a_table_not_linked_is_data),
		cmocka_unit_test(flooding_unshadows),
		cmocka_unit_test(what_cannot_be_emulated_is_let),
		cmocka_unit_test(the_first_write_to_a_clean_page_is_seen),
		cmocka_unit_test(no_large_leaf_holds_a_table),
		cmocka_unit_test(a_table_appears_in_a_large_leaf),
		cmocka_unit_test(leaves_are_what_the_formats_say),
		cmocka_unit_test(withdrawal_takes_one_page),
		cmocka_unit_test(the_dirty_log_works),
		cmocka_unit_test(little_memory_is_enough),
		cmocka_unit_test(too_little_is_refused),
		cmocka_unit_test(many_ways_lead_to_one_table),
		cmocka_unit_test(the_audit_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Refused allocations under the schemes whose tables the processor walks in
 * place of the guest's: pages far apart in two processes, a table that the
 * guest changes, a move to the other scheme and back, backing and slots that
 * change.
 */
#include "nth.h"

#include <string.h>

#define FLAGS  UINT64_C(0x67) /* P W U A D */
#define TABLES 0x400000	      /* gpa of the guest's tables */
#define MEMORY 0x600000
#define LOGGED UINT64_C(0xc0000000)
#define PAGES  12
#define ROUNDS 6

/* 1. The guest's tables. */

static unsigned levels(const struct scene *s)
{
	return (unsigned)s->scenario->mode + 1;
}

static unsigned entry_size(const struct scene *s)
{
	return s->scenario->mode == MODE_32 ? 4 : 8;
}

static unsigned shift_of(const struct scene *s, unsigned level)
{
	return 12 + (entry_size(s) == 4 ? 10 : 9) * (level - 1);
}

static uint64_t load(struct scene *s, uint64_t gpa)
{
	uint64_t entry = 0;

	vmmu_gmem_read(&s->cpu.mem, mk_gpa(gpa), &entry, entry_size(s));
	return entry;
}

static void store(struct scene *s, uint64_t gpa, uint64_t entry)
{
	scene_expect(s,
		     vmmu_gmem_write(&s->cpu.mem, mk_gpa(gpa), &entry,
				     entry_size(s)) == VMMU_GMEM_OK,
		     "guest memory could not be written");
	vmmu_cpu_wrote(&s->cpu, mk_gpa(gpa), entry_size(s));
}

static uint64_t new_table(struct scene *s)
{
	s->free += VMMU_PAGE_SIZE;
	return s->free - VMMU_PAGE_SIZE;
}

/* Where the entry of level 1 is; tables on the way are made. */
static uint64_t place(struct scene *s, uint64_t root, uint64_t gva)
{
	uint64_t table = root, entry, at;
	unsigned bits = entry_size(s) == 4 ? 10 : 9;

	for (unsigned level = levels(s);; level--) {
		bool pdpte = s->scenario->mode == MODE_PAE && level == 3;
		uint64_t mask = pdpte ? 3 : (UINT64_C(1) << bits) - 1;

		at = table + (gva >> shift_of(s, level) & mask) * entry_size(s);
		if (level == 1)
			return at;
		entry = load(s, at);
		if (!entry) {
			entry = new_table(s) | (pdpte ? 1 : FLAGS);
			store(s, at, entry);
		}
		table = entry & ~VMMU_PAGE_MASK;
	}
}

static void map(struct scene *s, uint64_t root, uint64_t gva, uint64_t gpa)
{
	store(s, place(s, root, gva), gpa | FLAGS);
}

static void load_cr3(struct scene *s, uint64_t root)
{
	s->regs.cr3 = root;
	for (unsigned i = 0; i < 4 && s->scenario->mode == MODE_PAE; i++)
		s->regs.pdpte[i] = load(s, root + 8 * i);
	vmmu_cpu_set_regs(&s->cpu, &s->regs, &s->features);
	vmmu_cpu_flush(&s->cpu, VMMU_FLUSH_NON_GLOBAL);
}

/* 2. Hardware. */

static bool reaches(struct scene *s, uint64_t gva, unsigned access, hpa_t *hpa)
{
	struct smmu_regs real;
	struct smmu_result r;

	scene_expect(s, rootwalk_regs(&s->root, &real), "CR3 does not fit");
	rootwalk_access(&s->root, &real, mk_gva(gva), access, &r);
	scene_expect(s, r.outcome == SMMU_OK || r.outcome == SMMU_FAULT,
		     "the tables lead nowhere");
	*hpa = mk_hpa(r.gpa.v);
	return r.outcome == SMMU_OK;
}

static void touch(struct scene *s, uint64_t gva, uint64_t offset,
		  unsigned access)
{
	struct vmmu_fault fault = { .gva = mk_gva(gva), .access = access };
	struct vmmu_answer answer;
	bool there = false;
	hpa_t hpa;

	for (unsigned i = 0; i < ROUNDS && !s->wrong; i++) {
		there = reaches(s, gva, access, &hpa);
		if (there)
			break;
		vmmu_cpu_fault(&s->cpu, &fault, &answer);
		scene_expect(s, answer.verdict == VMMU_RESUME,
			     "a fault was not answered");
	}
	scene_expect(s, there, "a fault made no progress");
	if (there)
		scene_reached(s, offset, hpa);
}

/* 3. The scenario. */

static bool begin(struct scene *s)
{
	struct vmmu_vm_config config = {
		.host = lab_host_ops(&s->host),
		.hw.host_max_leaf = 2,
		.slot_storage = s->slot_storage,
		.slot_capacity = NTH_SLOTS,
		.table_limit = 96,
		.roots = 2,
	};

	if (!vmmu_vm_init(&s->vm, &config))
		return false;
	s->root = (struct rootwalk){ .cpu = &s->cpu, .host = &s->host };
	if (vmmu_cpu_init(&s->cpu, &s->vm, s->scenario->scheme))
		return true;
	vmmu_vm_fini(&s->vm);
	return false;
}

static void enter_paging(struct scene *s, uint64_t root)
{
	enum guest_mode mode = s->scenario->mode;

	s->features = (struct vmmu_features){ .maxphyaddr = 40, .nx = true };
	s->regs = (struct vmmu_regs){
		.cr0 = VMMU_CR0_PE | VMMU_CR0_PG | VMMU_CR0_WP,
		.cr4 = VMMU_CR4_PSE | (mode >= MODE_PAE ? VMMU_CR4_PAE : 0) |
		       (mode == MODE_LA57 ? VMMU_CR4_LA57 : 0),
		.efer = mode >= MODE_4LEVEL ? VMMU_EFER_LME | VMMU_EFER_LMA : 0,
	};
	load_cr3(s, root);
}

/* Each in a table of its own, and the higher tables too as far as the mode
 * has room. */
static uint64_t nth_gva(const struct scene *s, unsigned n)
{
	uint64_t gva = (n * UINT64_C(0x10401000)) & 0xffffffff;

	if (s->scenario->mode >= MODE_4LEVEL)
		gva |= (uint64_t)n << 39;
	if (s->scenario->mode == MODE_LA57)
		gva |= (uint64_t)(n / 2) << 48;
	return gva;
}

static void fill(struct scene *s, uint64_t root, uint64_t from)
{
	load_cr3(s, root);
	for (unsigned n = 0; n < PAGES; n++)
		touch(s, nth_gva(s, n), from + (n << 12), VMMU_W);
	for (unsigned n = 0; n < PAGES; n++)
		touch(s, nth_gva(s, n), from + (n << 12), VMMU_R);
}

static void two_processes(struct scene *s, const uint64_t root[2])
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 0; n < PAGES; n++)
			map(s, root[i], nth_gva(s, n),
			    0x100000 * (i + 1) + (n << 12));
	enter_paging(s, root[0]);
	for (unsigned i = 0; i < 4; i++)
		fill(s, root[i & 1], 0x100000 * ((i & 1) + 1));
}

static void change(struct scene *s, const uint64_t root[2])
{
	hva_t base = s->host.hva_base;

	load_cr3(s, root[0]);
	map(s, root[0], nth_gva(s, 3), 0x300000);
	vmmu_cpu_invalidate(&s->cpu, mk_gva(nth_gva(s, 3)));
	touch(s, nth_gva(s, 3), 0x300000, VMMU_W);
	lab_host_move(&s->host, mk_hva(base.v + 0x101000), 0x1000);
	touch(s, nth_gva(s, 1), 0x101000, VMMU_R);
	lab_host_share(&s->host, mk_hva(base.v + 0x102000), 0x1000);
	touch(s, nth_gva(s, 2), 0x102000, VMMU_R);
	touch(s, nth_gva(s, 2), 0x102000, VMMU_W);
	map(s, root[0], nth_gva(s, 5), LOGGED);
	vmmu_cpu_flush(&s->cpu, VMMU_FLUSH_ALL);
	touch(s, nth_gva(s, 5), 0xa00000, VMMU_W);
	scene_expect(s, vmmu_vm_get_dirty_log(&s->vm, 1, s->log),
		     "no dirty log");
	scene_expect(s, s->log[0] & 1, "a page is not in the log");
	touch(s, nth_gva(s, 5), 0xa00000, VMMU_W);
}

/* If there is no memory for it the vCPU stays where it is. */
static void to_other_scheme(struct scene *s)
{
	bool is_vtlb = s->cpu.scheme == &vmmu_vtlb;

	if (vmmu_cpu_switch(&s->cpu, is_vtlb ? &vmmu_shadow : &vmmu_vtlb))
		s->root.pdptes_loaded = false;
}

static void go(struct scene *s)
{
	uint64_t root[2];

	s->free = TABLES;
	scene_slot(s, 0, 0, MEMORY, 0, 0);
	scene_slot(s, 1, LOGGED, 0x100000, 0xa00000, VMMU_SLOT_LOG_DIRTY);
	root[0] = new_table(s);
	root[1] = new_table(s);
	two_processes(s, root);
	change(s, root);
	to_other_scheme(s);
	fill(s, root[1], 0x200000);
	to_other_scheme(s);
	fill(s, root[1], 0x200000);
}

#define ROW(what, which, paging)                                               \
	{                                                                      \
		.name = what, .begin = begin, .go = go, .scheme = which,       \
		.mode = paging                                                 \
	}

const struct scenario nth_root[] = {
	ROW("vtlb, 32", &vmmu_vtlb, MODE_32),
	ROW("vtlb, pae", &vmmu_vtlb, MODE_PAE),
	ROW("vtlb, 4level", &vmmu_vtlb, MODE_4LEVEL),
	ROW("vtlb, la57", &vmmu_vtlb, MODE_LA57),
	ROW("shadow, 32", &vmmu_shadow, MODE_32),
	ROW("shadow, pae", &vmmu_shadow, MODE_PAE),
	ROW("shadow, 4level", &vmmu_shadow, MODE_4LEVEL),
	ROW("shadow, la57", &vmmu_shadow, MODE_LA57),
};
const unsigned nth_root_count = sizeof(nth_root) / sizeof(nth_root[0]);

/*
 * Refused allocations under nested paging: violations far apart, then a large
 * leaf that is split, a slot that moves, the dirty log, a sharing that is
 * broken.
 */
#include "nth.h"

#include <string.h>

/* 1. Hardware. */

static bool load(void *ctx, hpa_t hpa, unsigned size, uint64_t *value)
{
	struct scene *s = ctx;

	*value = 0;
	if (hpa.v - s->host.hpa_base.v >= s->host.arena_size)
		return false;
	memcpy(value, lab_host_ptr(&s->host, hpa), size);
	return true;
}

static bool swap(void *ctx, hpa_t hpa, unsigned size, uint64_t old,
		 uint64_t now)
{
	struct scene *s = ctx;

	(void)old;
	memcpy(lab_host_ptr(&s->host, hpa), &now, size);
	return true;
}

static bool reaches(struct scene *s, uint64_t gpa, unsigned access,
		    struct nest_result *r)
{
	struct lab_machine machine = { .load = load, .swap = swap, .ctx = s };
	struct nest n = { .kind = s->scenario->kind,
			  .root = s->cpu.root,
			  .maxphyaddr = 46,
			  .has_1g = true,
			  .machine = &machine };

	nest_walk(&n, mk_gpa(gpa), access, r);
	scene_expect(s, r->outcome == NEST_OK || r->outcome == NEST_VIOLATION,
		     "the nested table is malformed");
	return r->outcome == NEST_OK;
}

/* The guest touches gpa, which is backed by host memory at `offset`. */
static void touch(struct scene *s, uint64_t gpa, uint64_t offset,
		  unsigned access)
{
	struct vmmu_fault fault = { .gpa = mk_gpa(gpa), .access = access };
	struct vmmu_answer answer;
	struct nest_result r;

	for (unsigned i = 0; i < 4 && !reaches(s, gpa, access, &r); i++) {
		vmmu_cpu_fault(&s->cpu, &fault, &answer);
		scene_expect(s, answer.verdict == VMMU_RESUME,
			     "a violation was not answered");
	}
	scene_expect(s, r.outcome == NEST_OK, "a violation made no progress");
	scene_reached(s, offset, r.hpa);
}

/* 2. The scenario. */

static bool begin(struct scene *s)
{
	struct vmmu_vm_config config = {
		.host = lab_host_ops(&s->host),
		.hw = { .nested_format = s->scenario->kind == NEST_NPT
						 ? &pt_npt
						 : &pt_ept,
			.nested_max_leaf = 2 },
		.slot_storage = s->slot_storage,
		.slot_capacity = NTH_SLOTS,
		.table_limit = 64,
		.fault_around = 0x8000,
	};

	if (!vmmu_vm_init(&s->vm, &config))
		return false;
	if (vmmu_cpu_init(&s->cpu, &s->vm, &vmmu_nested))
		return true;
	vmmu_vm_fini(&s->vm);
	return false;
}

static void fill_far_apart(struct scene *s)
{
	scene_slot(s, 0, 0, 0x800000, 0, 0);
	scene_slot(s, 1, UINT64_C(1) << 39, 0x200000, 0x800000, 0);
	scene_slot(s, 2, UINT64_C(0xc0000000), 0x100000, 0xa00000,
		   VMMU_SLOT_LOG_DIRTY);
	for (uint64_t page = 0; page < 8; page++) {
		touch(s, page << 20, page << 20, VMMU_W);
		touch(s, (UINT64_C(1) << 39) + (page << 12),
		      0x800000 + (page << 12), VMMU_X);
		touch(s, 0xc0000000 + (page << 14), 0xa00000 + (page << 14),
		      page & 1 ? VMMU_W : VMMU_R);
	}
}

static void change(struct scene *s)
{
	hva_t base = s->host.hva_base;

	/* A page in the middle of a large leaf goes elsewhere: a split. */
	lab_host_move(&s->host, mk_hva(base.v + 0x101000), 0x1000);
	touch(s, 0x101000, 0x101000, VMMU_R);
	touch(s, 0x102000, 0x102000, VMMU_W);
	scene_expect(s, vmmu_vm_get_dirty_log(&s->vm, 2, s->log),
		     "no dirty log");
	scene_expect(s, s->log[0] & UINT64_C(1) << 4,
		     "a page is not in the log");
	touch(s, 0xc0004000, 0xa04000, VMMU_W);
	scene_slot(s, 1, UINT64_C(3) << 39, 0x200000, 0x800000, 0);
	touch(s, (UINT64_C(3) << 39) + 0x5000, 0x805000, VMMU_W);
	scene_slot(s, 0, 0, 0x800000, 0, VMMU_SLOT_READ_ONLY);
	touch(s, 0x300000, 0x300000, VMMU_R);
	lab_host_share(&s->host, mk_hva(base.v + 0x801000), 0x4000);
	touch(s, (UINT64_C(3) << 39) + 0x1000, 0x801000, VMMU_R);
	touch(s, (UINT64_C(3) << 39) + 0x1000, 0x801000, VMMU_W);
}

static void go(struct scene *s)
{
	fill_far_apart(s);
	change(s);
}

const struct scenario nth_nested[] = {
	{ .name = "npt", .begin = begin, .go = go, .kind = NEST_NPT },
	{ .name = "ept", .begin = begin, .go = go, .kind = NEST_EPT },
};
const unsigned nth_nested_count = sizeof(nth_nested) / sizeof(nth_nested[0]);

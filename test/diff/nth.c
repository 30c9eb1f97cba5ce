/*
 * Allocation failing at every n: one scenario of library calls, run again and
 * again while the host refuses the n-th table page it is asked for (then: the
 * n-th and all after it), until a run asks for fewer than n.
 *
 * Whatever n, and in each nested format: nothing crashes; once a vCPU exists
 * every violation is answered and the page then reached is the right one (I4:
 * it costs speed, never correctness); the audit is clean; and at the end the
 * host has every table page back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmmu/vmmu.h>

#include "lab/host.h"
#include "lab/nest.h"

#define SLOTS 4

struct scene {
	struct lab_host host;
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct vmmu_slot slot_storage[SLOTS];
	uint64_t dirty[8], log[8];
	enum nest_kind kind;
	bool live;
	const char *wrong; /* the first thing that was */
};

static void expect(struct scene *s, bool good, const char *sentence)
{
	if (!good && !s->wrong)
		s->wrong = sentence;
}

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
	struct nest n = { .kind = s->kind,
			  .root = s->cpu.root,
			  .maxphyaddr = 46,
			  .has_1g = true,
			  .machine = &machine };

	nest_walk(&n, mk_gpa(gpa), access, r);
	expect(s, r->outcome == NEST_OK || r->outcome == NEST_VIOLATION,
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
	hpa_t hpa;

	for (unsigned i = 0; i < 4 && !reaches(s, gpa, access, &r); i++) {
		vmmu_cpu_fault(&s->cpu, &fault, &answer);
		expect(s, answer.verdict == VMMU_RESUME,
		       "a violation was not answered");
	}
	expect(s, r.outcome == NEST_OK, "a violation made no progress");
	expect(s,
	       lab_host_peek(&s->host, mk_hva(s->host.hva_base.v + offset),
			     &hpa) &&
		       hpa.v == r.hpa.v,
	       "the wrong page was reached");
}

/* 2. The scenario. */

static void set_slot(struct scene *s, uint32_t id, uint64_t gpa, uint64_t size,
		     uint64_t offset, uint32_t flags)
{
	struct vmmu_slot slot = {
		.id = id,
		.flags = flags,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(s->host.hva_base.v + offset),
		.dirty = flags & VMMU_SLOT_LOG_DIRTY ? s->dirty : NULL,
	};

	expect(s, vmmu_vm_set_slot(&s->vm, &slot) == VMMU_SLOT_OK,
	       "a slot was refused");
}

static bool begin(struct scene *s)
{
	struct vmmu_vm_config config = {
		.host = lab_host_ops(&s->host),
		.hw = { .nested_format = s->kind == NEST_NPT ? &pt_npt
							     : &pt_ept,
			.nested_max_leaf = 2 },
		.slot_storage = s->slot_storage,
		.slot_capacity = SLOTS,
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
	set_slot(s, 0, 0, 0x800000, 0, 0);
	set_slot(s, 1, UINT64_C(1) << 39, 0x200000, 0x800000, 0);
	set_slot(s, 2, UINT64_C(0xc0000000), 0x100000, 0xa00000,
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
	expect(s, vmmu_vm_get_dirty_log(&s->vm, 2, s->log), "no dirty log");
	expect(s, s->log[0] & UINT64_C(1) << 4, "a page is not in the log");
	touch(s, 0xc0004000, 0xa04000, VMMU_W);
	set_slot(s, 1, UINT64_C(3) << 39, 0x200000, 0x800000, 0);
	touch(s, (UINT64_C(3) << 39) + 0x5000, 0x805000, VMMU_W);
	set_slot(s, 0, 0, 0x800000, 0, VMMU_SLOT_READ_ONLY);
	touch(s, 0x300000, 0x300000, VMMU_R);
	lab_host_share(&s->host, mk_hva(base.v + 0x801000), 0x4000);
	touch(s, (UINT64_C(3) << 39) + 0x1000, 0x801000, VMMU_R);
	touch(s, (UINT64_C(3) << 39) + 0x1000, 0x801000, VMMU_W);
}

static void end(struct scene *s)
{
	struct vmmu_audit audit = { .breach = NULL };

	expect(s, vmmu_audit(&s->vm, &audit), "the audit is not clean");
	s->live = false;
	vmmu_cpu_fini(&s->cpu);
	vmmu_vm_fini(&s->vm);
}

static void backing_changed(void *ctx, hva_t hva, uint64_t size)
{
	struct scene *s = ctx;

	if (s->live)
		vmmu_vm_backing_changed(&s->vm, hva, size);
}

/* One run. False: fewer than n were asked for, so all n have been tried. */
static bool run(struct scene *s, enum nest_kind kind, uint64_t n, bool all)
{
	struct lab_host_config config = { .memory = 0x1000000,
					  .spare = 0x100000,
					  .extent = 0x200000,
					  .table_pages = 256 };
	bool refused;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	if (!lab_host_init(&s->host, &config)) {
		fprintf(stderr, "nth: no memory\n");
		exit(2);
	}
	s->host.hooks.backing_changed = backing_changed;
	s->host.hooks.ctx = s;
	s->host.fail_table_at = n;
	s->host.fail_all_after = all;
	s->live = begin(s);
	if (s->live) {
		fill_far_apart(s);
		change(s);
		end(s);
	}
	expect(s, s->host.count.tables_out == 0,
	       "table pages were not given back");
	refused = s->host.count.table_allocs >= n;
	lab_host_fini(&s->host);
	return refused;
}

static bool test(unsigned number, enum nest_kind kind, bool all)
{
	static struct scene s;
	uint64_t n = 1;

	while (run(&s, kind, n, all) && !s.wrong)
		n++;
	printf("%sok %u - %s: allocation %s refused, n = 1 .. %llu%s%s\n",
	       s.wrong ? "not " : "", number, kind == NEST_NPT ? "npt" : "ept",
	       all ? "n and all later ones" : "n", (unsigned long long)n,
	       s.wrong ? ": " : "", s.wrong ? s.wrong : "");
	return !s.wrong;
}

int main(void)
{
	bool good = true;

	printf("1..4\n");
	good &= test(1, NEST_NPT, false);
	good &= test(2, NEST_NPT, true);
	good &= test(3, NEST_EPT, false);
	good &= test(4, NEST_EPT, true);
	return !good;
}

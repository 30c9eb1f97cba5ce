/*
 * What the tests of VMs and of nested paging share: a VM over the lab's host
 * with two vCPUs, a guest that touches memory through the tables as hardware
 * would, and a TLB with perfect memory.
 *
 * The TLB, vCPU 0's, keeps every translation it ever used until a flush.
 * rig_tlb_check then demands that each one is still true: a flush that is
 * missing shows at once.
 */
#ifndef TEST_UNIT_VM_RIG_H
#define TEST_UNIT_VM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmmu/vmmu.h>

#include "format_madeup.h"
#include "lab/host.h"

#define VM_RIG_SLOTS 16u
#define VM_RIG_TLB   256u
#define VM_RIG_LOG   8u
#define MIB	     (UINT64_C(1) << 20)

struct vm_rig_tlb_entry {
	uint64_t gpa, hpa; /* of the page */
	unsigned perms;	   /* 0: empty */
	bool dirty;	   /* hardware sets D no more, and logs nothing */
};

struct vm_rig {
	struct lab_host lab;
	struct vmmu_vm vm;
	struct vmmu_cpu cpu[2];
	struct vmmu_slot slot[VM_RIG_SLOTS];
	struct vm_rig_tlb_entry tlb[VM_RIG_TLB];
	unsigned tlb_next;
	/* Hardware's log of writes, where the rig has one. */
	struct vmmu_host_ops ops;
	bool logs;
	uint64_t log[VM_RIG_LOG];
	unsigned log_count, log_drains;
};

struct vm_rig_config {
	const struct pt_format *format;
	struct lab_host_config lab;
	uint64_t fault_around;
	uint32_t table_limit;
	bool logs_dirty;
};

static inline struct vm_rig_config vm_rig_default(const struct pt_format *f)
{
	return (struct vm_rig_config){
		.format = f,
		.lab = { .memory = 64 * MIB,
			 .spare = 8 * MIB,
			 .extent = 64 * MIB,
			 .table_pages = 512 },
		.table_limit = 256,
	};
}

static inline void vm_rig_changed(void *ctx, hva_t hva, uint64_t size)
{
	struct vm_rig *r = ctx;

	vmmu_vm_backing_changed(&r->vm, hva, size);
}

static inline void vm_rig_flushed(void *ctx, struct vmmu_cpu *cpu,
				  const gva_t *gva)
{
	struct vm_rig *r = ctx;

	(void)gva;
	if (!cpu || cpu == &r->cpu[0])
		memset(r->tlb, 0, sizeof(r->tlb));
}

static inline void vm_rig_log_writes(void *cookie, bool on)
{
	struct vm_rig *r =
		(void *)((char *)cookie - offsetof(struct vm_rig, lab));

	assert_true(r->logs != on);
	assert_int_equal(r->log_count, 0);
	r->logs = on;
}

static inline void vm_rig_log_drain(void *cookie)
{
	struct vm_rig *r =
		(void *)((char *)cookie - offsetof(struct vm_rig, lab));

	r->log_drains++;
	while (r->log_count)
		vmmu_vm_logged(&r->vm, mk_gpa(r->log[--r->log_count]));
}

static inline struct vm_rig *vm_rig_make(const struct vm_rig_config *c)
{
	struct vm_rig *r = calloc(1, sizeof(*r));
	struct vmmu_vm_config vc;

	assert_non_null(r);
	assert_true(lab_host_init(&r->lab, &c->lab));
	r->lab.hooks = (struct lab_host_hooks){
		.backing_changed = vm_rig_changed,
		.flushed = vm_rig_flushed,
		.ctx = r,
	};
	vc = (struct vmmu_vm_config){
		.host = lab_host_ops(&r->lab),
		.hw = { .nested_format = c->format,
			.nested_max_leaf = 3,
			.logs_dirty = c->logs_dirty },
		.slot_storage = r->slot,
		.slot_capacity = VM_RIG_SLOTS,
		.table_limit = c->table_limit,
		.fault_around = c->fault_around,
	};
	r->ops = *vc.host.ops;
	if (c->logs_dirty) {
		r->ops.log_writes = vm_rig_log_writes;
		r->ops.log_drain = vm_rig_log_drain;
	}
	vc.host.ops = &r->ops;
	assert_true(vmmu_vm_init(&r->vm, &vc));
	for (unsigned i = 0; i < 2; i++)
		assert_true(vmmu_cpu_init(&r->cpu[i], &r->vm, &vmmu_nested));
	return r;
}

static inline struct vm_rig *vm_rig(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);

	return vm_rig_make(&c);
}

static inline void vm_rig_free(struct vm_rig *r)
{
	vmmu_cpu_fini(&r->cpu[0]);
	vmmu_cpu_fini(&r->cpu[1]);
	assert_null(r->vm.cpus);
	assert_int_equal(r->vm.pool.used, 0);
	vmmu_vm_fini(&r->vm);
	assert_int_equal(r->lab.count.tables_out, 0);
	lab_host_fini(&r->lab);
	free(r);
}

static inline hva_t vm_rig_hva(const struct vm_rig *r, uint64_t offset)
{
	return mk_hva(r->lab.hva_base.v + offset);
}

/* A slot whose memory begins `offset` bytes into the host's range. */
static inline enum vmmu_slot_error vm_rig_slot(struct vm_rig *r, uint32_t id,
					       uint32_t flags, uint64_t gpa,
					       uint64_t size, uint64_t offset,
					       uint64_t *dirty)
{
	const struct vmmu_slot slot = { .id = id,
					.flags = flags,
					.gpa = mk_gpa(gpa),
					.size = size,
					.hva = vm_rig_hva(r, offset),
					.dirty = dirty };

	return vmmu_vm_set_slot(&r->vm, &slot);
}

static inline const struct pt_table *vm_rig_table(const struct vm_rig *r)
{
	return vmmu_nested.table(&r->vm);
}

static inline struct vmmu_answer vm_rig_fault(struct vm_rig *r, uint64_t gpa,
					      unsigned access)
{
	const struct vmmu_fault f = { .gpa = mk_gpa(gpa), .access = access };
	struct vmmu_answer a;

	vmmu_cpu_fault(&r->cpu[0], &f, &a);
	return a;
}

/* A write sets D, and where hardware logs that is put down. */
static inline void vm_rig_set_dirty(struct vm_rig *r, uint64_t gpa,
				    struct pt_walk *w)
{
	uint64_t dirty = vm_rig_table(r)->format->level[w->level].dirty;

	if (w->entry & dirty)
		return;
	*w->slot = w->entry |= dirty;
	if (!r->logs)
		return;
	if (r->log_count == VM_RIG_LOG)
		vm_rig_log_drain(&r->lab);
	r->log[r->log_count++] = gpa & ~VMMU_PAGE_MASK;
}

static inline void vm_rig_tlb_insert(struct vm_rig *r, uint64_t gpa,
				     const struct pt_walk *w)
{
	uint64_t dirty = vm_rig_table(r)->format->level[w->level].dirty;

	r->tlb[r->tlb_next++ % VM_RIG_TLB] = (struct vm_rig_tlb_entry){
		.gpa = gpa & ~VMMU_PAGE_MASK,
		.hpa = w->out & ~VMMU_PAGE_MASK,
		.perms = w->perms & VMMU_RWX,
		.dirty = !r->vm.hw.logs_dirty || w->entry & dirty,
	};
}

/* The guest reads, writes or fetches. VMMU_RESUME: it did; else the verdict
 * that stopped it. *hpa: where (may be NULL). */
static inline enum vmmu_verdict vm_rig_touch(struct vm_rig *r, uint64_t gpa,
					     unsigned access, uint64_t *hpa)
{
	struct vmmu_answer a;
	struct pt_walk w;

	for (unsigned tries = 0; tries < 3; tries++) {
		if (pt_walk(vm_rig_table(r), gpa, &w) &&
		    (w.perms & access) == access) {
			if (r->vm.hw.logs_dirty && access & VMMU_W)
				vm_rig_set_dirty(r, gpa, &w);
			vm_rig_tlb_insert(r, gpa, &w);
			if (hpa)
				*hpa = w.out;
			return VMMU_RESUME;
		}
		a = vm_rig_fault(r, gpa, access);
		if (a.verdict != VMMU_RESUME)
			return a.verdict;
	}
	fail_msg("the guest makes no progress at %#llx",
		 (unsigned long long)gpa);
	return VMMU_KILL;
}

/* Nothing that hardware may still have cached is untrue. */
static inline void vm_rig_tlb_check(const struct vm_rig *r)
{
	for (unsigned i = 0; i < VM_RIG_TLB; i++) {
		const struct vm_rig_tlb_entry *e = &r->tlb[i];
		const struct vmmu_slot *slot;
		hpa_t hpa;

		if (!e->perms)
			continue;
		slot = vmmu_slots_find(&r->vm.slots, gpa_gfn(mk_gpa(e->gpa)));
		assert_non_null(slot);
		assert_true(lab_host_peek(
			&r->lab, vmmu_slot_hva(slot, mk_gpa(e->gpa)), &hpa));
		assert_int_equal(e->hpa, hpa.v);
		if (slot->flags & VMMU_SLOT_READ_ONLY)
			assert_false(e->perms & VMMU_W);
		if (slot->flags & VMMU_SLOT_LOG_DIRTY && e->perms & VMMU_W &&
		    e->dirty) {
			uint64_t n = (e->gpa - slot->gpa.v) / VMMU_PAGE_SIZE;

			assert_true(slot->dirty[n / 64] >> n % 64 & 1);
		}
	}
}

static inline void vm_rig_breach(void *ctx, unsigned invariant,
				 const char *sentence, uint64_t addr,
				 uint64_t entry)
{
	(void)ctx;
	(void)invariant;
	print_error("%s: %#llx %#llx\n", sentence, (unsigned long long)addr,
		    (unsigned long long)entry);
}

static inline void vm_rig_audit(struct vm_rig *r)
{
	struct vmmu_audit audit = { .breach = vm_rig_breach };

	assert_true(vmmu_audit(&r->vm, &audit));
	vm_rig_tlb_check(r);
}

/* xorshift64*: the same sequence everywhere. */
static inline uint64_t vm_rig_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(0x2545f4914f6cdd1d)) >> 16;
}

/* A test in every format that can be nested: name_in is given one. */
#define EACH(name)                                                             \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		name##_in(&pt_npt);                                            \
		name##_in(&pt_ept);                                            \
		name##_in(&pt_madeup);                                         \
	}

#endif

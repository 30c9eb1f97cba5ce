/*
 * What the tests of direct paging share: one machine of RIG_FRAMES frames, two
 * VMs that each have a range of them, and a guest with a first page table as a
 * domain builder makes it.
 *
 *   frames   | the hypervisor's | VM 0 | VM 1 | free |
 *   a guest  gfn 0 L4, 1 L3, 2 L2, 3 L1, 4-15 for more tables, 16- data
 *            gva = gfn * 4 KiB; gfns 0-15 read-only, the rest writable
 *
 * Frames of a VM lie in the opposite order of its gfns, so that mixing the two
 * up shows.
 *
 * Each VM has processors with a perfect memory: whatever they could once reach
 * (the model says what) they remember until the host's flush. What they
 * remember must never be a way to what is now a table, another VM's or, as a
 * table, to what can now be written: a flush that is missing shows at once.
 */
#ifndef TEST_UNIT_DIRECT_RIG_H
#define TEST_UNIT_DIRECT_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmmu/vmmu.h>

#include "test/unit/direct_model.h"

#define RIG_FIRST  UINT64_C(0x4000) /* hfn */
#define RIG_FRAMES 512u
#define RIG_OURS   16u
#define RIG_GFNS   128u /* of each VM */
#define RIG_TABLES 16u	/* gfns that the first table maps read-only */
#define RIG_DATA   20u	/* a gfn that it maps writable */

#define P  UINT64_C(1)
#define W  UINT64_C(2)
#define U  UINT64_C(4)
#define A  UINT64_C(0x20)
#define D  UINT64_C(0x40)
#define PS UINT64_C(0x80)
#define G  UINT64_C(0x100)
#define NX (UINT64_C(1) << 63)
#define RW (P | W | A | D)
#define RO (P | A)

/* What processors remember of a frame. */
#define TLB_READ  0x01u
#define TLB_WRITE 0x02u
#define TLB_TABLE 0x04u

struct direct_rig_vm {
	struct direct_rig *rig;
	uint8_t tlb[RIG_FRAMES];
	struct vmmu_vm vm;
	struct vmmu_direct_vm direct;
	struct vmmu_cpu cpu[2];
	struct vmmu_slot slot[2];
	uint64_t p2m[RIG_GFNS + 8];
	bool live;
};

struct direct_rig {
	struct vmmu_host_ops ops;
	uint8_t *arena, *state_pages;
	unsigned state_used, states_out;
	unsigned fail_at; /* the n-th table_alloc from now on; 0: none */
	struct vmmu_frame frame[RIG_FRAMES];
	uint64_t m2p[RIG_FRAMES];
	uint64_t template[16];
	struct vmmu_frames frames;
	struct direct_rig_vm vm[2];
	unsigned flush_all, flush_cpu, flush_gva;
	const char *breach; /* the audit's last */
};

#define RIG_STATES 8u

static inline struct direct_rig *rig_of(void *cookie)
{
	return ((struct direct_rig_vm *)cookie)->rig;
}

static inline bool rig_table_alloc(void *cookie, hpa_t *page)
{
	struct direct_rig *r = rig_of(cookie);

	if (r->fail_at && !--r->fail_at)
		return false;
	if (r->state_used == RIG_STATES)
		return false;
	*page = mk_hpa((RIG_FIRST + RIG_FRAMES + r->state_used++)
		       << VMMU_PAGE_SHIFT);
	r->states_out++;
	return true;
}

static inline void rig_table_free(void *cookie, hpa_t page)
{
	(void)page;
	rig_of(cookie)->states_out--;
}

static inline void *rig_ptr(void *cookie, hpa_t hpa)
{
	const struct direct_rig *r = rig_of(cookie);

	return r->arena + (hpa.v - (RIG_FIRST << VMMU_PAGE_SHIFT));
}

static inline void rig_flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	(void)cpu;
	(void)gva;
	rig_of(cookie)->flush_gva++;
}

static inline void rig_flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	(void)cpu;
	rig_of(cookie)->flush_cpu++;
}

static inline void rig_flush_all(void *cookie)
{
	struct direct_rig_vm *v = cookie;

	v->rig->flush_all++;
	memset(v->tlb, 0, sizeof(v->tlb));
}

/* 1. Addresses. */

static inline uint64_t rig_hfn(unsigned vm, uint64_t gfn)
{
	return RIG_FIRST + RIG_OURS + (vm + 1) * RIG_GFNS - 1 - gfn;
}

static inline uint64_t rig_free_hfn(unsigned n)
{
	return RIG_FIRST + RIG_OURS + 2 * RIG_GFNS + n;
}

static inline uint64_t rig_entry(uint64_t hfn, uint64_t bits)
{
	return hfn << VMMU_PAGE_SHIFT | bits;
}

/* An entry for this VM's gfn. */
static inline uint64_t rig_to(unsigned vm, uint64_t gfn, uint64_t bits)
{
	return rig_entry(rig_hfn(vm, gfn), bits);
}

static inline uint64_t *rig_page(struct direct_rig *r, uint64_t hfn)
{
	return (uint64_t *)(void *)(r->arena +
				    ((hfn - RIG_FIRST) << VMMU_PAGE_SHIFT));
}

static inline struct vmmu_frame *rig_frame(struct direct_rig *r, unsigned vm,
					   uint64_t gfn)
{
	return &r->frame[rig_hfn(vm, gfn) - RIG_FIRST];
}

static inline hpa_t rig_at(unsigned vm, uint64_t gfn, unsigned index)
{
	return mk_hpa(rig_hfn(vm, gfn) << VMMU_PAGE_SHIFT | index * 8);
}

static inline gva_t rig_gva(uint64_t gfn)
{
	return mk_gva(gfn << VMMU_PAGE_SHIFT);
}

/* 2. Operations, with arguments that read well. */

static inline enum vmmu_direct_status rig_update(struct direct_rig *r,
						 unsigned vm, hpa_t at,
						 uint64_t value)
{
	const struct vmmu_direct_update u = { .at = at, .value = value };

	/* As the engine asks. */
	if (vmmu_direct_update_quick(&r->vm[vm].vm, at.v, value, false))
		return VMMU_DIRECT_OK;
	return vmmu_direct_update(&r->vm[vm].cpu[0], &u, NULL);
}

static inline enum vmmu_direct_status rig_va(struct direct_rig *r, unsigned vm,
					     uint64_t gfn, uint64_t value)
{
	return vmmu_direct_update_va(&r->vm[vm].cpu[0], rig_gva(gfn), value);
}

static inline enum vmmu_direct_status rig_pin(struct direct_rig *r, unsigned vm,
					      uint64_t gfn, unsigned level)
{
	return vmmu_direct_pin(&r->vm[vm].cpu[0], mk_hfn(rig_hfn(vm, gfn)),
			       level, NULL);
}

static inline enum vmmu_direct_status rig_unpin(struct direct_rig *r,
						unsigned vm, uint64_t gfn)
{
	return vmmu_direct_unpin(&r->vm[vm].cpu[0], mk_hfn(rig_hfn(vm, gfn)),
				 NULL);
}

static inline enum vmmu_direct_status rig_root(struct direct_rig *r,
					       unsigned vm, unsigned cpu,
					       uint64_t gfn)
{
	return vmmu_direct_set_root(&r->vm[vm].cpu[cpu],
				    mk_hfn(rig_hfn(vm, gfn)), NULL);
}

static inline enum vmmu_direct_status rig_release(struct direct_rig *r,
						  unsigned vm, uint64_t gfn)
{
	return vmmu_direct_release(&r->vm[vm].vm, mk_hfn(rig_hfn(vm, gfn)),
				   NULL);
}

/* The guest's kernel stores into memory that it has mapped writable, as a
 * processor would let it. */
static inline bool rig_store(struct direct_rig *r, unsigned vm, uint64_t gfn,
			     unsigned index, uint64_t value)
{
	struct vmmu_direct_walk w;

	if (!vmmu_direct_walk(&r->vm[vm].cpu[0], rig_gva(gfn), &w) ||
	    !(w.perms & VMMU_W))
		return false;
	rig_page(r, (w.entry & UINT64_C(0xffffffffff000)) >>
			    VMMU_PAGE_SHIFT)[index] = value;
	return true;
}

/* 3. Birth. */

static inline void rig_first_tables(struct direct_rig *r, unsigned vm)
{
	const uint64_t link = P | W | A | D;

	rig_page(r, rig_hfn(vm, 0))[0] = rig_to(vm, 1, link);
	rig_page(r, rig_hfn(vm, 1))[0] = rig_to(vm, 2, link);
	rig_page(r, rig_hfn(vm, 2))[0] = rig_to(vm, 3, link);
	for (unsigned gfn = 0; gfn < RIG_GFNS; gfn++)
		rig_page(r, rig_hfn(vm, 3))[gfn] =
			rig_to(vm, gfn, gfn < RIG_TABLES ? RO : RW);
}

static inline bool rig_start_vm(struct direct_rig *r, unsigned n)
{
	struct direct_rig_vm *v = &r->vm[n];
	const struct vmmu_vm_config vc = {
		.host = { .ops = &r->ops, .cookie = v },
		.slot_storage = v->slot,
		.slot_capacity = 2,
		.table_limit = VMMU_TABLE_LIMIT_MIN,
	};
	const struct vmmu_direct_config dc = {
		.frames = &r->frames,
		.owner = (uint16_t)(n + 1),
		.p2m = v->p2m,
		.p2m_count = RIG_GFNS + 8,
		.template = r->template,
		.slot_first = 256,
		.slot_count = 16,
		.absent_limit = UINT64_C(1) << 40,
		.maxphyaddr = 40,
	};

	v->rig = r;
	if (!vmmu_vm_init(&v->vm, &vc) ||
	    !vmmu_direct_vm_init(&v->direct, &v->vm, &dc))
		return false;
	for (uint64_t gfn = 0; gfn < RIG_GFNS; gfn++)
		vmmu_direct_give(&v->vm, mk_gfn(gfn), mk_hfn(rig_hfn(n, gfn)));
	for (unsigned i = 0; i < 2; i++)
		if (!vmmu_cpu_init(&v->cpu[i], &v->vm, &vmmu_direct))
			return false;
	v->live = true;
	return true;
}

static inline void rig_init(struct direct_rig *r)
{
	*r = (struct direct_rig){ .ops = { .table_alloc = rig_table_alloc,
					   .table_free = rig_table_free,
					   .ptr = rig_ptr,
					   .flush_gva = rig_flush_gva,
					   .flush_cpu = rig_flush_cpu,
					   .flush_all = rig_flush_all } };
	r->arena = aligned_alloc(VMMU_PAGE_SIZE,
				 (RIG_FRAMES + RIG_STATES) * VMMU_PAGE_SIZE);
	memset(r->arena, 0, (RIG_FRAMES + RIG_STATES) * VMMU_PAGE_SIZE);
	for (unsigned i = 0; i < 16; i++)
		r->template[i] = rig_entry(RIG_FIRST + i, P | W | G);
	r->frames = (struct vmmu_frames){ .frame = r->frame,
					  .m2p = r->m2p,
					  .map = r->arena,
					  .first = RIG_FIRST,
					  .count = RIG_FRAMES,
					  .count_limit = VMMU_FRAME_COUNT_MAX };
	vmmu_frames_init(&r->frames);
}

/* Both VMs, each with its first table pinned and loaded. */
static inline bool rig_start(struct direct_rig *r)
{
	rig_init(r);
	for (unsigned n = 0; n < 2; n++) {
		if (!rig_start_vm(r, n))
			return false;
		rig_first_tables(r, n);
		if (rig_pin(r, n, 0, 4) || rig_root(r, n, 0, 0) ||
		    rig_root(r, n, 1, 0))
			return false;
	}
	r->flush_all = 0;
	return true;
}

/* 4. Judgement: the audit, and the model that walks as hardware does. */

static inline void rig_breach(void *ctx, unsigned invariant,
			      const char *sentence, uint64_t addr,
			      uint64_t entry)
{
	struct direct_rig *r = ctx;

	(void)invariant;
	r->breach = sentence;
	fprintf(stderr, "# %s: %#llx %#llx\n", sentence,
		(unsigned long long)addr, (unsigned long long)entry);
}

/* What the VM's processors remember, against what is true now. */
static inline const char *rig_tlb_wrong(const struct direct_rig *r, unsigned n)
{
	for (unsigned i = 0; i < RIG_FRAMES; i++) {
		const struct vmmu_frame *f = &r->frame[i];
		unsigned known = r->vm[n].tlb[i];
		bool table = f->type >= VMMU_FRAME_L1 &&
			     f->type <= VMMU_FRAME_SEGMENTS && f->flags;

		if (known && f->owner != n + 1)
			return "tlb: a way to a frame that is another's";
		if (known & TLB_WRITE && table)
			return "tlb: a table can still be written";
		if (known & TLB_TABLE && f->type == VMMU_FRAME_WRITABLE &&
		    f->type_count)
			return "tlb: what can be written is still walked";
	}
	return NULL;
}

static inline void rig_tlb_learn(struct direct_rig_vm *v, const struct model *m)
{
	for (unsigned i = 0; i < RIG_FRAMES; i++) {
		v->tlb[i] |= m->mapped[i] ? TLB_READ : 0;
		v->tlb[i] |= m->writable[i] ? TLB_WRITE : 0;
		v->tlb[i] |= m->level[i] ? TLB_TABLE : 0;
	}
}

/* The VM's processors forget, and the engine says so. */
static inline void rig_flushed(struct direct_rig *r, unsigned n)
{
	memset(r->vm[n].tlb, 0, sizeof(r->vm[n].tlb));
	vmmu_direct_flushed(&r->vm[n].vm);
}

static inline const char *rig_wrong_in(struct direct_rig *r, unsigned n)
{
	struct direct_rig_vm *v = &r->vm[n];
	struct vmmu_audit audit = { .breach = rig_breach, .ctx = r };
	struct model m = { .memory = r->arena,
			   .first = RIG_FIRST,
			   .count = RIG_FRAMES,
			   .ours = r->template,
			   .ours_first = 256,
			   .ours_count = 16 };
	const char *wrong;

	if (!v->live)
		return NULL;
	if (!vmmu_audit(&v->vm, &audit))
		return r->breach;
	for (unsigned i = 0; i < RIG_FRAMES; i++)
		m.is_guests[i] = r->frame[i].owner == n + 1;
	for (unsigned i = 0; i < 2; i++) {
		model_root(&m, v->cpu[i].root.v);
		model_root(&m, vmmu_direct_cpu(&v->cpu[i])->user_root.v);
	}
	wrong = m.wrong ? m.wrong : rig_tlb_wrong(r, n);
	rig_tlb_learn(v, &m);
	return wrong;
}

static inline const char *rig_wrong(struct direct_rig *r)
{
	const char *wrong = rig_wrong_in(r, 0);

	return wrong ? wrong : rig_wrong_in(r, 1);
}

/* 5. Death. */

static inline void rig_end_vm(struct direct_rig *r, unsigned n)
{
	struct direct_rig_vm *v = &r->vm[n];

	if (!v->live)
		return;
	vmmu_cpu_fini(&v->cpu[0]);
	vmmu_cpu_fini(&v->cpu[1]);
	vmmu_direct_vm_fini(&v->direct);
	vmmu_vm_fini(&v->vm);
	v->live = false;
}

static inline void rig_fini(struct direct_rig *r)
{
	rig_end_vm(r, 0);
	rig_end_vm(r, 1);
	free(r->arena);
}

#endif

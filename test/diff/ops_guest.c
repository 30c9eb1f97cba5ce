/*
 * Operations of the guest: registers, flushes, accesses on hardware, and
 * walks by the library, each judged by the oracle.
 */
#include "hw.h"

#include <string.h>

#include "lab/smmu_regs.h"

/* 1. Registers. */

static void to_smmu(struct world *w)
{
	const struct vmmu_regs *r = &w->regs;

	w->sregs = (struct smmu_regs){
		.cr0 = r->cr0,
		.cr3 = r->cr3,
		.cr4 = r->cr4,
		.efer = r->efer,
		.pkru = r->pkru,
		.pkrs = r->pkrs,
		.maxphyaddr = w->features.maxphyaddr,
		.has_pse36 = w->features.pse36,
		.has_nx = w->features.nx,
		.has_1g = w->features.gib_pages,
		.pdpte_in_memory = w->features.pdptes_in_memory,
	};
	memcpy(w->sregs.pdpte, r->pdpte, sizeof(r->pdpte));
}

/* The registers that MOV to CR3 loads under PAE. Reserved bits would be #GP:
 * they are cleared, so that every load succeeds. */
static void load_pdptes(struct world *w)
{
	uint64_t valid = ((UINT64_C(1) << w->features.maxphyaddr) - 1) &
			 ~UINT64_C(0x1e6);
	gpa_t gpa = mk_gpa(w->regs.cr3 & 0xffffffe0);
	const uint8_t *byte = truth_byte(w, gpa);

	memset(w->regs.pdpte, 0, sizeof(w->regs.pdpte));
	if (w->config.mode != MODE_PAE || w->features.pdptes_in_memory || !byte)
		return;
	memcpy(w->regs.pdpte, byte, sizeof(w->regs.pdpte));
	for (unsigned i = 0; i < 4; i++)
		w->regs.pdpte[i] &= valid;
}

static void choose_cr3(struct world *w, uint64_t cr3)
{
	uint64_t width = (UINT64_C(1) << w->features.maxphyaddr) - 1;

	if (w->config.mode < MODE_4LEVEL)
		width = 0xffffffff;
	w->regs.cr3 =
		cr3 & width &
		~(w->config.mode == MODE_PAE ? UINT64_C(31) : VMMU_PAGE_MASK);
	load_pdptes(w);
	to_smmu(w);
}

static void set_cr3(struct world *w, uint64_t cr3)
{
	choose_cr3(w, cr3);
	vmmu_cpu_set_regs(&w->cpu, &w->regs, &w->features);
}

/* Under nested paging the guest's flushes are hardware's own; else they are
 * exits, and it is the library that flushes hardware. */
static bool guest_flushes_tlb(const struct world *w)
{
	return hw_is_nested(w) && w->plant != PLANT_DROP_INVLPG;
}

static bool tells_library(const struct world *w, uint32_t needs)
{
	if (!hw_is_nested(w) && w->plant == PLANT_DROP_INVLPG)
		return false;
	return w->cpu.scheme->needs & needs;
}

/* The operands give what is free; the mode gives the rest. */
bool op_registers(struct world *w, const struct op *op)
{
	uint64_t mode = w->config.mode;
	struct vmmu_regs *r = &w->regs;

	r->cr0 = VMMU_CR0_PE | (op->arg[0] & VMMU_CR0_WP) |
		 (mode != MODE_OFF ? VMMU_CR0_PG : 0);
	r->cr4 = op->arg[1] &
		 (VMMU_CR4_PSE | VMMU_CR4_PGE | VMMU_CR4_SMEP | VMMU_CR4_SMAP);
	if (mode >= MODE_PAE)
		r->cr4 |= VMMU_CR4_PAE;
	if (mode >= MODE_4LEVEL)
		r->cr4 |= op->arg[1] & (VMMU_CR4_PKE | VMMU_CR4_PKS);
	if (mode == MODE_LA57)
		r->cr4 |= VMMU_CR4_LA57;
	r->efer = w->features.nx ? op->arg[2] & VMMU_EFER_NXE : 0;
	if (mode >= MODE_4LEVEL)
		r->efer |= VMMU_EFER_LME | VMMU_EFER_LMA;
	r->pkru = (uint32_t)op->arg[3];
	r->pkrs = (uint32_t)op->arg[4];
	set_cr3(w, r->cr3);
	if (tells_library(w, VMMU_NEEDS_CR_MODE | VMMU_NEEDS_CR3))
		vmmu_cpu_flush(&w->cpu, VMMU_FLUSH_ALL);
	if (guest_flushes_tlb(w))
		tlb_flush_all(&w->tlb);
	history_flush_all(&w->history, &w->sregs);
	return true;
}

/* In long mode the library has one call for it, and hardware is the client's
 * to flush. */
static void load_root(struct world *w, uint64_t cr3)
{
	choose_cr3(w, cr3);
	vmmu_cpu_load_root(&w->cpu, w->regs.cr3);
	if (w->plant != PLANT_DROP_TLB)
		tlb_flush_all(&w->tlb);
}

bool op_cr3(struct world *w, const struct op *op)
{
	bool told = tells_library(w, VMMU_NEEDS_CR3);

	if (told && w->config.mode >= MODE_4LEVEL)
		load_root(w, op->arg[0]);
	else
		set_cr3(w, op->arg[0]);
	if (told && w->config.mode < MODE_4LEVEL)
		vmmu_cpu_flush(&w->cpu, VMMU_FLUSH_NON_GLOBAL);
	if (guest_flushes_tlb(w))
		tlb_load_cr3(&w->tlb, &w->sregs, false);
	history_load_cr3(&w->history, &w->sregs);
	return true;
}

bool op_invlpg(struct world *w, const struct op *op)
{
	gva_t gva = mk_gva(op->arg[0]);

	if (tells_library(w, VMMU_NEEDS_INVLPG))
		vmmu_cpu_invalidate(&w->cpu, gva);
	if (guest_flushes_tlb(w))
		tlb_invlpg(&w->tlb, &w->sregs, gva);
	history_invlpg(&w->history, gva);
	return true;
}

/* 2. Judging. */

static bool same_place(const struct place *a, const struct place *b)
{
	if (a->where != b->where)
		return false;
	switch (a->where) {
	case AT_MEMORY:
		return a->hpa.v == b->hpa.v && a->gpa.v == b->gpa.v;
	case AT_FAULT:
		return a->error == b->error;
	case AT_GP:
		return true;
	case AT_MMIO:
	case AT_NO_TABLE:
	case AT_RO_TABLE:
		break;
	}
	return a->gpa.v == b->gpa.v;
}

static bool differ(struct world *w, const char *who, const struct place *got,
		   const struct place *want)
{
	return world_fail(
		w,
		"%s: %s gpa %llx hpa %llx error %x, should be %s gpa "
		"%llx hpa %llx error %x",
		who, where_name(got->where), (unsigned long long)got->gpa.v,
		(unsigned long long)got->hpa.v, got->error,
		where_name(want->where), (unsigned long long)want->gpa.v,
		(unsigned long long)want->hpa.v, want->error);
}

struct wanted {
	struct world *w;
	unsigned access;
	const struct place *place;
	gpa_t gpa; /* found */
};

/* I3: what was cached had A set, and D before it was written to. */
static bool flags_were_set(const struct smmu_result *r, unsigned access)
{
	for (unsigned i = 0; i < r->used_count; i++)
		if (r->used[i].has_flags && !(r->used[i].value & SMMU_A))
			return false;
	return !r->used_count || !(access & VMMU_W) || r->dirty;
}

/* Does this outcome of the allowed set, through the slots and the backing of
 * now, end where hardware did? Only nested hardware knows a gpa. */
static bool is_wanted(void *ctx, const struct smmu_result *r)
{
	struct wanted *wanted = ctx;
	struct world *w = wanted->w;
	struct truth_slot *t = truth_find(w, r->gpa);
	hpa_t hpa;

	if (r->outcome != SMMU_OK || !t || !flags_were_set(r, wanted->access))
		return false;
	if (hw_is_nested(w) && r->gpa.v != wanted->place->gpa.v)
		return false;
	if ((wanted->access & VMMU_W) && (t->slot.flags & VMMU_SLOT_READ_ONLY))
		return false;
	wanted->gpa = r->gpa;
	return lab_host_peek(&w->host, vmmu_slot_hva(&t->slot, r->gpa), &hpa) &&
	       hpa.v == wanted->place->hpa.v;
}

/* Cached: what the tables say now, or what they may be taken to say since the
 * last flush. Tells the gpa. */
static bool judge_cached(struct world *w, gva_t gva, unsigned access,
			 struct place *got)
{
	struct wanted wanted = { .w = w, .access = access, .place = got };
	struct smmu_mem mem = truth_mem(w);
	struct smmu_result r;
	struct place now;

	smmu_access(&w->sregs, &mem, gva, access, 0, &r);
	if (is_wanted(&wanted, &r)) {
		got->gpa = wanted.gpa;
		return true;
	}
	w->count.stale++;
	if (history_allows(&w->history, &w->sregs, &mem, gva, access, is_wanted,
			   &wanted)) {
		got->gpa = wanted.gpa;
		return true;
	}
	now = (struct place){ .where = r.outcome == SMMU_OK	 ? AT_MEMORY
				       : r.outcome == SMMU_FAULT ? AT_FAULT
								 : AT_NO_TABLE,
			      .gpa = r.gpa,
			      .error = r.error };
	return differ(w, "stale beyond what a TLB may be", got, &now);
}

/* Hardware that walks our table knows no gpa: it is the oracle's then. */
static bool judge_walked(struct world *w, gva_t gva, unsigned access,
			 struct place *got)
{
	struct smmu_result r;
	struct place want = oracle_access(w, gva, access, SMMU_UPDATE, &r);

	if (!hw_is_nested(w) && got->where == AT_MEMORY)
		got->gpa = want.gpa;
	return same_place(got, &want) || differ(w, "hardware", got, &want);
}

/* How many slots show this page of the host's? */
static unsigned shown(const struct world *w, hva_t hva)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WORLD_SLOTS; i++)
		count += w->slot[i].used &&
			 hva.v - w->slot[i].slot.hva.v < w->slot[i].slot.size;
	return count;
}

/* Where a table of ours was used, a gpa is only guessed from its hpa: if two
 * slots show that, which of them logs the write is not known. */
static void store(struct world *w, const struct hw_done *done, uint64_t value)
{
	const struct place *p = &done->place;
	struct truth_slot *t = truth_find(w, p->gpa);
	uint8_t *byte = lab_host_ptr(&w->host, p->hpa);
	hva_t hva = vmmu_slot_hva(&t->slot, p->gpa);

	*byte = (uint8_t)value;
	truth_store(w, hva, 1, value);
	if (!done->cached || hw_is_nested(w) || shown(w, hva) == 1)
		truth_must(w, p->gpa);
}

/* 3. Accesses. */

/* Exactly one of R, W, X, whatever the trace says. */
static unsigned sane_access(uint64_t arg)
{
	unsigned kind = arg & VMMU_W ? VMMU_W : arg & VMMU_X ? VMMU_X : VMMU_R;

	return kind | (arg & (VMMU_U | VMMU_IMPLICIT | VMMU_AC));
}

static gva_t sane_gva(const struct world *w, uint64_t arg)
{
	return mk_gva(w->config.mode < MODE_4LEVEL ? arg & 0xffffffff : arg);
}

bool op_access(struct world *w, const struct op *op)
{
	gva_t gva = sane_gva(w, op->arg[0]);
	unsigned access = sane_access(op->arg[1]);
	uint64_t emulated = w->count.emulated;
	struct hw_done done;

	w->count.accesses++;
	if (!hw_access(w, gva, access, op->arg[3] & 1, &done))
		return false;
	if (done.cached ? !judge_cached(w, gva, access, &done.place)
			: !judge_walked(w, gva, access, &done.place))
		return false;
	if (done.place.where == AT_MEMORY && (access & VMMU_W))
		store(w, &done, op->arg[2]);
	if (w->count.emulated != emulated && (access & VMMU_W))
		vmmu_cpu_wrote(&w->cpu, done.place.gpa, 1);
	w->count.mmio += done.place.where == AT_MMIO;
	w->count.faults += done.place.where == AT_FAULT;
	return true;
}

/* A fault that comes when its reason is gone, as when vCPUs race. Where gpas
 * do not fault the operand is taken for a gva. */
bool op_violation(struct world *w, const struct op *op)
{
	unsigned access = sane_access(op->arg[1]);
	gva_t gva = sane_gva(w, op->arg[0]);
	struct hw_done done;

	if (hw_is_nested(w))
		return hw_nested_violation(
			w, mk_gpa(op->arg[0] & UINT64_C(0xfffffffffffff)),
			access & VMMU_RWX);
	return hw_root_fault(w, gva, access, &done) &&
	       judge_walked(w, gva, access, &done.place);
}

static unsigned perms_of(const struct smmu_result *r)
{
	return VMMU_R | (r->write ? VMMU_W : 0) | (r->exec ? VMMU_X : 0) |
	       (r->user ? VMMU_U : 0);
}

static bool same_details(struct world *w, const struct vmmu_gwalk *walk,
			 const struct smmu_result *r)
{
	if (!(w->regs.cr0 & VMMU_CR0_PG))
		return true;
	if (walk->page_shift != r->page_shift)
		return world_fail(w, "walk: page shift %u, should be %u",
				  walk->page_shift, r->page_shift);
	if (walk->perms != perms_of(r))
		return world_fail(w, "walk: permissions %x, should be %x",
				  walk->perms, perms_of(r));
	if (walk->global != r->global || walk->dirty != r->dirty)
		return world_fail(w, "walk: G %d D %d, should be %d %d",
				  walk->global, walk->dirty, r->global,
				  r->dirty);
	if (walk->entry != r->used[r->used_count - 1].value ||
	    walk->table.v != r->entry_gpa.v)
		return world_fail(w, "walk: entry %llx at %llx, not %llx",
				  (unsigned long long)walk->entry,
				  (unsigned long long)walk->table.v,
				  (unsigned long long)r->entry_gpa.v);
	return true;
}

bool op_walk(struct world *w, const struct op *op)
{
	gva_t gva = sane_gva(w, op->arg[0]);
	unsigned access = sane_access(op->arg[1]);
	bool peek = op->arg[2] & 1;
	struct place got, want;
	struct vmmu_gwalk walk;
	struct smmu_result r;

	w->count.walks++;
	if (!soft_access(w, gva, access, peek ? VMMU_GWALK_PEEK : 0, &walk,
			 &got))
		return false;
	want = oracle_access(w, gva, access, peek ? 0 : SMMU_UPDATE, &r);
	if (!same_place(&got, &want))
		return differ(w, "walk", &got, &want);
	if (got.where == AT_MEMORY && (access & VMMU_W))
		truth_must(w, got.gpa); /* the accessor gave it for writing */
	return r.outcome != SMMU_OK || same_details(w, &walk, &r);
}

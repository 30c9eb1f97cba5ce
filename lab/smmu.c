/*
 * The software MMU: the paging mode (SDM 3A 4.1.1), the walk, the rights,
 * then the accessed and dirty flags (4.8).
 *
 * The flags are set when the access is known to be allowed: accessed in every
 * entry used, dirty in the one that maps the page if the access writes. An
 * entry that is not any more what was read restarts the walk.
 */
#include "smmu.h"

#include <string.h>

#include "smmu_regs.h"
#include "smmu_walk.h"

bool smmu_use(struct smmu_walk *w, uint64_t gpa, unsigned size, bool has_flags,
	      uint64_t *entry)
{
	struct smmu_used *u = &w->out->used[w->out->used_count];

	w->out->entry_gpa = mk_gpa(gpa);
	w->out->why = w->mem->load(w->mem->ctx, mk_gpa(gpa), size, entry);
	if (w->out->why != SMMU_MEM_OK) {
		w->out->outcome = SMMU_STOPPED;
		return false;
	}
	u->gpa = mk_gpa(gpa);
	u->value = *entry;
	u->size = size;
	u->has_flags = has_flags;
	w->out->used_count++;
	return true;
}

void smmu_not_present(struct smmu_walk *w)
{
	w->out->outcome = SMMU_FAULT;
	w->out->error = smmu_error_of_access(w->regs, w->access);
}

void smmu_reserved(struct smmu_walk *w)
{
	w->out->outcome = SMMU_FAULT;
	w->out->error = smmu_error_of_access(w->regs, w->access) | VMMU_PF_P |
			VMMU_PF_RSVD;
}

bool smmu_nx(const struct smmu_regs *regs)
{
	return regs->has_nx && (regs->efer & SMMU_EFER_NXE);
}

void smmu_join(struct smmu_walk *w, uint64_t entry)
{
	if (!(entry & SMMU_RW))
		w->out->write = false;
	if (!(entry & SMMU_US))
		w->out->user = false;
	if (entry & SMMU_XD)
		w->out->exec = false;
}

void smmu_map(struct smmu_walk *w, uint64_t leaf, uint64_t page, unsigned shift)
{
	struct smmu_result *out = w->out;
	uint64_t offset = w->va & ((UINT64_C(1) << shift) - 1);

	out->gpa = mk_gpa(page | offset);
	out->page_shift = shift;
	out->global = (leaf & SMMU_G) && (w->regs->cr4 & SMMU_CR4_PGE);
	out->dirty = leaf & SMMU_D;
	out->key = leaf >> 59 & 15;
	out->error = smmu_rights(w->regs, out, w->access);
	out->outcome = out->error ? SMMU_FAULT : SMMU_OK;
}

/* SDM 3A 4.1.1: with paging off, linear addresses are physical ones. */
static void paging_off(struct smmu_walk *w)
{
	w->out->outcome = SMMU_OK;
	w->out->gpa = mk_gpa(w->va & smmu_bits(31, 0));
	w->out->page_shift = 12;
	w->out->dirty = true;
}

static void walk_once(struct smmu_walk *w)
{
	memset(w->out, 0, sizeof(*w->out));
	w->out->write = w->out->user = w->out->exec = true;
	if (!(w->regs->cr0 & SMMU_CR0_PG))
		paging_off(w);
	else if (!(w->regs->cr4 & SMMU_CR4_PAE))
		smmu_legacy(w);
	else if (!(w->regs->efer & SMMU_EFER_LMA))
		smmu_pae(w);
	else
		smmu_long(w);
}

/* False when memory did not let the flags be set; out->why says how. */
static bool set_flags(struct smmu_walk *w)
{
	struct smmu_result *out = w->out;

	for (unsigned i = 0; i < out->used_count; i++) {
		struct smmu_used *u = &out->used[i];
		bool leaf = i + 1 == out->used_count;
		uint64_t now = u->value | (u->has_flags ? SMMU_A : 0);

		if (leaf && (w->access & VMMU_W))
			now |= SMMU_D;
		if (now == u->value)
			continue;
		out->why = w->mem->swap(w->mem->ctx, u->gpa, u->size, u->value,
					now);
		out->entry_gpa = u->gpa;
		if (out->why != SMMU_MEM_OK)
			return false;
		u->value = now;
		if (leaf)
			out->dirty = now & SMMU_D;
	}
	return true;
}

void smmu_access(const struct smmu_regs *regs, const struct smmu_mem *mem,
		 gva_t gva, unsigned access, unsigned flags,
		 struct smmu_result *out)
{
	struct smmu_walk w = {
		.regs = regs, .mem = mem, .access = access, .out = out
	};

	do {
		w.va = gva.v;
		walk_once(&w);
		if (out->outcome != SMMU_OK || !(flags & SMMU_UPDATE))
			return;
		if (set_flags(&w))
			return;
	} while (out->why == SMMU_MEM_CHANGED);
	out->outcome = SMMU_STOPPED;
}

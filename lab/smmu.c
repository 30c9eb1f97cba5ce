/*
 * The software MMU: the paging mode (SDM 3A 4.1.1), the walk, the rights, and
 * the accessed and dirty flags (4.8).
 *
 * An entry that refers to a table gets its accessed flag when the walk goes
 * on from it, as the manual allows, whatever the walk then finds. The entry
 * that maps the page gets accessed, and dirty if the access writes, when the
 * access is known to be allowed. An entry that is not any more what was read
 * restarts the walk.
 */
#include "smmu.h"

#include <string.h>

#include "smmu_regs.h"
#include "smmu_walk.h"

/* Sets flags in the entry used last. False: memory did not let it. */
static bool set_flags(struct smmu_walk *w, uint64_t flags)
{
	struct smmu_used *u = &w->out->used[w->out->used_count - 1];
	uint64_t now = u->value | flags;

	if (!w->update || !u->has_flags || now == u->value)
		return true;
	w->out->why = w->mem->swap(w->mem->ctx, u->gpa, u->size, u->value, now);
	if (w->out->why != SMMU_MEM_OK) {
		w->out->outcome = SMMU_STOPPED;
		return false;
	}
	u->value = now;
	return true;
}

bool smmu_use(struct smmu_walk *w, uint64_t gpa, unsigned size, bool has_flags,
	      uint64_t *entry)
{
	struct smmu_used *u = &w->out->used[w->out->used_count];

	if (w->out->used_count && !set_flags(w, SMMU_A))
		return false;
	w->out->entry_gpa = mk_gpa(gpa);
	w->out->why = w->mem->load(w->mem->ctx, mk_gpa(gpa), size, entry);
	if (w->out->why != SMMU_MEM_OK) {
		w->out->outcome = SMMU_STOPPED;
		return false;
	}
	*u = (struct smmu_used){ .gpa = mk_gpa(gpa),
				 .value = *entry,
				 .size = size,
				 .has_flags = has_flags };
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
	out->key = leaf >> 59 & 15;
	out->error = smmu_rights(w->regs, out, w->access);
	out->outcome = out->error ? SMMU_FAULT : SMMU_OK;
	if (out->outcome == SMMU_OK)
		set_flags(w, SMMU_A | (w->access & VMMU_W ? SMMU_D : 0));
	out->dirty = out->used[out->used_count - 1].value & SMMU_D;
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

void smmu_access(const struct smmu_regs *regs, const struct smmu_mem *mem,
		 gva_t gva, unsigned access, unsigned flags,
		 struct smmu_result *out)
{
	struct smmu_walk w = { .regs = regs,
			       .mem = mem,
			       .access = access,
			       .update = flags & SMMU_UPDATE,
			       .out = out };

	do {
		w.va = gva.v;
		walk_once(&w);
	} while (out->outcome == SMMU_STOPPED && out->why == SMMU_MEM_CHANGED);
}

/*
 * A leaf that translates a gva: I1 and I2 as far as they can be known.
 *
 * The leaf does not say which gpa it came from, and the guest may have changed
 * its tables since, without a flush. So, page by page:
 *
 *   1. where the guest's tables lead now, slot and host are asked; if they give
 *      the leaf's frame, with its permissions, it is right
 *   2. else some slot must give that frame with these permissions
 *
 * Whether the guest's tables ever allowed it is not known here: that is what
 * the differential test judges, by its history.
 */
#include "audit/audit.h"

struct page {
	uint64_t gva, hpa;
	unsigned access; /* VMMU_W if it may be written, else VMMU_R */
};

/* Bytes from the page on that are right by the guest's walk; 0: not so. */
static uint64_t right_by_walk(struct audit *a, const struct page *p)
{
	const struct vmmu_slot *slot;
	struct vmmu_gwalk walk;
	struct vmmu_extent run;
	uint64_t gpa, at;

	if (vmmu_cpu_walk(a->cpu, mk_gva(p->gva), VMMU_R | VMMU_AC,
			  VMMU_GWALK_PEEK, &walk) != VMMU_GWALK_OK)
		return 0;
	gpa = walk.gpa.v;
	slot = vmmu_slots_find(&a->vm->slots, gpa_gfn(mk_gpa(gpa)));
	if (!slot || audit_resolve(a, slot, gpa, &run) != VMMU_RESOLVE_OK)
		return 0;
	at = vmmu_slot_hva(slot, mk_gpa(gpa)).v - run.hva.v;
	if (p->hpa != run.hpa.v + at)
		return 0;
	if (p->access == VMMU_W &&
	    (run.read_only || slot->flags & VMMU_SLOT_READ_ONLY ||
	     (slot->flags & VMMU_SLOT_LOG_DIRTY &&
	      audit_any_clean(slot, gpa, VMMU_PAGE_SIZE))))
		return 0;
	if (slot->flags & VMMU_SLOT_LOG_DIRTY)
		return VMMU_PAGE_SIZE;
	at = UINT64_C(1) << walk.page_shift;
	return audit_least(at - (p->gva & (at - 1)),
			   audit_run_rest(slot, gpa, &run));
}

/* The same, by any slot; 0, and said, if none gives it so. */
static uint64_t right_by_frame(struct audit *a, const struct page *p,
			       const struct pt_visit *v)
{
	uint64_t size = audit_find_frame(a, p->hpa, p->access);

	if (size)
		return size;
	if (audit_find_frame(a, p->hpa, VMMU_R))
		audit_breach(a, 1, "I1: page is writable against slot or host",
			     p->gva, v->entry);
	else
		audit_breach(a, 2, "I2: leaf maps a frame that no slot gives",
			     p->gva, v->entry);
	return 0;
}

/* The address with the sign that hardware gives it. */
static uint64_t extended(const struct audit *a, uint64_t addr)
{
	return addr > a->t->last / 2 && a->t->format->levels > 3
		       ? addr | ~a->t->last
		       : addr;
}

void audit_gva_leaf(struct audit *a, const struct pt_visit *v)
{
	const struct pt_level *row = &a->t->format->level[v->level];
	uint64_t end = pt_span(row), at = 0, size;
	unsigned perms = pt_entry_perms(row, v->entry);

	if (v->entry & row->reserved_leaf)
		audit_breach(a, 1, "I1: leaf has a reserved bit set", v->addr,
			     v->entry);
	for (; at < end; at += size) {
		struct page p = { .gva = extended(a, v->addr + at),
				  .hpa = pt_leaf_addr(row, v->entry) + at,
				  .access = perms & VMMU_W ? VMMU_W : VMMU_R };

		size = right_by_walk(a, &p);
		if (!size)
			size = right_by_frame(a, &p, v);
		if (!size)
			return;
	}
}

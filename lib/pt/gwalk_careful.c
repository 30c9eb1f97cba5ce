/*
 * The guest walk, with care: every mode, every case.
 *
 *   from the root's level down:
 *     read the entry, once       no memory there     -> NO_SLOT, NOT_NOW, NONE
 *     present?                   no                  -> #PF, P = 0
 *     reserved bits all clear?   no                  -> #PF, P and RSVD
 *     collect what it grants
 *     refers to a table: set A, go down
 *     maps a page: is the access allowed by what all levels granted, and by
 *     the page's protection key? no -> #PF, P (and PK); yes -> set A and D
 *
 * (SDM 3A 4.5 and 4.6 for the walk and the rights, 4.6.2 for keys, 4.7 for the
 * error code, 4.8 for A and D.)
 *
 * A and D. A processor may set A in an entry as soon as it has used it to go
 * on, whether or not the access is allowed in the end; so does this walk. An
 * entry that maps a page gets A, and D for a write, only when the access is
 * allowed. Both go in by one compare-and-swap with the value that was looked
 * at. If the guest changed the entry meanwhile, all that was decided is void
 * and the walk starts again; a guest that keeps changing it is told to run
 * again, so that it cannot hold us here.
 */
#include <vmmu/access.h>

#include "mem/gmem_line.h"
#include "pt/gpte.h"
#include "pt/gwalk_careful.h"

/* Beside enum vmmu_gwalk_status: the entry has changed, start again. */
#define AGAIN 100

/* Starts again so often before the vCPU is asked to come back. */
#define TRIES 8

static int from_gmem(enum vmmu_gmem_status status)
{
	switch (status) {
	case VMMU_GMEM_OK:
		return VMMU_GWALK_OK;
	case VMMU_GMEM_NO_SLOT:
		return VMMU_GWALK_NO_SLOT;
	case VMMU_GMEM_READ_ONLY:
		return VMMU_GWALK_READ_ONLY;
	case VMMU_GMEM_NOT_NOW:
		return VMMU_GWALK_NOT_NOW;
	default:
		return VMMU_GWALK_NONE;
	}
}

/* One walk, as the functions below hand it on. */
struct walker {
	struct vmmu_gmem *mem;
	const struct vmmu_mode *mode;
	uint64_t gva;
	unsigned access;
	bool peek, settled;
	struct vmmu_gwalk *out;
};

static bool by_user(unsigned access)
{
	return (access & VMMU_U) && !(access & VMMU_IMPLICIT);
}

static int fault(const struct walker *w, uint32_t cause)
{
	w->out->error_code = gpte_fault(w->mode, w->access, cause);
	return VMMU_GWALK_FAULT;
}

static int read_entry(const struct walker *w)
{
	uint64_t at = w->out->table.v, frame = at & ~VMMU_PAGE_MASK;
	const uint8_t *page;
	uint8_t *found;
	int status;

	if (!gmem_is_current(w->mem) || !gmem_hit(w->mem, frame, &page)) {
		status = from_gmem(vmmu_gmem_page(
			w->mem, gpa_gfn(w->out->table), VMMU_R, &found));
		if (status != VMMU_GWALK_OK)
			return status;
		page = found;
	}
	w->out->entry = gpte_read(page + (at - frame), w->mode->entry_size);
	return VMMU_GWALK_OK;
}

/* Sets bits in the entry that the walk is at. */
static int swap_bits(const struct walker *w, uint64_t bits)
{
	gpa_t at = w->out->table;
	uint64_t entry = w->out->entry;
	uint8_t *page;
	int status;

	status = from_gmem(vmmu_gmem_page(w->mem, gpa_gfn(at), VMMU_W, &page));
	if (status != VMMU_GWALK_OK)
		return status;
	if (!gpte_swap(page + (at.v & VMMU_PAGE_MASK), w->mode->entry_size,
		       entry, entry | bits))
		return AGAIN;
	w->out->entry = entry | bits;
	return VMMU_GWALK_OK;
}

static inline int set_bits(const struct walker *w, uint64_t bits)
{
	if ((w->out->entry & bits) == bits)
		return VMMU_GWALK_OK;
	if (w->peek)
		return w->settled ? VMMU_GWALK_NOT_NOW : VMMU_GWALK_OK;
	return swap_bits(w, bits);
}

/* SDM 3A 4.6.2. Keys of user pages are PKRU's, of supervisor pages PKRS's;
 * neither looks at fetches. */
static bool key_forbids(const struct walker *w)
{
	const struct vmmu_mode *m = w->mode;
	bool user_page = w->out->perms & VMMU_U;
	uint32_t rights;

	if ((w->access & VMMU_X) || !(user_page ? m->pku : m->pks))
		return false;
	rights = (user_page ? m->regs.pkru : m->regs.pkrs) >> w->out->pkey * 2;
	if (rights & 1) /* AD */
		return true;
	return (rights & 2) && (w->access & VMMU_W) && /* WD */
	       (by_user(w->access) || (m->regs.cr0 & VMMU_CR0_WP));
}

/* The walk is at an entry that maps a page. */
static int arrive(const struct walker *w, const struct pt_level *row)
{
	struct vmmu_gwalk *out = w->out;
	uint32_t cause = 0;
	uint64_t bits = row->accessed;
	int status;

	out->page_shift = row->shift;
	out->pkey = gpte_key(w->mode, out->entry);
	if (mode_forbids(w->mode, w->access, out->perms))
		cause = VMMU_PF_P;
	if (key_forbids(w))
		cause = VMMU_PF_P | VMMU_PF_PK;
	if (cause)
		return fault(w, cause);
	if (w->access & VMMU_W)
		bits |= row->dirty;
	status = set_bits(w, bits);
	out->dirty = out->entry & row->dirty;
	out->global = out->entry & w->mode->global;
	out->gpa = mk_gpa(pt_leaf_addr(row, out->entry) |
			  (w->gva & (pt_span(row) - 1)));
	return status;
}

/* From out->level down, beginning in the table at `table`. Guest formats have
 * W, U and NX in the same places, on each level that has them. */
static int descend(const struct walker *w, uint64_t table)
{
	struct vmmu_gwalk *out = w->out;
	uint64_t withheld = 0;

	for (;; out->level--) {
		const struct vmmu_mode_level *l = &w->mode->level[out->level];
		const struct pt_level *row =
			&w->mode->format->level[out->level];
		uint64_t index = w->gva >> l->shift & l->index_mask;
		bool leaf;
		int status;

		out->tables[out->level] = mk_gpa(table);
		out->table = mk_gpa(table + index * w->mode->entry_size);
		status = read_entry(w);
		if (status != VMMU_GWALK_OK)
			return status;
		if (!(out->entry & row->present))
			return fault(w, 0);
		leaf = (out->entry & l->leaf_mask) == l->leaf_value;
		if (out->entry & (leaf ? l->reserved_leaf : l->reserved_table))
			return fault(w, VMMU_PF_P | VMMU_PF_RSVD);
		withheld |= (out->entry ^ w->mode->flip) & l->rights;
		out->perms = gpte_perms(withheld);
		if (leaf)
			return arrive(w, row);
		status = set_bits(w, row->accessed);
		if (status != VMMU_GWALK_OK)
			return status;
		table = out->entry & l->table_addr;
	}
}

/* PAE: the first step is in the registers that MOV to CR3 loaded, where the
 * reserved bits were checked: SDM 3A 4.4.1. */
static int descend_pae(const struct walker *w)
{
	struct vmmu_gwalk *out = w->out;
	unsigned index = w->gva >> 30 & 3;

	out->tables[3] = mk_gpa(w->mode->root);
	out->table = mk_gpa(w->mode->root + index * sizeof(uint64_t));
	out->entry = w->mode->regs.pdpte[index];
	if (!(out->entry & w->mode->format->level[3].present))
		return fault(w, 0);
	out->level = 2;
	return descend(w, out->entry & w->mode->level[3].table_addr);
}

/* Paging is off: linear addresses are physical, and 32 bits wide. */
static enum vmmu_gwalk_status identity(const struct walker *w)
{
	*w->out = (struct vmmu_gwalk){
		.gpa = mk_gpa(w->gva & UINT32_MAX),
		.perms = VMMU_RWXU,
		.page_shift = VMMU_PAGE_SHIFT,
		.dirty = true,
	};
	return VMMU_GWALK_OK;
}

static int from_root(const struct walker *w)
{
	w->out->level = w->mode->levels;
	w->out->perms = VMMU_RWXU;
	if (w->mode->pdptes)
		return descend_pae(w);
	return descend(w, w->mode->root);
}

enum vmmu_gwalk_status gwalk_careful(struct vmmu_gmem *mem,
				     const struct vmmu_mode *mode, gva_t gva,
				     unsigned access, unsigned flags,
				     struct vmmu_gwalk *walk)
{
	const struct walker w = {
		.mem = mem,
		.mode = mode,
		.gva = gva.v,
		.access = access,
		.peek = flags & VMMU_GWALK_PEEK,
		.settled = flags & VMMU_GWALK_SETTLED,
		.out = walk,
	};

	if (!mode->format)
		return identity(&w);
	for (int i = 0; i < TRIES; i++) {
		int status = from_root(&w);

		if (status != AGAIN)
			return (enum vmmu_gwalk_status)status;
	}
	return VMMU_GWALK_NOT_NOW;
}

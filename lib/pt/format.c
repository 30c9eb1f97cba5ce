/*
 * Entries of any page-table format, by its rows; knows no format by name.
 *
 * Rights. A row says for each of R, W, X, U which bits allow it (all must be
 * set) and which deny it (none may be). Permissions may share bits: P is in
 * every allow[] of x86, and EPT's W needs R too, because write without read
 * is a misconfiguration (SDM 3C 28.3.3.1). So to give an entry a set of
 * permissions:
 *
 *   set    all allow[p] of the granted, and deny[p] of the withheld
 *   clear  every other allow and deny bit of the row
 *
 * What cannot be expressed is granted with what needs it: an x86 page that
 * may be written can be read. Withholding everything makes an x86 or EPT
 * entry absent, with its address kept.
 *
 * Memory types. x86 selects one of eight PAT entries by three bits: SDM 3A
 * 11.12.3. The PAT belongs to who loads the table; pt_make_leaf counts on the
 * entries 0 .. 3 as they are after power-on (WB, WT, UC-, UC). EPT has the
 * type itself in bits 5:3: SDM 3C 28.3.7.2.
 */
#include <vmmu/access.h>
#include <vmmu/format.h>

_Static_assert(1u << PT_R == VMMU_R && 1u << PT_W == VMMU_W &&
		       1u << PT_X == VMMU_X && 1u << PT_U == VMMU_U,
	       "a permission's index is its bit number");

unsigned pt_entry_perms(const struct pt_level *l, uint64_t entry)
{
	unsigned perms = 0;

	if (!(entry & l->present))
		return 0;
	for (unsigned p = 0; p < PT_PERMS; p++) {
		if ((entry & l->allow[p]) == l->allow[p] &&
		    !(entry & l->deny[p]))
			perms |= 1u << p;
	}
	return perms;
}

bool pt_entry_is_leaf(const struct pt_level *l, uint64_t entry)
{
	return l->leaf && (entry & l->leaf_mask) == l->leaf_value;
}

uint64_t pt_set_perms(const struct pt_level *l, uint64_t leaf, unsigned perms)
{
	uint64_t set = 0, all = 0;

	for (unsigned p = 0; p < PT_PERMS; p++) {
		all |= l->allow[p] | l->deny[p];
		set |= (perms >> p & 1) ? l->allow[p] : l->deny[p];
	}
	return (leaf & ~all) | set;
}

/* The bits of a leaf that select `type`; UC where there is no such type. */
static uint64_t memtype_bits(const struct pt_level *l, enum vmmu_memtype type)
{
	if (l->memtype_shift) {
		/* EPT has no UC-, and its UC cannot be overruled by MTRRs. */
		uint64_t field = type == VMMU_UC_MINUS ? VMMU_UC : type;

		return field << l->memtype_shift;
	}
	switch (type) {
	case VMMU_WB:
		return 0;
	case VMMU_WT:
		return l->pwt;
	case VMMU_WC: /* by the MTRRs, which UC- lets through */
	case VMMU_UC_MINUS:
		return l->pcd;
	default:
		return l->pcd | l->pwt;
	}
}

/* Address bits [high_to, high_to + high_bits) as a right-aligned mask. */
static uint64_t high_mask(const struct pt_level *l)
{
	return (UINT64_C(1) << l->high_bits) - 1;
}

uint64_t pt_make_leaf(const struct pt_level *l, uint64_t addr, unsigned perms,
		      enum vmmu_memtype type)
{
	uint64_t high = (addr >> l->high_to & high_mask(l)) << l->high_from;
	uint64_t entry = (addr & l->leaf_addr) | high | l->leaf_value |
			 l->leaf_fixed | memtype_bits(l, type);

	return pt_set_perms(l, entry, perms);
}

uint64_t pt_make_table(const struct pt_level *l, uint64_t addr)
{
	/* What says "leaf" must differ: where leaf_value is 0, set the mask. */
	uint64_t kind = l->leaf ? l->leaf_mask & ~l->leaf_value : 0;
	uint64_t entry = (addr & l->table_addr) | kind | l->table_fixed;

	return pt_set_perms(l, entry, VMMU_RWXU);
}

uint64_t pt_leaf_addr(const struct pt_level *l, uint64_t leaf)
{
	uint64_t high = (leaf >> l->high_from & high_mask(l)) << l->high_to;

	return (leaf & l->leaf_addr) | high;
}

uint64_t pt_table_addr(const struct pt_level *l, uint64_t entry)
{
	return entry & l->table_addr;
}

/*
 * The guest's tables as hardware walks them, and changes that are given by
 * address.
 *
 *   gva   63..48 sign | 47..39 L4 | 38..30 L3 | 29..21 L2 | 20..12 L1 | 11..0
 *
 * Every table that a root leads to is validated, so an entry's frame needs no
 * check here. The hypervisor's own slots are never walked.
 */
#include "scheme/direct.h"

static unsigned index_at(gva_t gva, unsigned level)
{
	return (unsigned)(gva.v >> (3 + 9 * level)) & (ENTRIES - 1);
}

static bool is_guests(const struct vmmu_direct_vm *d, gva_t gva)
{
	int64_t high = (int64_t)gva.v >> 47;

	return (!high || high == -1) && !direct_is_ours(d, 4, index_at(gva, 4));
}

/* What an entry withholds of W, U and X, as set bits of the entry's place. */
#define FLIP (ENTRY_W | ENTRY_U)

/* The slot of the L1 entry for a gva that is the guest's; NULL: no table. */
static uint64_t *find_leaf(const struct vmmu_cpu *cpu, gva_t gva,
			   uint64_t *withheld, hpa_t *at, unsigned *level)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t table = hpa_hfn(cpu->root).v;

	for (*level = 4;; --*level) {
		unsigned index = index_at(gva, *level);
		uint64_t *slot = direct_entries(d, table) + index, entry;

		*at = mk_hpa(table << VMMU_PAGE_SHIFT | index << ENTRY_SHIFT);
		if (*level == 1)
			return slot;
		entry = entry_load(slot);
		if (!(entry & ENTRY_P))
			return NULL;
		*withheld |= entry ^ FLIP;
		table = entry_frame(entry);
	}
}

static unsigned perms_of(uint64_t withheld)
{
	unsigned perms = VMMU_R;

	if (!(withheld & ENTRY_W))
		perms |= VMMU_W;
	if (!(withheld & ENTRY_NX))
		perms |= VMMU_X;
	if (!(withheld & ENTRY_U))
		perms |= VMMU_U;
	return perms;
}

bool vmmu_direct_walk(const struct vmmu_cpu *cpu, gva_t gva,
		      struct vmmu_direct_walk *out)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t withheld = 0;

	*out = (struct vmmu_direct_walk){ .level = 4 };
	if (!cpu->root.v || !is_guests(d, gva))
		return false;
	find_leaf(cpu, gva, &withheld, &out->at, &out->level);
	out->entry = vmmu_direct_entry(cpu, out->at);
	if (out->level != 1 || !(out->entry & ENTRY_P))
		return false;
	out->perms = perms_of(withheld | (out->entry ^ FLIP));
	return true;
}

uint64_t vmmu_direct_entry(const struct vmmu_cpu *cpu, hpa_t at)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;

	return entry_load(direct_entries(d, hpa_hfn(at).v) +
			  ((at.v & VMMU_PAGE_MASK) >> ENTRY_SHIFT));
}

/* The upper levels must let it be written: then only the leaf withholds W, as
 * it must for a table. */
bool vmmu_direct_is_trapped(struct vmmu_cpu *cpu, gva_t gva, hpa_t *at)
{
	const struct vmmu_direct_vm *d = cpu->vm->direct;
	uint64_t withheld = 0, *slot, entry;
	const struct vmmu_frame *f;
	unsigned level;

	if (!cpu->root.v || !is_guests(d, gva))
		return false;
	slot = find_leaf(cpu, gva, &withheld, at, &level);
	if (!slot || withheld & ENTRY_W)
		return false;
	entry = entry_load(slot);
	if (!(entry & ENTRY_P) || entry & ENTRY_W)
		return false;
	f = direct_frame(d, entry_frame(entry));
	*at = mk_hpa((entry & ENTRY_ADDR) | (gva.v & VMMU_PAGE_MASK));
	return f->type == VMMU_FRAME_L1 && f->flags & VMMU_FRAME_VALIDATED;
}

enum vmmu_direct_status vmmu_direct_update_va(struct vmmu_cpu *cpu, gva_t gva,
					      uint64_t value)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	uint32_t slice = DIRECT_SLICE;
	uint64_t withheld = 0, *slot;
	unsigned level;
	hpa_t at;

	if (!direct_begin(d, &slice))
		return direct_end(d, VMMU_DIRECT_AGAIN, &slice);
	d->stats.update_va++;
	if (!is_guests(d, gva))
		return direct_end(d, VMMU_DIRECT_ADDRESS, NULL);
	if (!cpu->root.v)
		return direct_end(d, VMMU_DIRECT_ABSENT, NULL);
	slot = find_leaf(cpu, gva, &withheld, &at, &level);
	if (!slot)
		return direct_end(d, VMMU_DIRECT_ABSENT, NULL);
	return direct_end(d, direct_leaf_update(d, slot, value, false), NULL);
}

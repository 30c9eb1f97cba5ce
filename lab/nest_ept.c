/*
 * EPT: SDM 3C 28.3.2 and 28.3.3, tables 28-1 to 28-7.
 *
 *   bits 2..0   read, write, execute; all clear: not present
 *   PML4E       7..3 reserved
 *   PDPTE, PDE  bit 7: maps 1 GiB, 2 MiB; else 6..3 reserved
 *   a leaf      5..3 memory type, of which 2, 3 and 7 are reserved; below
 *               the page's size 29..12 or 20..12 reserved
 *
 * 28.3.3.1: misconfigured is what is present with a reserved bit, writable
 * but not readable, or execute-only where the processor has not that.
 * 28.3.3.2: a violation is an absent entry, or an access that one of the
 * entries used does not grant.
 */
#include "nest.h"

#define EPT_R  0x1u
#define EPT_W  0x2u
#define EPT_X  0x4u
#define EPT_PS (UINT64_C(1) << 7)
#define EPT_A  (UINT64_C(1) << 8)
#define EPT_D  (UINT64_C(1) << 9)

static uint64_t bits(unsigned hi, unsigned lo)
{
	if (hi < lo)
		return 0;
	return (~UINT64_C(0) >> (63 - hi)) & (~UINT64_C(0) << lo);
}

static bool type_reserved(uint64_t leaf)
{
	unsigned type = leaf >> 3 & 7;

	return type == 2 || type == 3 || type == 7;
}

static bool is_leaf(unsigned level, uint64_t entry)
{
	return level == 1 || (level < 4 && (entry & EPT_PS));
}

static bool misconfigured(const struct nest *n, unsigned level, uint64_t e)
{
	unsigned shift = 12 + 9 * (level - 1);

	if (!(e & EPT_R)) /* writable, or execute-only, but not readable */
		return true;
	if (e & bits(51, n->maxphyaddr))
		return true;
	if (level == 4)
		return e & bits(7, 3);
	if (!is_leaf(level, e))
		return e & bits(6, 3);
	if (level == 3 && !n->has_1g)
		return true;
	return type_reserved(e) || (level > 1 && (e & bits(shift - 1, 12)));
}

/* 28.3.5: with the flags enabled, all walks set accessed, writes dirty. */
static bool set_flags(const struct nest *n, hpa_t slot, uint64_t entry,
		      bool dirty)
{
	uint64_t now = entry | EPT_A | (dirty ? EPT_D : 0);

	if (n->kind != NEST_EPT_AD || now == entry)
		return true;
	return n->machine->swap(n->machine->ctx, slot, 8, entry, now);
}

static void end(const struct nest *n, gpa_t gpa, unsigned access, hpa_t slot,
		struct nest_result *out)
{
	unsigned shift = 12 + 9 * (out->level - 1);
	uint64_t offset = gpa.v & bits(shift - 1, 0);

	out->page_shift = shift;
	out->hpa = mk_hpa((out->entry & bits(51, shift)) | offset);
	out->outcome = NEST_VIOLATION;
	if ((out->perms & access) != access)
		return;
	out->outcome = NEST_OK;
	if (!set_flags(n, slot, out->entry, access & VMMU_W))
		out->outcome = NEST_LOST;
}

static unsigned granted(uint64_t entry)
{
	return (entry & EPT_R ? VMMU_R : 0) | (entry & EPT_W ? VMMU_W : 0) |
	       (entry & EPT_X ? VMMU_X : 0);
}

void nest_walk_ept(const struct nest *n, gpa_t gpa, unsigned access,
		   struct nest_result *out)
{
	uint64_t table = n->root.v, entry;

	out->outcome = NEST_VIOLATION;
	if (gpa.v >> 48)
		return;
	for (out->level = 4;; out->level--) {
		unsigned index = gpa.v >> (3 + 9 * out->level) & 0x1ff;
		hpa_t slot = mk_hpa(table | index << 3);

		if (!nest_load(n, slot, &entry, out))
			return;
		if (!(entry & (EPT_R | EPT_W | EPT_X)))
			return;
		if (misconfigured(n, out->level, entry)) {
			out->outcome = NEST_MISCONFIG;
			return;
		}
		out->perms &= granted(entry);
		if (is_leaf(out->level, entry)) {
			end(n, gpa, access, slot, out);
			return;
		}
		table = entry & bits(51, 12);
	}
}

/*
 * NPT: APM 2 15.25.5 to 15.25.7. The table that nCR3 points at is a 4-level
 * long-mode table of the host, walked with the host's EFER.NXE set:
 *
 *   15.25.5: a nested access is a user access always, so U/S must be set in
 *            every entry; a write needs R/W in every entry, whatever CR0.WP.
 *   15.25.6: a reserved bit set is a nested fault with RSV.
 *   5.4.2:   the processor sets A in each entry used and D in a leaf written.
 */
#include "nest.h"

#define NPT_P  (UINT64_C(1) << 0)
#define NPT_RW (UINT64_C(1) << 1)
#define NPT_US (UINT64_C(1) << 2)
#define NPT_A  (UINT64_C(1) << 5)
#define NPT_D  (UINT64_C(1) << 6)
#define NPT_PS (UINT64_C(1) << 7)
#define NPT_NX (UINT64_C(1) << 63)

static uint64_t span_mask(unsigned shift)
{
	return (UINT64_C(1) << shift) - 1;
}

/* Figures 5-21 to 5-27: what must be zero. */
static bool reserved(const struct nest *n, unsigned level, uint64_t entry)
{
	uint64_t above = ~span_mask(n->maxphyaddr) & span_mask(52);
	unsigned shift = 3 + 9 * level;

	if (entry & above)
		return true;
	if (level == 1 || !(entry & NPT_PS))
		return false;
	if (level == 4 || (level == 3 && !n->has_1g))
		return true;
	return entry & span_mask(shift) & ~span_mask(13);
}

static bool set_flags(const struct nest *n, hpa_t slot, uint64_t entry,
		      bool dirty)
{
	uint64_t now = entry | NPT_A | (dirty ? NPT_D : 0);

	if (now == entry)
		return true;
	return n->machine->swap(n->machine->ctx, slot, 8, entry, now);
}

/* One level; the hardware's own recursion toward the leaf. The flags are set
 * on the way back, when the access is known to be allowed. */
static void level_walk(const struct nest *n, uint64_t table, unsigned level,
		       gpa_t gpa, unsigned access, struct nest_result *out)
{
	unsigned shift = 3 + 9 * level;
	hpa_t slot = mk_hpa(table + (gpa.v >> shift & 0x1ff) * 8);
	uint64_t entry;

	out->level = level;
	if (!nest_load(n, slot, &entry, out) || !(entry & NPT_P))
		return;
	if (reserved(n, level, entry)) {
		out->outcome = NEST_MISCONFIG;
		return;
	}
	if (!(entry & NPT_US))
		out->perms = 0;
	if (!(entry & NPT_RW))
		out->perms &= ~VMMU_W;
	if (entry & NPT_NX)
		out->perms &= ~VMMU_X;
	if (level > 1 && !(entry & NPT_PS)) {
		uint64_t next = entry & span_mask(52) & ~span_mask(12);

		level_walk(n, next, level - 1, gpa, access, out);
		if (out->outcome == NEST_OK &&
		    !set_flags(n, slot, entry, false))
			out->outcome = NEST_LOST;
		return;
	}
	out->page_shift = shift;
	out->hpa = mk_hpa((entry & span_mask(52) & ~span_mask(shift)) |
			  (gpa.v & span_mask(shift)));
	if ((out->perms & access) != access)
		return;
	out->outcome = NEST_OK;
	if (!set_flags(n, slot, entry, access & VMMU_W))
		out->outcome = NEST_LOST;
}

void nest_walk_npt(const struct nest *n, gpa_t gpa, unsigned access,
		   struct nest_result *out)
{
	out->outcome = NEST_VIOLATION;
	if (!(gpa.v >> 48))
		level_walk(n, n->root.v, 4, gpa, access, out);
}

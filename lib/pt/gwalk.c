/*
 * The guest walk's straight way down, for what nearly every walk meets.
 *
 * Nearly every entry of a running guest is plain: present, no reserved bit
 * set, A (and for a write D) set already. With the bits of mode->flip inverted
 * all these questions are one:
 *
 *   f = entry ^ flip            flip: P, A, D, W, U
 *   f & plain == 0 ?            plain: P, A, reserved, PS (or D, keys)
 *   withheld |= f               no W, no U and NX then are set bits
 *
 * so a level is a hit in the cache of frames, a load and one test. At the
 * first entry that is not plain, or whose table is not cached, the rest is
 * gwalk_careful()'s, from that table on. It also takes every other mode, and
 * whatever ends in a fault: this way only knows how to succeed.
 *
 * Long mode only: 9 address bits a level, 8 bytes an entry. test_gwalk checks
 * that both ways answer alike.
 */
#include <vmmu/access.h>
#include <vmmu/gwalk.h>

#include "mem/gmem_line.h"
#include "pt/gpte.h"
#include "pt/gwalk_careful.h"

/* Of `withheld`: where long mode's entries have W, U and NX. */
#define NO_W   UINT64_C(0x2)
#define NO_U   UINT64_C(0x4)
#define NX_BIT 63

#define ADDR  UINT64_C(0x000ffffffffff000)
#define DIRTY 0x40u

struct way {
	struct vmmu_gmem *mem;
	const struct vmmu_mode *mode;
	uint64_t gva;
	uint64_t table;
	uint64_t withheld;
	struct vmmu_gwalk *out;
};

static inline uint8_t perms_of(uint64_t withheld)
{
	uint64_t no = (withheld & NO_W) | (withheld & NO_U) << 1 |
		      withheld >> NX_BIT << 2;

	return (uint8_t)(no ^ VMMU_RWXU);
}

_Static_assert(NO_W == VMMU_W && NO_U << 1 == VMMU_U && 1u << 2 == VMMU_X,
	       "perms_of moves bits to where the permission word has them");

/* The entry for gva in the table, if the table is cached. */
static inline bool entry_at(struct way *w, unsigned level, uint64_t *flipped)
{
	unsigned shift = 12 + 9 * (level - 1);
	const uint8_t *page;

	if (!gmem_hit(w->mem, w->table, &page))
		return false;
	w->out->tables[level] = mk_gpa(w->table);
	*flipped = gpte_read_8(page + (w->gva >> (shift - 3) & 0xff8)) ^
		   w->mode->flip;
	return true;
}

static inline bool down(struct way *w, unsigned level)
{
	uint64_t f;

	if (!entry_at(w, level, &f) || (f & w->mode->plain_table))
		return false;
	w->withheld |= f;
	w->table = f & ADDR;
	return true;
}

static inline bool land(struct way *w, unsigned access)
{
	struct vmmu_gwalk *out = w->out;
	uint64_t f, entry;
	uint8_t perms;

	if (!entry_at(w, 1, &f) ||
	    (f & w->mode->plain_leaf[access / VMMU_W & 1]))
		return false;
	perms = perms_of(w->withheld | f);
	if (mode_forbids(w->mode, access, perms))
		return false;
	entry = f ^ w->mode->flip;
	out->gpa = mk_gpa((entry & ADDR) | (w->gva & VMMU_PAGE_MASK));
	out->table = mk_gpa(w->table | (w->gva >> 9 & 0xff8));
	out->entry = entry;
	out->level = 1;
	out->perms = perms;
	out->page_shift = VMMU_PAGE_SHIFT;
	out->dirty = entry & DIRTY;
	out->global = entry & w->mode->global;
	out->pkey = 0;
	return true;
}

/* The level whose entry was not plain; 0: all were. */
static inline unsigned straight(struct way *w, unsigned access)
{
	if (w->mode->levels == 5 && !down(w, 5))
		return 5;
	if (!down(w, 4))
		return 4;
	if (!down(w, 3))
		return 3;
	if (!down(w, 2))
		return 2;
	return land(w, access) ? 0 : 1;
}

enum vmmu_gwalk_status vmmu_gwalk(struct vmmu_gmem *mem,
				  const struct vmmu_mode *mode, gva_t gva,
				  unsigned access, unsigned flags,
				  struct vmmu_gwalk *walk)
{
	struct way w = { mem, mode, gva.v, mode->root, 0, walk };
	unsigned level;

	if (!vmmu_mode_canonical(mode, gva))
		return VMMU_GWALK_NON_CANONICAL;
	if (!mode->straight || !gmem_is_current(mem))
		return gwalk_careful(mem, mode, gva, access, flags, walk);
	level = straight(&w, access);
	if (level == 0)
		return VMMU_GWALK_OK;
	walk->level = (uint8_t)level;
	walk->table = mk_gpa(w.table);
	walk->perms = perms_of(w.withheld);
	return gwalk_careful_from(mem, mode, gva, access, flags, walk);
}

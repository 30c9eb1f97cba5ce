/*
 * The guest walk's straight way down, for what nearly every walk meets.
 *
 * Nearly every entry of a running guest is plain: present, no reserved bit
 * set, A (and for a write D) set already. With the bits of mode->flip inverted
 * all these questions are one:
 *
 *   f = entry ^ flip            flip: P, A, D, W, U
 *   f & plain == 0 ?            plain: P, A, reserved, PS (or D, keys)
 *   withheld |= f               W and U not granted, NX: now set bits
 *
 * and, as plain bits are never set in withheld, the question can be asked once
 * for all entries to tables, when they have been passed. To follow one that is
 * not plain does no harm: only frames in the cache are read, and the answer is
 * not used. What the access is granted is one look into mode->granted.
 *
 * This way only knows how to succeed. At the first doubt it gives up, having
 * changed nothing, and gwalk_careful() walks from the root. That also takes
 * every other mode. test_gwalk checks that both ways answer alike.
 *
 * Long mode only: 9 address bits a level, 8 bytes an entry.
 */
#include <vmmu/access.h>
#include <vmmu/gwalk.h>

#include "mem/gmem_line.h"
#include "pt/gpte.h"
#include "pt/gwalk_careful.h"

#define DIRTY 0x40u

struct way {
	struct vmmu_gmem *mem;
	const struct vmmu_mode *mode;
	uint64_t gva;
	struct vmmu_gwalk *out;
	uint64_t table;	   /* where the walk has come to */
	uint64_t entry;	   /* read there, with flip */
	uint64_t withheld; /* by the entries before */
};

/* Where the gva's entry of this level is in its table. */
static inline uint64_t offset(const struct way *w, unsigned level)
{
	unsigned shift = 12 + 9 * (level - 1);

	return w->gva >> (shift - 3) & 0xff8;
}

/* Goes to this level's table and reads the entry, if the table is cached; else
 * stays. */
static inline bool go(struct way *w, unsigned level, uint64_t table)
{
	const uint8_t *page;
	bool hit = level == 1 ? gmem_hit(w->mem, table, &page)
			      : gmem_hit_again(w->mem, level - 2, table, &page);

	if (!hit)
		return false;
	w->withheld |= w->entry;
	w->table = table;
	w->out->tables[level] = mk_gpa(table);
	w->entry = gpte_read_8(page + offset(w, level)) ^ w->mode->flip;
	return true;
}

static inline bool down(struct way *w, unsigned level)
{
	return go(w, level, w->entry & w->mode->level[2].table_addr);
}

/* The entry maps a page: all of the answer, if everything was plain and it
 * grants the access. */
static inline bool land(struct way *w, unsigned level, unsigned access)
{
	const struct vmmu_mode_level *l = &w->mode->level[level];
	uint64_t in_page = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;
	uint64_t withheld = w->withheld | w->entry, entry;
	struct vmmu_gwalk *out = w->out;
	/* NX to bit 0, W to bit 2, U to bit 3 */
	unsigned bits = (withheld << 1 | withheld >> 63) & 13;
	uint8_t perms = w->mode->granted[(access & 0x3e) * 8 | bits];

	if ((w->withheld & w->mode->plain_table) ||
	    (w->entry & l->plain_leaf[access & VMMU_W]) || !perms)
		return false;
	entry = w->entry ^ w->mode->flip;
	out->gpa = mk_gpa((entry & l->leaf_addr) | (w->gva & in_page));
	out->table = mk_gpa(w->table | offset(w, level));
	out->entry = entry;
	out->level = (uint8_t)level;
	out->page_shift = (uint8_t)(12 + 9 * (level - 1));
	out->pkey = 0;
	out->perms = perms;
	out->dirty = entry & DIRTY;
	out->global = entry & w->mode->global;
	return true;
}

/* There was no going down from this entry: perhaps it maps a large page.
 * Called with what vmmu_gwalk was, so that the call is a jump and 4 KiB pages
 * pay nothing for it; the rest comes in *walk. */
static __attribute__((noinline)) enum vmmu_gwalk_status large(
	struct vmmu_gmem *mem, const struct vmmu_mode *mode, gva_t gva,
	unsigned access, unsigned flags, struct vmmu_gwalk *walk)
{
	unsigned level = walk->level;
	const struct vmmu_mode_level *l = &mode->level[level];
	struct way w = { .mode = mode,
			 .gva = gva.v,
			 .out = walk,
			 .table = walk->table.v,
			 .entry = walk->entry,
			 .withheld = walk->gpa.v };

	if ((w.entry & l->leaf_mask) == l->leaf_value &&
	    land(&w, level, access))
		return VMMU_GWALK_OK;
	return gwalk_careful(mem, mode, gva, access, flags, walk);
}

static inline void leave_to_large(const struct way *w, unsigned level)
{
	w->out->level = (uint8_t)level;
	w->out->table = mk_gpa(w->table);
	w->out->entry = w->entry;
	w->out->gpa = mk_gpa(w->withheld);
}

/* Down to level 4, whose table is the root but in 5-level paging. */
static inline bool begin(struct way *w)
{
	uint64_t root = w->mode->root;

	if (__builtin_expect(w->mode->straight == 4, 1))
		return go(w, 4, root);
	return w->mode->straight == 5 && go(w, 5, root) && down(w, 4);
}

enum vmmu_gwalk_status vmmu_gwalk(struct vmmu_gmem *mem,
				  const struct vmmu_mode *mode, gva_t gva,
				  unsigned access, unsigned flags,
				  struct vmmu_gwalk *walk)
{
	struct way w = { .mem = mem, .mode = mode, .gva = gva.v, .out = walk };

	if (!vmmu_mode_canonical(mode, gva))
		return VMMU_GWALK_NON_CANONICAL;
	if (!gmem_is_current(mem) || !begin(&w) || !down(&w, 3))
		goto careful;
	if (!down(&w, 2)) {
		leave_to_large(&w, 3);
		return large(mem, mode, gva, access, flags, walk);
	}
	if (!down(&w, 1)) {
		leave_to_large(&w, 2);
		return large(mem, mode, gva, access, flags, walk);
	}
	if (land(&w, 1, access))
		return VMMU_GWALK_OK;
careful:
	return gwalk_careful(mem, mode, gva, access, flags, walk);
}

/*
 * One vCPU's table as a TLB: what `vtlb` does to it, without why.
 *
 *   leaf:  guest's and slot's rights | G | key | LOGGED | PIECE
 *
 * LOGGED  soft; the leaf is not global, and its place is in the log of what
 *         the next load of CR3 drops. Stays in an entry that was emptied, so
 *         that its place is logged once.
 * PIECE   soft; this entry, or the table it refers to, holds parts of a guest
 *         page that is as large as this entry's span or larger. INVLPG takes
 *         all of them together.
 *
 * The root stays where it is for as long as the vCPU uses the scheme. In PAE
 * format the four entries of the root never change either, because the
 * processor reads them only when CR3 is loaded (SDM 3A 4.4.1).
 */
#ifndef LIB_SCHEME_VTLB_TABLE_H
#define LIB_SCHEME_VTLB_TABLE_H

#include "scheme/combine.h"

#define VTLB_LOG     360u
#define VTLB_TOUCHED 512u /* granules of 2 MiB, modulo 1 GiB */

#define VTLB_PIECE  (UINT64_C(1) << 9)
#define VTLB_LOGGED (UINT64_C(1) << 11)

/* A vCPU's state: one table page. */
struct vtlb {
	struct pt_table table;
	hpa_t page;			  /* this very page */
	uint64_t cr0, cr4, efer;	  /* that the leaves were made for */
	struct vmmu_features features;	  /* the same */
	uint64_t blank[4][VMMU_RWXU + 1]; /* [level][perms], for address 0 */
	uint32_t trimmed;		  /* pages in use after the last trim */
	uint32_t log_count;
	bool log_full; /* not all LOGGED leaves are in it */
	bool buddies;  /* guest pages of 4 MiB: two entries */
	uint64_t touched[VTLB_TOUCHED / 64];
	uint64_t log[VTLB_LOG]; /* entry's address | level */
};

_Static_assert(sizeof(struct vtlb) <= VMMU_PAGE_SIZE,
	       "a vCPU's state is one table page");

static inline struct vtlb *vtlb_of(const struct vmmu_cpu *cpu)
{
	return cpu->state;
}

/* Takes a root page; the state is zeroed. False: no memory. */
bool vtlb_table_begin(struct vmmu_cpu *cpu, struct vtlb *v);
void vtlb_table_end(struct vtlb *v);
/* An empty table in another format. */
void vtlb_table_format(struct vmmu_cpu *cpu, struct vtlb *v,
		       const struct pt_format *format);

/* What was put in the table. */
enum vtlb_put {
	VTLB_NEW,     /* something that was not there */
	VTLB_THERE,   /* nothing: it was there already */
	VTLB_NO_ROOM, /* no table page, though all was given back */
};
/* Where it was put, until the next event. */
struct vtlb_place {
	void *slot;
	unsigned level;
};
enum vtlb_put vtlb_table_put(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva,
			     const struct combined *c, struct vtlb_place *at);

/* What a leaf has beside address and rights: G or LOGGED, and the key, read or
 * not by the processor. Alike at every level. */
static inline uint64_t vtlb_extra(const struct vtlb *v,
				  const struct vmmu_gwalk *walk)
{
	uint64_t global = v->table.format->level[1].global;

	return (uint64_t)walk->pkey << 59 |
	       (walk->global ? global : VTLB_LOGGED);
}
/* Writes it to its place; it maps this gpa. */
void vtlb_store(struct vtlb *v, const struct vtlb_place *at, uint64_t leaf,
		uint64_t gpa);

/* vtlb_around.c: neighbours of the leaf that was just put there, in the same
 * tables, where the guest's walk would set nothing. */
void vtlb_around(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva,
		 const struct combined *c, const struct vtlb_place *at);

/* The gva's leaf, if any, and all parts of the guest page that it is in. True:
 * there was one. Hardware is told. */
bool vtlb_table_drop(struct vmmu_cpu *cpu, struct vtlb *v, gva_t gva);
/* These leave hardware to the caller. */
void vtlb_table_drop_non_global(struct vtlb *v);
void vtlb_table_drop_all(struct vtlb *v);
/* Drops all, and gives all pages back but those that must stay. */
void vtlb_table_give_back(struct vtlb *v);
/* Gives empty tables back, if pages are short. The log must be empty. */
void vtlb_table_trim(struct vtlb *v);

/* Might a leaf map one of these frames? */
bool vtlb_table_may_map(const struct vtlb *v, gfn_t gfn, uint64_t count);

#endif

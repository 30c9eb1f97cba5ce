/*
 * What the files of `shadow` share: shadow pages and the VM's cache of them.
 *
 *   guest's table --key--> shadow page: table  512 entries for hardware
 *                                       links  512 places in chains
 *                                       snap   512 entries as the guest had
 *                                              them (leaf tables)
 *
 * Every present entry is in one chain. An entry to a table is in the list of
 * its child's parents; a leaf is in the reverse map, in the bucket of the
 * frame it maps.
 *
 * A frame here is a host virtual page, not a gfn: two slots may show one page,
 * and a write through either is a write to the table.
 */
#ifndef LIB_SCHEME_SHADOW_PAGE_H
#define LIB_SCHEME_SHADOW_PAGE_H

#include "pt/tree.h"
#include "scheme/combine.h"

#define SHADOW_ENTRIES	512u
#define SHADOW_HASH	2048u /* a pool page of ids */
#define SHADOW_REGIONS	512u
#define SHADOW_IN_PAGE	32u /* pages described in one pool page */
#define SHADOW_DESCS	64u
#define SHADOW_BUCKETS	16u /* pages of them */
#define SHADOW_UNSYNC	64u
#define SHADOW_ROOTS	64u
#define SHADOW_QUICK	16u
#define SHADOW_HINTS	256u
#define SHADOW_NO_FRAME UINT64_MAX
/* Entries that refer to one page: every root that is kept may have one. */
#define SHADOW_PARENTS 128u

/* A worst fill, with the state and one instruction's other addresses. */
#define SHADOW_LIMIT_MIN 41u

/* What decides a shadow page's contents. */
struct shadow_key {
	uint64_t gfn;	/* of the guest's table; direct: of what is mapped */
	uint64_t frame; /* that the table lies in; NO_FRAME: in none */
	uint8_t level;	/* ours */
	uint8_t format; /* the guest format's levels; 0: direct, no table */
	uint8_t part;	/* 32-bit: which part of the guest's table; direct:
			 * the leaf's key and D bit */
	uint8_t access; /* VMMU_RWXU granted by all levels above */
	uint32_t mode;	/* of the registers: shadow_mode */
};

struct shadow_link {
	uint32_t next;	/* node: page's id << 9 | index; 0: the last */
	uint32_t other; /* leaf: the node before, or BUCKET | number;
			 * table: the child's id */
};

#define SHADOW_BUCKET UINT32_C(0x80000000)

/* An entry that is none, and that hardware reports as a reserved bit: P and
 * every address bit, so no frame's. */
#define SHADOW_TRAP UINT64_C(0x000ffffffffff001)

struct shadow_page {
	struct shadow_key key;
	uint64_t *table;
	struct shadow_link *links;
	uint64_t *snap; /* above level 1: a large leaf's gpa; may be NULL */
	hpa_t table_page, links_page, snap_page;
	uint16_t hash_next;
	uint16_t parent_count;
	uint32_t older, newer; /* by use */
	uint32_t parents;      /* nodes that refer to it, newest first */
	uint16_t present;      /* entries */
	uint16_t vcpus;	       /* whose root it is */
	uint8_t writes;	       /* since it was last walked through */
	bool cached;	       /* in the list of roots */
	bool unsync;	       /* the guest may be writing there */
	bool used;
	union {
		uint64_t pdpte[4]; /* PAE root: what it was made from */
		struct {	   /* any other */
			/* A bit for each eight entries: all others are 0. */
			uint64_t rows;
			/* Level 1: the guest's table, while the slots have this
			 * generation. */
			const uint8_t *guest;
			uint64_t generation;
			uint16_t id;
			uint8_t idle;  /* syncs that found nothing changed */
			uint8_t ahead; /* neighbours that pay, log 2 */
			/* Level 1: shadow_absent.c. 0: no entry is 0. */
			uint8_t known;
			uint16_t written; /* the entry, last; 512: none */
		};
	};
};

_Static_assert(sizeof(struct shadow_page) * SHADOW_IN_PAGE == VMMU_PAGE_SIZE,
	       "pages' descriptions fill a pool page");

/* The way to a page of level 1, remembered: shadow_quick.c. */
struct shadow_quick {
	uint64_t tag; /* 2 MiB of addresses, and the root; 0: none */
	struct shadow_page *page;
};

/* The VM's state: one table page. Id 0 is none. */
struct shadow_vm {
	struct vmmu_vm *vm;
	uint16_t free_ids; /* chained by hash_next */
	uint16_t blank[2]; /* the same, that have pages: [1] a snapshot too */
	uint32_t blank_count[2];
	uint32_t desc_count, bucket_count;
	uint32_t table_max; /* that hardware may walk: the VM's limit */
	uint32_t newest, oldest, count;
	uint32_t tables; /* of them not direct */
	uint32_t unsync_count, clock, random;
	uint64_t absent; /* what entries that are none are: 0, or TRAP */
	bool stale;	 /* hardware must be flushed before the guest runs */
	bool remode;	 /* what entries mean is about to be something else */
	bool open_upper; /* an upper table may be out of sync */
	bool orphans;	 /* a root has gone that led to others */
	uint8_t asking;	 /* questions to the host, with pages in hand */
	uint64_t large[PT_LEVELS_MAX + 1]; /* leaves, by level */
	uint16_t *hash;
	hpa_t hash_page;
	uint16_t region[SHADOW_REGIONS]; /* tables by 2 MiB of frames */
	struct shadow_page *desc[SHADOW_DESCS];
	uint32_t *bucket[SHADOW_BUCKETS];
	hpa_t bucket_page[SHADOW_BUCKETS];
	uint16_t root[SHADOW_ROOTS];
	uint32_t root_gfn[SHADOW_ROOTS]; /* its low bits */
	uint32_t root_clock[SHADOW_ROOTS];
	uint16_t unsync[SHADOW_UNSYNC];
	uint8_t hint[SHADOW_HINTS];    /* places in root, by gfn */
	uint16_t owner[SHADOW_UNSYNC]; /* the one root it is under; 0: any */
	struct shadow_quick quick[SHADOW_QUICK];
	struct {
		uint64_t region, top_entry;
		struct shadow_page *page;
		const uint64_t *table; /* the page's */
		uint16_t top;	       /* where the root has top_entry */
		uint8_t shift;	       /* of the page's entries */
	} code; /* the same of the last gva that was translated */
};

_Static_assert(SHADOW_DESCS *SHADOW_IN_PAGE <= UINT16_MAX,
	       "a page's id fits where it is kept");
_Static_assert(SHADOW_HASH * sizeof(uint16_t) == VMMU_PAGE_SIZE,
	       "the heads of the chains fill a pool page");
_Static_assert(sizeof(struct shadow_vm) <= VMMU_PAGE_SIZE,
	       "a VM's state is one table page");

static inline struct shadow_vm *shadow_of(struct vmmu_vm *vm)
{
	return vm_use_of(vm, &vmmu_shadow)->state;
}

/* The same of a vCPU that runs under it. */
static inline struct shadow_vm *shadow_here(const struct vmmu_cpu *cpu)
{
	return cpu->use->state;
}

static inline struct shadow_page *shadow_at(const struct shadow_vm *s,
					    uint32_t id)
{
	return &s->desc[id / SHADOW_IN_PAGE][id % SHADOW_IN_PAGE];
}

/* Is this an entry of the client's, in a root? None of these functions looks
 * at it: it is in no chain, no row and no count. */
static inline bool shadow_is_client(const struct shadow_vm *s,
				    const struct shadow_page *p, unsigned index)
{
	const struct vmmu_hw *hw = &s->vm->hw;

	return p->key.level == 4 && p->key.format == 4 &&
	       index - hw->root_first < (unsigned)hw->root_count;
}

static inline uint64_t shadow_load(const struct shadow_page *p, unsigned index)
{
	uint64_t entry = __atomic_load_n(&p->table[index], __ATOMIC_RELAXED);

	return entry == SHADOW_TRAP ? 0 : entry;
}

static inline void shadow_store(struct shadow_page *p, unsigned index,
				uint64_t entry)
{
	__atomic_store_n(&p->table[index], entry, __ATOMIC_RELEASE);
}

/* All formats walked by the processor have these bits alike. */
#define SHADOW_P     UINT64_C(0x001)
#define SHADOW_W     UINT64_C(0x002)
#define SHADOW_A     UINT64_C(0x020)
#define SHADOW_D     UINT64_C(0x040)
#define SHADOW_LARGE UINT64_C(0x080)
/* Ours, in a leaf of level 1: slot and backing let it be written; nobody has
 * asked for it yet, while A is clear too. */
#define SHADOW_MAY_W  UINT64_C(0x200)
#define SHADOW_BESIDE UINT64_C(0x400)
#define SHADOW_ADDR   UINT64_C(0x000ffffffffff000)

static inline bool shadow_is_leaf(const struct shadow_page *p, uint64_t entry)
{
	return p->key.level == 1 || (p->key.level <= 3 && entry & SHADOW_LARGE);
}

static inline bool shadow_is_direct(const struct shadow_page *p)
{
	return !p->key.format;
}

/* The root in PAE's format, whose entries the processor reads with CR3. */
static inline bool shadow_is_pae_root(const struct shadow_page *p)
{
	return p->key.level == 3 && (p->key.mode & 7) < 4;
}

/* Of the guest's table. */
static inline unsigned shadow_entry_size(const struct shadow_page *p)
{
	return p->key.format == 2 ? 4 : 8;
}

/* Hardware may reach it, or a load of CR3. */
static inline bool shadow_is_linked(const struct shadow_page *p)
{
	return p->parents || p->vcpus || p->cached;
}

/* Groups of eight entries that are not all 0, a bit each. */
static inline uint64_t shadow_rows(const struct shadow_page *p)
{
	return shadow_is_pae_root(p) ? 1 : p->rows;
}

static inline unsigned shadow_index(const struct shadow_page *p, uint64_t addr)
{
	unsigned mask = shadow_is_pae_root(p) ? 3 : SHADOW_ENTRIES - 1;

	return (unsigned)(addr >> (12 + 9 * (p->key.level - 1))) & mask;
}

/* shadow_root.c */
uint32_t shadow_mode(const struct vmmu_mode *m);

/* shadow_page.c: the cache. */
bool shadow_begin(struct shadow_vm *s, struct vmmu_vm *vm);
void shadow_end(struct shadow_vm *s);
uint16_t shadow_id(const struct shadow_vm *s, const struct shadow_page *p);
/* The frame that holds a gfn's memory; NO_FRAME: no slot has it. */
uint64_t shadow_frame(const struct vmmu_vm *vm, uint64_t gfn);
/* From the cache; NULL: it is not there. */
struct shadow_page *shadow_page_find(const struct shadow_vm *s,
				     const struct shadow_key *key,
				     const uint64_t *pdpte);
/* From the cache, or made. NULL: no pages. `pdpte` of a PAE root. */
struct shadow_page *shadow_page_get(struct vmmu_cpu *cpu, struct shadow_vm *s,
				    const struct shadow_key *key,
				    const uint64_t *pdpte);
/* Unlinks it everywhere and gives its pages back. */
void shadow_page_free(struct shadow_vm *s, struct shadow_page *p);
void shadow_page_empty(struct shadow_vm *s, struct shadow_page *p);
/* The table is known to lie in another frame. */
void shadow_page_move(struct shadow_vm *s, struct shadow_page *p,
		      uint64_t frame);
/* The frame that the table lies in has gone. Empty, linked nowhere and found
 * no more, the page stays until it is recycled: somebody has it in hand. */
void shadow_page_park(struct shadow_vm *s, struct shadow_page *p);
/* First, or next, page that shadows a table in this frame; id 0: none. */
uint32_t shadow_first_of(const struct shadow_vm *s, uint32_t id,
			 uint64_t frame);
static inline unsigned shadow_hash(uint64_t value)
{
	return (unsigned)(value * UINT64_C(0x9e3779b97f4a7c15) >> 53) %
	       SHADOW_HASH;
}

static inline uint32_t shadow_first(const struct shadow_vm *s, uint64_t frame)
{
	uint32_t id = s->hash[shadow_hash(frame)];

	if (!id || shadow_at(s, id)->key.frame == frame)
		return id;
	return shadow_first_of(s, id, frame);
}

static inline uint32_t shadow_next(const struct shadow_vm *s, uint32_t id)
{
	const struct shadow_page *p = shadow_at(s, id);

	return p->hash_next ? shadow_first_of(s, p->hash_next, p->key.frame)
			    : 0;
}
/* One of them is in sync, so no guest may write there unseen. */
bool shadow_protects(const struct shadow_vm *s, uint64_t frame);
/* No leaf of this level may begin at this frame: a table is in it. */
bool shadow_holds_tables(const struct shadow_vm *s, uint64_t frame,
			 unsigned level);
/* Hardware forgets what was taken away. At the end of each event, and before
 * a freed page is used again. */
void shadow_flush_stale(struct shadow_vm *s);
static inline void shadow_settle(struct shadow_vm *s)
{
	if (s->stale)
		shadow_flush_stale(s);
}
/* For recycling alone: into the chains, and newest; used just now; its memory
 * and its description go back; no more tables may be had. */
void shadow_page_add(struct shadow_vm *s, struct shadow_page *p);
void shadow_page_touch(struct shadow_vm *s, struct shadow_page *p);
void shadow_page_give(struct shadow_vm *s, struct shadow_page *p);
bool shadow_is_full(const struct shadow_vm *s);

/* shadow_recycle.c: the cache gives pages back. */
/* Those that were not used for long, until `pages` can be had. */
void shadow_recycle(struct shadow_vm *s, uint32_t pages);
/* All at once, whatever is in them; the pool has theirs. The roots that vCPUs
 * run on stay, empty. */
void shadow_zap_all(struct shadow_vm *s);

/* shadow_rmap.c: chains. */
void shadow_put_leaf(struct shadow_vm *s, struct shadow_page *p, unsigned index,
		     uint64_t entry, uint64_t frame);
void shadow_put_table(struct shadow_vm *s, struct shadow_page *p,
		      unsigned index, struct shadow_page *child);
/* Takes an entry away; what it referred to stays in the cache. */
void shadow_drop(struct shadow_vm *s, struct shadow_page *p, unsigned index);
uint64_t shadow_leaf_gpa(const struct shadow_page *p, unsigned index);
static inline struct shadow_page *shadow_child(const struct shadow_vm *s,
					       const struct shadow_page *p,
					       unsigned index)
{
	return shadow_at(s, p->links[index].other);
}
/* All leaves of a frame: none writable; those that were, again, for no table
 * is there any more; nor may one become so without a question to slot and
 * host; none at all. */
void shadow_protect(struct shadow_vm *s, uint64_t frame);
void shadow_unprotect(struct shadow_vm *s, uint64_t frame);
void shadow_read_only(struct shadow_vm *s, uint64_t frame);
void shadow_drop_frame(struct shadow_vm *s, uint64_t frame);
/* Is this leaf behind the one that it says? */
bool shadow_rmap_has(const struct shadow_vm *s, const struct shadow_page *p,
		     unsigned index);
/* Leaves in all chains, or most + 1: there are more, or one is in a chain that
 * is not its frame's. */
uint64_t shadow_rmap_count(const struct shadow_vm *s, uint64_t most);

/* shadow_quick.c: faults that need no walk. */
/* True: answered. False: it takes the long way. */
bool shadow_quick(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  const struct vmmu_fault *f, struct vmmu_answer *a);
/* The page of level 1 for this address that can be found without a walk, with
 * `guest` known; NULL: none. */
struct shadow_page *shadow_quick_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
				      uint64_t gva);
/* A page is no longer below what it was; NULL: any. */
void shadow_quick_forget(struct shadow_vm *s, const struct shadow_page *p);
bool shadow_translate(const struct vmmu_cpu *cpu, gva_t gva, hpa_t *hpa);
/* shadow_around.c: a leaf at `index` of a level 1 page, which nobody has asked
 * for yet, if it is to be had for little. */
void shadow_beside(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index);
/* Makes leaves beside the one at `index`. */
void shadow_around(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p, unsigned index,
		   const struct vmmu_slot *slot);

/* shadow_unsync.c: the guest is about to write to its tables. */
/* What must be done? */
enum shadow_write {
	SHADOW_WRITE_EMULATE,
	SHADOW_WRITE_LET,
	SHADOW_WRITE_ENDED, /* let it; pages, the fault's own perhaps, ended */
};
enum shadow_write shadow_write(struct vmmu_cpu *cpu, struct shadow_vm *s,
			       uint64_t frame);
bool shadow_unshadow(struct vmmu_cpu *cpu, gpa_t gpa);
/* A leaf table that no page shadows yet: most often the guest has just made
 * it, and goes on to write there. Its page may begin out of sync. */
bool shadow_is_fresh(const struct shadow_vm *s, const struct shadow_key *key);
void shadow_begin_unsync(struct shadow_vm *s, struct shadow_page *p);

/* shadow_sync.c: what it has written. */
/* Our leaf at `index` of a level 1 page was made from the snapshot's entry; the
 * guest has `now`. */
void shadow_renew(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  struct shadow_page *p, unsigned index, uint64_t now);
/* The guest's entry that ours at `index` of a level 1 page shadows. False: the
 * host does not have it. */
bool shadow_entry_now(struct vmmu_cpu *cpu, struct shadow_vm *s,
		      const struct shadow_page *p, unsigned index,
		      uint64_t *now);
void shadow_sync_entry(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       struct shadow_page *p, unsigned index);
/* Is the mode that this page is for the vCPU's? Its root's is. */
static inline bool shadow_is_of_mode(const struct vmmu_cpu *cpu,
				     const struct shadow_vm *s,
				     const struct shadow_page *p)
{
	const struct shadow_page *root = cpu->state;

	if (s->remode)
		return false;
	if (cpu->scheme != &vmmu_shadow || !root)
		return p->key.mode == shadow_mode(&cpu->mode);
	return p->key.mode == root->key.mode;
}

void shadow_sync_all(struct vmmu_cpu *cpu, struct shadow_vm *s, bool keep);
/* What a load of CR3 flushes: what is under the vCPU's root, made right. */
void shadow_sync_root(struct vmmu_cpu *cpu, struct shadow_vm *s);
/* The one root above, where there is no other; 0: not so. */
uint16_t shadow_owner(const struct shadow_vm *s, const struct shadow_page *p);
/* Tables out of sync may be under other roots than they were. */
void shadow_disown(struct shadow_vm *s);
void shadow_sync_frame(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       uint64_t frame);
void shadow_sync_gva(struct vmmu_cpu *cpu, struct shadow_vm *s, gva_t gva);
/* Upper tables that were let out of sync: shadow_unshadow. */
void shadow_sync_upper(struct vmmu_cpu *cpu, struct shadow_vm *s);
void shadow_forget_unsync(struct shadow_vm *s, struct shadow_page *p);

/* shadow_written.c: by software. */
void shadow_wrote(struct vmmu_cpu *cpu, gpa_t gpa, unsigned size);
/* Does this guest entry, at a place of `p`, lead to this child? */
bool shadow_says(const struct vmmu_cpu *cpu, const struct shadow_vm *s,
		 const struct shadow_page *p, const struct shadow_page *child,
		 uint64_t entry);

/* shadow_root.c: the roots. */
bool shadow_root_load(struct vmmu_cpu *cpu, struct shadow_vm *s);
/* The same where only CR3 has changed since the last load, as the guest's
 * flush that it is. */
void shadow_load_root(struct vmmu_cpu *cpu);
void shadow_root_leave(struct vmmu_cpu *cpu, struct shadow_vm *s);
/* The vCPU's other root is its root; it has none. */
void shadow_root_pair(struct vmmu_cpu *cpu);
void shadow_root_part(struct vmmu_cpu *cpu, struct shadow_vm *s);
void shadow_root_forget(struct shadow_vm *s, struct shadow_page *p);

/* shadow_fill.c: one hidden fault. */
enum shadow_fill {
	SHADOW_NEW,
	SHADOW_THERE,
	SHADOW_CHANGED, /* the guest's tables, meanwhile */
	SHADOW_AGAIN,
	SHADOW_NO_ROOM,
	SHADOW_EMULATE,
};
enum shadow_fill shadow_fill(struct vmmu_cpu *cpu, struct shadow_vm *s,
			     const struct vmmu_fault *f,
			     const struct combined *c);
/* Its last step: the leaf, in page `p`. */
enum shadow_fill shadow_fill_leaf(struct vmmu_cpu *cpu, struct shadow_vm *s,
				  const struct vmmu_fault *f,
				  const struct combined *c,
				  struct shadow_page *p);
/* The key for the table below `p`, for a table of the guest's. */
bool shadow_key_table(const struct vmmu_cpu *cpu, const struct shadow_page *p,
		      uint64_t gpa, uint64_t gva, unsigned access,
		      struct shadow_key *key);
uint64_t shadow_leaf(const struct shadow_page *p, uint64_t hpa, unsigned perms,
		     unsigned pkey);
bool shadow_read(struct vmmu_cpu *cpu, struct shadow_vm *s, uint64_t gpa,
		 unsigned size, uint64_t *entry);

/* shadow_audit.c */
uint32_t shadow_audit(struct vmmu_vm *vm, const struct vmmu_audit_sink *sink);

/* shadow_absent.c: true faults that hardware gives to the guest. */
void shadow_absent_begin(struct shadow_vm *s);
void shadow_absent_fill(const struct shadow_vm *s, struct shadow_page *p);
void shadow_absent_clear(const struct shadow_vm *s, struct shadow_page *p);
bool shadow_direct_faults(const struct vmmu_cpu *cpu);
/* The guest's entries that are absent now are known to be; p->guest is. */
void shadow_absent_learn(const struct shadow_vm *s, struct shadow_page *p);
void shadow_absent_forget(const struct shadow_vm *s, struct shadow_page *p);
/* May a write to the frame be emulated, so that its tables stay in sync? */
bool shadow_absent_emulates(const struct shadow_vm *s, uint64_t frame);
/* True: such a write, answered. */
bool shadow_absent_write(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 const struct vmmu_fault *f, struct vmmu_answer *a);
/* The guest's entry at `index` of a known page in sync was written by software
 * and is now this; ours has been compared with it. */
void shadow_absent_wrote(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 struct shadow_page *p, unsigned index, uint64_t now);

#endif

/*
 * The cache of shadow pages; see shadow_page.h.
 *
 * 1. Descriptions lie in pool pages, 31 a page: the first place says where
 *    the page itself is. A page's id is its place, and 0 is none.
 * 2. Pages are found by hash of the frame that the guest's table lies in (of
 *    the gfn, where it is in none), so that all pages for one frame are in
 *    one chain: that chain also answers what a write to the frame meets.
 * 3. To shadow a table its frame is made read-only wherever it is mapped,
 *    before the first entry is read. Each 2 MiB region counts the tables in
 *    it, so that no large leaf maps one.
 * 4. A page that is freed keeps its memory for the next of its kind, until
 *    pages run out: shadow_recycle.c.
 *
 * What is freed may still be in hardware's paging-structure caches: SDM 3A
 * 4.10.3. It is empty, and is not used again before a flush.
 */
#include "scheme/shadow_page.h"

#include <string.h>

#define AHEAD 1 /* the first guess of how many neighbours pay, log 2 */

/* 1. Descriptions. */

uint16_t shadow_id(const struct shadow_vm *s, const struct shadow_page *p)
{
	uintptr_t page = (uintptr_t)p & ~(uintptr_t)VMMU_PAGE_MASK;
	const struct shadow_page *first = (const void *)page;

	(void)s;
	return (uint16_t)(first->hash_next * SHADOW_IN_PAGE + (p - first));
}

static void *get(struct shadow_vm *s, hpa_t *page)
{
	uint64_t *entries;

	return pt_pool_get(&s->vm->pool, page, &entries) ? entries : NULL;
}

static void put(struct shadow_vm *s, hpa_t page)
{
	pt_pool_put(&s->vm->pool, page);
	s->stale = true;
}

static bool more_ids(struct shadow_vm *s)
{
	struct shadow_page *first;
	hpa_t page;

	if (s->desc_count == SHADOW_DESCS)
		return false;
	first = get(s, &page);
	if (!first)
		return false;
	first->table_page = page;
	first->hash_next = (uint16_t)s->desc_count;
	s->desc[s->desc_count++] = first;
	for (unsigned i = 1; i < SHADOW_IN_PAGE; i++) {
		first[i].hash_next = s->free_ids;
		s->free_ids = shadow_id(s, &first[i]);
	}
	return true;
}

/* The VM's limit is one of tables. Links and snapshot are beside each: two
 * pages at most, which bounds them too. */
static void begin_beside(struct shadow_vm *s)
{
	const uint32_t most = SHADOW_DESCS * (SHADOW_IN_PAGE - 1);
	uint32_t limit = s->vm->pool.limit;

	s->table_max = limit < most ? limit : most;
	pt_pool_set_limit(&s->vm->pool, 3 * limit);
}

static void end_beside(struct shadow_vm *s)
{
	if (s->table_max)
		pt_pool_set_limit(&s->vm->pool, s->vm->pool.limit / 3);
}

bool shadow_is_full(const struct shadow_vm *s)
{
	return s->count + s->blank_count[0] + s->blank_count[1] >= s->table_max;
}

bool shadow_begin(struct shadow_vm *s, struct vmmu_vm *vm)
{
	uint32_t want = 1;

	s->vm = vm;
	s->hash = get(s, &s->hash_page);
	if (!s->hash)
		return false;
	shadow_absent_begin(s);
	while (want < SHADOW_BUCKETS && want * 128 < vm->pool.limit)
		want *= 2;
	while (s->bucket_count < want) {
		s->bucket[s->bucket_count] =
			get(s, &s->bucket_page[s->bucket_count]);
		if (!s->bucket[s->bucket_count])
			break;
		s->bucket_count++;
	}
	if (s->bucket_count == want && more_ids(s)) {
		begin_beside(s);
		return true;
	}
	shadow_end(s);
	return false;
}

void shadow_end(struct shadow_vm *s)
{
	shadow_zap_all(s);
	while (s->desc_count)
		put(s, s->desc[--s->desc_count]->table_page);
	while (s->bucket_count)
		put(s, s->bucket_page[--s->bucket_count]);
	put(s, s->hash_page);
	shadow_settle(s);
	end_beside(s);
}

void shadow_flush_stale(struct shadow_vm *s)
{
	s->stale = false;
	vm_flush_all(s->vm);
}

/* 2. Chains by hash, and the order of use. */

uint64_t shadow_frame(const struct vmmu_vm *vm, uint64_t gfn)
{
	const struct vmmu_slot *slot = vmmu_slots_find(&vm->slots, mk_gfn(gfn));

	if (!slot)
		return SHADOW_NO_FRAME;
	return vmmu_slot_hva(slot, gfn_gpa(mk_gfn(gfn))).v >> VMMU_PAGE_SHIFT;
}

static unsigned hash_of(const struct shadow_key *k)
{
	return shadow_hash(k->frame != SHADOW_NO_FRAME ? k->frame : ~k->gfn);
}

static void hash_in(struct shadow_vm *s, struct shadow_page *p)
{
	uint16_t *head = &s->hash[hash_of(&p->key)];

	p->hash_next = *head;
	*head = (uint16_t)shadow_id(s, p);
	if (p->key.frame == SHADOW_NO_FRAME)
		return;
	s->region[p->key.frame / 512 % SHADOW_REGIONS]++;
	s->tables++;
}

static void hash_out(struct shadow_vm *s, struct shadow_page *p)
{
	uint16_t *link = &s->hash[hash_of(&p->key)];
	uint16_t id = shadow_id(s, p);

	while (*link != id)
		link = &shadow_at(s, *link)->hash_next;
	*link = p->hash_next;
	if (p->key.frame == SHADOW_NO_FRAME)
		return;
	s->region[p->key.frame / 512 % SHADOW_REGIONS]--;
	s->tables--;
}

uint32_t shadow_first_of(const struct shadow_vm *s, uint32_t id, uint64_t frame)
{
	while (id && shadow_at(s, id)->key.frame != frame)
		id = shadow_at(s, id)->hash_next;
	return id;
}

bool shadow_protects(const struct shadow_vm *s, uint64_t frame)
{
	uint32_t id = shadow_first(s, frame);

	while (id && shadow_at(s, id)->unsync)
		id = shadow_next(s, id);
	return id != 0;
}

bool shadow_holds_tables(const struct shadow_vm *s, uint64_t frame,
			 unsigned level)
{
	if (level > 2)
		return s->tables;
	return s->region[frame / 512 % SHADOW_REGIONS] ||
	       s->region[(frame + 511) / 512 % SHADOW_REGIONS];
}

static void use_out(struct shadow_vm *s, struct shadow_page *p)
{
	if (p->newer)
		shadow_at(s, p->newer)->older = p->older;
	else
		s->newest = p->older;
	if (p->older)
		shadow_at(s, p->older)->newer = p->newer;
	else
		s->oldest = p->newer;
}

static void use_in(struct shadow_vm *s, struct shadow_page *p)
{
	uint16_t id = shadow_id(s, p);

	p->newer = 0;
	p->older = s->newest;
	if (s->newest)
		shadow_at(s, s->newest)->newer = id;
	else
		s->oldest = id;
	s->newest = id;
}

void shadow_page_touch(struct shadow_vm *s, struct shadow_page *p)
{
	if (!p->newer)
		return;
	use_out(s, p);
	use_in(s, p);
}

void shadow_page_add(struct shadow_vm *s, struct shadow_page *p)
{
	hash_in(s, p);
	use_in(s, p);
	s->count++;
}

/* 3. Get. */

static bool same_key(const struct shadow_page *p, const struct shadow_key *k,
		     const uint64_t *pdpte)
{
	const struct shadow_key *l = &p->key;

	if (l->gfn != k->gfn || l->frame != k->frame || l->mode != k->mode ||
	    l->level != k->level || l->format != k->format ||
	    l->part != k->part || l->access != k->access)
		return false;
	return !pdpte || !memcmp(p->pdpte, pdpte, sizeof(p->pdpte));
}

struct shadow_page *shadow_page_find(const struct shadow_vm *s,
				     const struct shadow_key *key,
				     const uint64_t *pdpte)
{
	for (uint32_t id = s->hash[hash_of(key)]; id;
	     id = shadow_at(s, id)->hash_next)
		if (same_key(shadow_at(s, id), key, pdpte))
			return shadow_at(s, id);
	return NULL;
}

#define LOW_TRIES 16

/* CR3 has 32 bits outside long mode. Pages above are put aside meanwhile. */
static void *get_low(struct shadow_vm *s, hpa_t *page)
{
	hpa_t high[LOW_TRIES];
	unsigned count = 0;
	void *entries;

	while ((entries = get(s, page)) && page->v >> 32 && count < LOW_TRIES)
		high[count++] = *page;
	if (entries && page->v >> 32) {
		put(s, *page);
		entries = NULL;
	}
	while (count)
		put(s, high[--count]);
	return entries;
}

/* Leaf tables of the guest's are compared with what they were. */
static bool wants_snap(const struct shadow_key *k)
{
	return k->level == 1 && k->format;
}

static bool get_pages(struct shadow_vm *s, struct shadow_page *p)
{
	bool snap = wants_snap(&p->key);

	if (!pt_pool_reserve(&s->vm->pool, 2u + snap))
		return false;
	p->table = shadow_is_pae_root(p) ? get_low(s, &p->table_page)
					 : get(s, &p->table_page);
	if (!p->table)
		return false;
	p->links = get(s, &p->links_page);
	if (p->links && snap)
		p->snap = get(s, &p->snap_page);
	if (p->links && (!snap || p->snap)) {
		shadow_absent_fill(s, p);
		return true;
	}
	put(s, p->table_page);
	if (p->links)
		put(s, p->links_page);
	return false;
}

/* What the client has in each root: there, or gone. */
static void put_client(const struct shadow_vm *s, struct shadow_page *p,
		       bool there)
{
	const struct vmmu_hw *hw = &s->vm->hw;
	uint64_t *to = &p->table[hw->root_first];

	if (p->key.level != 4 || p->key.format != 4)
		return;
	for (unsigned i = 0; i < hw->root_count; i++)
		to[i] = there ? hw->root_entries[i] : s->absent;
}

/* A page that was freed and kept its own: its table is empty, and what links
 * and snapshot hold means nothing where the table has no entry. */
static struct shadow_page *from_blank(struct shadow_vm *s,
				      const struct shadow_key *key)
{
	bool snap = wants_snap(key);
	uint16_t id = s->blank[snap];
	struct shadow_page *p = shadow_at(s, id);

	s->blank[snap] = p->hash_next;
	s->blank_count[snap]--;
	p->key = *key;
	p->writes = 0;
	p->used = true;
	p->rows = 0;
	p->guest = NULL;
	p->generation = 0;
	p->idle = 0;
	p->known = 0;
	return p;
}

static bool is_pae_root(const struct shadow_key *k)
{
	return k->level == 3 && (k->mode & 7) < 4;
}

static struct shadow_page *make(struct shadow_vm *s,
				const struct shadow_key *key)
{
	struct shadow_page *p;
	uint16_t id;

	shadow_settle(s);
	if (s->blank[wants_snap(key)] && !is_pae_root(key))
		return from_blank(s, key);
	id = s->free_ids;
	if (shadow_is_full(s) || (!id && !more_ids(s)))
		return NULL;
	id = s->free_ids;
	p = shadow_at(s, id);
	s->free_ids = p->hash_next;
	*p = (struct shadow_page){ .key = *key, .used = true };
	if (!shadow_is_pae_root(p))
		p->id = id;
	if (get_pages(s, p))
		return p;
	*p = (struct shadow_page){ .hash_next = s->free_ids };
	s->free_ids = id;
	return NULL;
}

struct shadow_page *shadow_page_get(struct vmmu_cpu *cpu, struct shadow_vm *s,
				    const struct shadow_key *key,
				    const uint64_t *pdpte)
{
	struct shadow_page *p = shadow_page_find(s, key, pdpte);
	bool fresh;

	if (p) {
		shadow_page_touch(s, p);
		return p;
	}
	/* A table that the guest may write has pages of one kind only. */
	if (key->frame != SHADOW_NO_FRAME && s->unsync_count)
		shadow_sync_frame(cpu, s, key->frame);
	p = make(s, key);
	if (!p)
		return NULL;
	if (pdpte)
		memcpy(p->pdpte, pdpte, sizeof(p->pdpte));
	put_client(s, p, true);
	fresh = shadow_is_fresh(s, key);
	shadow_page_add(s, p);
	if (!shadow_is_pae_root(p))
		p->ahead = AHEAD;
	s->vm->stats.mmu_cache_miss++;
	if (fresh)
		shadow_begin_unsync(s, p);
	else if (key->frame != SHADOW_NO_FRAME)
		shadow_protect(s, key->frame);
	return p;
}

/* 4. Free. */

void shadow_page_empty(struct shadow_vm *s, struct shadow_page *p)
{
	uint64_t rows = shadow_rows(p);

	for (; rows && p->present; rows &= rows - 1) {
		unsigned first = (unsigned)__builtin_ctzll(rows) * 8;

		for (unsigned i = first; i < first + 8; i++)
			if (shadow_load(p, i) & SHADOW_P &&
			    !shadow_is_client(s, p, i))
				shadow_drop(s, p, i);
	}
	if (!shadow_is_pae_root(p))
		p->rows = 0;
	shadow_absent_forget(s, p);
	s->stale = true;
}

void shadow_page_move(struct shadow_vm *s, struct shadow_page *p,
		      uint64_t frame)
{
	shadow_forget_unsync(s, p);
	hash_out(s, p);
	p->key.frame = frame;
	hash_in(s, p);
	if (frame != SHADOW_NO_FRAME)
		shadow_protect(s, frame);
}

static void unlink_parents(struct shadow_vm *s, struct shadow_page *p)
{
	while (p->parents)
		shadow_drop(s, shadow_at(s, p->parents / SHADOW_ENTRIES),
			    p->parents % SHADOW_ENTRIES);
}

void shadow_page_park(struct shadow_vm *s, struct shadow_page *p)
{
	unlink_parents(s, p);
	shadow_page_empty(s, p);
	shadow_page_move(s, p, SHADOW_NO_FRAME);
}

void shadow_page_give(struct shadow_vm *s, struct shadow_page *p)
{
	uint16_t id = shadow_id(s, p);

	shadow_absent_clear(s, p);
	put(s, p->table_page);
	put(s, p->links_page);
	if (p->snap)
		put(s, p->snap_page);
	*p = (struct shadow_page){ .hash_next = s->free_ids };
	s->free_ids = id;
}

void shadow_page_free(struct shadow_vm *s, struct shadow_page *p)
{
	uint16_t id = shadow_id(s, p);

	unlink_parents(s, p);
	shadow_page_empty(s, p);
	put_client(s, p, false);
	shadow_forget_unsync(s, p);
	if (p->cached)
		shadow_root_forget(s, p);
	hash_out(s, p);
	use_out(s, p);
	s->count--;
	s->vm->stats.mmu_shadow_zapped++;
	if (shadow_is_pae_root(p) || !p->snap != !wants_snap(&p->key)) {
		shadow_page_give(s, p);
		return;
	}
	p->used = false; /* unlinked, empty, in sync and no root already */
	p->hash_next = s->blank[wants_snap(&p->key)];
	s->blank[wants_snap(&p->key)] = id;
	s->blank_count[wants_snap(&p->key)]++;
}

/*
 * The cache of shadow pages gives pages back.
 *
 * 1. When pages run out, those go that are empty, and then those that were not
 *    used for long. Hardware's A bits in the entries to a page tell of use that
 *    we did not see; a page that has one is passed over once. The roots that
 *    vCPUs run on stay.
 * 2. All at once, with no entry looked at.
 */
#include "scheme/shadow_page.h"

#include <string.h>

#define KEPT 8u /* pages that the fault at hand may have made */
#define FEW  64u

/* 1. Recycling. */

/* False: there is none. */
static bool give_blank(struct shadow_vm *s)
{
	unsigned kind = s->blank[1] ? 1 : 0;
	struct shadow_page *p = shadow_at(s, s->blank[kind]);

	if (!s->blank[kind])
		return false;
	s->blank[kind] = p->hash_next;
	s->blank_count[kind]--;
	shadow_page_give(s, p);
	return true;
}

/* Hardware went through it since this was last asked. */
static bool was_used(struct shadow_vm *s, const struct shadow_page *p)
{
	bool used = false;

	for (uint32_t n = p->parents; n;) {
		struct shadow_page *q = shadow_at(s, n / SHADOW_ENTRIES);
		unsigned i = n % SHADOW_ENTRIES;

		if (!shadow_is_pae_root(q) && q->table[i] & SHADOW_A) {
			__atomic_fetch_and(&q->table[i], ~SHADOW_A,
					   __ATOMIC_RELAXED);
			used = true;
		}
		n = q->links[i].next;
	}
	return used;
}

/* Few pages are too few for what a guest goes round in: then the one that was
 * not used for longest is just the one that is needed next, and none is ever
 * found. Of some at random, but for those made last, that one goes which has
 * least to be made again. */
static struct shadow_page *any_victim(struct shadow_vm *s)
{
	struct shadow_page *victim = NULL;

	for (unsigned tries = 0; tries < 3; tries++) {
		struct shadow_page *p = shadow_at(s, s->oldest);
		uint32_t steps;

		s->random = s->random * 1103515245 + 12345;
		steps = (s->random >> 16) % (s->count - KEPT);
		while (steps--)
			p = shadow_at(s, p->newer);
		if (!p->vcpus && (!victim || p->present < victim->present))
			victim = p;
	}
	return victim;
}

static struct shadow_page *oldest_victim(struct shadow_vm *s)
{
	struct shadow_page *p = shadow_at(s, s->oldest);

	if (!p->vcpus && !was_used(s, p))
		return p;
	shadow_page_touch(s, p);
	return NULL;
}

void shadow_recycle(struct shadow_vm *s, uint32_t pages)
{
	struct pt_pool *pool = &s->vm->pool;
	uint32_t passes = s->count * 4;

	s->vm->stats.mmu_recycled++;
	while (passes && (shadow_is_full(s) || !pt_pool_reserve(pool, pages))) {
		struct shadow_page *p;

		if (give_blank(s))
			continue;
		passes--;
		if (!s->oldest)
			break;
		p = s->count > KEPT && s->count < FEW ? any_victim(s)
						      : oldest_victim(s);
		if (p)
			shadow_page_free(s, p);
	}
	shadow_settle(s);
}

/* 2. All. */

/* Chains, hashes and counts of what is about to be gone are begun anew, so no
 * entry needs to be looked at. */
static void forget_all(struct shadow_vm *s)
{
	memset(s->hash, 0, VMMU_PAGE_SIZE);
	memset(s->region, 0, sizeof(s->region));
	memset(s->large, 0, sizeof(s->large));
	for (uint32_t i = 0; i < s->bucket_count; i++)
		memset(s->bucket[i], 0, VMMU_PAGE_SIZE);
	s->oldest = s->newest = s->count = s->tables = s->unsync_count = 0;
	s->orphans = false;
	shadow_quick_forget(s, NULL);
}

static void keep_empty(struct shadow_vm *s, struct shadow_page *p)
{
	uint64_t none = shadow_is_pae_root(p) ? 0 : s->absent;

	/* The client may be running on it. */
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		if (!shadow_is_client(s, p, i))
			p->table[i] = none;
	p->parents = 0;
	p->parent_count = 0;
	p->present = 0;
	p->unsync = false;
	if (!shadow_is_pae_root(p)) {
		p->rows = 0;
		p->known = 0;
	}
	shadow_page_add(s, p);
}

void shadow_zap_all(struct shadow_vm *s)
{
	uint32_t id = s->oldest, newer;

	forget_all(s);
	for (; id; id = newer) {
		struct shadow_page *p = shadow_at(s, id);

		newer = p->newer;
		if (p->vcpus) {
			keep_empty(s, p);
			continue;
		}
		if (p->cached)
			shadow_root_forget(s, p);
		shadow_page_give(s, p);
		s->vm->stats.mmu_shadow_zapped++;
	}
	while (give_blank(s))
		;
	s->stale = true;
}

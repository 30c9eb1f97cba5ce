/*
 * The audit of `shadow`: each page that the cache has, whoever refers to it.
 *
 *   I1  a leaf says what slot and backing say now, and is writable only where
 *       both allow it, where no logged page is clean, and where no table is
 *       that is in sync
 *   I2  no leaf maps what no slot has
 *   I4  every present entry is in its chain and no other node is; counts of
 *       entries, leaves, tables, parents and regions are true; all pages are
 *       counted
 */
#include <stddef.h>

#include "scheme/shadow_page.h"

struct check {
	struct shadow_vm *s;
	const struct vmmu_audit_sink *sink;
	const struct shadow_page *p;
	uint32_t pages, count, tables, unsync;
	uint64_t entries, nodes;
	uint64_t leaves[PT_LEVELS_MAX + 1];
};

static void breach(const struct check *c, unsigned invariant,
		   const char *sentence, uint64_t addr, uint64_t entry)
{
	c->sink->breach(c->sink->ctx, invariant, sentence, addr, entry);
}

/* 1. Leaves. */

static bool is_clean(const struct vmmu_slot *slot, uint64_t gpa)
{
	uint64_t n = (gpa - slot->gpa.v) >> VMMU_PAGE_SHIFT;

	return slot->flags & VMMU_SLOT_LOG_DIRTY &&
	       !(slot->dirty[n / 64] >> n % 64 & 1);
}

/* Why this 4 KiB part of a leaf may not be as it is; NULL: it may. */
static const char *wrong(const struct check *c, uint64_t gpa, uint64_t hpa,
			 bool writable)
{
	const struct vmmu_host *host = &c->s->vm->host;
	const struct vmmu_slot *slot =
		vmmu_slots_find(&c->s->vm->slots, gpa_gfn(mk_gpa(gpa)));
	struct vmmu_extent run;
	hva_t hva;

	if (!slot)
		return "I2: leaf at an address that no slot has";
	hva = vmmu_slot_hva(slot, mk_gpa(gpa));
	if (host->ops->resolve(host->cookie, hva, VMMU_R, &run) !=
	    VMMU_RESOLVE_OK)
		return "I1: leaf for a page that has no backing";
	if (hpa != run.hpa.v + (hva.v - run.hva.v))
		return "I1: leaf maps another frame than slot and backing give";
	if (!writable)
		return NULL;
	if (slot->flags & VMMU_SLOT_READ_ONLY || run.read_only)
		return "I1: page is writable against slot or host";
	if (is_clean(slot, gpa))
		return "I1: logged page is writable while its bit is clear";
	if (shadow_protects(c->s, hva.v >> VMMU_PAGE_SHIFT))
		return "I1: a shadowed table in sync is writable";
	return NULL;
}

static void check_leaf(struct check *c, unsigned index, uint64_t entry)
{
	const struct shadow_page *p = c->p;
	uint64_t size = VMMU_PAGE_SIZE << 9 * (p->key.level - 1);
	uint64_t gpa = shadow_leaf_gpa(p, index), hpa;

	c->leaves[p->key.level]++;
	hpa = entry & SHADOW_ADDR & ~(size - 1);
	for (uint64_t at = 0; at < size; at += VMMU_PAGE_SIZE) {
		const char *why =
			wrong(c, gpa + at, hpa + at, entry & SHADOW_W);

		if (!why)
			continue;
		breach(c, why[1] == '2' ? 2 : 1, why, gpa + at, entry);
		return;
	}
	if (!shadow_rmap_has(c->s, p, index))
		breach(c, 4, "I4: a leaf is not in the reverse map", gpa,
		       entry);
}

/* 2. Entries to tables. */

static void check_table(struct check *c, unsigned index, uint64_t entry)
{
	uint32_t node = shadow_id(c->s, c->p) * SHADOW_ENTRIES + index;
	const struct shadow_page *child = shadow_child(c->s, c->p, index);
	uint32_t at = child->parents;

	if (!child->used || child->table_page.v != (entry & SHADOW_ADDR) ||
	    child->key.level != c->p->key.level - 1)
		breach(c, 4, "I4: an entry refers to another page", index,
		       entry);
	while (at && at != node)
		at = shadow_at(c->s, at / SHADOW_ENTRIES)
			     ->links[at % SHADOW_ENTRIES]
			     .next;
	if (!at)
		breach(c, 4, "I4: an entry is not among its child's parents",
		       index, entry);
}

static uint32_t parents(const struct check *c, const struct shadow_page *p)
{
	uint32_t count = 0;

	for (uint32_t n = p->parents; n; count++)
		n = shadow_at(c->s, n / SHADOW_ENTRIES)
			    ->links[n % SHADOW_ENTRIES]
			    .next;
	return count;
}

/* Hardware sets A and D in it. */
static void check_client(const struct check *c, unsigned index, uint64_t entry)
{
	const struct vmmu_hw *hw = &c->s->vm->hw;
	uint64_t given = hw->root_entries[index - hw->root_first];

	if ((entry ^ given) & ~(SHADOW_A | SHADOW_D))
		breach(c, 1, "I1: an entry of the client's is another", index,
		       entry);
}

static void check_page(struct check *c)
{
	const struct shadow_page *p = c->p;
	unsigned present = 0;
	uint32_t count;

	c->count++;
	c->pages += p->snap ? 3 : 2;
	c->tables += p->key.frame != SHADOW_NO_FRAME;
	c->unsync += p->unsync;
	count = parents(c, p);
	if (count != p->parent_count)
		breach(c, 4, "I4: a page's count of parents is wrong",
		       p->key.gfn, count);
	c->nodes += count;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++) {
		uint64_t entry = shadow_load(p, i);

		if (shadow_is_client(c->s, p, i)) {
			check_client(c, i, entry);
			continue;
		}
		if (!(entry & SHADOW_P))
			continue;
		present++;
		if (!(shadow_rows(p) >> i / 8 & 1))
			breach(c, 4, "I4: an entry is in no row", p->key.gfn,
			       entry);
		c->sink->entry(c->sink->ctx);
		if (shadow_is_leaf(p, entry)) {
			check_leaf(c, i, entry);
			continue;
		}
		c->entries++;
		check_table(c, i, entry);
	}
	if (present != p->present)
		breach(c, 4, "I4: a page's count of entries is wrong",
		       p->key.gfn, present);
}

/* 3. All. */

static void check_counts(const struct check *c)
{
	const struct shadow_vm *s = c->s;
	uint64_t regions = 0, leaves = 0, nodes;

	for (unsigned i = 0; i < SHADOW_REGIONS; i++)
		regions += s->region[i];
	if (c->count != s->count || c->tables != s->tables ||
	    regions != c->tables || c->unsync != s->unsync_count)
		breach(c, 4, "I4: a count of shadow pages is wrong", c->count,
		       c->tables);
	if (c->nodes != c->entries)
		breach(c, 4, "I4: a page has a parent that is none", c->nodes,
		       c->entries);
	for (unsigned level = 1; level <= 3; level++) {
		leaves += c->leaves[level];
		if (c->leaves[level] != s->large[level])
			breach(c, 4, "I4: a leaf counter is wrong", level,
			       s->large[level]);
	}
	nodes = shadow_rmap_count(s, leaves);
	if (nodes != leaves)
		breach(c, 4, "I4: the reverse map has a leaf that is none",
		       nodes, leaves);
}

uint32_t shadow_audit(struct vmmu_vm *vm, const struct vmmu_audit_sink *sink)
{
	struct shadow_vm *s = shadow_of(vm);
	struct check c = { .s = s, .sink = sink };

	for (uint32_t id = s->oldest; id; id = c.p->newer) {
		c.p = shadow_at(s, id);
		check_page(&c);
	}
	check_counts(&c);
	for (const struct vmmu_cpu *cpu = vm->cpus; cpu; cpu = cpu->next) {
		const struct shadow_page *p = cpu->state;

		if (cpu->scheme == &vmmu_shadow &&
		    (!p->vcpus || cpu->root.v != p->table_page.v))
			breach(&c, 1, "I1: a vCPU uses another root",
			       cpu->root.v, p->table_page.v);
		p = cpu->other.state;
		if (p && (!p->vcpus || cpu->other.root.v != p->table_page.v))
			breach(&c, 1, "I1: a vCPU's other root is another",
			       cpu->other.root.v, p->table_page.v);
	}
	c.pages += s->blank_count[0] * 2 + s->blank_count[1] * 3;
	return c.pages + s->desc_count + s->bucket_count + 1;
}

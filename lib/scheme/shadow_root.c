/*
 * The roots: which shadow page a vCPU runs on.
 *
 * A load of CR3 looks through the roots that the VM keeps, at most vm->roots;
 * the one that was not loaded for longest goes when there is no place. A hit
 * takes no page and reads no table: whatever the guest did to that process's
 * tables meanwhile was seen when it was done, or is synced by the flush that
 * comes with the load.
 *
 *   guest's mode    root                                    key
 *   4, 5 levels     shadows the table that CR3 refers to    its gfn, frame
 *   PAE             4 entries, from the PDPTE registers     CR3, the PDPTEs
 *   32-bit          4 entries, to 4 parts of the directory  CR3
 *   off             4 entries, direct                       none
 *
 * The processor reads the four entries with CR3 (SDM 3A 4.4.1), so they are
 * made with the root. One that is missing later is made by a fault, and the
 * vCPU is flushed.
 */
#include "scheme/shadow_ask.h"

#include "pt/gpte.h"

static uint32_t bit(uint64_t value, uint64_t mask, unsigned to)
{
	return value & mask ? UINT32_C(1) << to : 0;
}

/* All that decides what an entry of the guest's means. Not CR4.PGE: no leaf
 * of ours is global. */
uint32_t shadow_mode(const struct vmmu_mode *m)
{
	const struct vmmu_regs *r = &m->regs;
	const struct vmmu_features *f = &m->features;

	if (!m->format)
		return 0;
	return m->format->levels | bit(r->cr0, VMMU_CR0_WP, 3) |
	       bit(r->cr4, VMMU_CR4_PSE, 4) | bit(r->cr4, VMMU_CR4_SMEP, 5) |
	       bit(r->cr4, VMMU_CR4_SMAP, 6) | bit(r->cr4, VMMU_CR4_PKE, 7) |
	       bit(r->cr4, VMMU_CR4_PKS, 8) | bit(r->efer, VMMU_EFER_NXE, 9) |
	       bit(f->pse36, 1, 10) | bit(f->nx, 1, 11) |
	       bit(f->gib_pages, 1, 12) | bit(f->ring_3, 1, 13) |
	       (uint32_t)f->maxphyaddr << 16;
}

static struct shadow_key key_of(const struct vmmu_cpu *cpu)
{
	const struct vmmu_mode *m = &cpu->mode;
	struct shadow_key k = { .frame = SHADOW_NO_FRAME,
				.level = 3,
				.access = VMMU_RWXU,
				.mode = shadow_mode(m) };

	if (!m->format)
		return k;
	k.format = m->format->levels;
	k.gfn = m->root >> (m->pdptes ? 5 : VMMU_PAGE_SHIFT);
	if (k.format > 3)
		k.level = k.format;
	return k;
}

static bool is_root_for(const struct shadow_page *p, const struct shadow_key *k,
			const uint64_t *pdpte)
{
	if (p->key.gfn != k->gfn || p->key.mode != k->mode)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (pdpte && p->pdpte[i] != pdpte[i])
			return false;
	return true;
}

/* 1. The VM's roots. */

/* Four places that may say which root it is: any may be out of date. */
static uint8_t *hints(struct shadow_vm *s, uint64_t gfn)
{
	uint64_t mixed = gfn * UINT64_C(0x9e3779b97f4a7c15);

	return &s->hint[mixed >> 56 & (SHADOW_HINTS - 4)];
}

/* Into a place that says nothing true of this group, if there is one. */
static void note(struct shadow_vm *s, uint64_t gfn, uint8_t root)
{
	uint8_t *group = hints(s, gfn);
	unsigned at = 0;

	while (at < 3 && s->root[group[at]] &&
	       hints(s, s->root_gfn[group[at]]) == group)
		at++;
	group[at] = root;
}

static struct shadow_page *look_up(struct shadow_vm *s,
				   const struct shadow_key *k,
				   const uint64_t *pdpte)
{
	for (unsigned i = 0; i < s->vm->roots; i++) {
		struct shadow_page *p;

		if (!s->root[i])
			continue;
		p = shadow_at(s, s->root[i]);
		if (!is_root_for(p, k, pdpte))
			continue;
		s->root_clock[i] = ++s->clock;
		note(s, k->gfn, (uint8_t)i);
		return p;
	}
	return NULL;
}

static void free_if_unused(struct shadow_vm *s, struct shadow_page *p)
{
	if (!p->vcpus && !p->cached && !p->parents)
		shadow_page_free(s, p);
}

static void keep(struct shadow_vm *s, struct shadow_page *p)
{
	unsigned at = 0;
	uint32_t old;

	if (p->cached)
		return;
	for (unsigned i = 1; i < s->vm->roots; i++)
		if (s->root[at] &&
		    (!s->root[i] || s->root_clock[i] < s->root_clock[at]))
			at = i;
	old = s->root[at];
	s->root[at] = (uint16_t)shadow_id(s, p);
	s->root_gfn[at] = (uint32_t)p->key.gfn;
	s->root_clock[at] = ++s->clock;
	p->cached = true;
	if (!old)
		return;
	shadow_at(s, old)->cached = false;
	s->orphans |= shadow_at(s, old)->present != 0;
	free_if_unused(s, shadow_at(s, old));
}

void shadow_root_forget(struct shadow_vm *s, struct shadow_page *p)
{
	uint32_t id = shadow_id(s, p);

	for (unsigned i = 0; i < s->vm->roots; i++)
		if (s->root[i] == id)
			s->root[i] = 0;
	p->cached = false;
}

/* 2. Making one. */

static bool key_below(const struct vmmu_cpu *cpu, const struct shadow_page *p,
		      unsigned i, struct shadow_key *k)
{
	const struct vmmu_mode *m = &cpu->mode;
	uint64_t table = m->root;

	if (!m->format) {
		*k = p->key;
		k->level = 2;
		k->gfn = (uint64_t)i << 18;
		return true;
	}
	if (m->pdptes) {
		table = m->regs.pdpte[i];
		if (!(table & SHADOW_P))
			return false;
		table &= m->level[3].table_addr;
	}
	return shadow_key_table(cpu, p, table, i * VMMU_1G, VMMU_RWXU, k);
}

static void link_four(struct vmmu_cpu *cpu, struct shadow_vm *s,
		      struct shadow_page *p)
{
	for (unsigned i = 0; i < 4; i++) {
		struct shadow_page *child;
		struct shadow_key k;

		if (shadow_load(p, i) & SHADOW_P || !key_below(cpu, p, i, &k))
			continue;
		child = shadow_page_get(cpu, s, &k, NULL);
		if (child)
			shadow_put_table(s, p, i, child);
	}
}

/* The guest's table, which no processor writes to unseen. False: not so. */
static bool table_of(struct vmmu_cpu *cpu, struct shadow_vm *s,
		     const struct shadow_page *p, uint8_t **page)
{
	shadow_settle(s);
	return shadow_ask(cpu, s, p->key.gfn, VMMU_R, page) &&
	       p->key.frame != SHADOW_NO_FRAME;
}

/* The kernel's half of all processes is alike: where the guest's new root says
 * what ours of the last one came from, the entry is there already. */
static void inherit(struct vmmu_cpu *cpu, struct shadow_vm *s,
		    struct shadow_page *p)
{
	const struct shadow_page *from = cpu->state;
	uint64_t rows;
	uint8_t *page;

	if (!from || !cpu->mode.straight || from->key.mode != p->key.mode)
		return;
	if (!table_of(cpu, s, p, &page))
		return;
	for (rows = from->rows >> 32 << 32; rows; rows &= rows - 1) {
		unsigned first = (unsigned)__builtin_ctzll(rows) * 8;

		for (unsigned i = first; i < first + 8; i++)
			if (shadow_load(from, i) & ~shadow_load(p, i) &
				    SHADOW_P &&
			    shadow_says(cpu, s, p, shadow_child(s, from, i),
					gpte_read_8(page + i * 8)))
				shadow_put_table(s, p, i,
						 shadow_child(s, from, i));
	}
}

static void adopt_entry(struct vmmu_cpu *cpu, struct shadow_vm *s,
			struct shadow_page *p, unsigned i, uint64_t entry)
{
	const struct vmmu_mode *m = &cpu->mode;
	const struct vmmu_mode_level *l = &m->level[p->key.level];
	unsigned perms = gpte_perms((entry ^ m->flip) & l->rights);
	struct shadow_page *child;
	struct shadow_key k;

	if (shadow_load(p, i) & SHADOW_P ||
	    !shadow_key_table(cpu, p, entry & l->table_addr, 0,
			      p->key.access & perms, &k))
		return;
	child = shadow_page_find(s, &k, NULL);
	if (child && shadow_says(cpu, s, p, child, entry))
		shadow_put_table(s, p, i, child);
}

/* The pages below a root that had to go outlive it: those of its lower half,
 * where a process has few entries, are looked for, which is less than a fault
 * for each. What is out of sync there the load syncs. */
static void adopt(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  struct shadow_page *p)
{
	const uint64_t *row;
	uint8_t *page;

	if (!cpu->mode.straight || !table_of(cpu, s, p, &page))
		return;
	for (unsigned i = 0; i < SHADOW_ENTRIES / 2; i += 8) {
		row = (const uint64_t *)page + i;
		if (!(row[0] | row[1] | row[2] | row[3] | row[4] | row[5] |
		      row[6] | row[7]))
			continue;
		for (unsigned at = i; at < i + 8; at++) {
			uint64_t entry = gpte_read_8(page + at * 8);

			if (entry & SHADOW_P)
				adopt_entry(cpu, s, p, at, entry);
		}
	}
}

static struct shadow_page *make(struct vmmu_cpu *cpu, struct shadow_vm *s,
				struct shadow_key *k, const uint64_t *pdpte)
{
	struct shadow_page *p;

	if (k->format > 3)
		k->frame = shadow_frame(s->vm, k->gfn);
	p = shadow_page_get(cpu, s, k, pdpte);
	for (unsigned i = 0; !p && i < 3; i++) {
		if (i < 2)
			shadow_recycle(s, i ? UINT32_MAX : 16);
		else
			vm_recycle(s->vm);
		p = shadow_page_get(cpu, s, k, pdpte);
	}
	if (p && shadow_is_pae_root(p)) {
		p->vcpus++; /* stays, whatever is recycled for the four */
		link_four(cpu, s, p);
		p->vcpus--;
	} else if (p) {
		inherit(cpu, s, p);
		if (s->orphans)
			adopt(cpu, s, p);
	}
	return p;
}

/* 3. What vCPUs run on. */

void shadow_root_leave(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	struct shadow_page *p = cpu->state;

	if (!p)
		return;
	cpu->state = NULL;
	p->vcpus--;
	free_if_unused(s, p);
}

void shadow_root_pair(struct vmmu_cpu *cpu)
{
	struct shadow_page *p = cpu->state;

	p->vcpus++;
	cpu->other =
		(struct vmmu_other_root){ cpu->mode.regs.cr3, cpu->root, p };
}

void shadow_root_part(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	struct shadow_page *p = cpu->other.state;

	if (!p)
		return;
	cpu->other.state = NULL;
	p->vcpus--;
	free_if_unused(s, p);
}

static void enter(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  struct shadow_page *p)
{
	p->vcpus++;
	shadow_root_leave(cpu, s);
	cpu->state = p;
	cpu->root = p->table_page;
	keep(s, p);
	vm_flush_cpu(cpu);
}

bool shadow_root_load(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	struct shadow_key k = key_of(cpu);
	const uint64_t *pdpte = cpu->mode.pdptes ? cpu->mode.regs.pdpte : NULL;
	struct shadow_page *now = cpu->state, *p = look_up(s, &k, pdpte);

	if (p) {
		s->vm->stats.root_hits++;
	} else {
		s->vm->stats.root_misses++;
		p = make(cpu, s, &k, pdpte);
		if (!p)
			return false;
	}
	if (p != now)
		enter(cpu, s, p);
	return true;
}

/* The root that the hints name, where only CR3 has changed; NULL: it must be
 * looked for. */
static inline struct shadow_page *hinted(const struct vmmu_cpu *cpu,
					 struct shadow_vm *s)
{
	const struct shadow_page *now = cpu->state;
	uint64_t gfn = cpu->mode.root >> VMMU_PAGE_SHIFT;
	const uint8_t *hint = hints(s, gfn), *end = hint + 4;
	struct shadow_page *p;

	while (s->root_gfn[*hint] != (uint32_t)gfn)
		if (++hint == end)
			return NULL;
	if (!s->root[*hint] || !cpu->mode.straight)
		return NULL;
	p = shadow_at(s, s->root[*hint]);
	if (p->key.gfn != gfn || p->key.mode != now->key.mode)
		return NULL;
	s->root_clock[*hint] = ++s->clock;
	return p;
}

/* The client flushes the processor. */
void shadow_load_root(struct vmmu_cpu *cpu)
{
	struct shadow_vm *s = shadow_here(cpu);
	struct shadow_page *now = cpu->state, *p = hinted(cpu, s);
	struct vmmu_stats *stats = &s->vm->stats;

	stats->tlb_flush++;
	if (!p) {
		if (!shadow_root_load(cpu, s))
			s->vm->poisoned = "no pages for a vCPU's root";
	} else {
		stats->root_hits++;
		p->vcpus++;
		now->vcpus--;
		free_if_unused(s, now);
		cpu->state = p;
		cpu->root = p->table_page;
	}
	if (s->unsync_count)
		shadow_sync_root(cpu, s);
	shadow_settle(s);
}

/*
 * Tables that the guest writes to unseen are compared with what ours was made
 * from.
 *
 * Sync is at the guest's flushes, SDM 3A 4.10.4: a load of CR3 looks at what
 * is out of sync under that root, INVLPG at one entry. The snapshot tells which
 * entries differ from what ours were made from; only where ours are present is
 * looked. A table that changed since one of its last syncs will change again,
 * and stays writable; one that did not is protected, and then looked at once
 * more.
 *
 * Which root a table is under is found by its parents when it goes out of sync,
 * and again after a new entry to any table made it doubtful.
 */
#include "scheme/shadow_ask.h"

#include "pt/gpte.h"

#define IDLE 3 /* syncs that find nothing, until a table is protected */

/* 1. One entry again. */

/* Leaf tables: the guest's entry that ours at `index` shadows. */
static unsigned guest_index(const struct shadow_page *p, unsigned index)
{
	return p->key.format == 2 ? p->key.part * SHADOW_ENTRIES + index
				  : index;
}

/* May ours be made anew from this one, with what is known here? Backing and
 * slot were asked about this page, unless it is another. */
static bool may_renew(const struct vmmu_cpu *cpu, const struct shadow_vm *s,
		      const struct shadow_page *p, uint64_t was, uint64_t now)
{
	const struct vmmu_mode *m = &cpu->mode;
	uint64_t same = p->key.format == 2 ? UINT64_C(0xfffff000) : SHADOW_ADDR;

	return shadow_is_of_mode(cpu, s, p) && m->regs.cr0 & VMMU_CR0_WP &&
	       now & SHADOW_P && now & SHADOW_A && !((was ^ now) & same) &&
	       !(now & m->level[1].reserved_leaf);
}

/* What had W has it still: no table was made of it meanwhile. */
static bool may_write(const struct shadow_vm *s, const struct shadow_page *p,
		      unsigned index, uint64_t entry)
{
	uint64_t gfn = shadow_leaf_gpa(p, index) >> VMMU_PAGE_SHIFT;

	if (entry & SHADOW_W)
		return true;
	return entry & SHADOW_MAY_W &&
	       !shadow_protects(s, shadow_frame(s->vm, gfn));
}

/* Our leaf was made from `was`; the guest has `now`. */
void shadow_renew(struct vmmu_cpu *cpu, struct shadow_vm *s,
		  struct shadow_page *p, unsigned index, uint64_t now)
{
	uint64_t was = p->snap[index], entry = shadow_load(p, index), leaf;
	unsigned perms;

	if (!(entry & SHADOW_P)) {
		p->snap[index] = now;
		return;
	}
	if (!may_renew(cpu, s, p, was, now)) {
		shadow_drop(s, p, index);
		p->snap[index] = now;
		return;
	}
	perms = p->key.access &
		gpte_perms((now ^ cpu->mode.flip) & cpu->mode.level[1].rights);
	if (!(now & SHADOW_D) || !may_write(s, p, index, entry))
		perms &= ~VMMU_W;
	p->snap[index] = now;
	leaf = shadow_leaf(p, entry & SHADOW_ADDR, perms,
			   gpte_key(&cpu->mode, now));
	if (entry & SHADOW_BESIDE)
		leaf &= entry | ~SHADOW_A; /* hardware tells of its use */
	shadow_store(p, index, leaf | (entry & (SHADOW_MAY_W | SHADOW_BESIDE)));
}

/* 2. Sync. */

static const uint8_t *guest_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
				 const struct shadow_page *p)
{
	uint8_t *page;

	if (p->guest && p->generation == cpu->vm->slots.generation)
		return p->guest;
	return shadow_ask(cpu, s, p->key.gfn, VMMU_R, &page) ? page : NULL;
}

/* Entries that are looked at together, because most are as they were. */
#define ROW 8u

static inline uint64_t differs(const uint8_t *page, const uint64_t *snap,
			       unsigned i)
{
	return gpte_read_8(page + i * 8) ^ snap[i];
}

/* Written out: no compiler unrolls it unasked. */
static inline bool row_differs(const uint8_t *page, const uint64_t *snap)
{
	return differs(page, snap, 0) | differs(page, snap, 1) |
	       differs(page, snap, 2) | differs(page, snap, 3) |
	       differs(page, snap, 4) | differs(page, snap, 5) |
	       differs(page, snap, 6) | differs(page, snap, 7);
}

static __attribute__((noinline)) unsigned compare_row(struct vmmu_cpu *cpu,
						      struct shadow_vm *s,
						      struct shadow_page *p,
						      const uint8_t *page,
						      unsigned first)
{
	unsigned size = shadow_entry_size(p), changed = 0;

	for (unsigned i = first; i < first + ROW; i++) {
		uint64_t now = gpte_read(page + i * size, size);

		if (now == p->snap[i])
			continue;
		shadow_renew(cpu, s, p, i, now);
		changed++;
	}
	return changed;
}

/* Answers how many entries of the guest's were not as they had been. */
static unsigned compare(struct vmmu_cpu *cpu, struct shadow_vm *s,
			struct shadow_page *p)
{
	const uint8_t *page = guest_page(cpu, s, p);
	unsigned size = shadow_entry_size(p), changed = 0;

	if (!page) {
		shadow_page_empty(s, p);
		return 0;
	}
	page += guest_index(p, 0) * size;
	for (uint64_t rows = p->rows; rows; rows &= rows - 1) {
		unsigned i = (unsigned)__builtin_ctzll(rows) * ROW;

		if (size == 4 || row_differs(page + i * 8, p->snap + i))
			changed += compare_row(cpu, s, p, page, i);
	}
	return changed;
}

static void in_sync(struct shadow_vm *s, struct shadow_page *p)
{
	unsigned i = 0;

	while (s->unsync[i] != shadow_id(s, p))
		i++;
	s->unsync_count--;
	s->unsync[i] = s->unsync[s->unsync_count];
	s->owner[i] = s->owner[s->unsync_count];
	p->unsync = false;
}

void shadow_forget_unsync(struct shadow_vm *s, struct shadow_page *p)
{
	if (p->unsync)
		in_sync(s, p);
}

/* The guest writes no more, on no processor, before the last look. A page that
 * was parked meanwhile is closed. */
static void close_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       struct shadow_page *p)
{
	if (!p->unsync)
		return;
	in_sync(s, p);
	shadow_protect(s, p->key.frame);
	shadow_settle(s);
	if (p->key.level == 1)
		compare(cpu, s, p);
	else
		shadow_page_empty(s, p);
}

/* Did anything change lately? Ours is made right in any case. */
static bool is_busy(struct vmmu_cpu *cpu, struct shadow_vm *s,
		    struct shadow_page *p)
{
	if (p->key.level > 1)
		return false;
	if (compare(cpu, s, p))
		p->idle = 0;
	else
		p->idle++;
	return p->idle < IDLE;
}

static void sync_page(struct vmmu_cpu *cpu, struct shadow_vm *s,
		      struct shadow_page *p, bool keep)
{
	if (!keep || !is_busy(cpu, s, p))
		close_page(cpu, s, p);
}

/* The one root above, where there is no other; 0: not so. */
uint16_t shadow_owner(const struct shadow_vm *s, const struct shadow_page *p)
{
	while (p->parents && !p->vcpus && !p->cached) {
		uint32_t node = p->parents;
		const struct shadow_page *q =
			shadow_at(s, node / SHADOW_ENTRIES);

		if (q->links[node % SHADOW_ENTRIES].next)
			return 0;
		p = q;
	}
	return p->parents ? 0 : (uint16_t)shadow_id(s, p);
}

void shadow_disown(struct shadow_vm *s)
{
	for (uint32_t i = 0; i < s->unsync_count; i++)
		s->owner[i] = 0;
}

void shadow_sync_root(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	uint32_t root = shadow_id(s, cpu->state), other = root;

	if (cpu->other.state)
		other = shadow_id(s, cpu->other.state);
	for (uint32_t i = s->unsync_count; i-- > 0;) {
		struct shadow_page *p;

		if (i >= s->unsync_count ||
		    (s->owner[i] && s->owner[i] != root &&
		     s->owner[i] != other))
			continue;
		p = shadow_at(s, s->unsync[i]);
		s->owner[i] = shadow_owner(s, p);
		if (shadow_is_linked(p))
			sync_page(cpu, s, p, true);
		else
			shadow_page_free(s, p);
	}
}

/* With `keep` what is being changed stays out of sync, though made right. No
 * page is freed: a fill may be at one. */
void shadow_sync_all(struct vmmu_cpu *cpu, struct shadow_vm *s, bool keep)
{
	for (uint32_t i = s->unsync_count; i-- > 0;)
		if (i < s->unsync_count)
			sync_page(cpu, s, shadow_at(s, s->unsync[i]), keep);
}

void shadow_sync_upper(struct vmmu_cpu *cpu, struct shadow_vm *s)
{
	s->open_upper = false;
	for (uint32_t i = s->unsync_count; i-- > 0;)
		if (i < s->unsync_count &&
		    shadow_at(s, s->unsync[i])->key.level > 1)
			close_page(cpu, s, shadow_at(s, s->unsync[i]));
}

void shadow_sync_frame(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       uint64_t frame)
{
	uint32_t id = shadow_first(s, frame), next;

	for (; id; id = next) {
		next = shadow_next(s, id);
		if (shadow_at(s, id)->unsync)
			close_page(cpu, s, shadow_at(s, id));
	}
}

bool shadow_entry_now(struct vmmu_cpu *cpu, struct shadow_vm *s,
		      const struct shadow_page *p, unsigned index,
		      uint64_t *now)
{
	unsigned size = shadow_entry_size(p);
	uint64_t gpa = p->key.gfn << VMMU_PAGE_SHIFT;

	return shadow_read(cpu, s, gpa + guest_index(p, index) * size, size,
			   now);
}

void shadow_sync_entry(struct vmmu_cpu *cpu, struct shadow_vm *s,
		       struct shadow_page *p, unsigned index)
{
	uint64_t now;

	if (!shadow_entry_now(cpu, s, p, index, &now))
		shadow_drop(s, p, index);
	else if (now != p->snap[index])
		shadow_renew(cpu, s, p, index, now);
}

static void sync_down(struct vmmu_cpu *cpu, struct shadow_vm *s, gva_t gva)
{
	struct shadow_page *p = cpu->state;

	for (;;) {
		unsigned index = shadow_index(p, gva.v);

		if (p->unsync && p->key.level > 1)
			close_page(cpu, s, p);
		if (!(shadow_load(p, index) & SHADOW_P))
			return;
		if (p->key.level == 1) {
			if (p->unsync)
				shadow_sync_entry(cpu, s, p, index);
			return;
		}
		if (shadow_is_leaf(p, shadow_load(p, index)))
			return;
		p = shadow_child(s, p, index);
	}
}

void shadow_sync_gva(struct vmmu_cpu *cpu, struct shadow_vm *s, gva_t gva)
{
	struct shadow_page *p = shadow_quick_page(cpu, s, gva.v);
	unsigned index = gva.v >> VMMU_PAGE_SHIFT & (SHADOW_ENTRIES - 1);
	uint64_t now;

	if (!p) {
		sync_down(cpu, s, gva);
		return;
	}
	if (!p->unsync || !(shadow_load(p, index) & SHADOW_P))
		return;
	now = gpte_read_8(p->guest + index * 8);
	if (now != p->snap[index])
		shadow_renew(cpu, s, p, index, now);
}

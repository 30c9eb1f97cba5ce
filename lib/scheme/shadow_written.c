/*
 * Software has written to a table that is shadowed: an emulated store of the
 * guest's, a device. What changed counts at once.
 *
 *   level 1            ours is made anew from the guest's entry of now
 *   upper, same table  nothing: rights and place are as they were
 *   upper, not present the table is unhooked, and most often dead: its pages
 *                      go, and those above that had nothing else. The frames
 *                      are memory again, which the guest zeroes without an
 *                      exit
 *   upper, another     the entry of ours goes; the page stays in the cache
 */
#include "scheme/shadow_page.h"

#include "pt/gpte.h"

bool shadow_says(const struct vmmu_cpu *cpu, const struct shadow_vm *s,
		 const struct shadow_page *p, const struct shadow_page *child,
		 uint64_t entry)
{
	const struct vmmu_mode *m = &cpu->mode;
	const struct vmmu_mode_level *l = &m->level[p->key.level];

	if (shadow_is_direct(child) || !shadow_is_of_mode(cpu, s, p) ||
	    !(entry & SHADOW_P) || !(entry & SHADOW_A) ||
	    (entry & l->leaf_mask) == l->leaf_value ||
	    entry & l->reserved_table)
		return false;
	return (entry & l->table_addr) >> VMMU_PAGE_SHIFT == child->key.gfn &&
	       (p->key.access & gpte_perms((entry ^ m->flip) & l->rights)) ==
		       child->key.access;
}

static void free_page(struct shadow_vm *s, struct shadow_page *p)
{
	uint64_t frame = p->key.frame;

	shadow_page_free(s, p);
	if (!shadow_first(s, frame))
		shadow_unprotect(s, frame);
}

/* The guest has unhooked a table, and will use its frame for something else:
 * so the first write there need not come to us. */
static void unhook(struct shadow_vm *s, struct shadow_page *p, unsigned index)
{
	struct shadow_page *child = shadow_child(s, p, index);

	shadow_drop(s, p, index);
	if (!shadow_is_linked(child) && !shadow_is_direct(child))
		free_page(s, child);
}

/* It has nothing in it, and may go. The processor has its four entries of a
 * PAE root's from the last load of CR3. */
static bool is_emptied(const struct shadow_vm *s, const struct shadow_page *p)
{
	uint32_t above = p->parents / SHADOW_ENTRIES;

	return p->key.level > 1 && !p->present && !p->vcpus && !p->cached &&
	       !(above && shadow_is_pae_root(shadow_at(s, above)));
}

/* With those above it that had nothing else. */
static void free_up(struct shadow_vm *s, struct shadow_page *p)
{
	while (is_emptied(s, p)) {
		uint32_t above = p->parents / SHADOW_ENTRIES;

		free_page(s, p);
		if (!above)
			return;
		p = shadow_at(s, above);
	}
}

/* Pages that have nothing in them any more say nothing: the guest takes down
 * one table after another, and the writes that do so need not come to us. */
static void free_emptied(struct shadow_vm *s, uint64_t frame)
{
	uint32_t id = shadow_first(s, frame);

	while (id) {
		struct shadow_page *p = shadow_at(s, id);

		if (!is_emptied(s, p)) {
			id = shadow_next(s, id);
			continue;
		}
		free_up(s, p);
		id = shadow_first(s, frame);
	}
}

static void upper_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
			  struct shadow_page *p, unsigned index, uint64_t at)
{
	uint64_t entry = shadow_load(p, index), now = 0;
	bool is_read;

	if (!(entry & SHADOW_P) || shadow_is_client(s, p, index))
		return;
	is_read = !shadow_is_leaf(p, entry) &&
		  shadow_read(cpu, s, at, shadow_entry_size(p), &now);
	if (!(shadow_load(p, index) & SHADOW_P))
		return; /* parked */
	if (!is_read)
		shadow_drop(s, p, index);
	else if (!(now & SHADOW_P))
		unhook(s, p, index);
	else if (!shadow_says(cpu, s, p, shadow_child(s, p, index), now))
		shadow_drop(s, p, index);
}

static void entry_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
			  struct shadow_page *p, unsigned index, uint64_t at)
{
	uint64_t now;

	if (p->key.level > 1) {
		upper_written(cpu, s, p, index, at);
		return;
	}
	shadow_sync_entry(cpu, s, p, index);
	if (!p->known || p->unsync)
		return;
	if (!shadow_read(cpu, s, at, 8, &now))
		now = SHADOW_P;
	if (p->known) /* not parked */
		shadow_absent_wrote(cpu, s, p, index, now);
}

/* The entries of ours for the guest's entry number n, if this page has any. */
static void number_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
			   struct shadow_page *p, unsigned n)
{
	uint64_t at =
		(p->key.gfn << VMMU_PAGE_SHIFT) + n * shadow_entry_size(p);

	if (p->key.format != 2) {
		entry_written(cpu, s, p, n, at);
	} else if (p->key.level == 1) {
		if (n / SHADOW_ENTRIES == p->key.part)
			entry_written(cpu, s, p, n % SHADOW_ENTRIES, at);
	} else if (n / 256 == p->key.part) {
		entry_written(cpu, s, p, n % 256 * 2, at);
		entry_written(cpu, s, p, n % 256 * 2 + 1, at);
	}
}

/* In pages of one frame, of which the first is `id`. */
static void frame_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
			  uint32_t id, unsigned at, unsigned size)
{
	uint64_t frame = shadow_at(s, id)->key.frame;
	uint32_t count = s->count;

	cpu->vm->stats.mmu_pte_write++;
	for (; id && shadow_at(s, id)->key.frame == frame;
	     id = shadow_next(s, id)) {
		struct shadow_page *p = shadow_at(s, id);
		unsigned each = shadow_entry_size(p);

		for (unsigned n = at / each; n <= (at + size - 1) / each; n++)
			number_written(cpu, s, p, n);
	}
	if (s->count < count)
		free_emptied(s, frame);
}

/* One entry of a leaf table that one page shadows, as nearly all are. False:
 * it is not like that. */
static inline bool leaf_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
				uint32_t id, unsigned at)
{
	struct shadow_page *p = shadow_at(s, id);
	uint64_t now;

	if (p->key.level != 1 || p->key.format < 3 || !p->guest ||
	    p->generation != cpu->vm->slots.generation || shadow_next(s, id))
		return false;
	cpu->vm->stats.mmu_pte_write++;
	now = gpte_read_8(p->guest + at);
	if (now != p->snap[at / 8])
		shadow_renew(cpu, s, p, at / 8, now);
	if (p->known)
		shadow_absent_wrote(cpu, s, p, at / 8, now);
	return true;
}

static inline void page_written(struct vmmu_cpu *cpu, struct shadow_vm *s,
				gpa_t gpa, unsigned size)
{
	uint64_t frame = shadow_frame(cpu->vm, gpa_gfn(gpa).v);
	unsigned at = gpa.v & VMMU_PAGE_MASK;
	uint32_t id;

	if (frame == SHADOW_NO_FRAME)
		return;
	id = shadow_first(s, frame);
	if (id && (size != 8 || at & 7 || !leaf_written(cpu, s, id, at)))
		frame_written(cpu, s, id, at, size);
}

void shadow_wrote(struct vmmu_cpu *cpu, gpa_t gpa, unsigned size)
{
	struct shadow_vm *s = cpu->scheme == &vmmu_shadow ? shadow_here(cpu)
							  : shadow_of(cpu->vm);

	while (size) {
		unsigned left =
			(unsigned)(VMMU_PAGE_SIZE - (gpa.v & VMMU_PAGE_MASK));
		unsigned part = size < left ? size : left;

		page_written(cpu, s, gpa, part);
		gpa.v += part;
		size -= part;
	}
	shadow_settle(s);
}

/*
 * The guest writes to tables that are shadowed.
 *
 * A frame with a table in sync is mapped without W, so the first write comes
 * to us, and shadow_write decides:
 *
 *   no page of it is linked,   the table is dead, the frame is data: the
 *   or run on                  pages are freed, the guest writes. A cached
 *                              root is among them: no system writes to the
 *                              root of a process that does not run, but it
 *                              clears the page for the next one
 *   leaf tables only           they go out of sync: the guest writes. What it
 *                              changed counts when it flushes. Pages of a
 *                              table that was not shadowed before begin so
 *   any upper table            emulated; shadow_wrote sees what changed at
 *                              once, so that a table not in use now, of a
 *                              process not running, is right when it is
 *   ... written, and written,  it is data by now: unshadowed
 *   never walked through
 *
 * What is out of sync is compared at the guest's flushes: shadow_sync.c.
 */
#include "scheme/shadow_page.h"

#define FLOOD 6

/* Frees pages of the frame that hardware cannot reach now; at most all. */
static void free_unlinked(struct shadow_vm *s, uint64_t frame)
{
	uint32_t id = shadow_first(s, frame), next;

	for (; id; id = next) {
		struct shadow_page *p = shadow_at(s, id);

		next = shadow_next(s, id);
		if (!p->parents && !p->vcpus)
			shadow_page_free(s, p);
	}
}

/* What is out of sync is compared at each flush, in each of its roles: only
 * those of the mode of now are worth that. The frame has leaf tables alone. */
static void free_other_modes(struct vmmu_cpu *cpu, struct shadow_vm *s,
			     uint64_t frame)
{
	uint32_t id = shadow_first(s, frame), next,
		 mode = shadow_mode(&cpu->mode);

	for (; id; id = next) {
		struct shadow_page *p = shadow_at(s, id);

		next = shadow_next(s, id);
		if (p->key.mode != mode)
			shadow_page_free(s, p);
	}
}

bool shadow_is_fresh(const struct shadow_vm *s, const struct shadow_key *key)
{
	return key->level == 1 && key->format &&
	       key->frame != SHADOW_NO_FRAME && !s->absent &&
	       s->unsync_count < SHADOW_UNSYNC / 2 &&
	       !shadow_first(s, key->frame);
}

void shadow_begin_unsync(struct shadow_vm *s, struct shadow_page *p)
{
	s->owner[s->unsync_count] = 0;
	s->unsync[s->unsync_count++] = (uint16_t)shadow_id(s, p);
	p->unsync = true;
	s->vm->stats.mmu_unsync++;
}

static void unsync(struct vmmu_cpu *cpu, struct shadow_vm *s,
		   struct shadow_page *p)
{
	if (p->unsync)
		return;
	if (s->unsync_count == SHADOW_UNSYNC)
		shadow_sync_all(cpu, s, false);
	if (p->key.frame == SHADOW_NO_FRAME)
		return; /* parked */
	s->owner[s->unsync_count] = shadow_owner(s, p);
	s->unsync[s->unsync_count++] = (uint16_t)shadow_id(s, p);
	p->unsync = true;
	shadow_absent_forget(s, p);
	if (!shadow_is_pae_root(p))
		p->idle = 0;
	if (p->key.level > 1) {
		shadow_quick_forget(s, NULL);
		s->open_upper = true;
	}
	s->vm->stats.mmu_unsync++;
}

static void unsync_frame(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 uint64_t frame)
{
	uint32_t id = shadow_first(s, frame);

	for (; id && shadow_at(s, id)->key.frame == frame;
	     id = shadow_next(s, id))
		unsync(cpu, s, shadow_at(s, id));
}

/* Written so often, and no walk went through it. */
static bool flooded(struct shadow_vm *s, uint32_t id)
{
	bool all = true;

	for (; id; id = shadow_next(s, id)) {
		struct shadow_page *p = shadow_at(s, id);

		if (p->writes < FLOOD)
			p->writes++;
		all &= p->writes == FLOOD && !p->vcpus;
	}
	return all;
}

static void free_frame(struct shadow_vm *s, uint64_t frame)
{
	uint32_t id;

	while ((id = shadow_first(s, frame)) != 0)
		shadow_page_free(s, shadow_at(s, id));
}

/* What kinds of pages are there? */
struct kinds {
	bool upper, unlinked, in_sync;
};

static inline struct kinds kinds_of(const struct shadow_vm *s, uint32_t id)
{
	struct kinds k = { false, false, false };

	for (; id; id = shadow_next(s, id)) {
		const struct shadow_page *p = shadow_at(s, id);

		k.upper |= p->key.level > 1;
		k.unlinked |= !p->parents && !p->vcpus;
		k.in_sync |= !p->unsync;
	}
	return k;
}

enum shadow_write shadow_write(struct vmmu_cpu *cpu, struct shadow_vm *s,
			       uint64_t frame)
{
	uint32_t id = shadow_first(s, frame);
	struct kinds k = kinds_of(s, id);
	enum shadow_write let = k.upper ? SHADOW_WRITE_ENDED : SHADOW_WRITE_LET;

	if (k.unlinked) {
		free_unlinked(s, frame);
		id = shadow_first(s, frame);
		if (!id)
			return let;
		k = kinds_of(s, id);
	}
	if (s->absent && shadow_absent_emulates(s, frame))
		return SHADOW_WRITE_EMULATE;
	if (!k.upper) {
		free_other_modes(cpu, s, frame);
		unsync_frame(cpu, s, frame);
		return shadow_protects(s, frame) ? SHADOW_WRITE_EMULATE : let;
	}
	/* Out of sync already, as shadow_unshadow leaves any. */
	if (!k.in_sync)
		return let;
	if (!flooded(s, id))
		return SHADOW_WRITE_EMULATE;
	free_frame(s, frame);
	return SHADOW_WRITE_ENDED;
}

bool shadow_unshadow(struct vmmu_cpu *cpu, gpa_t gpa)
{
	struct shadow_vm *s = shadow_of(cpu->vm);
	uint64_t frame = shadow_frame(cpu->vm, gpa_gfn(gpa).v);

	if (frame == SHADOW_NO_FRAME || !shadow_first(s, frame))
		return false;
	free_unlinked(s, frame);
	unsync_frame(cpu, s, frame);
	shadow_settle(s);
	return true;
}

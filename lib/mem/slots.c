/*
 * Memory slots: add, delete, move, change flags.
 *
 * A change is checked whole before anything is touched; from the first
 * listener's call on it cannot fail. The order is
 *
 *   check -> before(change) -> array, search, generation -> after(change)
 *
 * so that who keeps derived entries can drop them while the old slot still
 * translates, and make new ones when the new slot does.
 *
 * The semantics are those of KVM_SET_USER_MEMORY_REGION, with one addition:
 * read-only may change on a living slot. Setting what is already so is no
 * change, and nobody is told.
 */
#include "mem/slots_search.h"

#define SLOT_FLAGS (VMMU_SLOT_LOG_DIRTY | VMMU_SLOT_READ_ONLY)

const char *vmmu_slot_error_name(enum vmmu_slot_error e)
{
	switch (e) {
	case VMMU_SLOT_OK:
		return "no error";
	case VMMU_SLOT_MISALIGNED:
		return "slot is not aligned to 4 KiB";
	case VMMU_SLOT_WRAPS:
		return "slot range passes the end of the address space";
	case VMMU_SLOT_OVERLAPS:
		return "slot ranges overlap";
	case VMMU_SLOT_FULL:
		return "no room for another slot";
	case VMMU_SLOT_BAD_FLAGS:
		return "unknown slot flag";
	case VMMU_SLOT_NO_BITMAP:
		return "slot logs dirty pages but has no bitmap";
	case VMMU_SLOT_NOT_FOUND:
		return "no slot with this id";
	case VMMU_SLOT_SIZE_CHANGED:
		return "slot of this id has another size or host address";
	}
	return "unknown slot error";
}

void vmmu_slots_init(struct vmmu_slots *s, struct vmmu_slot *slot,
		     uint32_t capacity)
{
	*s = (struct vmmu_slots){
		.slot = slot,
		.capacity = slots_search_capacity(capacity),
	};
	slots_search_prepare(s);
}

void vmmu_slots_listen(struct vmmu_slots *s, struct vmmu_slot_listener *l)
{
	struct vmmu_slot_listener **end = &s->listeners;

	while (*end)
		end = &(*end)->next;
	l->next = NULL;
	*end = l;
}

static uint32_t index_of(const struct vmmu_slots *s, uint32_t id)
{
	uint32_t i = 0;

	while (i < s->count && s->slot[i].id != id)
		i++;
	return i;
}

const struct vmmu_slot *vmmu_slots_by_id(const struct vmmu_slots *s,
					 uint32_t id)
{
	uint32_t i = index_of(s, id);

	return i < s->count ? &s->slot[i] : NULL;
}

/* What is wrong with the slot by itself. */
static enum vmmu_slot_error check_slot(const struct vmmu_slot *w)
{
	if (w->flags & ~SLOT_FLAGS)
		return VMMU_SLOT_BAD_FLAGS;
	if ((w->gpa.v | w->size | w->hva.v) & VMMU_PAGE_MASK)
		return VMMU_SLOT_MISALIGNED;
	if (w->gpa.v + w->size < w->gpa.v || w->hva.v + w->size < w->hva.v)
		return VMMU_SLOT_WRAPS;
	if (w->size && (w->flags & VMMU_SLOT_LOG_DIRTY) && !w->dirty)
		return VMMU_SLOT_NO_BITMAP;
	return VMMU_SLOT_OK;
}

/* What is wrong with it among the others, of which slot[self] is itself. */
static enum vmmu_slot_error check_change(const struct vmmu_slots *s,
					 const struct vmmu_slot *w,
					 uint32_t self)
{
	const struct vmmu_slot *old = self < s->count ? &s->slot[self] : NULL;

	if (!w->size)
		return old ? VMMU_SLOT_OK : VMMU_SLOT_NOT_FOUND;
	if (old && (old->size != w->size || old->hva.v != w->hva.v))
		return VMMU_SLOT_SIZE_CHANGED;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct vmmu_slot *o = &s->slot[i];

		if (i != self && w->gpa.v < o->gpa.v + o->size &&
		    o->gpa.v < w->gpa.v + w->size)
			return VMMU_SLOT_OVERLAPS;
	}
	if (!old && s->count == s->capacity)
		return VMMU_SLOT_FULL;
	return VMMU_SLOT_OK;
}

static void remove_at(struct vmmu_slots *s, uint32_t at)
{
	s->count--;
	for (uint32_t i = at; i < s->count; i++)
		s->slot[i] = s->slot[i + 1];
}

static void insert(struct vmmu_slots *s, const struct vmmu_slot *w)
{
	uint32_t at = s->count++;

	for (; at > 0 && s->slot[at - 1].gpa.v > w->gpa.v; at--)
		s->slot[at] = s->slot[at - 1];
	s->slot[at] = *w;
}

static bool same(const struct vmmu_slot *a, const struct vmmu_slot *b)
{
	return a->gpa.v == b->gpa.v && a->flags == b->flags &&
	       a->dirty == b->dirty;
}

static void tell_before(struct vmmu_slots *s, const struct vmmu_slot_change *c)
{
	for (struct vmmu_slot_listener *l = s->listeners; l; l = l->next)
		if (l->before)
			l->before(l->ctx, c);
}

static void tell_after(struct vmmu_slots *s, const struct vmmu_slot_change *c)
{
	for (struct vmmu_slot_listener *l = s->listeners; l; l = l->next)
		if (l->after)
			l->after(l->ctx, c);
}

/* Copies, so that a listener may look at both while the array moves. */
static void perform(struct vmmu_slots *s, const struct vmmu_slot *w,
		    uint32_t self)
{
	struct vmmu_slot now = *w, old;
	struct vmmu_slot_change change = { NULL, NULL };

	if (!(now.flags & VMMU_SLOT_LOG_DIRTY))
		now.dirty = NULL;
	if (now.size)
		change.now = &now;
	if (self < s->count) {
		old = s->slot[self];
		change.old = &old;
		if (change.now && same(&old, &now))
			return;
	}
	tell_before(s, &change);
	if (change.old)
		remove_at(s, self);
	if (change.now)
		insert(s, &now);
	slots_search_prepare(s);
	s->generation++;
	tell_after(s, &change);
}

enum vmmu_slot_error vmmu_slots_set(struct vmmu_slots *s,
				    const struct vmmu_slot *want)
{
	uint32_t self = index_of(s, want->id);
	enum vmmu_slot_error e = check_slot(want);

	if (e == VMMU_SLOT_OK)
		e = check_change(s, want, self);
	if (e == VMMU_SLOT_OK)
		perform(s, want, self);
	return e;
}

void vmmu_slot_mark_dirty(const struct vmmu_slot *slot, gfn_t gfn)
{
	uint64_t offset = gfn_gpa(gfn).v - slot->gpa.v;
	uint64_t page = offset >> VMMU_PAGE_SHIFT;

	if ((slot->flags & VMMU_SLOT_LOG_DIRTY) && offset < slot->size)
		__atomic_fetch_or(&slot->dirty[page / 64],
				  UINT64_C(1) << page % 64, __ATOMIC_RELAXED);
}

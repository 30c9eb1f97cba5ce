/*
 * Faults that hardware takes to the guest without us.
 *
 * Where hardware can tell page faults apart by their error code (VMX: the #PF
 * error-code mask and match, SDM 3C 25.2), an entry of ours is one of three:
 *
 *   present   walked
 *   TRAP      P and all address bits, which is a reserved bit: P = 1 in the
 *             error code, and the fault comes to us. What is not known
 *   0         P = 0: the fault is the guest's own, and does not come. The
 *             guest's entry is not present, and it cannot become so unseen,
 *             because the table is in sync: its frame is write-protected
 *
 * So pages are made of TRAPs, and in a level 1 page in sync the zeros are
 * learnt, all at once, when the first true fault in it has come the long way
 * (`known`). They are forgotten when the table goes out of sync.
 *
 * For that tables should stay in sync. A write by the guest is emulated while
 * each entry that it wrote is used before the next is written, as when it
 * answers faults; the leaf is made with the write, so that one exit is all
 * that a fault costs. A guest that writes entry after entry is let out of
 * sync, as without all this.
 *
 * Upper levels have no zeros: there is little to be had.
 */
#include "scheme/shadow_page.h"

#include "pt/gpte.h"

#define UNUSED_MAX 3 /* entries written in a row and not used */

void shadow_absent_begin(struct shadow_vm *s)
{
	s->absent = s->vm->hw.filters_faults ? SHADOW_TRAP : 0;
}

void shadow_absent_fill(const struct shadow_vm *s, struct shadow_page *p)
{
	if (!s->absent || shadow_is_pae_root(p))
		return;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		p->table[i] = s->absent;
}

void shadow_absent_clear(const struct shadow_vm *s, struct shadow_page *p)
{
	if (!s->absent || shadow_is_pae_root(p))
		return;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		p->table[i] = 0;
}

/* Is the error code what the guest's own processor would have made? It has I
 * wherever ours has NXE, and that is always. */
bool shadow_direct_faults(const struct vmmu_cpu *cpu)
{
	return shadow_here(cpu)->absent && cpu->mode.straight &&
	       cpu->mode.error_i;
}

static void learn_row(struct shadow_page *p, unsigned first)
{
	for (unsigned i = first; i < first + 8; i++)
		if (p->table[i] == SHADOW_TRAP &&
		    !(gpte_read_8(p->guest + i * 8) & SHADOW_P))
			shadow_store(p, i, 0);
}

/* Nothing is there, of the guest's or ours, as in most rows. */
static bool learn_empty_row(struct shadow_page *p, unsigned first)
{
	const uint8_t *guest = p->guest + first * 8;
	uint64_t *table = &p->table[first];

	if (p->rows >> first / 8 & 1 ||
	    (gpte_read_8(guest) | gpte_read_8(guest + 8) |
	     gpte_read_8(guest + 16) | gpte_read_8(guest + 24) |
	     gpte_read_8(guest + 32) | gpte_read_8(guest + 40) |
	     gpte_read_8(guest + 48) | gpte_read_8(guest + 56)) &
		    SHADOW_P)
		return false;
	table[0] = table[1] = table[2] = table[3] = 0;
	table[4] = table[5] = table[6] = table[7] = 0;
	return true;
}

void shadow_absent_learn(const struct shadow_vm *s, struct shadow_page *p)
{
	if (!s->absent || p->unsync || p->known)
		return;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i += 8)
		if (!learn_empty_row(p, i))
			learn_row(p, i);
	p->known = 1;
	p->written = SHADOW_ENTRIES;
}

void shadow_absent_forget(const struct shadow_vm *s, struct shadow_page *p)
{
	if (shadow_is_pae_root(p) || !p->known)
		return;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		if (!p->table[i])
			shadow_store(p, i, s->absent);
	p->known = 0;
}

/* `known` counts from 1 the entries that were written and not used. */
bool shadow_absent_emulates(const struct shadow_vm *s, uint64_t frame)
{
	uint32_t id = shadow_first(s, frame);

	if (!s->absent || !id)
		return false;
	for (; id; id = shadow_next(s, id)) {
		const struct shadow_page *p = shadow_at(s, id);

		if (p->key.level > 1 || p->unsync || !p->known ||
		    p->known > UNUSED_MAX)
			return false;
	}
	return true;
}

/* The guest writes where ours has a leaf without W, and the frame has a table
 * that is kept in sync: no walk is needed to say so. Whoever emulates walks,
 * and finds out whether the guest may write there at all. */
bool shadow_absent_write(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 const struct vmmu_fault *f, struct vmmu_answer *a)
{
	const struct shadow_page *p = cpu->state;
	unsigned index = shadow_index(p, f->gva.v);
	uint64_t entry = shadow_load(p, index), gpa;

	if (!(f->access & VMMU_W) || !shadow_direct_faults(cpu))
		return false;
	while (p->key.level > 1) {
		if (!(entry & SHADOW_P) || shadow_is_leaf(p, entry))
			return false;
		p = shadow_child(s, p, index);
		index = shadow_index(p, f->gva.v);
		entry = shadow_load(p, index);
	}
	if ((entry & (SHADOW_P | SHADOW_W)) != SHADOW_P)
		return false;
	gpa = shadow_leaf_gpa(p, index);
	if (!shadow_absent_emulates(
		    s, shadow_frame(s->vm, gpa >> VMMU_PAGE_SHIFT)))
		return false;
	s->vm->stats.pf_emulate++;
	a->verdict = VMMU_EMULATE;
	a->gpa = mk_gpa(gpa | (f->gva.v & VMMU_PAGE_MASK));
	return true;
}

static bool was_used(const struct shadow_page *p)
{
	return p->written < SHADOW_ENTRIES &&
	       shadow_load(p, p->written) & SHADOW_A;
}

void shadow_absent_wrote(struct vmmu_cpu *cpu, struct shadow_vm *s,
			 struct shadow_page *p, unsigned index, uint64_t now)
{
	bool was_known = !p->table[index];

	if (was_used(p))
		p->known = 1;
	else if (p->known <= UNUSED_MAX)
		p->known++;
	p->written = (uint16_t)index;
	if (shadow_load(p, index) & SHADOW_P)
		return;
	if (!(now & SHADOW_P)) {
		shadow_store(p, index, 0);
		return;
	}
	shadow_store(p, index, SHADOW_TRAP);
	s->vm->stats.pf_direct += was_known;
	shadow_beside(cpu, s, p, index);
}

/*
 * The audit of direct: the counts, worked out anew from the tables.
 *
 * There is no memory for a second set of counts, so the first is used: each
 * use that is found is taken off the frame's counts, what then remains must be
 * what the client holds, and all is put back.
 *
 *   1. every entry of every table, as far as it is checked, and the pins and
 *      roots: -1 each
 *   2. what remains: holds, and nothing below zero
 *   3. the same again: +1 each
 *
 * I1 An entry has no bit that it may not have; an L4 has the hypervisor's
 *    entries where it must.
 * I2 An entry refers to a frame of the VM's own; p2m and m2p agree.
 * I5 What an entry refers to has the type that the entry needs, and the counts
 *    of a frame are its uses. A frame has one type, so none is writable and a
 *    table at once.
 */
#include <stddef.h>

#include "scheme/direct_leaf.h"

struct count {
	struct vmmu_direct_vm *d;
	const struct vmmu_audit_sink *sink;
	uint32_t each; /* what one use is: 1 or -1 */
	bool quiet;    /* putting back */
	uint64_t left[VMMU_FRAME_TYPES];
};

static void breach(const struct count *c, unsigned invariant,
		   const char *sentence, uint64_t addr, uint64_t entry)
{
	if (!c->quiet)
		c->sink->breach(c->sink->ctx, invariant, sentence, addr, entry);
}

/* 1. Uses. */

static void use(const struct count *c, struct vmmu_frame *f, bool typed)
{
	f->total_count += c->each;
	if (typed)
		f->type_count += c->each;
}

static void use_typed(const struct count *c, uint64_t hfn, unsigned type,
		      uint64_t addr, uint64_t entry)
{
	struct vmmu_frame *f = direct_own(c->d, hfn);

	if (!f) {
		breach(c, 2, "I2: an entry refers to a frame of another's",
		       addr, entry);
		return;
	}
	use(c, f, true);
	if (f->type != type &&
	    !(type == VMMU_FRAME_WRITABLE && f->type == VMMU_FRAME_SHARED))
		breach(c, 5, "I5: an entry refers to a frame of a wrong type",
		       addr, entry);
}

static void use_leaf(const struct count *c, uint64_t addr, uint64_t entry)
{
	struct vmmu_frame *f = direct_own(c->d, entry_frame(entry));

	if (entry & c->d->leaf_bad || !(entry & ENTRY_U))
		breach(c, 1, "I1: a leaf has bits that it may not have", addr,
		       entry);
	if (entry & ENTRY_W)
		use_typed(c, entry_frame(entry), VMMU_FRAME_WRITABLE, addr,
			  entry);
	else if (f)
		use(c, f, false);
	else
		breach(c, 2, "I2: a leaf maps a frame of another's", addr,
		       entry);
}

static void use_link(const struct count *c, unsigned level, uint64_t addr,
		     uint64_t entry)
{
	const struct vmmu_frame *f = direct_own(c->d, entry_frame(entry));

	if (entry & c->d->link_bad || !(entry & ENTRY_U))
		breach(c, 1, "I1: a link has bits that it may not have", addr,
		       entry);
	if (f && !(f->flags & (VMMU_FRAME_VALIDATED | VMMU_FRAME_PARTIAL)))
		breach(c, 5, "I5: a table that is linked is not validated",
		       addr, entry);
	use_typed(c, entry_frame(entry), level - 1, addr, entry);
}

static void use_entry(const struct count *c, const struct vmmu_frame *table,
		      unsigned index, uint64_t addr, uint64_t entry)
{
	const struct vmmu_direct_config *config = &c->d->config;

	if (direct_is_ours(c->d, table->type, index)) {
		/* But for A, which hardware sets. */
		if (table->flags & VMMU_FRAME_VALIDATED &&
		    (entry ^ config->template[index - config->slot_first]) &
			    ~ENTRY_A)
			breach(c, 1, "I1: a slot of the hypervisor's differs",
			       addr, entry);
	} else if (!(entry & ENTRY_P)) {
		if (!leaf_absent_ok(c->d, entry))
			breach(c, 1, "I1: an absent entry names memory", addr,
			       entry);
	} else if (table->type == VMMU_FRAME_L1) {
		use_leaf(c, addr, entry);
	} else {
		use_link(c, table->type, addr, entry);
	}
	if (!c->quiet)
		c->sink->entry(c->sink->ctx);
}

static void use_entries_of(const struct count *c, struct vmmu_frame *f)
{
	uint64_t hfn = direct_hfn(c->d, f);
	const uint64_t *entries = direct_entries(c->d, hfn);
	unsigned count = f->flags & VMMU_FRAME_PARTIAL ? f->mark : ENTRIES;

	if (f->flags & VMMU_FRAME_PINNED)
		use(c, f, true);
	if (!direct_is_table(f->type) ||
	    !(f->flags & (VMMU_FRAME_VALIDATED | VMMU_FRAME_PARTIAL)))
		return;
	for (unsigned i = 0; i < count; i++)
		use_entry(c, f, i, hfn << VMMU_PAGE_SHIFT | i << ENTRY_SHIFT,
			  entry_load(&entries[i]));
}

static void use_root(const struct count *c, hpa_t root)
{
	if (root.v)
		use_typed(c, hpa_hfn(root).v, VMMU_FRAME_L4, root.v, 0);
}

static void use_all(const struct count *c)
{
	const struct vmmu_frames *frames = &c->d->table;

	for (uint64_t i = 0; i < frames->count; i++)
		if (frames->frame[i].owner == c->d->config.owner)
			use_entries_of(c, &frames->frame[i]);
	for (struct vmmu_cpu *cpu = c->d->vm->cpus; cpu; cpu = cpu->next) {
		use_root(c, cpu->root);
		use_root(c, vmmu_direct_cpu(cpu)->user_root);
	}
}

/* 2. What remains. */

static void check_frame(struct count *c, const struct vmmu_frame *f)
{
	uint64_t hfn = direct_hfn(c->d, f);
	bool usable = f->flags & VMMU_FRAME_VALIDATED;

	if (f->total_count > VMMU_FRAME_COUNT_MAX ||
	    f->type_count > f->total_count)
		breach(c, 5, "I5: a frame has more uses than are counted", hfn,
		       f->total_count);
	else if (f->type_count && !usable)
		breach(c, 5, "I5: a frame is held that is not validated", hfn,
		       f->type_count);
	c->left[f->type < VMMU_FRAME_TYPES ? f->type : 0] += f->type_count;
	c->left[VMMU_FRAME_NONE] += f->total_count - f->type_count;
}

static void check_left(struct count *c)
{
	const struct vmmu_frames *frames = &c->d->table;
	const uint64_t *holds = c->d->holds;

	for (uint64_t i = 0; i < frames->count; i++)
		if (frames->frame[i].owner == c->d->config.owner)
			check_frame(c, &frames->frame[i]);
	c->left[VMMU_FRAME_WRITABLE] += c->left[VMMU_FRAME_SHARED];
	for (unsigned type = 0; type < VMMU_FRAME_SHARED; type++)
		if (c->left[type] != holds[type])
			breach(c, 5, "I5: counts are not what uses there are",
			       type, c->left[type]);
}

static void check_p2m(const struct count *c)
{
	const struct vmmu_direct_config *config = &c->d->config;
	const uint64_t *m2p = config->frames->m2p;

	for (uint64_t i = 0; i < config->p2m_count; i++) {
		uint64_t hfn = config->p2m[i];

		if (hfn == VMMU_M2P_INVALID)
			continue;
		if (!direct_own(c->d, hfn))
			breach(c, 2, "I2: p2m names a frame of another's", i,
			       hfn);
		else if (m2p[hfn - config->frames->first] != i)
			breach(c, 2, "I2: p2m and m2p do not agree", i, hfn);
	}
}

/* Answers how many pages of the pool it holds beside its state. */
uint32_t direct_audit(struct vmmu_vm *vm, const struct vmmu_audit_sink *sink)
{
	struct count c = { .d = vm->direct, .sink = sink, .each = UINT32_MAX };

	use_all(&c);
	check_left(&c);
	c.each = 1;
	c.quiet = true;
	use_all(&c);
	check_p2m(&(struct count){ .d = vm->direct, .sink = sink });
	return 0;
}

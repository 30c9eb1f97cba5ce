/*
 * Pins, and the roots that vCPUs run on.
 *
 * A pin is a use of a table that nothing else need have: the guest keeps it
 * checked while it is linked nowhere, so that linking it again costs nothing.
 * A root is a use by a vCPU: an L4 that a processor may walk is never taken
 * apart, whatever the guest unpins.
 */
#include "scheme/direct.h"

/* 1. Pins. */

static enum vmmu_direct_status pin(struct vmmu_direct_vm *d, uint64_t hfn,
				   unsigned level, uint32_t *budget)
{
	struct vmmu_frame *f = direct_own(d, hfn);
	enum vmmu_direct_status s;

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (!direct_is_table(level))
		return VMMU_DIRECT_TYPE;
	if (f->flags & VMMU_FRAME_PINNED)
		return VMMU_DIRECT_STATE;
	s = direct_get_type(d, hfn, level, budget);
	if (s != VMMU_DIRECT_OK)
		return s;
	f->flags |= VMMU_FRAME_PINNED;
	d->stats.pin[level]++;
	return VMMU_DIRECT_OK;
}

/* The table that a promotion was at when it paused, if that one paused too. */
static struct vmmu_frame *paused_below(const struct vmmu_direct_vm *d,
				       const struct vmmu_frame *f)
{
	const uint64_t *entries = direct_entries(d, direct_hfn(d, f));
	struct vmmu_frame *child;

	if (f->mark >= ENTRIES || !(entries[f->mark] & ENTRY_P))
		return NULL;
	child = direct_own(d, entry_frame(entries[f->mark]));
	if (!child || child->type != f->type - 1 || child->type_count ||
	    !(child->flags & VMMU_FRAME_PARTIAL))
		return NULL;
	return child;
}

/* A pin that the guest began and does not want to finish. */
static bool abandon(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		    uint32_t *budget)
{
	struct vmmu_frame *child = paused_below(d, f);

	if (child && !abandon(d, child, budget))
		return false;
	return direct_demote(d, f, budget);
}

static enum vmmu_direct_status unpin(struct vmmu_direct_vm *d, uint64_t hfn,
				     uint32_t *budget)
{
	struct vmmu_frame *f = direct_own(d, hfn);

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (f->flags & VMMU_FRAME_PARTIAL && !f->type_count)
		return abandon(d, f, budget) ? VMMU_DIRECT_OK
					     : VMMU_DIRECT_AGAIN;
	if (!(f->flags & VMMU_FRAME_PINNED))
		return VMMU_DIRECT_STATE;
	f->flags &= (uint8_t)~VMMU_FRAME_PINNED;
	/* Of a mapping that went while the pin was left there is no mark. */
	if (f->total_count == 1)
		f->mark = d->epoch;
	d->stats.unpin++;
	direct_put_pin(d, f, budget);
	return VMMU_DIRECT_OK;
}

enum vmmu_direct_status vmmu_direct_pin(struct vmmu_cpu *cpu, hfn_t hfn,
					unsigned level, uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	return direct_end(d, pin(d, hfn.v, level, budget), budget);
}

enum vmmu_direct_status vmmu_direct_unpin(struct vmmu_cpu *cpu, hfn_t hfn,
					  uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	return direct_end(d, unpin(d, hfn.v, budget), budget);
}

/* 2. Roots. */

static enum vmmu_direct_status change_root(struct vmmu_direct_vm *d,
					   hpa_t *root, uint64_t hfn,
					   uint32_t *budget)
{
	uint64_t old = hpa_hfn(*root).v;
	enum vmmu_direct_status s = VMMU_DIRECT_OK;

	if (hfn == old)
		return VMMU_DIRECT_OK;
	if (hfn)
		s = direct_get_type(d, hfn, VMMU_FRAME_L4, budget);
	if (s != VMMU_DIRECT_OK)
		return s;
	*root = hfn_hpa(mk_hfn(hfn));
	if (old)
		direct_put_type(d, direct_frame(d, old), budget);
	return VMMU_DIRECT_OK;
}

enum vmmu_direct_status vmmu_direct_set_root(struct vmmu_cpu *cpu, hfn_t hfn,
					     uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	/* A kernel without tables could not go on. */
	if (!hfn.v)
		return direct_end(d, VMMU_DIRECT_FOREIGN, budget);
	d->stats.roots++;
	return direct_end(d, change_root(d, &cpu->root, hfn.v, budget), budget);
}

enum vmmu_direct_status vmmu_direct_set_user_root(struct vmmu_cpu *cpu,
						  hfn_t hfn, uint32_t *budget)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	hpa_t *root = &vmmu_direct_cpu(cpu)->user_root;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	d->stats.user_roots++;
	return direct_end(d, change_root(d, root, hfn.v, budget), budget);
}

/* 3. The roots of processes that are there already, one for the other. */

/* Can this be a root as it is? NULL: no. */
static inline struct vmmu_frame *ready_root(const struct vmmu_direct_vm *d,
					    hfn_t hfn)
{
	struct vmmu_frame *f = direct_own(d, hfn.v);

	if (!f || !direct_is(f, VMMU_FRAME_L4) ||
	    f->total_count >= d->table.count_limit)
		return NULL;
	return f;
}

/* Does the root that is left stay a table? NULL: no, or there is none. */
static inline struct vmmu_frame *spare_root(const struct vmmu_direct_vm *d,
					    hpa_t root)
{
	struct vmmu_frame *f;

	if (!root.v)
		return NULL;
	f = direct_frame(d, hpa_hfn(root).v);
	return f->type_count == 1 ? NULL : f;
}

static inline void exchange(const struct vmmu_direct_vm *d,
			    struct vmmu_frame *f, struct vmmu_frame *old)
{
	f->type_count++;
	f->total_count++;
	old->type_count--;
	old->total_count--;
	old->mark = d->epoch;
}

static inline bool exchange_root(struct vmmu_direct_vm *d, hpa_t *root,
				 hfn_t hfn)
{
	struct vmmu_frame *f = ready_root(d, hfn), *old = spare_root(d, *root);

	if (!f || !old || d->doomed_count)
		return false;
	exchange(d, f, old);
	*root = hfn_hpa(hfn);
	return true;
}

bool vmmu_direct_set_root_quick(struct vmmu_cpu *cpu, hfn_t hfn)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!exchange_root(d, &cpu->root, hfn))
		return false;
	d->stats.roots++;
	return true;
}

bool vmmu_direct_set_user_root_quick(struct vmmu_cpu *cpu, hfn_t hfn)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;

	if (!exchange_root(d, &vmmu_direct_cpu(cpu)->user_root, hfn))
		return false;
	d->stats.user_roots++;
	return true;
}

/* All four are looked at before any count changes. Two that come, or two that
 * go, may not be one frame: it was looked at for one. One that comes and one
 * that goes may: it is counted up first, or was not its own last use. */
bool vmmu_direct_set_roots_quick(struct vmmu_cpu *cpu, hfn_t kernel, hfn_t user)
{
	struct vmmu_direct_vm *d = cpu->vm->direct;
	struct vmmu_direct_cpu *seat = vmmu_direct_cpu(cpu);
	struct vmmu_frame *f = ready_root(d, kernel);
	struct vmmu_frame *g = ready_root(d, user);
	struct vmmu_frame *old = spare_root(d, cpu->root);
	struct vmmu_frame *old_user = spare_root(d, seat->user_root);

	if (!f || !g || f == g || !old || !old_user || old == old_user ||
	    d->doomed_count)
		return false;
	exchange(d, f, old);
	exchange(d, g, old_user);
	cpu->root = hfn_hpa(kernel);
	seat->user_root = hfn_hpa(user);
	d->stats.roots++;
	d->stats.user_roots++;
	d->epoch++;
	return true;
}

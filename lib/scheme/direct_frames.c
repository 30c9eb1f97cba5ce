/*
 * Who owns a frame, and what the guest calls it.
 *
 *   nobody ──give──► the VM's ──release──► nobody
 *      └────share──► SHARED, for ever the VM's to map, until the VM ends
 *
 * p2m is the hypervisor's own record, m2p what guests may read; a guest sets
 * m2p for its frames, and p2m follows where the gfn is one that p2m has. Both
 * agree at all times: p2m[g] = h means m2p[h] = g.
 *
 * A frame is released when no use of it is left and no processor can remember
 * one: only then may another VM have it.
 */
#include <stddef.h>

#include "scheme/direct.h"

void vmmu_frames_init(struct vmmu_frames *frames)
{
	for (uint64_t i = 0; i < frames->count; i++) {
		frames->frame[i] = (struct vmmu_frame){ .owner = 0 };
		frames->m2p[i] = VMMU_M2P_INVALID;
	}
}

/* 1. p2m and m2p. */

static uint64_t *m2p_of(const struct vmmu_direct_vm *d, uint64_t hfn)
{
	const struct vmmu_frames *frames = &d->table;

	return &frames->m2p[hfn - frames->first];
}

/* Where p2m says so, it no longer does, and who reached memory by it (gmem.h)
 * has to ask again. */
static void forget_gfn(struct vmmu_direct_vm *d, uint64_t hfn)
{
	const uint64_t *m2p = m2p_of(d, hfn);

	d->vm->slots.generation++;

	if (*m2p < d->config.p2m_count && d->config.p2m[*m2p] == hfn)
		d->config.p2m[*m2p] = VMMU_M2P_INVALID;
}

static void set_gfn(struct vmmu_direct_vm *d, uint64_t hfn, uint64_t gfn)
{
	forget_gfn(d, hfn);
	*m2p_of(d, hfn) = gfn;
	if (gfn < d->config.p2m_count)
		d->config.p2m[gfn] = hfn;
}

bool vmmu_direct_p2m(const struct vmmu_vm *vm, gfn_t gfn, hfn_t *hfn)
{
	const struct vmmu_direct_config *c = &vm->direct->config;

	if (gfn.v >= c->p2m_count || c->p2m[gfn.v] == VMMU_M2P_INVALID)
		return false;
	*hfn = mk_hfn(c->p2m[gfn.v]);
	return true;
}

bool vmmu_direct_m2p(const struct vmmu_vm *vm, hfn_t hfn, gfn_t *gfn)
{
	const struct vmmu_frames *frames = vm->direct->config.frames;

	if (!direct_own(vm->direct, hfn.v))
		return false;
	*gfn = mk_gfn(frames->m2p[hfn.v - frames->first]);
	return gfn->v != VMMU_M2P_INVALID;
}

enum vmmu_direct_status direct_machphys(struct vmmu_direct_vm *d, uint64_t hfn,
					uint64_t gfn)
{
	const struct vmmu_frame *f = direct_own(d, hfn);

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (f->type == VMMU_FRAME_SHARED)
		return VMMU_DIRECT_TYPE;
	d->stats.machphys++;
	set_gfn(d, hfn, gfn);
	return VMMU_DIRECT_OK;
}

/* 2. Owners. */

static struct vmmu_frame *free_frame(const struct vmmu_direct_vm *d, hfn_t hfn)
{
	struct vmmu_frame *f = vmmu_frame_of(&d->table, hfn);

	return f && !f->owner ? f : NULL;
}

enum vmmu_direct_status vmmu_direct_give(struct vmmu_vm *vm, gfn_t gfn,
					 hfn_t hfn)
{
	struct vmmu_direct_vm *d = vm->direct;
	struct vmmu_frame *f = free_frame(d, hfn);

	if (!f)
		return direct_end(d, VMMU_DIRECT_FOREIGN, NULL);
	if (gfn.v >= d->config.p2m_count)
		return direct_end(d, VMMU_DIRECT_ADDRESS, NULL);
	if (d->config.p2m[gfn.v] != VMMU_M2P_INVALID)
		return direct_end(d, VMMU_DIRECT_STATE, NULL);
	*f = (struct vmmu_frame){ .owner = d->config.owner };
	set_gfn(d, hfn.v, gfn.v);
	d->stats.given++;
	return VMMU_DIRECT_OK;
}

enum vmmu_direct_status vmmu_direct_share(struct vmmu_vm *vm, hfn_t hfn)
{
	struct vmmu_direct_vm *d = vm->direct;
	struct vmmu_frame *f = free_frame(d, hfn);

	if (!f)
		return direct_end(d, VMMU_DIRECT_FOREIGN, NULL);
	*f = (struct vmmu_frame){ .owner = d->config.owner,
				  .type = VMMU_FRAME_SHARED,
				  .flags = VMMU_FRAME_VALIDATED };
	return VMMU_DIRECT_OK;
}

static void free_it(struct vmmu_direct_vm *d, struct vmmu_frame *f,
		    uint64_t hfn)
{
	forget_gfn(d, hfn);
	*m2p_of(d, hfn) = VMMU_M2P_INVALID;
	/* The owner last: from then on the frame is another's to take. */
	f->type = VMMU_FRAME_NONE;
	f->flags = 0;
	f->mark = 0;
	f->total_count = 0;
	f->type_count = 0;
	__atomic_store_n(&f->owner, 0, __ATOMIC_RELEASE);
}

static enum vmmu_direct_status release(struct vmmu_direct_vm *d, uint64_t hfn)
{
	struct vmmu_frame *f = direct_own(d, hfn);

	if (!f)
		return VMMU_DIRECT_FOREIGN;
	if (f->type == VMMU_FRAME_SHARED)
		return VMMU_DIRECT_TYPE;
	if (f->total_count || f->flags & VMMU_FRAME_PARTIAL)
		return VMMU_DIRECT_STATE;
	if (f->mark == d->epoch)
		direct_flush(d);
	free_it(d, f, hfn);
	d->stats.released++;
	return VMMU_DIRECT_OK;
}

enum vmmu_direct_status vmmu_direct_release(struct vmmu_vm *vm, hfn_t hfn,
					    uint32_t *budget)
{
	struct vmmu_direct_vm *d = vm->direct;

	if (!direct_begin(d, budget))
		return direct_end(d, VMMU_DIRECT_AGAIN, budget);
	return direct_end(d, release(d, hfn.v), budget);
}

void vmmu_direct_vm_fini(struct vmmu_direct_vm *d)
{
	const struct vmmu_frames *frames = &d->table;

	for (uint64_t i = 0; i < frames->count; i++)
		if (frames->frame[i].owner == d->config.owner)
			free_it(d, &frames->frame[i], frames->first + i);
	d->vm->direct = NULL;
}

/* 3. Holds. */

enum vmmu_direct_status vmmu_direct_hold(struct vmmu_vm *vm, hfn_t hfn,
					 enum vmmu_frame_type type,
					 uint32_t *budget)
{
	struct vmmu_direct_vm *d = vm->direct;
	enum vmmu_direct_status s = VMMU_DIRECT_TYPE;

	if (!direct_begin(d, budget))
		s = VMMU_DIRECT_AGAIN;
	else if (type == VMMU_FRAME_NONE)
		s = direct_get_any(d, hfn.v);
	else if (type == VMMU_FRAME_WRITABLE || type == VMMU_FRAME_SEGMENTS)
		s = direct_get_type(d, hfn.v, type, budget);
	if (s == VMMU_DIRECT_OK)
		d->holds[type]++;
	return direct_end(d, s, budget);
}

void vmmu_direct_drop(struct vmmu_vm *vm, hfn_t hfn, enum vmmu_frame_type type)
{
	struct vmmu_direct_vm *d = vm->direct;
	struct vmmu_frame *f = direct_frame(d, hfn.v);

	d->holds[type]--;
	if (type == VMMU_FRAME_NONE)
		direct_put_any(d, f);
	else
		direct_put_type(d, f, NULL);
}

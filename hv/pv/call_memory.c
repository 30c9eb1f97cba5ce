/*
 * memory_op: the memory map, where the M2P lies, and the balloon.
 *
 * A frame that the guest gives up goes back to the machine, scrubbed; one
 * that it asks for is zero. It never gets more than it was promised. A list
 * of frames may be long: the host takes its interrupts on the way, and what
 * was done so far is the answer when one is refused.
 */
#include "pv/shadow.h"

#include "mm/frames.h"
#include "vm/vm.h"

#define E820_RAM 1u

struct e820 {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

static long memory_map(uint64_t arg, struct pv_cpu *c)
{
	const struct e820 ram = { 0, c->domain->pages * VMMU_PAGE_SIZE,
				  E820_RAM };
	struct xen_memory_map map;

	if (!pv_get(&map, arg, sizeof(map)))
		return -XEN_EFAULT;
	if (map.nr_entries < 1)
		return -XEN_EINVAL;
	map.nr_entries = 1;
	if (!pv_put((uintptr_t)map.buffer.p, &ram, sizeof(ram)) ||
	    !pv_put(arg, &map, sizeof(map)))
		return -XEN_EFAULT;
	return 0;
}

static long machphys_mapping(uint64_t arg)
{
	uint64_t count = pv_frames.first + pv_frames.count;
	const struct xen_machphys_mapping map = {
		.v_start = HV_M2P_BASE,
		.v_end = HV_M2P_BASE + count * 8,
		.max_mfn = count - 1,
	};

	return pv_put(arg, &map, sizeof(map)) ? 0 : -XEN_EFAULT;
}

static enum vmmu_direct_status try_release(struct pv_cpu *c, hfn_t hfn)
{
	uint32_t budget = PV_BUDGET;

	return vmmu_direct_release(&c->vcpu->vm->mmu, hfn, &budget);
}

static bool give_up(struct pv_cpu *c, uint64_t mfn)
{
	enum vmmu_direct_status status;
	hpa_t page;

	if (pv_is_shadow(c)) {
		if (!pv_shadow_release(c->domain, mfn, &page))
			return false;
		frame_free(page, 0);
		return true;
	}
	while ((status = try_release(c, mk_hfn(mfn))) == VMMU_DIRECT_AGAIN)
		pv_breathe(c);
	if (status != VMMU_DIRECT_OK)
		return false;
	frame_free(hfn_hpa(mk_hfn(mfn)), 0);
	c->domain->owned--;
	return true;
}

static bool take(struct pv_cpu *c, uint64_t gfn, uint64_t *mfn)
{
	struct pv_domain *d = c->domain;
	hpa_t page;

	if (d->owned >= d->pages || !frame_alloc(&page))
		return false;
	if (pv_is_shadow(c)) {
		*mfn = gfn;
		if (pv_shadow_give(d, gfn, page))
			return true;
		frame_free(page, 0);
		return false;
	}
	*mfn = hpa_hfn(page).v;
	if (vmmu_direct_give(&c->vcpu->vm->mmu, mk_gfn(gfn), hpa_hfn(page)) !=
	    VMMU_DIRECT_OK) {
		frame_free(page, 0);
		return false;
	}
	d->owned++;
	return true;
}

/* One extent of one frame: larger ones are not offered, so the guest asks for
 * each frame. */
static bool balloon(struct pv_cpu *c, uint64_t cmd, uint64_t at)
{
	uint64_t frame;

	if (!pv_get(&frame, at, sizeof(frame)))
		return false;
	if (cmd == XENMEM_decrease_reservation)
		return give_up(c, frame);
	return take(c, frame, &frame) && pv_put(at, &frame, sizeof(frame));
}

static long reservation(uint64_t cmd, uint64_t arg, struct pv_cpu *c)
{
	struct xen_memory_reservation r;
	uint64_t done = 0, at;

	if (!pv_get(&r, arg, sizeof(r)))
		return -XEN_EFAULT;
	if (r.domid != DOMID_SELF)
		return -XEN_EPERM;
	at = (uintptr_t)r.extent_start.p;
	if (r.extent_order || r.nr_extents > INT32_MAX ||
	    !pv_range_ok(at, r.nr_extents * 8))
		return 0;
	for (; done < r.nr_extents; done++) {
		if (!balloon(c, cmd, at + done * 8))
			break;
		if (done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return (long)done;
}

long pv_memory_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
		  uint64_t a5, struct pv_cpu *c)
{
	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.memory_op, cmd);
	switch (cmd) {
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		return reservation(cmd, arg, c);
	case XENMEM_current_reservation:
		return (long)c->domain->owned;
	case XENMEM_maximum_reservation:
		return (long)c->domain->pages;
	case XENMEM_maximum_ram_page:
		return (long)(pv_frames.first + pv_frames.count - 1);
	case XENMEM_maximum_gpfn:
		return (long)c->domain->pages - 1;
	case XENMEM_memory_map:
		return memory_map(arg, c);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	default:
		return -XEN_ENOSYS;
	}
}

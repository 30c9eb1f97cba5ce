/*
 * Descriptor tables of the guest. A GDT is a list of frames, an LDT a range of
 * guest addresses; each frame is held as "segments" as long as it is in
 * force, which the library allows only if every descriptor in it is one that
 * ring 3 may load, and while which nobody can write it but by
 * update_descriptor.
 */
#include "pv/shadow.h"

#include "vm/vm.h"

#define PER_PAGE (VMMU_PAGE_SIZE / 8)

static void drop(struct pv_cpu *c, const hfn_t *frame, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		vmmu_direct_drop(&c->vcpu->vm->mmu, frame[i],
				 VMMU_FRAME_SEGMENTS);
}

/* All of them, or none. */
static long hold_all(struct pv_cpu *c, const hfn_t *frame, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		enum vmmu_direct_status status;

		status = pv_hold(c, frame[i], VMMU_FRAME_SEGMENTS);
		if (status != VMMU_DIRECT_OK) {
			drop(c, frame, i);
			return pv_errno(status);
		}
	}
	return 0;
}

/* New frames are in place before old ones are let go. */
long pv_set_gdt(uint64_t list, uint64_t entries, uint64_t a3, uint64_t a4,
		uint64_t a5, struct pv_cpu *c)
{
	unsigned count = (unsigned)((entries + PER_PAGE - 1) / PER_PAGE);
	uint64_t mfn[PV_GDT_PAGES];
	hfn_t frame[PV_GDT_PAGES];
	long result;

	(void)a3, (void)a4, (void)a5;
	if (entries > PV_GDT_ENTRIES)
		return -XEN_EINVAL;
	if (!pv_get(mfn, list, count * sizeof(mfn[0])))
		return -XEN_EFAULT;
	if (pv_is_shadow(c))
		return pv_shadow_gdt(c, mfn, count);
	for (unsigned i = 0; i < count; i++)
		frame[i] = mk_hfn(mfn[i]);
	result = hold_all(c, frame, count);
	if (result)
		return result;
	for (unsigned i = 0; i < PV_GDT_PAGES; i++)
		if (i < count)
			pv_gdt_map(i, frame[i]);
		else if (i < c->gdt_frames)
			pv_gdt_unmap(i);
	drop(c, c->gdt_frame, c->gdt_frames);
	for (unsigned i = 0; i < count; i++)
		c->gdt_frame[i] = frame[i];
	c->gdt_frames = count;
	return 0;
}

static long find_frames(struct pv_cpu *c, uint64_t base, unsigned count,
			hfn_t *frame)
{
	struct vmmu_direct_walk walk;

	for (unsigned i = 0; i < count; i++) {
		gva_t gva = mk_gva(base + i * VMMU_PAGE_SIZE);

		if (!vmmu_direct_walk(&c->vcpu->mmu, gva, &walk) ||
		    walk.level != 1)
			return -XEN_EFAULT;
		frame[i] = hpa_hfn(mk_hpa(walk.entry & 0x000ffffffffff000));
	}
	return 0;
}

long pv_set_ldt(struct pv_cpu *c, uint64_t base, uint64_t entries)
{
	unsigned count = (unsigned)((entries + PER_PAGE - 1) / PER_PAGE);
	hfn_t frame[PV_LDT_PAGES] = { { 0 } };
	long result;

	if (entries > PV_LDT_PAGES * PER_PAGE || base & VMMU_PAGE_MASK ||
	    (entries && !pv_range_ok(base, entries * 8)))
		return -XEN_EINVAL;
	if (pv_is_shadow(c))
		return pv_shadow_ldt(c, base, entries);
	result = find_frames(c, base, count, frame);
	if (!result)
		result = hold_all(c, frame, count);
	if (result)
		return result;
	for (unsigned i = 0; i < count; i++)
		pv_ldt_map(i, frame[i]);
	pv_ldt_load((unsigned)entries);
	drop(c, c->ldt_frame, c->ldt_frames);
	for (unsigned i = 0; i < count; i++)
		c->ldt_frame[i] = frame[i];
	c->ldt_frames = count;
	return 0;
}

long pv_update_descriptor(uint64_t at, uint64_t value, uint64_t a3, uint64_t a4,
			  uint64_t a5, struct pv_cpu *c)
{
	enum vmmu_direct_status status;

	(void)a3, (void)a4, (void)a5;
	if (pv_is_shadow(c))
		return pv_shadow_descriptor(c, at, value);
	while ((status = vmmu_direct_descriptor(&c->vcpu->mmu, mk_hpa(at),
						value)) == VMMU_DIRECT_AGAIN)
		pv_breathe(c);
	return status == VMMU_DIRECT_OK ? 0 : pv_errno(status);
}

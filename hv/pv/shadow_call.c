/*
 * Under `shadow`: hypercalls. An entry is written as data, whatever it says,
 * and the library told; nothing needs to be checked but that the guest's own
 * memory is meant.
 *
 * Descriptors are what a guest could escape by, and its frames have no types
 * here: so the processor has copies of its tables, checked entry by entry,
 * which follow when the guest updates a descriptor.
 */
#include "pv/shadow.h"

#include <string.h>

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/vm.h"

#define PER_PAGE (VMMU_PAGE_SIZE / 8)

/* 1. Entries. */

static long update(struct pv_cpu *c, uint64_t gpa, uint64_t value, bool keep_ad)
{
	uint64_t *at = pv_shadow_page(c->domain, gpa >> VMMU_PAGE_SHIFT);

	if (!at || gpa >> VMMU_PAGE_SHIFT >= c->domain->pages)
		return -XEN_EPERM;
	at += (gpa & VMMU_PAGE_MASK) / 8;
	if (keep_ad)
		value |= *at & UINT64_C(0x60);
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
	pv_shadow_wrote(c, gpa, value);
	return 0;
}

long pv_shadow_mmu_update(struct pv_cpu *c, uint64_t at)
{
	uint64_t req[2];

	if (!pv_get_pair(req, at))
		return -XEN_EFAULT;
	switch (req[0] & 7) {
	case MMU_NORMAL_PT_UPDATE:
		return update(c, req[0], req[1], false);
	case MMU_PT_UPDATE_PRESERVE_AD:
		return update(c, req[0] & ~UINT64_C(7), req[1], true);
	case MMU_MACHPHYS_UPDATE: /* which is the identity */
		return req[0] >> VMMU_PAGE_SHIFT == req[1] ? 0 : -XEN_EINVAL;
	default:
		return -XEN_ENOSYS;
	}
}

long pv_shadow_update_va(struct pv_cpu *c, uint64_t va, uint64_t value)
{
	const struct vmmu_mode *m = &c->vcpu->mmu.mode;
	uint64_t table = m->root, entry = 0;

	if (!pv_range_ok(va, 1))
		return -XEN_EINVAL;
	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint8_t *page =
			pv_shadow_page(c->domain, table >> VMMU_PAGE_SHIFT);

		if (!page)
			return -XEN_EINVAL;
		memcpy(&entry, page + (va >> shift & 511) * 8, 8);
		if ((entry & 0x81) != 1)
			return -XEN_EINVAL;
		table = entry & UINT64_C(0x000ffffffffff000);
	}
	return update(c, table + (va >> 12 & 511) * 8, value, false);
}

void pv_shadow_flush(struct pv_cpu *c)
{
	vmmu_cpu_flush(&c->vcpu->mmu, VMMU_FLUSH_NON_GLOBAL);
}

/* 2. Roots and pages. */

static long pin(struct pv_cpu *c, uint64_t gfn, unsigned level)
{
	if (gfn >= c->domain->pages || !pv_shadow_page(c->domain, gfn))
		return -XEN_EPERM;
	pv_shadow_mark(c->domain, gfn, level);
	return 0;
}

static long new_root(struct pv_cpu *c, uint64_t gfn)
{
	long result = pin(c, gfn, 4);

	if (result)
		return result;
	if (gfn == c->root)
		pv_shadow_flush(c);
	else
		pv_shadow_load(c, gfn);
	return 0;
}

static long new_user_root(struct pv_cpu *c, uint64_t gfn)
{
	long result = gfn ? pin(c, gfn, 4) : 0;

	if (result)
		return result;
	if (gfn == c->user_root)
		pv_shadow_flush(c);
	else
		pv_shadow_load_user(c, gfn);
	return 0;
}

/* A dead process's root need not be kept. */
static long unpin(struct pv_cpu *c, uint64_t gfn)
{
	if (gfn >= c->domain->pages || !pv_shadow_page(c->domain, gfn))
		return -XEN_EPERM;
	if (c->domain->table_level[gfn] == 4 && gfn != c->root)
		vmmu_cpu_unshadow(&c->vcpu->mmu, gfn_gpa(mk_gfn(gfn)));
	return 0;
}

static long write_page(struct pv_cpu *c, uint64_t gfn, const void *from)
{
	void *page = pv_shadow_page(c->domain, gfn);

	if (!page || gfn >= c->domain->pages)
		return -XEN_EPERM;
	if (from)
		memmove(page, from, VMMU_PAGE_SIZE);
	else
		memset(page, 0, VMMU_PAGE_SIZE);
	vmmu_cpu_wrote(&c->vcpu->mmu, gfn_gpa(mk_gfn(gfn)), VMMU_PAGE_SIZE);
	return 0;
}

static long copy_page(struct pv_cpu *c, uint64_t to, uint64_t from)
{
	const void *page = pv_shadow_page(c->domain, from);

	return page ? write_page(c, to, page) : -XEN_EPERM;
}

long pv_shadow_ext(struct pv_cpu *c, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
		return new_root(c, op->arg1.mfn);
	case MMUEXT_NEW_USER_BASEPTR:
		return new_user_root(c, op->arg1.mfn);
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return pin(c, op->arg1.mfn, op->cmd + 1);
	case MMUEXT_UNPIN_TABLE:
		return unpin(c, op->arg1.mfn);
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_INVLPG_ALL:
		if (pv_range_ok(op->arg1.linear_addr, 1))
			vmmu_cpu_invalidate(&c->vcpu->mmu,
					    mk_gva(op->arg1.linear_addr));
		return 0;
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
		pv_shadow_flush(c);
		return 0;
	case MMUEXT_SET_LDT:
		return pv_set_ldt(c, op->arg1.linear_addr, op->arg2.nr_ents);
	case MMUEXT_CLEAR_PAGE:
		return write_page(c, op->arg1.mfn, NULL);
	case MMUEXT_COPY_PAGE:
		return copy_page(c, op->arg1.mfn, op->arg2.src_mfn);
	case MMUEXT_FLUSH_CACHE: /* memory is coherent without it */
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}

/* 3. Descriptors. */

static bool page_ok(const struct pv_cpu *c, uint64_t gfn)
{
	const uint64_t *entry = pv_shadow_page(c->domain, gfn);

	for (unsigned i = 0; entry && i < PER_PAGE; i++) {
		uint64_t value = entry[i];

		if (!vmmu_direct_segment_ok(&value))
			return false;
	}
	return entry && gfn < c->domain->pages;
}

/* Checked again, entry by entry: what is loaded is what was looked at. */
static void copy_checked(const struct pv_cpu *c, uint64_t gfn, hpa_t to)
{
	const uint64_t *entry = pv_shadow_page(c->domain, gfn);
	uint64_t *copy = hpa_ptr(to);

	for (unsigned i = 0; i < PER_PAGE; i++) {
		uint64_t value = __atomic_load_n(&entry[i], __ATOMIC_RELAXED);

		copy[i] = vmmu_direct_segment_ok(&value) ? value : 0;
	}
}

/* All of them, or none. A copy's page stays until the vCPU ends. */
static long ready(const struct pv_cpu *c, const uint64_t *gfn, hpa_t *copy,
		  unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!page_ok(c, gfn[i]))
			return -XEN_EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (!copy[i].v && !frame_alloc(&copy[i]))
			return -XEN_ENOMEM;
	return 0;
}

long pv_shadow_gdt(struct pv_cpu *c, const uint64_t *mfn, unsigned count)
{
	long result = ready(c, mfn, c->gdt_copy, count);

	if (result)
		return result;
	for (unsigned i = 0; i < PV_GDT_PAGES; i++) {
		if (i >= count) {
			pv_gdt_unmap(i);
			continue;
		}
		copy_checked(c, mfn[i], c->gdt_copy[i]);
		pv_gdt_map(i, hpa_hfn(c->gdt_copy[i]));
		c->gdt_frame[i] = mk_hfn(mfn[i]);
	}
	c->gdt_frames = count;
	return 0;
}

long pv_shadow_ldt(struct pv_cpu *c, uint64_t base, uint64_t entries)
{
	unsigned count = (unsigned)((entries + PER_PAGE - 1) / PER_PAGE);
	uint64_t gfn[PV_LDT_PAGES] = { 0 };
	struct vmmu_gwalk walk;
	long result;

	for (unsigned i = 0; i < count; i++) {
		if (vmmu_cpu_walk(&c->vcpu->mmu,
				  mk_gva(base + i * VMMU_PAGE_SIZE), VMMU_R, 0,
				  &walk) != VMMU_GWALK_OK)
			return -XEN_EFAULT;
		gfn[i] = walk.gpa.v >> VMMU_PAGE_SHIFT;
	}
	result = ready(c, gfn, c->ldt_copy, count);
	if (result)
		return result;
	for (unsigned i = 0; i < count; i++) {
		copy_checked(c, gfn[i], c->ldt_copy[i]);
		pv_ldt_map(i, hpa_hfn(c->ldt_copy[i]));
		c->ldt_frame[i] = mk_hfn(gfn[i]);
	}
	pv_ldt_load((unsigned)entries);
	c->ldt_frames = count;
	return 0;
}

static void follow(const hfn_t *frame, const hpa_t *copy, unsigned count,
		   uint64_t at, uint64_t value)
{
	for (unsigned i = 0; i < count; i++)
		if (frame[i].v == at >> VMMU_PAGE_SHIFT)
			__atomic_store_n(
				(uint64_t *)hpa_ptr(mk_hpa(
					copy[i].v + (at & VMMU_PAGE_MASK))),
				value, __ATOMIC_RELAXED);
}

long pv_shadow_descriptor(struct pv_cpu *c, uint64_t at, uint64_t value)
{
	long result;

	if (at & 7 || !vmmu_direct_segment_ok(&value))
		return -XEN_EINVAL;
	result = update(c, at, value, false);
	if (result)
		return result;
	follow(c->gdt_frame, c->gdt_copy, c->gdt_frames, at, value);
	follow(c->ldt_frame, c->ldt_copy, c->ldt_frames, at, value);
	return 0;
}

/*
 * Guest-virtual memory as an instruction at this vCPU sees it: the guest's
 * tables are walked anew each time, because under nested paging the guest
 * changes CR3 and flushes its TLB without an exit, so no translation can be
 * kept from one exit to the next.
 */
#include "vm/vm.h"

#include <string.h>

#define RFLAGS_AC (UINT64_C(1) << 18)

/* The host's CR4.PKE is set where the processor has keys, and the host has no
 * user pages: PKRU stays the guest's while we run. */
static uint32_t rdpkru(void)
{
	uint32_t value;

	__asm__ volatile("rdpkru" : "=a"(value) : "c"(0) : "edx");
	return value;
}

void vcpu_sync_paging(struct vcpu *v)
{
	struct vmmu_regs regs = { 0 };

	v->vm->engine->paging(v, &regs);
	if (regs.cr4 & VMMU_CR4_PKE)
		regs.pkru = rdpkru();
	vmmu_cpu_set_regs(&v->mmu, &regs, &v->vm->features);
}

/* What became of a walk or of an access by gpa, told to the guest or to the
 * log. NOT_NOW: the guest runs the instruction again, by then it is there. */
static enum guest_access failed(struct vcpu *v, enum vmmu_gwalk_status status,
				gva_t gva, const struct vmmu_gwalk *walk)
{
	switch (status) {
	case VMMU_GWALK_FAULT:
		vcpu_raise_pf(v, gva, walk->error_code);
		return GUEST_FAULTED;
	case VMMU_GWALK_NON_CANONICAL:
		vcpu_raise_error(v, 13, 0);
		return GUEST_FAULTED;
	case VMMU_GWALK_NOT_NOW:
		return GUEST_FAULTED;
	case VMMU_GWALK_NO_SLOT:
	case VMMU_GWALK_READ_ONLY:
		vm_stop(v->vm, VM_KILLED,
			"the guest's page table at gpa 0x%llx is not in "
			"writable memory",
			(unsigned long long)walk->table.v);
		return GUEST_STOPPED;
	case VMMU_GWALK_OK:
	case VMMU_GWALK_NONE:
		break;
	}
	vm_stop(v->vm, VM_KILLED, "the machine has no memory left to give");
	return GUEST_STOPPED;
}

enum guest_access vcpu_translate(struct vcpu *v, gva_t gva, unsigned access,
				 gpa_t *gpa)
{
	struct vmmu_gwalk walk;
	enum vmmu_gwalk_status status;

	if (v->vm->engine->cpl(v) == 3)
		access |= VMMU_U;
	if (v->rflags & RFLAGS_AC)
		access |= VMMU_AC;
	status = vmmu_cpu_walk(&v->mmu, gva, access, 0, &walk);
	if (status != VMMU_GWALK_OK)
		return failed(v, status, gva, &walk);
	*gpa = walk.gpa;
	return GUEST_OK;
}

static enum guest_access fetch_page(struct vcpu *v, gva_t gva, uint8_t *to,
				    unsigned count)
{
	enum guest_access access;
	enum vmmu_gmem_status status;
	uint8_t *page;
	gpa_t gpa;

	access = vcpu_translate(v, gva, VMMU_X, &gpa);
	if (access != GUEST_OK)
		return access;
	status = vmmu_gmem_page(&v->mmu.mem, gpa_gfn(gpa), VMMU_R, &page);
	if (status == VMMU_GMEM_NOT_NOW)
		return GUEST_FAULTED;
	if (status != VMMU_GMEM_OK) {
		vm_stop(v->vm, VM_KILLED,
			"the guest executes at gpa 0x%llx, where it has no "
			"memory",
			(unsigned long long)gpa.v);
		return GUEST_STOPPED;
	}
	memcpy(to, page + (gpa.v & VMMU_PAGE_MASK), count);
	return GUEST_OK;
}

enum guest_access vcpu_fetch(struct vcpu *v, uint8_t bytes[15], unsigned *count)
{
	const struct engine *e = v->vm->engine;
	unsigned bits = e->code_bits(v);
	gva_t gva = mk_gva(v->rip);
	enum guest_access access;
	unsigned here;

	if (bits != 64)
		gva.v = (uint32_t)(gva.v + e->segment_base(v, SEG_CS));
	vcpu_sync_paging(v);
	here = (unsigned)(VMMU_PAGE_SIZE - (gva.v & VMMU_PAGE_MASK));
	if (here > 15)
		here = 15;
	access = fetch_page(v, gva, bytes, here);
	if (access != GUEST_OK)
		return access;
	*count = here;
	return GUEST_OK;
}

enum guest_access vcpu_fetch_rest(struct vcpu *v, uint8_t bytes[15],
				  unsigned *count)
{
	const struct engine *e = v->vm->engine;
	gva_t gva = mk_gva(v->rip + *count);
	enum guest_access access;

	if (e->code_bits(v) != 64)
		gva.v = (uint32_t)(gva.v + e->segment_base(v, SEG_CS));
	access = fetch_page(v, gva, bytes + *count, 15 - *count);
	if (access == GUEST_OK)
		*count = 15;
	return access;
}

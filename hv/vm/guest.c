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

/* A code memo compares roots itself, and depends on all else. */
static bool only_root_changed(const struct vmmu_regs *a,
			      const struct vmmu_regs *b)
{
	return !((a->cr0 ^ b->cr0) | (a->cr4 ^ b->cr4) | (a->efer ^ b->efer));
}

void vcpu_set_mode(struct vcpu *v)
{
	if (v->look.regs.cr4 & VMMU_CR4_PKE)
		v->look.regs.pkru = rdpkru();
	if (!only_root_changed(&v->mmu.mode.regs, &v->look.regs))
		v->memo.page = 0;
	vmmu_cpu_set_regs(&v->mmu, &v->look.regs, &v->features);
	v->mode_stale = false;
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

enum guest_access vcpu_walk(struct vcpu *v, gva_t gva, unsigned access,
			    struct vmmu_gwalk *walk)
{
	enum vmmu_gwalk_status status;

	vcpu_sync_mode(v);
	if (v->look.cpl == 3)
		access |= VMMU_U;
	if (v->rflags & RFLAGS_AC)
		access |= VMMU_AC;
	status = vmmu_cpu_walk(&v->mmu, gva, access, 0, walk);
	return status == VMMU_GWALK_OK ? GUEST_OK
				       : failed(v, status, gva, walk);
}

enum guest_access vcpu_translate(struct vcpu *v, gva_t gva, unsigned access,
				 gpa_t *gpa)
{
	struct vmmu_gwalk walk;
	enum guest_access done = vcpu_walk(v, gva, access, &walk);

	*gpa = walk.gpa;
	return done;
}

/*
 * SVM turned on, and a VMCB made ready: APM 2 15.4, 15.9 to 15.11.
 *
 * What is intercepted is what the guest must not have (SVM itself, physical
 * interrupts, ports and MSRs that are not its own), and two exceptions that a
 * guest can make recur for ever inside one instruction, #DB and #AC: they are
 * taken and given back, so that the processor always comes up for air. #MC
 * tells of the machine, not of the guest.
 */
#include "svm/svm.h"

#include "svm/state.h"

#include <string.h>

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/vm.h"

#define MSR_VM_HSAVE 0xc0010117u
#define IOPM_ORDER   2 /* 12 KiB, in a block of 16 */
#define MSRPM_ORDER  1

#define VECTOR_DB 1u
#define VECTOR_PF 14u
#define VECTOR_AC 17u
#define VECTOR_MC 18u

void svm_features_read(struct svm_features *f)
{
	struct cpuid_regs r = cpuid(0x8000000a, 0);

	f->nested_paging = r.edx & (1u << 0);
	f->next_rip = r.edx & (1u << 3);
	f->decode_assists = r.edx & (1u << 7);
	f->asid_count = r.ebx;
}

/* The permission map has two bits an MSR, read and write: APM 2 15.11. */
static void msr_pass(uint8_t *map, uint32_t msr)
{
	uint32_t base = msr >= 0xc0010000u   ? 0x1000u
			: msr >= 0xc0000000u ? 0x800u
					     : 0u;
	uint32_t bit = (msr & 0x1fffu) * 2;

	map[base + bit / 8] &= (uint8_t) ~(3u << (bit % 8));
}

/* VMLOAD and VMSAVE switch them. */
static void msrpm_fill(uint8_t *map)
{
	memset(map, 0xff, 2 * VMMU_PAGE_SIZE);
	for (unsigned i = 0; i < MSR_OWN; i++)
		msr_pass(map, msr_own[i]);
}

bool svm_cpu_start(struct svm_cpu *cpu)
{
	hpa_t hsave;

	svm_features_read(&cpu->features);
	if (!frame_alloc(&hsave) || !frame_alloc(&cpu->host_vmcb) ||
	    !frame_alloc_run(IOPM_ORDER, &cpu->iopm) ||
	    !frame_alloc_run(MSRPM_ORDER, &cpu->msrpm))
		return false;
	memset(hpa_ptr(cpu->iopm), 0xff, 3 * VMMU_PAGE_SIZE);
	msrpm_fill(hpa_ptr(cpu->msrpm));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE, hsave.v);
	__asm__ volatile("vmsave %%rax" ::"a"(cpu->host_vmcb.v) : "memory");
	cpu->asid_next = 1;
	cpu->asid_round = 1;
	cpu->flush_all = true;
	return true;
}

/* Whatever changes what the guest's tables mean: APM 2 15.8, 15.12.15. */
static void intercept_paging(struct vmcb *c, bool wanted)
{
	const uint32_t crs = 1u << 0 | 1u << 3 | 1u << 4;
	const uint32_t misc = SVM_I_INVLPG | SVM_I_TASK_SWITCH;

	c->intercept_cr &= ~(crs | crs << 16);
	c->intercept_exceptions &= ~(1u << VECTOR_PF);
	c->intercept_misc1 &= ~misc;
	if (!wanted)
		return;
	c->intercept_cr |= crs | crs << 16;
	c->intercept_exceptions |= 1u << VECTOR_PF;
	c->intercept_misc1 |= misc;
}

void svm_vmcb_init(struct svm_vcpu *s, struct vcpu *v)
{
	struct vmcb *c = s->vmcb;

	c->intercept_cr = (1u << 8) | (1u << 24); /* CR8 is the local APIC's */
	c->intercept_exceptions = (1u << VECTOR_DB) | (1u << VECTOR_AC) |
				  (1u << VECTOR_MC);
	c->intercept_misc1 = SVM_I_INTR | SVM_I_NMI | SVM_I_SMI | SVM_I_INIT |
			     SVM_I_RDPMC | SVM_I_CPUID | SVM_I_RSM |
			     SVM_I_INVD | SVM_I_HLT | SVM_I_INVLPGA |
			     SVM_I_IOIO | SVM_I_MSR | SVM_I_SHUTDOWN;
	c->intercept_misc2 = SVM_I_VMRUN | SVM_I_VMMCALL | SVM_I_VMLOAD |
			     SVM_I_VMSAVE | SVM_I_STGI | SVM_I_CLGI |
			     SVM_I_SKINIT | SVM_I_WBINVD | SVM_I_MONITOR |
			     SVM_I_MWAIT | SVM_I_MWAIT_ARMED | SVM_I_XSETBV |
			     SVM_I_RDPRU;
	c->iopm_pa = s->cpu->iopm.v;
	c->msrpm_pa = s->cpu->msrpm.v;
	c->tsc_offset = v->vm->tsc_offset;
	c->int_ctl = SVM_V_INTR_MASKING;
	c->efer = EFER_SVME; /* VMRUN demands it; the guest never sees it */
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	c->rflags = 2;
	s->stale = true;
	c->nested_ctl = 1;
}

void svm_use_scheme(struct vcpu *v)
{
	struct svm_vcpu *s = v->engine_state;
	struct vmcb *c = s->vmcb;
	bool software = !(v->mmu.scheme->needs & VMMU_NEEDS_SECOND);

	s->stale = true;
	if (software == s->software)
		return;
	if (software) {
		svm_guest_paging(v, &s->guest);
		intercept_paging(c, true);
	} else {
		c->cr0 = s->guest.cr0;
		c->cr3 = s->guest.cr3;
		c->cr4 = s->guest.cr4;
		c->efer = s->guest.efer | EFER_SVME;
		intercept_paging(c, false);
	}
	s->software = software;
	s->reload = true;
	s->relook = true;
	c->nested_ctl = software ? 0 : 1;
}

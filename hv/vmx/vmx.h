/* What the files of the VMX engine share. */
#ifndef HV_VMX_VMX_H
#define HV_VMX_VMX_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmmu/addr.h>
#include <vmmu/mode.h>

#include "vmx/controls.h"

struct vcpu;
struct vmx_vcpu;

/* This physical processor's VMX: what all vCPUs on it share. */
struct vmx_cpu {
	struct vmx_caps caps;
	struct vmx_controls controls;
	hpa_t vmxon, msr_bitmap;
	struct vmx_vcpu *current; /* whose VMCS is */
	uint16_t vpid_last;
};

/* What must be done before the next entry. */
#define VMX_STALE_LINEAR 0x1u /* drop what gvas translate to */
#define VMX_STALE_SECOND 0x2u /* drop what gpas translate to */
#define VMX_STALE_REGS	 0x4u /* the table that the hardware walks */

struct vmx_vcpu {
	/* enter.S knows where these are. */
	uint64_t host_rsp; /* as the VMCS has it */
	bool launched;
	/* What the VMCS has of these: written only when changed. */
	uint64_t rsp, rflags;
	uint32_t interruptibility;
	uint32_t proc;
	uint8_t stale;
	bool software; /* no EPT: the hardware walks a table of ours */
	/* Under a scheme of software the guest's own CR0, CR3, CR4, EFER, PAT
	 * and PDPTEs, but for bits that are always the guest's. */
	struct vmmu_regs guest;
	struct vmx_cpu *cpu;
	hpa_t vmcs;
	hpa_t pml; /* the log of writes; 0: there is none */
	bool logs; /* it is wanted */
	uint64_t eptp;
	uint32_t refused; /* the error of an entry that was; 0: none */
	uint16_t vpid;
};

static_assert(offsetof(struct vmx_vcpu, host_rsp) == 0, "enter.S");
static_assert(offsetof(struct vmx_vcpu, launched) == 8, "enter.S");

unsigned vmx_enter(uint64_t *gpr, struct vmx_vcpu *s);
extern const char vmx_exit[]; /* where the processor comes back to */

/* The fields that are read and written from here on are this vCPU's. */
void vmx_make_current_slow(struct vmx_vcpu *s);
static inline void vmx_make_current(struct vmx_vcpu *s)
{
	if (s->cpu->current != s)
		vmx_make_current_slow(s);
}

/* vmx/setup.c */
void vmx_caps_read(struct vmx_caps *caps);
/* NULL, or why not. */
const char *vmx_cpu_start(struct vmx_cpu *cpu);
bool vmx_vmcs_init(struct vmx_vcpu *s, struct vcpu *v);
/* The preemption timer starts anew. */
void vmx_wind_timer(const struct vmx_vcpu *s);
void vmx_use_scheme(struct vcpu *v);
void vmx_log_writes(struct vcpu *v, bool on);

/* vmx/tlb.c: what is stale is done away with. False: the VM has ended. */
bool vmx_freshen(struct vcpu *v, struct vmx_vcpu *s);

/* vmx/explain.c: why the processor refused the guest. */
void vmx_explain(struct vcpu *v, char *text, unsigned size);

#endif

/* What the files of the SVM engine share. */
#ifndef HV_SVM_SVM_H
#define HV_SVM_SVM_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>
#include <vmmu/mode.h>

#include "svm/vmcb.h"

struct vcpu;

/* CPUID Fn8000_000A */
struct svm_features {
	bool nested_paging;
	bool next_rip;
	bool decode_assists;
	uint32_t asid_count;
};

/* This physical processor's SVM: what all vCPUs on it share. */
struct svm_cpu {
	struct svm_features features;
	hpa_t host_vmcb; /* VMSAVE area of the host's own state */
	hpa_t iopm, msrpm;
	uint32_t asid_next;
	uint64_t asid_round; /* goes up when ASIDs are given anew */
	bool flush_all;	     /* the next entry empties the whole TLB */
};

struct svm_vcpu {
	struct vmcb *vmcb;
	hpa_t vmcb_pa;
	struct svm_cpu *cpu;
	uint64_t asid_round;
	/* Under a scheme of software the guest's own CR0, CR3, CR4 and EFER:
	 * the VMCB has those that the hardware runs with. */
	bool software;
	struct vmmu_regs guest;
	bool reload; /* ... no longer follow from the guest's */
	bool relook; /* the guest's were changed by set_sregs or a move */
	bool stale;  /* the guest's cached translations must not be used */
};

void svm_enter(uint64_t *gpr, uint64_t vmcb_pa, uint64_t host_vmcb_pa);

/* svm/setup.c */
void svm_features_read(struct svm_features *f);
bool svm_cpu_start(struct svm_cpu *cpu);
/* The vCPU is under another scheme: what is intercepted, and whose registers
 * the hardware runs with. */
void svm_use_scheme(struct vcpu *v);
void svm_vmcb_init(struct svm_vcpu *s, struct vcpu *v);

#endif

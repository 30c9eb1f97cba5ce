/*
 * ASIDs: a vCPU's cached translations are forgotten by giving it a number
 * that no entry of the TLB carries yet. When the numbers are used up the
 * whole TLB is emptied once and counting starts again, in a new round; a
 * vCPU that holds a number of an older round takes a new one at its next
 * entry. APM 2 15.16.
 */
#ifndef HV_SVM_ASID_H
#define HV_SVM_ASID_H

#include "svm/svm.h"

static inline void svm_asid_renew(struct svm_vcpu *s)
{
	struct svm_cpu *cpu = s->cpu;

	if (cpu->asid_next >= cpu->features.asid_count) {
		cpu->asid_next = 1; /* 0 is the host's */
		cpu->asid_round++;
		cpu->flush_all = true;
	}
	s->vmcb->asid = cpu->asid_next++;
	s->asid_round = cpu->asid_round;
	s->stale = false;
}

#endif

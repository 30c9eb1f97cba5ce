/* Reading and writing a guest's system registers in its VMCB. */
#ifndef HV_SVM_STATE_H
#define HV_SVM_STATE_H

#include "vm/engine.h"

void svm_get_sregs(struct vcpu *v, struct sregs *s);
void svm_set_sregs(struct vcpu *v, const struct sregs *s);
void svm_paging(struct vcpu *v, struct vmmu_regs *regs);
uint64_t svm_segment_base(struct vcpu *v, enum segment_name seg);
unsigned svm_code_bits(struct vcpu *v);
void svm_set_efer(struct vcpu *v, uint64_t efer);
void svm_set_pat(struct vcpu *v, uint64_t pat);
uint64_t svm_cr4(struct vcpu *v);
uint8_t svm_cpl(struct vcpu *v);

#endif

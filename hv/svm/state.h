/* Reading and writing a guest's system registers in its VMCB. */
#ifndef HV_SVM_STATE_H
#define HV_SVM_STATE_H

#include "vm/engine.h"

void svm_get_sregs(struct vcpu *v, struct sregs *s);
void svm_set_sregs(struct vcpu *v, const struct sregs *s);
void svm_get_segment(struct vcpu *v, enum segment_name name, struct segment *s);
void svm_set_paging(struct vcpu *v, const struct vmmu_regs *regs);
/* CR0, CR3, CR4, EFER and PAT as the guest sees them. */
void svm_guest_paging(struct vcpu *v, struct vmmu_regs *r);
bool svm_look(struct vcpu *v, struct look *look);
void svm_set_cr3(struct vcpu *v, uint64_t cr3);
void svm_set_cr2(struct vcpu *v, uint64_t cr2);
void svm_set_efer(struct vcpu *v, uint64_t efer);
void svm_set_pat(struct vcpu *v, uint64_t pat);
void svm_set_tsc_offset(struct vcpu *v, uint64_t offset);

#endif

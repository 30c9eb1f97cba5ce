/* Reading and writing a guest's system registers in its VMCS. */
#ifndef HV_VMX_STATE_H
#define HV_VMX_STATE_H

#include "vm/engine.h"
#include "vmx/vmx.h"

/* CR0, CR3, CR4, EFER, PAT and the PDPTEs as the guest sees them. */
void vmx_guest_paging(struct vmx_vcpu *s, struct vmmu_regs *r);
/* The same, into the VMCS, for a guest whose memory EPT translates. */
void vmx_load_nested(struct vcpu *v, const struct vmmu_regs *r);
/* What the guest reads of CR0 and CR4 where a bit is not its own. */
void vmx_show(const struct vmmu_regs *r);
/* The registers that make the hardware walk the scheme's table. False: there
 * are none, and the VM has ended. */
bool vmx_load_software(struct vcpu *v, struct vmx_vcpu *s);
/* The bits of CR0 and CR4 that the guest may change without an exit. */
uint64_t vmx_cr0_owned(const struct vmx_vcpu *s);
uint64_t vmx_cr4_owned(const struct vcpu *v, const struct vmx_vcpu *s);

void vmx_set_paging(struct vcpu *v, const struct vmmu_regs *regs);
void vmx_get_sregs(struct vcpu *v, struct sregs *s);
void vmx_set_sregs(struct vcpu *v, const struct sregs *s);
void vmx_get_segment(struct vcpu *v, enum segment_name name, struct segment *s);
uint8_t vmx_cpl(void);
bool vmx_look(struct vcpu *v, struct look *look);
void vmx_set_cr3(struct vcpu *v, uint64_t cr3);
void vmx_set_cr2(struct vcpu *v, uint64_t cr2);
void vmx_set_efer(struct vcpu *v, uint64_t efer);
void vmx_set_pat(struct vcpu *v, uint64_t pat);
void vmx_set_tsc_offset(struct vcpu *v, uint64_t offset);

#endif

/* The instruction at a vCPU's rip, and the registers as hv/insn wants them. */
#ifndef HV_VM_INSN_GLUE_H
#define HV_VM_INSN_GLUE_H

#include "insn/insn.h"
#include "vm/vm.h"

/* Fetches and decodes; what is no instruction raises #UD. */
enum guest_access vcpu_decode(struct vcpu *v, struct insn *in);
void vcpu_insn_regs(struct vcpu *v, struct insn_regs *regs);

#endif

/*
 * Cached translations: SDM 3C 28.4.
 *
 * The processor tags what a gva translates to with the VPID, and what a gpa
 * translates to with the EPT table. An entry drops nothing by itself where
 * VPIDs are in use, and all that is linear where they are not; EPT's own it
 * never drops. So what changes the tables is only noted, and before the next
 * entry one INVVPID or INVEPT does for all of it: of this vCPU alone, where
 * the processor can.
 *
 *   EPT entry taken away      INVEPT, which drops both kinds (28.4.3.1)
 *   shadow entry taken away   INVVPID; one address, if it was only one
 *   CR0, CR4, EFER, PAT       INVVPID: what the linear kind was made with
 */
#include "vm/vm.h"
#include "vmx/insn.h"
#include "vmx/state.h"

static void drop_linear(const struct vmx_vcpu *s)
{
	const struct vmx_controls *c = &s->cpu->controls;

	if (c->vpid)
		invvpid(c->vpid_one ? INVVPID_ONE : INVVPID_ALL, s->vpid, 0);
}

static void drop_second(const struct vmx_vcpu *s)
{
	invept(s->cpu->controls.ept_one ? INVEPT_ONE : INVEPT_ALL, s->eptp);
}

static void point_at_table(struct vcpu *v, struct vmx_vcpu *s)
{
	uint64_t eptp = s->cpu->controls.eptp | v->mmu.root.v;

	if (eptp == s->eptp)
		return;
	s->eptp = eptp;
	vmwrite(VMCS_EPT_POINTER, eptp);
}

bool vmx_freshen(struct vcpu *v, struct vmx_vcpu *s)
{
	if (s->software) {
		if ((s->stale & VMX_STALE_REGS) && !vmx_load_software(v, s))
			return false;
		drop_linear(s);
	} else {
		if (s->stale & VMX_STALE_LINEAR)
			drop_linear(s);
		if (s->stale & VMX_STALE_SECOND) {
			point_at_table(v, s);
			drop_second(s);
		}
	}
	s->stale = 0;
	return true;
}

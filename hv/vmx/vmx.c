/*
 * The engine `vmx`: Intel's virtual-machine extensions, SDM 3C chapters 23 to
 * 28.
 *
 *   1. probe and start
 *   2. a vCPU's VMCS
 *   3. run: event in, VM entry, exit out
 *   4. from the processor's exit reason to a neutral exit
 */
#include "vmx/vmx.h"

#include <string.h>

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/engine.h"
#include "vm/vm.h"
#include "vmx/insn.h"
#include "vmx/pml.h"
#include "vmx/qual.h"
#include "vmx/state.h"

#define MSR_FEATURES   0x3au
#define FEATURES_LOCK  UINT64_C(1)
#define FEATURES_VMX   UINT64_C(4)
#define CPUID_1_VMX    (1u << 5)
#define CPUID_GIB_PAGE (1u << 26)

#define VECTOR_DB  1u
#define VECTOR_NMI 2u
#define VECTOR_PF  14u
#define VECTOR_AC  17u

/* In exit codes: the entry was refused before the guest was looked at. */
#define CODE_REFUSED (UINT64_C(1) << 32)

/* One physical processor so far; each will have its own. */
static struct vmx_cpu this_cpu;

/* 1. Probe and start. */

static const char *vmx_probe(void)
{
	struct vmx_controls controls;
	struct vmx_caps caps;
	uint64_t features;

	if (!(cpuid(1, 0).ecx & CPUID_1_VMX))
		return engine_no_hardware;
	features = rdmsr(MSR_FEATURES);
	if ((features & FEATURES_LOCK) && !(features & FEATURES_VMX))
		return "the firmware has disabled Intel VMX";
	vmx_caps_read(&caps);
	return vmx_controls_choose(&caps, &controls);
}

static const char *vmx_start(void)
{
	return vmx_cpu_start(&this_cpu);
}

static const char *vmx_cannot(uint32_t needs)
{
	return needs & VMMU_NEEDS_SECOND ? this_cpu.controls.no_nested : NULL;
}

static void vmx_hardware(struct vmmu_hw *hw)
{
	bool gib_pages = cpuid(0x80000001, 0).edx & CPUID_GIB_PAGE;

	hw->nested_format = this_cpu.controls.no_nested ? NULL : &pt_ept;
	hw->nested_max_leaf = this_cpu.controls.max_leaf;
	hw->host_max_leaf = gib_pages ? 3 : 2;
	hw->logs_dirty = this_cpu.controls.pml;
	hw->filters_faults = (cpuid(0x80000008, 0).eax & 0xff) < 52;
}

/* 2. A vCPU's VMCS. */

void vmx_make_current_slow(struct vmx_vcpu *s)
{
	vmptrld(s->vmcs.v);
	s->cpu->current = s;
}

static bool vmx_vcpu_init(struct vcpu *v)
{
	struct vmx_vcpu *s;
	hpa_t page;

	if (!frame_alloc(&page))
		return false;
	s = hpa_ptr(page);
	s->cpu = &this_cpu;
	if (!vmx_vmcs_init(s, v)) {
		frame_free(page, 0);
		return false;
	}
	v->engine_state = s;
	return true;
}

/* VMCLEAR writes back what the processor holds of it: SDM 3C 24.11.3. */
static void vmx_vcpu_fini(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;

	vmclear(s->vmcs.v);
	if (s->cpu->current == s)
		s->cpu->current = NULL;
	frame_free(s->vmcs, 0);
	if (s->pml.v)
		frame_free(s->pml, 0);
	frame_free(ptr_hpa(s), 0);
	v->engine_state = NULL;
}

static void vmx_flush(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;

	s->stale |= s->software ? VMX_STALE_LINEAR | VMX_STALE_REGS
				: VMX_STALE_SECOND;
}

static void vmx_flush_gva(struct vcpu *v, gva_t gva)
{
	const struct vmx_vcpu *s = v->engine_state;

	if (s->software && !s->stale && s->cpu->controls.vpid_addr)
		invvpid(INVVPID_ADDR, s->vpid, gva.v);
	else
		vmx_flush(v);
}

static void mark_logged(void *vm, uint64_t gpa)
{
	vmmu_vm_logged(vm, mk_gpa(gpa));
}

static void vmx_log_drain(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;

	vmx_make_current(s);
	pml_drain(hpa_ptr(s->pml), vmread(VMCS_PML_INDEX), mark_logged,
		  &v->vm->mmu);
	vmwrite(VMCS_PML_INDEX, PML_EMPTY);
}

static void set_proc(struct vcpu *v, uint32_t bit, bool wanted)
{
	struct vmx_vcpu *s = v->engine_state;

	vmx_make_current(s);
	s->proc = wanted ? s->proc | bit : s->proc & ~bit;
	vmwrite(VMCS_PROC_CONTROLS, s->proc);
}

static void vmx_want_window(struct vcpu *v, bool wanted)
{
	set_proc(v, VMX_PROC_WINDOW, wanted);
}

/* The processor keeps account of NMIs itself and makes its exit when the IRET
 * is over: SDM 3C 25.2, NMI-window exiting. */
static void vmx_want_iret(struct vcpu *v, bool wanted)
{
	set_proc(v, VMX_PROC_NMI_WINDOW, wanted);
}

/* 4. From the processor's exit reason to a neutral exit. */

static uint64_t next_rip(const struct vcpu *v)
{
	return v->rip + vmread(VMCS_EXIT_LENGTH);
}

/* An IRET had ended the blocking of NMIs and then faulted: it is to be
 * executed again, so they are blocked again. SDM 3C 27.2.3. */
static void block_nmis_again(struct vmx_vcpu *s)
{
	s->interruptibility |= VMX_BLOCK_NMI;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, s->interruptibility);
}

/* #DB, unlike others, has not yet done what it does to registers (SDM 3C
 * 27.1), and its exit leaves nothing pending: but an entry with TF in the
 * shadow of STI or MOV SS wants the step pending, even if it is the step that
 * is given back (26.3.1.5). */
static void finish_debug(const struct vcpu *v)
{
	const uint64_t dr6_low = 0xf, dr6_all = UINT64_C(0x600f);
	const uint64_t dr7_gd = UINT64_C(1) << 13;
	uint64_t dr6;

	if (v->shadow && (v->rflags & RFLAGS_TF))
		vmwrite(VMCS_GUEST_PENDING_DEBUG, VMX_PENDING_STEP);

	__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
	dr6 = (dr6 & ~dr6_low) | (vmread(VMCS_QUALIFICATION) & dr6_all);
	__asm__ volatile("movq %0, %%dr6" : : "r"(dr6));
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~dr7_gd);
}

static enum exit_kind decode_page_fault(struct vm_exit *e)
{
	e->page_fault.gva = mk_gva(vmread(VMCS_QUALIFICATION));
	e->page_fault.error = (uint32_t)vmread(VMCS_EXIT_EVENT_ERROR);
	e->page_fault.cpl = vmx_cpl();
	return EXIT_PAGE_FAULT;
}

static enum exit_kind decode_exception(struct vcpu *v, struct vmx_vcpu *s)
{
	uint32_t event = (uint32_t)vmread(VMCS_EXIT_EVENT);
	struct exit_exception *x = &v->exit.exception;

	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_NMI) {
		__asm__ volatile("int %0" : : "i"(VECTOR_NMI) : "memory");
		return EXIT_INTERRUPT;
	}
	if ((event & VMX_EVENT_UNBLOCKED) &&
	    !(vmread(VMCS_VECTORING) & VMX_EVENT_VALID))
		block_nmis_again(s);
	if ((uint8_t)event == VECTOR_PF)
		return decode_page_fault(&v->exit);
	x->vector = (uint8_t)event;
	x->has_error = event & VMX_EVENT_ERROR;
	x->error = (uint32_t)vmread(VMCS_EXIT_EVENT_ERROR);
	/* INT1 is over before its handler begins, and so is a shadow. */
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_PRIVILEGED) {
		v->rip = next_rip(v);
		v->shadow = false;
	}
	if (x->vector == VECTOR_DB)
		finish_debug(v);
	return EXIT_EXCEPTION;
}

static enum exit_kind decode_violation(struct vcpu *v, struct vmx_vcpu *s)
{
	uint64_t qual = vmread(VMCS_QUALIFICATION);

	vmx_qual_violation(qual, vmread(VMCS_GUEST_PHYSICAL),
			   &v->exit.violation);
	if ((qual & VMX_EVENT_UNBLOCKED) &&
	    !(vmread(VMCS_VECTORING) & VMX_EVENT_VALID))
		block_nmis_again(s);
	return EXIT_VIOLATION;
}

/* The write that found no room is done again. SDM 3C 28.3.6. */
static enum exit_kind decode_log_full(struct vcpu *v, struct vmx_vcpu *s)
{
	if ((vmread(VMCS_QUALIFICATION) & VMX_EVENT_UNBLOCKED) &&
	    !(vmread(VMCS_VECTORING) & VMX_EVENT_VALID))
		block_nmis_again(s);
	vmx_log_drain(v);
	return EXIT_LOG_FULL;
}

/* An exit in the middle of delivering an event (SDM 3C 27.2.4): it is
 * delivered again, except those of instructions, which the guest executes
 * again. */
static void event_back(struct vcpu *v)
{
	uint32_t event = (uint32_t)vmread(VMCS_VECTORING);

	if (event & VMX_EVENT_VALID)
		vmx_event_back(event, (uint32_t)vmread(VMCS_VECTORING_ERROR),
			       &v->event);
}

/* What the reason alone does not say. An instruction that is none of these is
 * VMX's own, or one that the guest is not offered. */
static __attribute__((noinline)) enum exit_kind decode_detailed(
	struct vcpu *v, struct vmx_vcpu *s, uint32_t reason)
{
	struct vm_exit *e = &v->exit;

	switch (reason) {
	case VMX_REASON_EXCEPTION:
		return decode_exception(v, s);
	case VMX_REASON_EPT_VIOLATION:
		return decode_violation(v, s);
	case VMX_REASON_PML_FULL:
		return decode_log_full(v, s);
	case VMX_REASON_TIMER:
		vmx_wind_timer(s);
		return EXIT_INTERRUPT; /* if one waits */
	case VMX_REASON_IO:
		vmx_qual_io(vmread(VMCS_QUALIFICATION), &e->io);
		break;
	case VMX_REASON_CR:
		vmx_qual_cr(vmread(VMCS_QUALIFICATION), &e->cr);
		break;
	case VMX_REASON_INVLPG:
		e->invlpg.told = true;
		e->invlpg.gva = mk_gva(vmread(VMCS_QUALIFICATION));
		break;
	default:
		return EXIT_UNDEFINED;
	}
	e->next_rip = next_rip(v);
	return reason == VMX_REASON_IO	 ? EXIT_IO
	       : reason == VMX_REASON_CR ? EXIT_CR
					 : EXIT_INVLPG;
}

static __attribute__((noinline)) enum exit_kind decode_slow(struct vcpu *v,
							    struct vmx_vcpu *s,
							    uint32_t reason)
{
	enum exit_kind kind = vmx_plain_exit(reason);

	v->exit.next_rip = 0;
	if (reason & VMX_REASON_ENTRY_FAILED)
		return EXIT_INVALID;
	if (kind == EXIT_KINDS)
		kind = decode_detailed(v, s, reason & 0xffff);
	if (!v->exit.next_rip)
		event_back(v);
	return kind;
}

/* An instruction that says all by being it has the short way. */
static inline enum exit_kind decode(struct vcpu *v, struct vmx_vcpu *s)
{
	uint32_t reason = (uint32_t)vmread(VMCS_EXIT_REASON);
	uint8_t says;

	v->exit.code = reason;
	if (reason >= VMX_REASONS)
		return decode_slow(v, s, reason);
	says = vmx_reason_says[reason];
	if (!(says & VMX_SAYS_INSTRUCTION))
		return decode_slow(v, s, reason);
	v->exit.next_rip = next_rip(v);
	return (enum exit_kind)(says & VMX_SAYS_KIND);
}

/* 3. Run. */

/* In real mode no vector has an error code: SDM 3C 26.2.1.3. */
static void event_in(struct vmx_vcpu *s, struct event *e)
{
	if (e->has_error && !(vmread(VMCS_GUEST_CR0) & CR0_PE))
		e->has_error = false;
	if (e->type == EVENT_NMI && (s->interruptibility & VMX_BLOCK_NMI)) {
		s->interruptibility &= ~VMX_BLOCK_NMI;
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, s->interruptibility);
	}
	vmwrite(VMCS_ENTRY_EVENT, vmx_event_word(e));
	if (e->has_error)
		vmwrite(VMCS_ENTRY_ERROR, e->error);
	e->type = EVENT_NONE;
}

static inline void regs_in(struct vcpu *v, struct vmx_vcpu *s)
{
	/* After most exits it is another. */
	vmwrite(VMCS_GUEST_RIP, v->rip);
	if (s->rflags != v->rflags)
		vmwrite(VMCS_GUEST_RFLAGS, v->rflags);
	if (s->rsp != v->gpr[GPR_RSP])
		vmwrite(VMCS_GUEST_RSP, v->gpr[GPR_RSP]);
	if (s->interruptibility & VMX_BLOCK_SHADOW && !v->shadow) {
		s->interruptibility &= ~VMX_BLOCK_SHADOW;
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, s->interruptibility);
	}
}

static inline void regs_out(struct vcpu *v, struct vmx_vcpu *s)
{
	v->rip = vmread(VMCS_GUEST_RIP);
	s->rflags = v->rflags = vmread(VMCS_GUEST_RFLAGS);
	s->rsp = v->gpr[GPR_RSP] = vmread(VMCS_GUEST_RSP);
	s->interruptibility = (uint32_t)vmread(VMCS_GUEST_INTERRUPTIBILITY);
	v->shadow = s->interruptibility & VMX_BLOCK_SHADOW;
}

/* The entry was refused, and nothing has changed. */
static void take_refusal(struct vcpu *v, struct vmx_vcpu *s)
{
	s->refused = (uint32_t)vmread(VMCS_INSTRUCTION_ERROR);
	v->exit.kind = EXIT_INVALID;
	v->exit.code = CODE_REFUSED;
}

static void vmx_run(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;

	vmx_make_current(s);
	if (s->stale && !vmx_freshen(v, s)) {
		v->exit.kind = EXIT_INIT; /* nothing: the VM has ended */
		return;
	}
	regs_in(v, s);
	if (v->event.type != EVENT_NONE)
		event_in(s, &v->event);

	if (vmx_enter(v->gpr, s)) {
		take_refusal(v, s);
		return;
	}
	s->launched = true;
	regs_out(v, s);
	v->exit.kind = decode(v, s);
}

const struct engine engine_vmx = {
	.name = "vmx",
	.probe = vmx_probe,
	.start = vmx_start,
	.cannot = vmx_cannot,
	.hardware = vmx_hardware,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_fini = vmx_vcpu_fini,
	.run = vmx_run,
	.want_window = vmx_want_window,
	.want_iret = vmx_want_iret,
	.flush = vmx_flush,
	.flush_gva = vmx_flush_gva,
	.log_writes = vmx_log_writes,
	.log_drain = vmx_log_drain,
	.get_sregs = vmx_get_sregs,
	.set_sregs = vmx_set_sregs,
	.get_segment = vmx_get_segment,
	.look = vmx_look,
	.use_scheme = vmx_use_scheme,
	.set_paging = vmx_set_paging,
	.set_cr3 = vmx_set_cr3,
	.set_cr2 = vmx_set_cr2,
	.set_efer = vmx_set_efer,
	.set_pat = vmx_set_pat,
	.set_tsc_offset = vmx_set_tsc_offset,
	.explain = vmx_explain,
};

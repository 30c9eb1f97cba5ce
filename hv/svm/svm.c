/*
 * The engine `svm`: AMD's secure virtual machine, APM 2 chapter 15.
 *
 *   1. probe and start
 *   2. a vCPU's VMCB
 *   3. run: event in, VMRUN, exit out
 *   4. from the hardware's exit code to a neutral exit
 */
#include "svm/asid.h"
#include "svm/svm.h"

#include <string.h>

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "svm/state.h"
#include "vm/engine.h"
#include "vm/vm.h"

#define MSR_VM_CR 0xc0010114u
#define VM_CR_DIS (UINT64_C(1) << 4)
#define VECTOR_BP 3u
#define VECTOR_OF 4u

/* One physical processor so far; each will have its own. */
static struct svm_cpu this_cpu;

/* 1. Probe and start. */

static const char *svm_probe(void)
{
	struct svm_features f;

	if (cpuid(0x80000000, 0).eax < 0x8000000a ||
	    !(cpuid(0x80000001, 0).ecx & (1u << 2)))
		return engine_no_hardware;
	if (rdmsr(MSR_VM_CR) & VM_CR_DIS)
		return "the firmware has disabled AMD SVM";
	svm_features_read(&f);
	if (!f.nested_paging)
		return "the processor's SVM has no nested paging";
	return NULL;
}

static const char *svm_start(void)
{
	return svm_cpu_start(&this_cpu)
		       ? NULL
		       : "there is no memory to start the engine";
}

static const char *svm_cannot(uint32_t needs)
{
	(void)needs;
	return NULL;
}

static void svm_hardware(struct vmmu_hw *hw)
{
	bool gib_pages = cpuid(0x80000001, 0).edx & (1u << 26);

	hw->nested_format = &pt_npt;
	hw->nested_max_leaf = gib_pages ? 3 : 2;
	hw->host_max_leaf = gib_pages ? 3 : 2;
}

/* 2. A vCPU's VMCB. */

static bool svm_vcpu_init(struct vcpu *v)
{
	struct svm_vcpu *s;
	hpa_t page;

	if (!frame_alloc(&page))
		return false;
	s = hpa_ptr(page);
	if (!frame_alloc(&s->vmcb_pa)) {
		frame_free(page, 0);
		return false;
	}
	s->vmcb = hpa_ptr(s->vmcb_pa);
	s->cpu = &this_cpu;
	v->engine_state = s;
	svm_vmcb_init(s, v);
	return true;
}

static void svm_vcpu_fini(struct vcpu *v)
{
	struct svm_vcpu *s = v->engine_state;

	frame_free(s->vmcb_pa, 0);
	frame_free(ptr_hpa(s), 0);
	v->engine_state = NULL;
}

static void svm_flush(struct vcpu *v)
{
	struct svm_vcpu *s = v->engine_state;

	s->stale = true;
}

/* APM 2 15.15.3 */
static void svm_flush_gva(struct vcpu *v, gva_t gva)
{
	const struct svm_vcpu *s = v->engine_state;

	if (s->software && !s->stale && s->asid_round == s->cpu->asid_round)
		__asm__ volatile("invlpga %%rax, %%ecx"
				 :
				 : "a"(gva.v), "c"(s->vmcb->asid)
				 : "memory");
	else
		svm_flush(v);
}

static void svm_want_window(struct vcpu *v, bool wanted)
{
	struct svm_vcpu *s = v->engine_state;
	struct vmcb *c = s->vmcb;

	/* A virtual interrupt that is intercepted at the moment the guest
	 * would take it: APM 2 15.21.4. */
	if (wanted) {
		c->int_ctl |= SVM_V_IRQ | SVM_V_PRIO_MAX | SVM_V_IGNORE_TPR;
		c->intercept_misc1 |= SVM_I_VINTR;
	} else {
		c->int_ctl &= ~(SVM_V_IRQ | SVM_V_PRIO_MAX | SVM_V_IGNORE_TPR);
		c->intercept_misc1 &= ~SVM_I_VINTR;
	}
}

static void svm_want_iret(struct vcpu *v, bool wanted)
{
	struct svm_vcpu *s = v->engine_state;

	if (wanted)
		s->vmcb->intercept_misc1 |= SVM_I_IRET;
	else
		s->vmcb->intercept_misc1 &= ~SVM_I_IRET;
}

/* 4. From the hardware's exit code to a neutral exit. */

static enum exit_kind decode_io(const struct vmcb *c, struct vm_exit *e)
{
	uint64_t info = c->exit_info_1;

	e->io.port = (uint16_t)(info >> 16);
	e->io.size = (info >> SVM_IO_SIZE_SHIFT) & 7;
	e->io.in = info & SVM_IO_IN;
	e->io.string = info & SVM_IO_STRING;
	e->next_rip = c->exit_info_2;
	return EXIT_IO;
}

static enum exit_kind decode_violation(const struct svm_vcpu *s,
				       struct vm_exit *e)
{
	const struct vmcb *c = s->vmcb;
	uint64_t info = c->exit_info_1;

	e->violation.gpa = mk_gpa(c->exit_info_2);
	e->violation.access = info & SVM_NPF_FETCH   ? VMMU_X
			      : info & SVM_NPF_WRITE ? VMMU_W
						     : VMMU_R;
	e->violation.during_walk = info & SVM_NPF_IN_WALK;
	e->next_rip = 0; /* of a fault, not of an instruction */
	if (s->cpu->features.decode_assists && c->insn_count <= 15) {
		e->insn_count = c->insn_count;
		memcpy(e->insn, c->insn, sizeof(e->insn));
	}
	return EXIT_VIOLATION;
}

static enum exit_kind decode_exception(const struct vmcb *c, struct vm_exit *e)
{
	e->exception.vector = (uint8_t)(c->exit_code - SVM_EXIT_EXCEPTION);
	e->exception.has_error = e->exception.vector == 17;
	e->exception.error = (uint32_t)c->exit_info_1;
	return EXIT_EXCEPTION;
}

static enum exit_kind decode_page_fault(const struct vmcb *c, struct vm_exit *e)
{
	e->code = SVM_EXIT_EXCEPTION + 14;
	e->insn_count = 0;
	e->page_fault.gva = mk_gva(c->exit_info_2);
	e->page_fault.error = (uint32_t)c->exit_info_1;
	e->page_fault.cpl = c->cpl;
	e->next_rip = 0;
	return EXIT_PAGE_FAULT;
}

#define CRS	 (1u << 0 | 1u << 3 | 1u << 4 | 1u << 8)
#define CR_EXITS (SVM_EXIT_CR_WRITE + 16)

static inline enum exit_kind decode_cr(uint64_t code, struct vm_exit *e)
{
	e->cr.number = code & 0xf;
	e->cr.write = code >= SVM_EXIT_CR_WRITE;
	e->cr.told = false;
	return CRS >> (code & 0xf) & 1 ? EXIT_CR : EXIT_UNDEFINED;
}

/* Exits that say all by their code. 0: not among them. */
#define PLAIN(kind) ((kind) + 1)
static const uint8_t plain[SVM_EXIT_XSETBV + 1] = {
	[SVM_EXIT_INTR] = PLAIN(EXIT_INTERRUPT),
	[SVM_EXIT_NMI] = PLAIN(EXIT_INTERRUPT),
	[SVM_EXIT_SMI] = PLAIN(EXIT_INIT),
	[SVM_EXIT_INIT] = PLAIN(EXIT_INIT),
	[SVM_EXIT_VINTR] = PLAIN(EXIT_WINDOW),
	[SVM_EXIT_RDPMC] = PLAIN(EXIT_PMC),
	[SVM_EXIT_CPUID] = PLAIN(EXIT_CPUID),
	[SVM_EXIT_IRET] = PLAIN(EXIT_IRET),
	[SVM_EXIT_INVD] = PLAIN(EXIT_CACHE),
	[SVM_EXIT_HLT] = PLAIN(EXIT_HLT),
	[SVM_EXIT_TASK_SWITCH] = PLAIN(EXIT_TASK_SWITCH),
	[SVM_EXIT_SHUTDOWN] = PLAIN(EXIT_SHUTDOWN),
	[SVM_EXIT_VMMCALL] = PLAIN(EXIT_HYPERCALL),
	[SVM_EXIT_WBINVD] = PLAIN(EXIT_CACHE),
	[SVM_EXIT_XSETBV] = PLAIN(EXIT_XSETBV),
};

static enum exit_kind decode_detailed(const struct svm_vcpu *s,
				      struct vm_exit *e)
{
	const struct vmcb *c = s->vmcb;

	switch (c->exit_code) {
	case SVM_EXIT_IOIO:
		return decode_io(c, e);
	case SVM_EXIT_INVLPG:
		e->invlpg.told = false;
		return EXIT_INVLPG;
	case SVM_EXIT_MSR:
		return c->exit_info_1 ? EXIT_WRMSR : EXIT_RDMSR;
	case SVM_EXIT_NPF:
		return decode_violation(s, e);
	case SVM_EXIT_EXCEPTION + 1:
	case SVM_EXIT_EXCEPTION + 17:
	case SVM_EXIT_EXCEPTION + 18:
		return decode_exception(c, e);
	case UINT64_MAX: /* VMEXIT_INVALID */
	case UINT32_MAX:
		return EXIT_INVALID;
	default:
		return EXIT_UNDEFINED;
	}
}

static inline enum exit_kind decode(const struct svm_vcpu *s, struct vm_exit *e)
{
	const struct vmcb *c = s->vmcb;
	uint64_t code = c->exit_code;

	if (code == SVM_EXIT_EXCEPTION + 14)
		return decode_page_fault(c, e);
	e->code = code;
	e->next_rip = s->cpu->features.next_rip ? c->next_rip : 0;
	e->insn_count = 0;
	if (code < CR_EXITS)
		return decode_cr(code, e);
	if (code < sizeof(plain) && plain[code])
		return (enum exit_kind)(plain[code] - 1);
	return decode_detailed(s, e);
}

/* 3. Run. */

static void event_in(struct vmcb *c, struct event *e)
{
	static const uint32_t type[] = {
		[EVENT_INTERRUPT] = SVM_EVENT_INTR,
		[EVENT_NMI] = SVM_EVENT_NMI,
		[EVENT_EXCEPTION] = SVM_EVENT_EXCEPTION,
	};

	c->event_inj = e->vector | type[e->type] | SVM_EVENT_VALID |
		       (e->has_error ? SVM_EVENT_ERROR : 0);
	c->event_error = e->error;
	e->type = EVENT_NONE;
}

/* INT n, INT3 and INTO: rip is still at them. The latter two are reported as
 * exceptions (APM 2 15.7.2), and injected as such they would push the address
 * of the instruction and not of the next one. */
static bool is_software(uint32_t info)
{
	uint32_t type = info & SVM_EVENT_TYPE_MASK;
	uint8_t vector = (uint8_t)info;

	return type == SVM_EVENT_SOFT ||
	       (type == SVM_EVENT_EXCEPTION &&
		(vector == VECTOR_BP || vector == VECTOR_OF));
}

/* An exit in the middle of delivering an event (APM 2 15.7.2): it is
 * delivered again, except those of instructions, which the guest executes
 * again. */
static void event_back(const struct vmcb *c, struct event *e)
{
	uint32_t info = c->exit_int_info;
	uint32_t type = info & SVM_EVENT_TYPE_MASK;

	if (is_software(info))
		return;
	e->type = type == SVM_EVENT_NMI		? EVENT_NMI
		  : type == SVM_EVENT_EXCEPTION ? EVENT_EXCEPTION
						: EVENT_INTERRUPT;
	e->vector = (uint8_t)info;
	e->has_error = info & SVM_EVENT_ERROR;
	e->error = c->exit_int_error;
}

/* What makes the processor walk the scheme's table and report all that the
 * guest's registers would treat otherwise. */
static void load_software(struct vcpu *v, struct svm_vcpu *s)
{
	struct vmcb *c = s->vmcb;
	struct vmmu_regs real;

	vmmu_cpu_real_regs(&v->mmu, &real);
	c->cr0 = real.cr0;
	c->cr3 = real.cr3;
	c->cr4 = real.cr4;
	c->efer = real.efer | EFER_SVME;
	s->reload = false;
}

/* With other tables under the guest, or with cached translations that must
 * not be used. A root never changes without a flush (seam 2). */
static void start_afresh(struct vcpu *v, struct svm_vcpu *s)
{
	struct vmcb *c = s->vmcb;

	svm_asid_renew(s);
	if (!s->software)
		c->nested_cr3 = v->mmu.root.v;
	else if (s->reload)
		load_software(v, s);
	else
		c->cr3 = v->mmu.root.v;
	c->tlb_control = 0;
	if (s->cpu->flush_all) {
		s->cpu->flush_all = false;
		c->tlb_control = SVM_TLB_FLUSH_ALL;
		s->stale = true; /* so that the next entry flushes no more */
	}
}

static void svm_run(struct vcpu *v)
{
	struct svm_vcpu *s = v->engine_state;
	struct vmcb *c = s->vmcb;

	if (s->stale || s->asid_round != s->cpu->asid_round)
		start_afresh(v, s);
	if (v->event.type != EVENT_NONE)
		event_in(c, &v->event);
	else
		c->event_inj = 0;
	c->int_state = v->shadow ? SVM_INT_SHADOW : 0;
	c->rip = v->rip;
	c->rflags = v->rflags;
	c->rsp = v->gpr[GPR_RSP];
	c->rax = v->gpr[GPR_RAX];

	svm_enter(v->gpr, s->vmcb_pa.v, s->cpu->host_vmcb.v);

	v->rip = c->rip;
	v->rflags = c->rflags;
	v->gpr[GPR_RSP] = c->rsp;
	v->gpr[GPR_RAX] = c->rax;
	v->shadow = c->int_state & SVM_INT_SHADOW;
	v->exit.kind = decode(s, &v->exit);
	if (c->exit_int_info & SVM_EVENT_VALID)
		event_back(c, &v->event);
}

const struct engine engine_svm = {
	.name = "svm",
	.probe = svm_probe,
	.start = svm_start,
	.cannot = svm_cannot,
	.hardware = svm_hardware,
	.vcpu_init = svm_vcpu_init,
	.vcpu_fini = svm_vcpu_fini,
	.run = svm_run,
	.want_window = svm_want_window,
	.want_iret = svm_want_iret,
	.flush = svm_flush,
	.flush_gva = svm_flush_gva,
	.get_sregs = svm_get_sregs,
	.set_sregs = svm_set_sregs,
	.get_segment = svm_get_segment,
	.look = svm_look,
	.use_scheme = svm_use_scheme,
	.set_paging = svm_set_paging,
	.set_cr3 = svm_set_cr3,
	.set_cr2 = svm_set_cr2,
	.set_efer = svm_set_efer,
	.set_pat = svm_set_pat,
	.set_tsc_offset = svm_set_tsc_offset,
	.walks_pdptes = true,
};

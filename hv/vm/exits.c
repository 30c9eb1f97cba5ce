/*
 * What each exit asks for, one function a kind. The order of work in each:
 * find where the guest goes on, check, do, go on. A fault on the way leaves
 * the guest at the instruction with the exception raised.
 */
#include "cpu/cpu.h"

#include <string.h>

#include "insn/emulate.h"
#include "vm/event.h"
#include "vm/insn_glue.h"
#include "vm/vm.h"

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_DF 8
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MC 18
#define DR6_BS	  (UINT64_C(1) << 14)

#define CPUID_XSAVE 0xdu
#define KVM_ENOSYS  1000
#define KVM_EPERM   1

static void exit_shutdown(struct vcpu *v)
{
	vm_stop(v->vm, VM_TRIPLE_FAULT,
		"the guest triple-faulted at rip 0x%llx",
		(unsigned long long)v->rip);
}

/* An event whose delivery made the exit is still in v->event, unless what is
 * there is of this exit's own making. An interrupt comes after the exception
 * that has overtaken it. */
static void raise(struct vcpu *v, struct event e)
{
	struct event first = { .type = EVENT_NONE };

	if (!v->raised)
		first = v->event;
	v->raised = true;
	switch (event_outcome(&first, e.vector)) {
	case EVENT_SECOND:
		break;
	case EVENT_DOUBLE:
		e.vector = VECTOR_DF;
		e.has_error = true;
		e.error = 0;
		break;
	case EVENT_SHUTDOWN:
		exit_shutdown(v);
		return;
	}
	if (first.type == EVENT_INTERRUPT || first.type == EVENT_NMI)
		v->held = first;
	v->event = e;
}

void vcpu_raise(struct vcpu *v, uint8_t vector)
{
	raise(v, (struct event){ .type = EVENT_EXCEPTION, .vector = vector });
}

void vcpu_raise_error(struct vcpu *v, uint8_t vector, uint32_t error)
{
	raise(v, (struct event){
			 .type = EVENT_EXCEPTION,
			 .vector = vector,
			 .has_error = true,
			 .error = error,
		 });
}

void vcpu_raise_pf(struct vcpu *v, gva_t gva, uint32_t error)
{
	v->vm->engine->set_cr2(v, gva.v);
	if (v->event.type != EVENT_NONE) {
		vcpu_raise_error(v, VECTOR_PF, error);
		return;
	}
	v->raised = true;
	v->event.vector = VECTOR_PF;
	v->event.has_error = true;
	v->event.error = error;
	v->event.type = EVENT_EXCEPTION;
}

void vcpu_single_step(struct vcpu *v)
{
	struct sregs s;

	v->vm->engine->get_sregs(v, &s);
	s.dr6 |= DR6_BS;
	v->vm->engine->set_sregs(v, &s);
	vcpu_raise(v, VECTOR_DB);
}

/* Behind prefixes, or over a page's end. */
static __attribute__((noinline)) unsigned length_slow(struct vcpu *v,
						      enum insn_exit what)
{
	enum insn_bits bits = (enum insn_bits)v->look.bits;
	uint8_t bytes[15];
	unsigned count, length;

	if (vcpu_fetch(v, bytes, &count) != GUEST_OK)
		return 0;
	length = insn_length(what, bytes, count, bits);
	if (length || count == 15)
		return length;
	if (vcpu_fetch_rest(v, bytes, &count) != GUEST_OK)
		return 0;
	return insn_length(what, bytes, count, bits);
}

/* Where the guest goes on; false: not now, or the guest's code is no longer
 * what made the exit, so let it run what is there. */
static inline bool insn_end(struct vcpu *v, enum insn_exit what, uint64_t *next)
{
	const uint8_t *code;
	unsigned length = 0;
	uint8_t bytes[4];

	if (v->exit.next_rip) {
		*next = vcpu_wrap(v, v->exit.next_rip);
		return true;
	}
	code = vcpu_code(v);
	if (code) {
		__builtin_memcpy(bytes, code, sizeof(bytes));
		length = insn_length(what, bytes, sizeof(bytes),
				     (enum insn_bits)v->look.bits);
	}
	if (!length && v->event.type == EVENT_NONE)
		length = length_slow(v, what);
	*next = v->rip + length;
	if (v->look.bits != INSN_64)
		*next = (uint32_t)*next;
	return length != 0;
}

static uint64_t edx_eax(const struct vcpu *v)
{
	return v->gpr[GPR_RDX] << 32 | (uint32_t)v->gpr[GPR_RAX];
}

static void set_edx_eax(struct vcpu *v, uint64_t value)
{
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
}

/* The host uses no XSAVE, so XCR0 is the guest's. It is read, because not
 * every machine honours the XSETBV intercept (QEMU 7.2's emulation). */
static uint64_t xcr0_now(const struct vcpu *v)
{
	bool shows = (uint32_t)v->gpr[GPR_RAX] == CPUID_XSAVE;

	return shows && v->vm->cpuid.xcr0 ? xgetbv(0) : 0;
}

/* The few leaves that show the vCPU's state. */
static __attribute__((noinline)) void cpuid_dynamic(struct vcpu *v,
						    unsigned kind,
						    uint32_t r[4])
{
	const struct cpuid_dynamic now = {
		.cr4 = vcpu_look(v)->regs.cr4,
		.xcr0 = xcr0_now(v),
		.apic_enabled = board_apic_enabled(&v->vm->board, v->id),
		.apic_id = v->id,
	};

	cpuid_apply(&v->vm->cpuid, kind, (uint32_t)v->gpr[GPR_RCX], &now, r);
}

static void exit_cpuid(struct vcpu *v)
{
	unsigned dynamic;
	uint64_t next;
	uint32_t r[4];

	if (!insn_end(v, INSN_EXIT_CPUID, &next))
		return;
	dynamic = cpuid_look_up(&v->vm->cpuid, (uint32_t)v->gpr[GPR_RAX],
				(uint32_t)v->gpr[GPR_RCX], r);
	if (dynamic)
		cpuid_dynamic(v, dynamic, r);
	v->gpr[GPR_RAX] = r[0];
	v->gpr[GPR_RBX] = r[1];
	v->gpr[GPR_RCX] = r[2];
	v->gpr[GPR_RDX] = r[3];
	vcpu_advance(v, next);
}

static void exit_hlt(struct vcpu *v)
{
	uint64_t next;

	if (!insn_end(v, INSN_EXIT_HLT, &next))
		return;
	vcpu_advance(v, next);
	/* A single step ends behind HLT and wakes the guest at once. */
	v->halted = v->event.type == EVENT_NONE;
}

/* IN leaves what it does not write: SDM 2, IN. */
static void set_accumulator(struct vcpu *v, unsigned size, uint32_t value)
{
	uint64_t *rax = &v->gpr[GPR_RAX];

	if (size == 4)
		*rax = value;
	else if (size == 2)
		*rax = (*rax & ~UINT64_C(0xffff)) | (value & 0xffff);
	else
		*rax = (*rax & ~UINT64_C(0xff)) | (value & 0xff);
}

void vm_check_board(struct vm *vm)
{
	uint32_t code = 0;

	switch (board_end(&vm->board, &code)) {
	case BOARD_RUNNING:
		return;
	case BOARD_POWEROFF:
		vm_stop(vm, VM_POWEROFF, "the guest powered off");
		return;
	case BOARD_RESET:
		vm_stop(vm, VM_RESET, "the guest reset its machine");
		return;
	case BOARD_EXIT:
		vm_stop(vm, VM_EXIT_PORT, "the guest wrote %u to the exit port",
			code);
		vm->end_code = code;
		return;
	}
}

static void exit_io(struct vcpu *v)
{
	const struct exit_io *io = &v->exit.io;
	struct vm *vm = v->vm;

	if (io->string) {
		vcpu_handle_string_io(v);
		return;
	}
	if (io->in) {
		set_accumulator(
			v, io->size,
			board_in(&vm->board, v->id, io->port, io->size));
		if (vm->console_byte >= 0)
			vm_pump_console(vm);
	} else {
		uint32_t value = (uint32_t)v->gpr[GPR_RAX];

		board_out(&vm->board, v->id, io->port, io->size, value);
		vm_check_board(vm);
	}
	vcpu_advance(v, vcpu_wrap(v, v->exit.next_rip));
}

static bool read_msr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	struct vm *vm = v->vm;
	struct sregs s;

	switch (board_rdmsr(&vm->board, v->id, msr, value)) {
	case BOARD_MSR_OK:
		if (msr == MSR_TSC_DEADLINE)
			*value = vcpu_deadline_out(v, *value);
		return true;
	case BOARD_MSR_GP:
		return false;
	case BOARD_MSR_NOT_OURS:
		break;
	}
	switch (msr) {
	case MSR_EFER:
		vm->engine->get_sregs(v, &s);
		*value = s.efer;
		return true;
	case MSR_TSC:
		*value = vcpu_tsc(v);
		return true;
	case MSR_TSC_ADJUST:
		*value = v->tsc_adjust;
		return msr_has_tsc_adjust(&v->msrs);
	default:
		return msr_read(&v->msrs, msr, value) == MSR_OK;
	}
}

static bool write_efer(struct vcpu *v, uint64_t value)
{
	struct sregs s;

	v->vm->engine->get_sregs(v, &s);
	if (!msr_efer_valid(s.efer, value, s.cr0, &v->vm->cpuid))
		return false;
	/* LMA is the processor's: SDM 4, IA32_EFER. */
	value = (value & ~VMMU_EFER_LMA) | (s.efer & VMMU_EFER_LMA);
	if (v->mmu.scheme->needs & VMMU_NEEDS_CR_MODE)
		vcpu_write_efer(v, value);
	else
		v->vm->engine->set_efer(v, value);
	return true;
}

static bool write_tsc_adjust(struct vcpu *v, uint64_t value)
{
	if (!msr_has_tsc_adjust(&v->msrs))
		return false;
	vcpu_set_tsc_adjust(v, value);
	return true;
}

static bool write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	struct vm *vm = v->vm;

	if (v->tsc_adjust && msr == MSR_TSC_DEADLINE)
		value = vcpu_deadline_in(v, value);
	switch (board_wrmsr(&vm->board, v->id, msr, value)) {
	case BOARD_MSR_OK:
		return true;
	case BOARD_MSR_GP:
		return false;
	case BOARD_MSR_NOT_OURS:
		break;
	}
	if (msr == MSR_EFER)
		return write_efer(v, value);
	if (msr == MSR_TSC_ADJUST)
		return write_tsc_adjust(v, value);
	if (msr == MSR_TSC) {
		vcpu_set_tsc_adjust(v, v->tsc_adjust + value - vcpu_tsc(v));
		return true;
	}
	if (msr_write(&v->msrs, msr, value) != MSR_OK)
		return false;
	if (msr == MSR_PAT) {
		vm->engine->set_pat(v, value);
		v->look.regs.pat = value;
		v->mode_stale = true;
	}
	if (msr == MSR_TSC_AUX) /* RDTSCP reads the register itself */
		wrmsr(MSR_TSC_AUX, value);
	return true;
}

static void exit_rdmsr(struct vcpu *v)
{
	uint64_t next, value;

	if (!insn_end(v, INSN_EXIT_RDMSR, &next))
		return;
	if (!read_msr(v, (uint32_t)v->gpr[GPR_RCX], &value)) {
		vcpu_raise_error(v, VECTOR_GP, 0);
		return;
	}
	set_edx_eax(v, value);
	vcpu_advance(v, next);
}

static void exit_wrmsr(struct vcpu *v)
{
	uint64_t next;

	if (!insn_end(v, INSN_EXIT_WRMSR, &next))
		return;
	if (!write_msr(v, (uint32_t)v->gpr[GPR_RCX], edx_eax(v))) {
		vcpu_raise_error(v, VECTOR_GP, 0);
		return;
	}
	vcpu_advance(v, next);
}

static void exit_xsetbv(struct vcpu *v)
{
	uint64_t next;

	if (!insn_end(v, INSN_EXIT_XSETBV, &next))
		return;
	if (vcpu_look(v)->cpl != 0 || (uint32_t)v->gpr[GPR_RCX] != 0 ||
	    !cpuid_xcr0_valid(&v->vm->cpuid, edx_eax(v))) {
		vcpu_raise_error(v, VECTOR_GP, 0);
		return;
	}
	xsetbv(0, edx_eax(v));
	vcpu_advance(v, next);
}

/* KVM's hypercalls: none is offered, each says so. */
static void exit_hypercall(struct vcpu *v)
{
	uint64_t next;

	if (!insn_end(v, INSN_EXIT_VMMCALL, &next))
		return;
	v->gpr[GPR_RAX] = vcpu_look(v)->cpl ? (uint64_t)-KVM_EPERM
					    : (uint64_t)-KVM_ENOSYS;
	vcpu_advance(v, next);
}

/* INVD must not drop the host's dirty lines, and WBINVD may take milliseconds:
 * memory is coherent without either. */
static void exit_cache(struct vcpu *v)
{
	uint64_t next;

	if (insn_end(v, INSN_EXIT_WBINVD, &next) ||
	    (v->event.type == EVENT_NONE && insn_end(v, INSN_EXIT_INVD, &next)))
		vcpu_advance(v, next);
}

/* The guest is about to end its NMI handler. Another NMI waits until the
 * IRET is over, which the exit after it shows. */
static void exit_iret(struct vcpu *v)
{
	v->vm->engine->want_iret(v, false);
	v->in_iret = true;
	v->iret_rip = v->rip;
}

static void exit_nmi_over(struct vcpu *v)
{
	v->vm->engine->want_iret(v, false);
	v->nmi_masked = false;
}

static void exit_exception(struct vcpu *v)
{
	const struct exit_exception *x = &v->exit.exception;

	if (x->vector == VECTOR_MC) {
		vm_stop(v->vm, VM_KILLED,
			"the machine reported a hardware error (#MC) while "
			"the guest ran");
		return;
	}
	if (x->has_error)
		vcpu_raise_error(v, x->vector, x->error);
	else
		vcpu_raise(v, x->vector);
}

static void exit_undefined(struct vcpu *v)
{
	vcpu_raise(v, VECTOR_UD);
}

static void exit_pmc(struct vcpu *v)
{
	vcpu_raise_error(v, VECTOR_GP, 0);
}

static void exit_task_switch(struct vcpu *v)
{
	vm_stop(v->vm, VM_KILLED,
		"the guest switches tasks by hardware at rip 0x%llx, which "
		"needs mmu=nested on AMD SVM",
		(unsigned long long)v->rip);
}

static void exit_invalid(struct vcpu *v)
{
	char why[96] = "it does not say why";

	if (v->vm->engine->explain)
		v->vm->engine->explain(v, why, sizeof(why));
	vm_stop(v->vm, VM_KILLED,
		"the processor refused the guest's state at rip 0x%llx: %s",
		(unsigned long long)v->rip, why);
}

/* The loop or the engine has done it, or the machine does. */
static void exit_nothing(struct vcpu *v)
{
	(void)v;
}

/* A table and not a switch: each handler saves the registers that it needs,
 * and not those that the longest of them needs. */
void (*const vcpu_exit_handlers[EXIT_KINDS])(struct vcpu *v) = {
	[EXIT_INTERRUPT] = exit_nothing,
	[EXIT_WINDOW] = exit_nothing,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_HLT] = exit_hlt,
	[EXIT_IO] = exit_io,
	[EXIT_RDMSR] = exit_rdmsr,
	[EXIT_WRMSR] = exit_wrmsr,
	[EXIT_VIOLATION] = vcpu_handle_violation,
	[EXIT_PAGE_FAULT] = vcpu_handle_page_fault,
	[EXIT_INVLPG] = vcpu_handle_invlpg,
	[EXIT_TASK_SWITCH] = exit_task_switch,
	[EXIT_CR] = vcpu_handle_cr,
	[EXIT_IRET] = exit_iret,
	[EXIT_NMI_OVER] = exit_nmi_over,
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_HYPERCALL] = exit_hypercall,
	[EXIT_CACHE] = exit_cache,
	[EXIT_EXCEPTION] = exit_exception,
	[EXIT_UNDEFINED] = exit_undefined,
	[EXIT_PMC] = exit_pmc,
	[EXIT_LOG_FULL] = exit_nothing,
	[EXIT_INIT] = exit_nothing,
	[EXIT_SHUTDOWN] = exit_shutdown,
	[EXIT_INVALID] = exit_invalid,
};

/*
 * A violation of the nested table: the library says what it means, and this
 * carries the verdict out. A device access is emulated: the instruction is
 * fetched, decoded and done in software, whatever it does with memory.
 */
#include "insn/emulate.h"

#include <string.h>

#include "vm/insn_glue.h"
#include "vm/vm.h"

static enum insn_access answer_of(enum guest_access done)
{
	return done == GUEST_OK ? INSN_ACCESS_OK : INSN_ACCESS_FAULT;
}

static enum insn_access read(void *ctx, uint64_t linear, unsigned size,
			     bool write_follows, uint64_t *value)
{
	return answer_of(vcpu_read(ctx, mk_gva(linear), size,
				   write_follows ? VMMU_W : VMMU_R, value));
}

static enum insn_access write(void *ctx, uint64_t linear, unsigned size,
			      uint64_t value)
{
	return answer_of(vcpu_write(ctx, mk_gva(linear), size, value));
}

/* A write to a table of the guest's, or under WP=0 where no entry can allow
 * it: it is done by the guest itself. */
static void let_it(struct vcpu *v, gpa_t gpa, const char *what, unsigned which)
{
	if (!vmmu_cpu_unshadow(&v->mmu, gpa))
		vm_stop(v->vm, VM_KILLED,
			"the guest writes to gpa 0x%llx by %s 0x%x at rip "
			"0x%llx, which needs mmu=nested",
			(unsigned long long)gpa.v, what, which,
			(unsigned long long)v->rip);
}

static void emulate(struct vcpu *v, const struct vmmu_answer *a)
{
	gpa_t gpa = a->gpa;
	/* No atomic exchange: a device's register is not shared memory. */
	static const struct insn_ops ops = { .read = read, .write = write };
	struct insn_regs regs;
	struct insn in;
	enum insn_done done;

	if (vcpu_decode(v, &in) != GUEST_OK)
		return;
	vcpu_insn_regs(v, &regs);
	done = insn_emulate(&in, &regs, &ops, v);
	if (done == INSN_UNSUPPORTED && a->verdict == VMMU_EMULATE) {
		let_it(v, gpa, "opcode", in.opcode);
		return;
	}
	if (done == INSN_UNSUPPORTED) {
		vm_stop(v->vm, VM_KILLED,
			"the guest uses opcode 0x%x at rip 0x%llx on gpa "
			"0x%llx, where it has no memory",
			in.opcode, (unsigned long long)v->rip,
			(unsigned long long)gpa.v);
		return;
	}
	memcpy(v->gpr, regs.gpr, sizeof(v->gpr));
	v->rflags = regs.rflags;
	if (done == INSN_DONE)
		vcpu_advance(v, regs.rip);
	vm_check_board(v->vm);
}

/* An entry of a table is written by one plain store. False: something else
 * must be done. */
static bool store_entry(struct vcpu *v, const struct vmmu_answer *a)
{
	const uint8_t *code = vcpu_code(v);
	uint64_t linear, value;
	unsigned length = 0;

	if (code && v->look.bits == 64)
		length = insn_brief_store(code, v->gpr, &linear, &value);
	if (!length)
		return false;
	if (a->granted && linear == v->exit.page_fault.gva.v &&
	    vcpu_store(v, a->gpa, value) == GUEST_OK)
		vcpu_advance(v, vcpu_wrap(v, v->rip + length));
	else if (vcpu_write(v, mk_gva(linear), sizeof(value), value) ==
		 GUEST_OK)
		vcpu_advance(v, vcpu_wrap(v, v->rip + length));
	return true;
}

/* An access that no instruction made has none to be emulated: the processor
 * itself read a table of the guest's there, or pushed on its stack. */
static bool made_by_hardware(struct vcpu *v, gpa_t gpa)
{
	if (v->exit.kind == EXIT_VIOLATION && v->exit.violation.during_walk)
		vm_stop(v->vm, VM_KILLED,
			"the guest's page table at gpa 0x%llx is not in "
			"writable memory",
			(unsigned long long)gpa.v);
	else if (v->event.type != EVENT_NONE)
		vm_stop(v->vm, VM_KILLED,
			"the guest takes vector %u by way of gpa 0x%llx, where "
			"it has no memory",
			v->event.vector, (unsigned long long)gpa.v);
	return v->vm->end != VM_RUNNING;
}

void vcpu_obey(struct vcpu *v, const struct vmmu_answer *a)
{
	switch (a->verdict) {
	case VMMU_RESUME:
	case VMMU_RETRY:
		return;
	case VMMU_EMULATE:
		/* No instruction pushes the frame of an exception. */
		if (v->event.type != EVENT_NONE) {
			let_it(v, a->gpa, "vector", v->event.vector);
			return;
		}
		if (!store_entry(v, a))
			emulate(v, a);
		return;
	case VMMU_MMIO:
		if (!made_by_hardware(v, a->gpa))
			emulate(v, a);
		return;
	case VMMU_INJECT:
		vcpu_raise_pf(v, a->gva, a->error_code);
		return;
	case VMMU_KILL:
		vm_stop(v->vm, VM_KILLED, "%s", a->reason);
		return;
	}
}

void vcpu_handle_violation(struct vcpu *v)
{
	const struct exit_violation *x = &v->exit.violation;
	const struct vmmu_fault fault = {
		.gpa = x->gpa,
		.access = x->access,
		.during_walk = x->during_walk,
	};
	struct vmmu_answer a;

	vmmu_cpu_fault(&v->mmu, &fault, &a);
	vcpu_obey(v, &a);
}

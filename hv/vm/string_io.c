/*
 * INS and OUTS: element by element, a bounded number of them an exit; rip
 * moves only when the count is used up, so the guest comes back for the rest
 * and takes its interrupts meanwhile. SDM 2, INS, OUTS, REP.
 */
#include "insn/emulate.h"
#include "vm/insn_glue.h"
#include "vm/vm.h"

#define ELEMENTS_MAX 512
#define RFLAGS_DF    (UINT64_C(1) << 10)

/* A register changes by its address size: a 32-bit one clears the rest. */
static void step_register(uint64_t *reg, unsigned bytes, uint64_t by)
{
	if (bytes == 8)
		*reg += by;
	else if (bytes == 4)
		*reg = (uint32_t)(*reg + by);
	else
		*reg = (*reg & ~UINT64_C(0xffff)) | ((*reg + by) & 0xffff);
}

static uint64_t cut(uint64_t reg, unsigned bytes)
{
	return bytes == 8 ? reg : reg & ((UINT64_C(1) << (8 * bytes)) - 1);
}

static enum guest_access one(struct vcpu *v, const struct insn *in,
			     const struct insn_regs *regs)
{
	const struct exit_io *io = &v->exit.io;
	struct board *board = &v->vm->board;
	uint64_t *reg = &v->gpr[io->in ? GPR_RDI : GPR_RSI];
	unsigned segment = io->in ? INSN_ES : in->segment;
	gva_t gva = mk_gva(
		insn_linear(in, regs, segment, cut(*reg, in->addr_bytes)));
	uint64_t step = v->rflags & RFLAGS_DF ? 0 - (uint64_t)io->size
					      : io->size;
	enum guest_access done;
	uint64_t value;

	if (io->in) {
		value = board_in(board, v->id, io->port, io->size);
		done = vcpu_write(v, gva, io->size, value);
	} else {
		done = vcpu_read(v, gva, io->size, VMMU_R, &value);
		if (done == GUEST_OK)
			board_out(board, v->id, io->port, io->size,
				  (uint32_t)value);
	}
	if (done == GUEST_OK)
		step_register(reg, in->addr_bytes, step);
	return done;
}

static bool is_what_exited(const struct vcpu *v, const struct insn *in,
			   const struct insn_regs *regs)
{
	const struct exit_io *io = &v->exit.io;
	struct insn_io found;

	return insn_io(in, regs, &found) && found.string &&
	       found.in == io->in && found.size == io->size;
}

void vcpu_handle_string_io(struct vcpu *v)
{
	uint64_t *rcx = &v->gpr[GPR_RCX];
	struct insn_regs regs;
	struct insn in;

	if (vcpu_decode(v, &in) != GUEST_OK)
		return;
	vcpu_insn_regs(v, &regs);
	if (!is_what_exited(v, &in, &regs))
		return; /* the guest has changed its code: run what is there */
	for (unsigned i = 0; i < ELEMENTS_MAX; i++) {
		if (in.rep && !cut(*rcx, in.addr_bytes))
			break;
		if (one(v, &in, &regs) != GUEST_OK)
			return;
		if (!in.rep)
			break;
		step_register(rcx, in.addr_bytes, UINT64_MAX);
	}
	vm_check_board(v->vm);
	if (!in.rep || !cut(*rcx, in.addr_bytes))
		vcpu_advance(v, vcpu_wrap(v, v->rip + in.length));
}

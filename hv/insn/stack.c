/* PUSH and POP of a ModRM operand. */
#include "insn/step.h"

#include "insn/operand.h"

static uint64_t stack_address(const struct step *s, uint64_t rsp)
{
	return insn_linear(s->in, s->regs, INSN_SS,
			   operand_cut(rsp, s->regs->stack_bytes));
}

enum insn_done stack_push(struct step *s)
{
	uint64_t rsp = s->regs->gpr[INSN_RSP] - s->size, v;

	if (!step_read(s, &v) ||
	    !step_store(s, stack_address(s, rsp), s->size, v))
		return s->failed;
	operand_set_gpr(s->regs, INSN_RSP, s->regs->stack_bytes, rsp);
	return INSN_DONE;
}

/* An address based on rSP is that after the increment: SDM 2, POP. */
enum insn_done stack_pop(struct step *s)
{
	uint64_t old = s->regs->gpr[INSN_RSP], v;

	if (!step_load(s, stack_address(s, old), s->size, &v))
		return s->failed;
	operand_set_gpr(s->regs, INSN_RSP, s->regs->stack_bytes, old + s->size);
	if (s->in->has_mem)
		s->address = insn_address(s->in, s->regs);
	if (step_write(s, v))
		return INSN_DONE;
	s->regs->gpr[INSN_RSP] = old;
	return s->failed;
}

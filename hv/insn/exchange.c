/* XCHG, XADD, CMPXCHG: read, then one write that may be locked. */
#include "insn/step.h"

#include "insn/alu.h"
#include "insn/operand.h"

enum insn_done exchange(struct step *s)
{
	uint64_t old, mine = step_reg(s);

	if (!step_read(s, &old) || !step_update(s, old, mine))
		return s->failed;
	step_set_reg(s, old);
	return INSN_DONE;
}

enum insn_done exchange_add(struct step *s)
{
	uint64_t flags = s->regs->rflags, old, mine = step_reg(s), sum;

	if (!step_read(s, &old))
		return s->failed;
	sum = alu_binary(ALU_ADD, old, mine, s->size, &flags);
	if (s->in->has_mem && !step_update(s, old, sum))
		return s->failed;
	step_set_reg(s, old);
	if (!s->in->has_mem) /* last, for XADD of a register with itself */
		step_write(s, sum);
	s->regs->rflags = flags;
	return INSN_DONE;
}

/* Writes memory in any case: its own value, when the comparison fails. */
enum insn_done exchange_compare(struct step *s)
{
	uint64_t flags = s->regs->rflags, old;
	uint64_t want = operand_cut(s->regs->gpr[INSN_RAX], s->size);

	if (!step_read(s, &old))
		return s->failed;
	alu_binary(ALU_CMP, want, old, s->size, &flags);
	if (!step_update(s, old, old == want ? step_reg(s) : old))
		return s->failed;
	if (old != want)
		operand_set_gpr(s->regs, INSN_RAX, s->size, old);
	s->regs->rflags = flags;
	return INSN_DONE;
}

static uint64_t pair(const struct step *s, unsigned high, unsigned low)
{
	return s->regs->gpr[high] << 32 | (uint32_t)s->regs->gpr[low];
}

enum insn_done exchange_compare_8(struct step *s)
{
	uint64_t old, want = pair(s, INSN_RDX, INSN_RAX);

	if (s->in->op_bytes == 8 || !s->in->has_mem)
		return INSN_UNSUPPORTED; /* CMPXCHG16B */
	if (!step_read(s, &old) ||
	    !step_update(s, old,
			 old == want ? pair(s, INSN_RCX, INSN_RBX) : old))
		return s->failed;
	if (old != want) {
		s->regs->gpr[INSN_RAX] = (uint32_t)old;
		s->regs->gpr[INSN_RDX] = old >> 32;
	}
	s->regs->rflags = (s->regs->rflags & ~RFLAGS_ZF) |
			  (old == want ? RFLAGS_ZF : 0);
	return INSN_DONE;
}

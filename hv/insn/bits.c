/* BT, BTS, BTR, BTC: opcode bits 3 and 4, or ModRM.reg, say which. */
#include "insn/step.h"

#include "insn/alu.h"
#include "insn/operand.h"

static enum insn_done bit_op(struct step *s, unsigned op, unsigned bit)
{
	uint64_t old, mask = UINT64_C(1) << bit, r;

	if (!step_read(s, &old))
		return s->failed;
	r = op == 1 ? old | mask : op == 2 ? old & ~mask : old ^ mask;
	if (op && !step_update(s, old, r))
		return s->failed;
	s->regs->rflags = (s->regs->rflags & ~RFLAGS_CF) |
			  (old & mask ? RFLAGS_CF : 0);
	return INSN_DONE;
}

/* A bit number in a register reaches any operand-sized piece of memory on
 * either side of the address: SDM 2, BT. */
enum insn_done bits_reg(struct step *s)
{
	int64_t n = (int64_t)operand_extend(step_reg(s), s->size);
	unsigned bits = 8 * s->size;
	int64_t piece = (n - (int64_t)((uint64_t)n % bits)) / (int64_t)bits;
	uint64_t offset;

	if (s->in->has_mem) {
		offset =
			insn_offset(s->in, s->regs) + (uint64_t)piece * s->size;
		s->address =
			insn_linear(s->in, s->regs, s->in->segment,
				    operand_cut(offset, s->in->addr_bytes));
	}
	return bit_op(s, s->in->opcode >> 3 & 3,
		      (unsigned)((uint64_t)n % bits));
}

enum insn_done bits_imm(struct step *s)
{
	return bit_op(s, s->in->reg & 3,
		      (unsigned)(uint64_t)s->in->imm % (8 * s->size));
}

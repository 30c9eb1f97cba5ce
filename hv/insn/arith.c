/*
 * Arithmetic with the ModRM operand: the eight operations of ADD .. CMP, TEST,
 * NOT, NEG, INC, DEC, shifts. Flags change last, when nothing can fail.
 */
#include "insn/step.h"

#include "insn/alu.h"
#include "insn/operand.h"

/* Computes `op` into the ModRM operand; `keep` false: for the flags alone. */
static enum insn_done alu_to_rm(struct step *s, enum alu_op op, uint64_t b,
				bool keep)
{
	uint64_t flags = s->regs->rflags, old, r;

	if (!step_read(s, &old))
		return s->failed;
	r = alu_binary(op, old, b, s->size, &flags);
	if (keep && !step_update(s, old, r))
		return s->failed;
	s->regs->rflags = flags;
	return INSN_DONE;
}

static enum alu_op alu_of_opcode(const struct step *s)
{
	return s->in->opcode >> 3 & 7;
}

enum insn_done arith_rm_reg(struct step *s)
{
	enum alu_op op = alu_of_opcode(s);

	return alu_to_rm(s, op, step_reg(s), op != ALU_CMP);
}

enum insn_done arith_reg_rm(struct step *s)
{
	enum alu_op op = alu_of_opcode(s);
	uint64_t v, r;

	if (!step_read(s, &v))
		return s->failed;
	r = alu_binary(op, step_reg(s), v, s->size, &s->regs->rflags);
	if (op != ALU_CMP)
		step_set_reg(s, r);
	return INSN_DONE;
}

enum insn_done arith_rm_imm(struct step *s)
{
	enum alu_op op = s->in->reg & 7;

	return alu_to_rm(s, op, step_imm(s), op != ALU_CMP);
}

enum insn_done arith_acc_imm(struct step *s)
{
	enum alu_op op = alu_of_opcode(s);
	uint64_t a = operand_cut(s->regs->gpr[INSN_RAX], s->size);
	uint64_t r = alu_binary(op, a, step_imm(s), s->size, &s->regs->rflags);

	if (op != ALU_CMP)
		operand_set_gpr(s->regs, INSN_RAX, s->size, r);
	return INSN_DONE;
}

enum insn_done arith_test_reg(struct step *s)
{
	return alu_to_rm(s, ALU_AND, step_reg(s), false);
}

enum insn_done arith_test_imm(struct step *s)
{
	return alu_to_rm(s, ALU_AND, step_imm(s), false);
}

enum insn_done arith_test_acc(struct step *s)
{
	uint64_t a = operand_cut(s->regs->gpr[INSN_RAX], s->size);

	alu_binary(ALU_AND, a, step_imm(s), s->size, &s->regs->rflags);
	return INSN_DONE;
}

enum insn_done arith_not(struct step *s)
{
	uint64_t old;

	if (!step_read(s, &old) || !step_update(s, old, ~old))
		return s->failed;
	return INSN_DONE;
}

enum insn_done arith_neg(struct step *s)
{
	uint64_t flags = s->regs->rflags, old, r;

	if (!step_read(s, &old))
		return s->failed;
	r = alu_binary(ALU_SUB, 0, old, s->size, &flags);
	if (!step_update(s, old, r))
		return s->failed;
	s->regs->rflags = flags;
	return INSN_DONE;
}

enum insn_done arith_inc_dec(struct step *s)
{
	uint64_t flags = s->regs->rflags, old, r;

	if (!step_read(s, &old))
		return s->failed;
	r = alu_step(old, s->in->reg & 1 ? -1 : 1, s->size, &flags);
	if (!step_update(s, old, r))
		return s->failed;
	s->regs->rflags = flags;
	return INSN_DONE;
}

/* C0, C1: by imm8; D0, D1: by 1; D2, D3: by CL. */
enum insn_done arith_shift(struct step *s)
{
	uint64_t flags = s->regs->rflags, old, r;
	uint8_t opcode = s->in->opcode;
	unsigned count = opcode < 0xd0	 ? (uint8_t)s->in->imm
			 : opcode < 0xd2 ? 1
					 : (uint8_t)s->regs->gpr[INSN_RCX];
	unsigned op = s->in->reg & 7;

	if (!step_read(s, &old))
		return s->failed;
	r = alu_shift(op == 6 ? ALU_SHL : op, old, count, s->size, &flags);
	if (!step_update(s, old, r))
		return s->failed;
	s->regs->rflags = flags;
	return INSN_DONE;
}

/* MOV and its kin: SDM 2, MOV, MOVZX, MOVSX, MOVBE, MOVNTI, CMOVcc, SETcc. */
#include "insn/step.h"

#include "insn/alu.h"
#include "insn/operand.h"

enum insn_done move_store(struct step *s)
{
	return step_write(s, step_reg(s)) ? INSN_DONE : s->failed;
}

enum insn_done move_load(struct step *s)
{
	uint64_t v;

	if (!step_read(s, &v))
		return s->failed;
	step_set_reg(s, v);
	return INSN_DONE;
}

enum insn_done move_imm(struct step *s)
{
	return step_write(s, step_imm(s)) ? INSN_DONE : s->failed;
}

enum insn_done move_from_moffs(struct step *s)
{
	uint64_t v;

	if (!step_read(s, &v))
		return s->failed;
	operand_set_gpr(s->regs, INSN_RAX, s->size, v);
	return INSN_DONE;
}

enum insn_done move_to_moffs(struct step *s)
{
	return step_write(s, s->regs->gpr[INSN_RAX]) ? INSN_DONE : s->failed;
}

enum insn_done move_zero_extend(struct step *s)
{
	uint64_t v;

	if (!step_read(s, &v))
		return s->failed;
	operand_set_gpr(s->regs, s->in->reg, s->in->op_bytes, v);
	return INSN_DONE;
}

/* MOVSX, and MOVSXD, whose opcode is ARPL outside 64-bit mode. */
enum insn_done move_sign_extend(struct step *s)
{
	uint64_t v;

	if (s->in->map == INSN_MAP_ONE && s->in->bits != INSN_64)
		return INSN_UNSUPPORTED;
	if (!step_read(s, &v))
		return s->failed;
	operand_set_gpr(s->regs, s->in->reg, s->in->op_bytes,
			operand_extend(v, s->size));
	return INSN_DONE;
}

static uint64_t swap_bytes(uint64_t v, unsigned bytes)
{
	return __builtin_bswap64(v) >> (64 - 8 * bytes);
}

/* F2 makes it CRC32; a register is no operand of MOVBE. */
enum insn_done move_swapped(struct step *s)
{
	uint64_t v;

	if (s->in->rep == 0xf2 || !s->in->has_mem)
		return INSN_UNSUPPORTED;
	if (s->in->opcode & 1)
		return step_write(s, swap_bytes(step_reg(s), s->size))
			       ? INSN_DONE
			       : s->failed;
	if (!step_read(s, &v))
		return s->failed;
	step_set_reg(s, swap_bytes(v, s->size));
	return INSN_DONE;
}

enum insn_done move_around_cache(struct step *s)
{
	if (s->in->opsize || s->in->rep || !s->in->has_mem)
		return INSN_UNSUPPORTED;
	return move_store(s);
}

/* Reads its operand always, and clears the upper half even when it does not
 * move: SDM 2, CMOVcc. */
enum insn_done move_if(struct step *s)
{
	uint64_t v;

	if (!step_read(s, &v))
		return s->failed;
	step_set_reg(s, alu_condition(s->in->opcode, s->regs->rflags)
				? v
				: step_reg(s));
	return INSN_DONE;
}

enum insn_done move_condition(struct step *s)
{
	return step_write(s, alu_condition(s->in->opcode, s->regs->rflags))
		       ? INSN_DONE
		       : s->failed;
}

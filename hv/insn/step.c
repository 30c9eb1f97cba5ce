/* The accesses of the instruction that is being emulated. */
#include "insn/step.h"

#include "insn/operand.h"

static bool passed(struct step *s, enum insn_access a)
{
	if (a == INSN_ACCESS_OK)
		return true;
	s->failed = a == INSN_ACCESS_CHANGED ? INSN_AGAIN : INSN_FAULT;
	return false;
}

bool step_load(struct step *s, uint64_t linear, unsigned size, uint64_t *value)
{
	uint64_t v = 0;

	if (!passed(s,
		    s->ops->read(s->ctx, linear, size, s->write_follows, &v)))
		return false;
	*value = operand_cut(v, size);
	return true;
}

bool step_store(struct step *s, uint64_t linear, unsigned size, uint64_t value)
{
	return passed(s, s->ops->write(s->ctx, linear, size,
				       operand_cut(value, size)));
}

bool step_read(struct step *s, uint64_t *value)
{
	if (s->in->has_mem)
		return step_load(s, s->address, s->size, value);
	*value = operand_reg(s->in, s->regs, s->in->rm, s->size);
	return true;
}

bool step_write(struct step *s, uint64_t value)
{
	if (s->in->has_mem)
		return step_store(s, s->address, s->size, value);
	operand_set_reg(s->in, s->regs, s->in->rm, s->size, value);
	return true;
}

/* XCHG with memory is locked, prefix or not: SDM 3A 8.1.2.1. */
static bool is_locked(const struct insn *in)
{
	return in->lock || (in->map == INSN_MAP_ONE &&
			    (in->opcode == 0x86 || in->opcode == 0x87));
}

bool step_update(struct step *s, uint64_t old, uint64_t value)
{
	if (!s->in->has_mem || !s->ops->exchange || !is_locked(s->in))
		return step_write(s, value);
	return passed(s, s->ops->exchange(s->ctx, s->address, s->size, old,
					  operand_cut(value, s->size)));
}

uint64_t step_reg(const struct step *s)
{
	return operand_reg(s->in, s->regs, s->in->reg, s->size);
}

void step_set_reg(struct step *s, uint64_t v)
{
	operand_set_reg(s->in, s->regs, s->in->reg, s->size, v);
}

uint64_t step_imm(const struct step *s)
{
	return operand_cut((uint64_t)s->in->imm, s->size);
}

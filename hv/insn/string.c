/*
 * MOVS, CMPS, STOS, LODS, SCAS, and REP: SDM 2, REP.
 *
 *   while (count) { one element; step rSI, rDI; count--; stop on ZF }
 *
 * Every iteration ends with registers that the guest could see, as on the
 * processor, where a fault or an interrupt may come between any two.
 */
#include "insn/alu.h"
#include "insn/operand.h"
#include "insn/step.h"

enum string_kind {
	MOVS = 0xa4,
	CMPS = 0xa6,
	STOS = 0xaa,
	LODS = 0xac,
	SCAS = 0xae,
};

static uint64_t source(const struct step *s)
{
	uint64_t offset =
		operand_cut(s->regs->gpr[INSN_RSI], s->in->addr_bytes);

	return insn_linear(s->in, s->regs, s->in->segment, offset);
}

/* ES, whatever the prefixes say. */
static uint64_t destination(const struct step *s)
{
	uint64_t offset =
		operand_cut(s->regs->gpr[INSN_RDI], s->in->addr_bytes);

	return insn_linear(s->in, s->regs, INSN_ES, offset);
}

static void advance(struct step *s, unsigned gpr, uint64_t by)
{
	operand_set_gpr(s->regs, gpr, s->in->addr_bytes,
			s->regs->gpr[gpr] + by);
}

static bool element(struct step *s, enum string_kind kind)
{
	uint64_t a = operand_cut(s->regs->gpr[INSN_RAX], s->size), b;

	if (kind == MOVS || kind == CMPS || kind == LODS)
		if (!step_load(s, source(s), s->size, &a))
			return false;
	if (kind == CMPS || kind == SCAS) {
		if (!step_load(s, destination(s), s->size, &b))
			return false;
		alu_binary(ALU_CMP, a, b, s->size, &s->regs->rflags);
	}
	if (kind == MOVS || kind == STOS)
		return step_store(s, destination(s), s->size, a);
	if (kind == LODS)
		operand_set_gpr(s->regs, INSN_RAX, s->size, a);
	return true;
}

static bool one(struct step *s, enum string_kind kind)
{
	uint64_t by = s->regs->rflags & RFLAGS_DF ? 0 - (uint64_t)s->size
						  : s->size;

	if (!element(s, kind))
		return false;
	if (kind == MOVS || kind == CMPS || kind == LODS)
		advance(s, INSN_RSI, by);
	if (kind != LODS)
		advance(s, INSN_RDI, by);
	return true;
}

/* REPE goes on while equal, REPNE while not; the others have only REP. */
static bool stops(const struct step *s, enum string_kind kind)
{
	bool equal = s->regs->rflags & RFLAGS_ZF;

	if (kind != CMPS && kind != SCAS)
		return false;
	return s->in->rep == 0xf3 ? !equal : equal;
}

enum insn_done string_run(struct step *s)
{
	enum string_kind kind = s->in->opcode & 0xfe;

	if (!s->in->rep)
		return one(s, kind) ? INSN_DONE : s->failed;
	for (unsigned i = 0; i < INSN_REP_MAX; i++) {
		if (!operand_cut(s->regs->gpr[INSN_RCX], s->in->addr_bytes))
			return INSN_DONE;
		if (!one(s, kind))
			return s->failed;
		advance(s, INSN_RCX, UINT64_MAX);
		if (stops(s, kind))
			return INSN_DONE;
	}
	return operand_cut(s->regs->gpr[INSN_RCX], s->in->addr_bytes)
		       ? INSN_AGAIN
		       : INSN_DONE;
}

/* The operands of instructions that exit for themselves: ports, control
 * registers, INVLPG. */
#include "insn/emulate.h"

/* E4-E7: port in imm8; EC-EF: in DX; 6C-6F: strings, in DX. Bit 0: operand
 * size, of at most 32 bits; bit 1: out. */
bool insn_io(const struct insn *in, const struct insn_regs *regs,
	     struct insn_io *out)
{
	uint8_t high = in->opcode & 0xfc;

	if (in->map != INSN_MAP_ONE ||
	    (high != 0xe4 && high != 0xec && high != 0x6c))
		return false;
	out->in = !(in->opcode & 2);
	out->string = high == 0x6c;
	out->size = !(in->opcode & 1) ? 1 : in->op_bytes == 2 ? 2 : 4;
	out->segment = out->in ? INSN_ES : in->segment;
	out->port = high == 0xe4 ? (uint8_t)in->imm
				 : (uint16_t)regs->gpr[INSN_RDX];
	return true;
}

/* AMD's LOCK MOV CR0 is another way to write MOV CR8: APM 3, MOV CRn. */
bool insn_cr(const struct insn *in, struct insn_cr *out)
{
	if (in->map != INSN_MAP_0F || (in->opcode & ~2u) != 0x20)
		return false;
	out->number = in->reg | (in->lock ? 8 : 0);
	out->gpr = in->rm;
	out->write = in->opcode & 2;
	return true;
}

bool insn_invlpg(const struct insn *in, const struct insn_regs *regs,
		 uint64_t *linear)
{
	if (in->map != INSN_MAP_0F || in->opcode != 0x01 || !in->has_mem ||
	    (in->reg & 7) != 7)
		return false;
	*linear = insn_address(in, regs);
	return true;
}

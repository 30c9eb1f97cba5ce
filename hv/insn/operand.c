/* General registers as operands: SDM 1 3.4.1, APM 3 1.4. */
#include "insn/operand.h"

/* AH, CH, DH, BH are the second bytes of registers 0 .. 3. */
static bool is_high_byte(const struct insn *in, unsigned n, unsigned bytes)
{
	return bytes == 1 && n >= 4 && n < 8 && !in->rex;
}

uint64_t operand_reg(const struct insn *in, const struct insn_regs *regs,
		     unsigned n, unsigned bytes)
{
	if (is_high_byte(in, n, bytes))
		return regs->gpr[n - 4] >> 8 & 0xff;
	return operand_cut(regs->gpr[n], bytes);
}

void operand_set_gpr(struct insn_regs *regs, unsigned n, unsigned bytes,
		     uint64_t v)
{
	uint64_t kept = bytes >= 4 ? 0
				   : regs->gpr[n] & ~operand_cut(~0ull, bytes);

	regs->gpr[n] = kept | operand_cut(v, bytes);
}

void operand_set_reg(const struct insn *in, struct insn_regs *regs, unsigned n,
		     unsigned bytes, uint64_t v)
{
	if (is_high_byte(in, n, bytes))
		regs->gpr[n - 4] = (regs->gpr[n - 4] & ~UINT64_C(0xff00)) |
				   (v & 0xff) << 8;
	else
		operand_set_gpr(regs, n, bytes, v);
}

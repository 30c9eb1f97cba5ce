/* General registers as operands: SDM 1 3.4.1. */
#ifndef HV_INSN_OPERAND_H
#define HV_INSN_OPERAND_H

#include "insn/insn.h"

/* The low `bytes` of v. */
static inline uint64_t operand_cut(uint64_t v, unsigned bytes)
{
	return bytes == 8 ? v : v & ((UINT64_C(1) << (8 * bytes)) - 1);
}

/* v's low `bytes`, sign-extended to 64 bits. */
static inline uint64_t operand_extend(uint64_t v, unsigned bytes)
{
	uint64_t sign = UINT64_C(1) << (8 * bytes - 1);

	return (operand_cut(v, bytes) ^ sign) - sign;
}

/* Register n of this instruction: 4 .. 7 as bytes are AH, CH, DH, BH when
 * there is no REX. */
uint64_t operand_reg(const struct insn *in, const struct insn_regs *regs,
		     unsigned n, unsigned bytes);
/* 4 bytes clear the upper half, 2 and 1 leave the rest. */
void operand_set_reg(const struct insn *in, struct insn_regs *regs, unsigned n,
		     unsigned bytes, uint64_t v);
/* Any register by its full number, as address arithmetic changes it. */
void operand_set_gpr(struct insn_regs *regs, unsigned n, unsigned bytes,
		     uint64_t v);

#endif

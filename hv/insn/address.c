/*
 * Addresses: base + index * scale + displacement, cut to the address size,
 * on top of the segment's base. SDM 1 3.7.5, APM 1 2.2.
 *
 *   16- and 32-bit modes: every segment has a base; linear is 32 bits wide
 *   64-bit mode: only FS and GS have one
 */
#include "insn/insn.h"

static uint64_t cut(uint64_t v, unsigned bytes)
{
	return bytes == 8 ? v : v & ((UINT64_C(1) << (8 * bytes)) - 1);
}

uint64_t insn_offset(const struct insn *in, const struct insn_regs *regs)
{
	uint64_t offset = (uint64_t)in->disp;

	if (in->rip_base)
		offset += regs->rip + in->length;
	if (in->base != INSN_NO_REG)
		offset += regs->gpr[in->base & 15];
	if (in->index != INSN_NO_REG)
		offset += regs->gpr[in->index & 15] * in->scale;
	return cut(offset, in->addr_bytes);
}

uint64_t insn_linear(const struct insn *in, const struct insn_regs *regs,
		     unsigned segment, uint64_t offset)
{
	if (in->bits != INSN_64)
		return (uint32_t)(regs->segment_base[segment] + offset);
	if (segment >= INSN_FS)
		offset += regs->segment_base[segment];
	return offset;
}

uint64_t insn_address(const struct insn *in, const struct insn_regs *regs)
{
	return insn_linear(in, regs, in->segment, insn_offset(in, regs));
}

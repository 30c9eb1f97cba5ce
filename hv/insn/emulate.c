/*
 * The emulator: a table says for each opcode who carries it out, how large
 * its ModRM operand is and whether that is read, written or both; then one
 * handler of a few lines.
 *
 * SDM 2, APM 3. Flags that the manuals leave undefined come out as they may.
 */
#include "insn/emulate.h"

#include <vmmu/access.h>

#include "insn/operand.h"
#include "insn/step.h"

#define RW (VMMU_R | VMMU_W)

/* How the size of the ModRM operand is found. */
enum size {
	BY_BIT0, /* 1, or by operand size when the opcode's bit 0 is set */
	ONE_TWO, /* 1, or 2 when bit 0 is set */
	OPERAND,
	BYTE,
	DWORD,
	QWORD,
	STACK, /* 8 in 64-bit mode; 2 with 66 */
};

struct row {
	uint8_t map, opcode, mask; /* (in->opcode & mask) == opcode */
	uint8_t regs;		   /* bit n: for ModRM.reg == n */
	uint8_t size, access;
	enum insn_done (*run)(struct step *s);
};

static unsigned size_of(const struct insn *in, enum size size)
{
	unsigned bit0 = in->opcode & 1;

	switch (size) {
	case BY_BIT0:
		return bit0 ? in->op_bytes : 1;
	case ONE_TWO:
		return bit0 ? 2 : 1;
	case OPERAND:
		return in->op_bytes;
	case BYTE:
		return 1;
	case DWORD:
		return 4;
	case STACK:
		return in->bits == INSN_64 && !in->opsize ? 8 : in->op_bytes;
	case QWORD:
		break;
	}
	return 8;
}

#define ANY  0xff
#define NONE 0

static const struct row rows[] = {
	{ INSN_MAP_ONE, 0x88, 0xfe, ANY, BY_BIT0, VMMU_W, move_store },
	{ INSN_MAP_ONE, 0x8a, 0xfe, ANY, BY_BIT0, VMMU_R, move_load },
	{ INSN_MAP_ONE, 0xc6, 0xfe, 0x01, BY_BIT0, VMMU_W, move_imm },
	{ INSN_MAP_0F, 0xb6, 0xfe, ANY, ONE_TWO, VMMU_R, move_zero_extend },
	{ INSN_MAP_0F, 0xbe, 0xfe, ANY, ONE_TWO, VMMU_R, move_sign_extend },
	{ INSN_MAP_ONE, 0x63, 0xff, ANY, DWORD, VMMU_R, move_sign_extend },
	{ INSN_MAP_ONE, 0xa0, 0xfe, ANY, BY_BIT0, VMMU_R, move_from_moffs },
	{ INSN_MAP_ONE, 0xa2, 0xfe, ANY, BY_BIT0, VMMU_W, move_to_moffs },
	{ INSN_MAP_ONE, 0x38, 0xfe, ANY, BY_BIT0, VMMU_R, arith_rm_reg },
	{ INSN_MAP_ONE, 0x00, 0xc6, ANY, BY_BIT0, RW, arith_rm_reg },
	{ INSN_MAP_ONE, 0x02, 0xc6, ANY, BY_BIT0, VMMU_R, arith_reg_rm },
	{ INSN_MAP_ONE, 0x04, 0xc6, ANY, BY_BIT0, NONE, arith_acc_imm },
	{ INSN_MAP_ONE, 0x80, 0xfc, 0x80, BY_BIT0, VMMU_R, arith_rm_imm },
	{ INSN_MAP_ONE, 0x80, 0xfc, 0x7f, BY_BIT0, RW, arith_rm_imm },
	{ INSN_MAP_ONE, 0x84, 0xfe, ANY, BY_BIT0, VMMU_R, arith_test_reg },
	{ INSN_MAP_ONE, 0xa8, 0xfe, ANY, BY_BIT0, NONE, arith_test_acc },
	{ INSN_MAP_ONE, 0xf6, 0xfe, 0x03, BY_BIT0, VMMU_R, arith_test_imm },
	{ INSN_MAP_ONE, 0xf6, 0xfe, 0x04, BY_BIT0, RW, arith_not },
	{ INSN_MAP_ONE, 0xf6, 0xfe, 0x08, BY_BIT0, RW, arith_neg },
	{ INSN_MAP_ONE, 0xfe, 0xfe, 0x03, BY_BIT0, RW, arith_inc_dec },
	{ INSN_MAP_ONE, 0x86, 0xfe, ANY, BY_BIT0, RW, exchange },
	{ INSN_MAP_ONE, 0xc0, 0xfe, ANY, BY_BIT0, RW, arith_shift },
	{ INSN_MAP_ONE, 0xd0, 0xfc, ANY, BY_BIT0, RW, arith_shift },
	{ INSN_MAP_ONE, 0xff, 0xff, 0x40, STACK, VMMU_R, stack_push },
	{ INSN_MAP_ONE, 0x8f, 0xff, 0x01, STACK, VMMU_W, stack_pop },
	{ INSN_MAP_ONE, 0xa4, 0xfc, ANY, BY_BIT0, NONE, string_run },
	{ INSN_MAP_ONE, 0xaa, 0xfe, ANY, BY_BIT0, NONE, string_run },
	{ INSN_MAP_ONE, 0xac, 0xfc, ANY, BY_BIT0, NONE, string_run },
	{ INSN_MAP_0F, 0xb0, 0xfe, ANY, BY_BIT0, RW, exchange_compare },
	{ INSN_MAP_0F, 0xc0, 0xfe, ANY, BY_BIT0, RW, exchange_add },
	{ INSN_MAP_0F, 0xc7, 0xff, 0x02, QWORD, RW, exchange_compare_8 },
	{ INSN_MAP_0F, 0xa3, 0xff, ANY, OPERAND, VMMU_R, bits_reg },
	{ INSN_MAP_0F, 0xab, 0xff, ANY, OPERAND, RW, bits_reg },
	{ INSN_MAP_0F, 0xb3, 0xf7, ANY, OPERAND, RW, bits_reg },
	{ INSN_MAP_0F, 0xba, 0xff, 0x10, OPERAND, VMMU_R, bits_imm },
	{ INSN_MAP_0F, 0xba, 0xff, 0xe0, OPERAND, RW, bits_imm },
	{ INSN_MAP_0F, 0x40, 0xf0, ANY, OPERAND, VMMU_R, move_if },
	{ INSN_MAP_0F, 0x90, 0xf0, ANY, BYTE, VMMU_W, move_condition },
	{ INSN_MAP_0F, 0xc3, 0xff, ANY, OPERAND, VMMU_W, move_around_cache },
	{ INSN_MAP_0F38, 0xf0, 0xff, ANY, OPERAND, VMMU_R, move_swapped },
	{ INSN_MAP_0F38, 0xf1, 0xff, ANY, OPERAND, VMMU_W, move_swapped },
};

static const struct row *find(const struct insn *in)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (r->map == in->map && (in->opcode & r->mask) == r->opcode &&
		    r->regs >> (in->reg & 7) & 1)
			return r;
	}
	return NULL;
}

bool insn_memory(const struct insn *in, struct insn_memory *out)
{
	const struct row *r = in->has_mem ? find(in) : NULL;

	if (!r || !r->access)
		return false;
	out->size = (uint8_t)size_of(in, r->size);
	out->access = r->access;
	return true;
}

/* rip wraps at the width of the code segment: SDM 3A 5.3.1. */
static void pass_by(const struct insn *in, struct insn_regs *regs)
{
	regs->rip = operand_cut(regs->rip + in->length, in->bits / 8);
}

enum insn_done insn_emulate(const struct insn *in, struct insn_regs *regs,
			    const struct insn_ops *ops, void *ctx)
{
	const struct row *r = find(in);
	struct step s = { .in = in, .regs = regs, .ops = ops, .ctx = ctx };
	enum insn_done done;

	if (!r)
		return INSN_UNSUPPORTED;
	s.size = size_of(in, r->size);
	s.write_follows = r->access == RW;
	if (in->has_mem)
		s.address = insn_address(in, regs);
	done = r->run(&s);
	if (done == INSN_DONE)
		pass_by(in, regs);
	return done;
}

/*
 * Integer arithmetic with its flags: SDM 1 appendix A, SDM 2.
 *
 * Operands are zero-extended from `bytes`; so are results. *rflags goes in
 * with CF for those who use it, and comes out with the arithmetic flags.
 */
#ifndef HV_INSN_ALU_H
#define HV_INSN_ALU_H

#include <stdbool.h>
#include <stdint.h>

#define RFLAGS_CF UINT64_C(0x001)
#define RFLAGS_PF UINT64_C(0x004)
#define RFLAGS_AF UINT64_C(0x010)
#define RFLAGS_ZF UINT64_C(0x040)
#define RFLAGS_SF UINT64_C(0x080)
#define RFLAGS_DF UINT64_C(0x400)
#define RFLAGS_OF UINT64_C(0x800)
#define RFLAGS_ARITHMETIC                                                      \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* In the order of opcode bits 3 .. 5, and of ModRM.reg in group 1. */
enum alu_op {
	ALU_ADD,
	ALU_OR,
	ALU_ADC,
	ALU_SBB,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP, /* SUB; the result is for the flags alone */
};
uint64_t alu_binary(enum alu_op op, uint64_t a, uint64_t b, unsigned bytes,
		    uint64_t *rflags);

/* INC and DEC: by 1 or -1; CF stays. */
uint64_t alu_step(uint64_t a, int by, unsigned bytes, uint64_t *rflags);

/* In the order of ModRM.reg in group 2; 6 is another SHL. */
enum alu_shift {
	ALU_ROL,
	ALU_ROR,
	ALU_RCL,
	ALU_RCR,
	ALU_SHL,
	ALU_SHR,
	ALU_SAR = 7
};
uint64_t alu_shift(enum alu_shift op, uint64_t a, unsigned count,
		   unsigned bytes, uint64_t *rflags);

/* The condition of Jcc, SETcc, CMOVcc: the opcode's low four bits. */
bool alu_condition(unsigned code, uint64_t rflags);

#endif

/*
 * One x86 instruction, taken apart: lengths of all of x86-64's instructions,
 * and the operands of those that the hypervisor looks into.
 *
 *   prefixes | REX or VEX.. | opcode | ModRM | SIB | disp | imm
 *   SDM 2 chapter 2, APM 3 chapter 1
 *
 * Jobs: 1 decode bytes, 2 find a length when the exit tells the opcode,
 * 3 compute the address of the memory operand.
 * Pure C without state: bytes in, numbers out.
 */
#ifndef HV_INSN_INSN_H
#define HV_INSN_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_LENGTH_MAX 15

enum insn_status {
	INSN_OK,
	INSN_NEED_MORE, /* the bytes end before the instruction does */
	INSN_TOO_LONG,	/* more than 15 bytes: #GP */
	INSN_UNKNOWN,	/* no such opcode in this mode: #UD */
};

/* The default operand and address size, from CS.L and CS.D. */
enum insn_bits { INSN_16 = 16, INSN_32 = 32, INSN_64 = 64 };

enum insn_map {
	INSN_MAP_ONE, /* one-byte opcodes */
	INSN_MAP_0F,
	INSN_MAP_0F38,
	INSN_MAP_0F3A,
	INSN_MAP_OTHER, /* VEX, EVEX, XOP: only the length is to be used */
};

/* Segment registers by their numbers in instructions and in regs. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

/* General registers by their numbers, for those that code must name. */
enum insn_gpr {
	INSN_RAX,
	INSN_RCX,
	INSN_RDX,
	INSN_RBX,
	INSN_RSP,
	INSN_RBP,
	INSN_RSI,
	INSN_RDI,
	INSN_NO_REG = 0xff, /* no base, or no index */
};

#define INSN_REX_B 0x1u
#define INSN_REX_X 0x2u
#define INSN_REX_R 0x4u
#define INSN_REX_W 0x8u
#define INSN_REX   0x40u /* there is one: SPL.. instead of AH.. */

struct insn {
	uint8_t length;
	uint8_t bits; /* enum insn_bits */
	uint8_t map;  /* enum insn_map */
	uint8_t opcode;
	uint8_t op_bytes;   /* operand size: 2, 4, 8 */
	uint8_t addr_bytes; /* address size: 2, 4, 8 */
	uint8_t rex;	    /* INSN_REX | W R X B, 0: none */
	uint8_t rep;	    /* 0, 0xf2 or 0xf3: the last one */
	uint8_t segment;    /* of the memory operand: enum insn_segment */
	bool opsize;	    /* there is a 66 */
	bool lock;
	bool segment_given; /* by a prefix that counts */
	bool has_modrm;
	bool has_mem;	   /* ModRM or a moffs names memory */
	bool rip_base;	   /* relative to the next instruction */
	uint8_t reg;	   /* ModRM.reg with REX.R: 0 .. 15 */
	uint8_t rm;	   /* ModRM.rm with REX.B, of the register form */
	uint8_t base;	   /* 0 .. 15 or INSN_NO_REG */
	uint8_t index;	   /* the same */
	uint8_t scale;	   /* 1, 2, 4, 8 */
	uint8_t imm_bytes; /* 0, 1, 2, 4, 8 */
	int64_t disp;	   /* sign-extended; a moffs is not */
	int64_t imm;	   /* the first immediate, sign-extended */
};

/*
 * Decodes the instruction at bytes[0]. `count` may be more than 15.
 *
 * Every opcode of the one-byte, 0F, 0F 38, 0F 3A, VEX, EVEX and XOP maps has
 * its length; near branches ignore 66 in 64-bit mode, as Intel's do (SDM 2,
 * JMP). What only the processor itself can refuse is not looked at: LOCK
 * where none may be, register forms of memory instructions, reserved ModRM
 * values. *out is whole only with INSN_OK.
 */
enum insn_status insn_decode(struct insn *out, const uint8_t *bytes,
			     size_t count, enum insn_bits bits);

/* Exits whose opcode the exit itself tells. */
enum insn_exit {
	INSN_EXIT_CPUID,
	INSN_EXIT_HLT,
	INSN_EXIT_RDMSR,
	INSN_EXIT_WRMSR,
	INSN_EXIT_RDTSC,
	INSN_EXIT_RDPMC,
	INSN_EXIT_INVD,
	INSN_EXIT_WBINVD,
	INSN_EXIT_PAUSE,
	INSN_EXIT_VMMCALL,
	INSN_EXIT_VMCALL,
	INSN_EXIT_XSETBV,
	INSN_EXIT_RDTSCP,
	INSN_EXIT_CR, /* MOV to and from CRn */
	INSN_EXITS,
};

/*
 * The length of the instruction that caused the exit, or 0 when the `count`
 * bytes hold another, or not all of it: the guest has changed its code, or
 * stands at a page's end. Thirteen instructions, when there is no prefix and
 * count is at least 4.
 */
unsigned insn_length(enum insn_exit exit, const uint8_t *bytes, size_t count,
		     enum insn_bits bits);

/* What addresses are made of. */
struct insn_regs {
	uint64_t gpr[16];
	uint64_t rip; /* of the instruction's first byte */
	uint64_t rflags;
	uint64_t segment_base[6]; /* by enum insn_segment; in 64-bit mode
				   * those of ES, CS, SS, DS are not used */
	uint8_t stack_bytes;	  /* width of the stack pointer: 2, 4, 8 */
};

/* The offset in its segment, as LEA would answer, cut to the address size. */
uint64_t insn_offset(const struct insn *in, const struct insn_regs *regs);
/* The linear address of `offset` in this segment. */
uint64_t insn_linear(const struct insn *in, const struct insn_regs *regs,
		     unsigned segment, uint64_t offset);
/* The linear address of the memory operand. Needs has_mem. */
uint64_t insn_address(const struct insn *in, const struct insn_regs *regs);

#endif

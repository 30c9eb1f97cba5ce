/*
 * The opcode maps as data: SDM 2D appendix A, APM 3 appendix A.
 *
 * The one-byte and 0F maps have a letter for each opcode, a row for each 16:
 *
 *   -  nothing follows           ?  no such opcode
 *   m  ModRM                     r  ModRM that always names registers
 *   b  imm8                      B  ModRM, imm8
 *   w  imm16                     z  imm16 or imm32, by operand size
 *   v  imm16, 32 or 64           Z  ModRM, imm16 or imm32
 *   a  offset, by address size   f  far pointer: z, then imm16
 *   j  near branch: z, but always 32 in 64-bit mode
 *   e  imm16, imm8 (ENTER)       s  ModRM; with 66 or F2, imm8 and imm8 too
 *   g  group 3 byte: ModRM, imm8 for TEST     G  the same, z
 *   p  prefix                    o  escape to the 0F map
 *   8  escape to 0F 38           A  escape to 0F 3A
 *   V  VEX, or LES and LDS       E  EVEX, or BOUND
 *   X  XOP, or POP
 */
#include "insn/tables.h"

const char insn_map_one[256 + 1] =
	/* 00 */ "mmmmbz--mmmmbz-o"
		 /* 10 */ "mmmmbz--mmmmbz--"
		 /* 20 */ "mmmmbzp-mmmmbzp-"
		 /* 30 */ "mmmmbzp-mmmmbzp-"
		 /* 40 */ "----------------"
		 /* 50 */ "----------------"
		 /* 60 */ "--EmppppzZbB----"
		 /* 70 */ "bbbbbbbbbbbbbbbb"
		 /* 80 */ "BZBBmmmmmmmmmmmX"
		 /* 90 */ "----------f-----"
		 /* a0 */ "aaaa----bz------"
		 /* b0 */ "bbbbbbbbvvvvvvvv"
		 /* c0 */ "BBw-VVBZe-w--b--"
		 /* d0 */ "mmmmbb--mmmmmmmm"
		 /* e0 */ "bbbbbbbbjjfb----"
		 /* f0 */ "p-pp--gG------mm";

const char insn_map_0f[256 + 1] =
	/* 00 */ "mmmm?-----?-?m-B"
		 /* 10 */ "mmmmmmmmmmmmmmmm"
		 /* 20 */ "rrrr????mmmmmmmm"
		 /* 30 */ "------?-8?A?????"
		 /* 40 */ "mmmmmmmmmmmmmmmm"
		 /* 50 */ "mmmmmmmmmmmmmmmm"
		 /* 60 */ "mmmmmmmmmmmmmmmm"
		 /* 70 */ "BBBBmmm-sm??mmmm"
		 /* 80 */ "jjjjjjjjjjjjjjjj"
		 /* 90 */ "mmmmmmmmmmmmmmmm"
		 /* a0 */ "---mBmmm---mBmmm"
		 /* b0 */ "mmmmmmmmmmBmmmmm"
		 /* c0 */ "mmBmBBBm--------"
		 /* d0 */ "mmmmmmmmmmmmmmmm"
		 /* e0 */ "mmmmmmmmmmmmmmmm"
		 /* f0 */ "mmmmmmmmmmmmmmmm";

/* A bit for each opcode, a word for each 16. */
static const uint16_t sparse[INSN_SPARSE_MAPS][16] = {
	[INSN_SPARSE_0F38] = { 0x0fff, 0x70b1, 0x0f3f, 0xffbf, 0x0003, 0, 0, 0,
			       0x0007, 0, 0, 0, 0xbf00, 0xf900, 0, 0x0f63 },
	[INSN_SPARSE_0F3A] = { 0xff00, 0x00f0, 0x0007, 0, 0x0017, 0, 0x000f, 0,
			       0, 0, 0, 0, 0xd000, 0x8000, 0, 0x0001 },
	[INSN_SPARSE_VEX1] = { 0, 0x00ff, 0xff00, 0, 0x0cf6, 0xffff, 0xffff,
			       0xf0ff, 0, 0x030f, 0x4000, 0, 0x0074, 0xffff,
			       0xffff, 0x7fff },
	[INSN_SPARSE_VEX2] = { 0xffff, 0x77c8, 0xff3f, 0xffff, 0x0ae3, 0x570f,
			       0, 0x0300, 0x5000, 0xffcf, 0xffc0, 0xffc0,
			       0x8000, 0xf800, 0, 0x00ec },
	[INSN_SPARSE_VEX3] = { 0xff77, 0x23f0, 0x0007, 0x430f, 0x1f57, 0xf000,
			       0xff0f, 0xff00, 0, 0, 0, 0, 0xc000, 0x8000, 0,
			       0x0001 },
	[INSN_SPARSE_EVEX1] = { 0, 0x00ff, 0xff00, 0, 0, 0xfff2, 0xffff, 0xcf7f,
				0, 0, 0, 0, 0x0074, 0xff7e, 0xffff, 0x7f7e },
	[INSN_SPARSE_EVEX2] = { 0x3811, 0xff7f, 0x3fff, 0xffff, 0xf0fd, 0x0f3f,
				0x017c, 0xffef, 0xaf08, 0xffcf, 0xffcf, 0xfff0,
				0xbdd0, 0xf000, 0, 0 },
	[INSN_SPARSE_EVEX3] = { 0x8f3b, 0xeff0, 0x00ef, 0xcf00, 0x001c, 0x00f3,
				0x00c0, 0x000f, 0, 0, 0, 0, 0xc004, 0, 0, 0 },
	[INSN_SPARSE_EVEX5] = { 0, 0x2003, 0xf400, 0, 0, 0xff02, 0x4000,
				0x7f00 },
	[INSN_SPARSE_EVEX6] = { 0, 0x0008, 0x3000, 0, 0xf00c, 0x00c0, 0, 0, 0,
				0xffc0, 0xffc0, 0xffc0, 0, 0x00c0 },
	[INSN_SPARSE_XOP8] = { 0, 0, 0, 0, 0, 0, 0, 0, 0xc0e0, 0xc0e0, 0x004c,
			       0x0040, 0xf00f, 0, 0xf000 },
	[INSN_SPARSE_XOP9] = { 0x0006, 0x0004, 0, 0, 0, 0, 0, 0, 0x000f, 0x0fff,
			       0, 0, 0x08ce, 0x08ce, 0x000e },
	[INSN_SPARSE_XOPA] = { 0, 0x0005 },
};

static const uint16_t gone_in_64[16] = {
	[0x0] = 0x40c0, /* PUSH and POP of ES, CS */
	[0x1] = 0xc0c0, /* and of SS, DS */
	[0x2] = 0x8080, /* DAA, DAS */
	[0x3] = 0x8080, /* AAA, AAS */
	[0x6] = 0x0003, /* PUSHA, POPA; BOUND shares its opcode with EVEX */
	[0x8] = 0x0004, /* the second group 1 byte */
	[0x9] = 0x0400, /* far CALL */
	[0xc] = 0x4000, /* INTO; LES and LDS share theirs with VEX */
	[0xd] = 0x0070, /* AAM, AAD, SALC */
	[0xe] = 0x0400, /* far JMP */
};

bool insn_sparse_has(enum insn_sparse map, uint8_t opcode)
{
	return sparse[map][opcode >> 4] >> (opcode & 15) & 1;
}

bool insn_gone_in_64(uint8_t opcode)
{
	return gone_in_64[opcode >> 4] >> (opcode & 15) & 1;
}

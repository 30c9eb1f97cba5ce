/*
 * The opcode maps as data: what follows each opcode.
 */
#ifndef HV_INSN_TABLES_H
#define HV_INSN_TABLES_H

#include <stdbool.h>
#include <stdint.h>

/* One letter an opcode; the legend is in tables.c. */
extern const char insn_map_one[256 + 1];
extern const char insn_map_0f[256 + 1];

/* The opcodes of the maps that are too sparse for letters. */
enum insn_sparse {
	INSN_SPARSE_0F38,
	INSN_SPARSE_0F3A,
	INSN_SPARSE_VEX1,
	INSN_SPARSE_VEX2,
	INSN_SPARSE_VEX3,
	INSN_SPARSE_EVEX1,
	INSN_SPARSE_EVEX2,
	INSN_SPARSE_EVEX3,
	INSN_SPARSE_EVEX5,
	INSN_SPARSE_EVEX6,
	INSN_SPARSE_XOP8,
	INSN_SPARSE_XOP9,
	INSN_SPARSE_XOPA,
	INSN_SPARSE_MAPS,
};
bool insn_sparse_has(enum insn_sparse map, uint8_t opcode);

/* One-byte opcodes that 64-bit mode has given up. */
bool insn_gone_in_64(uint8_t opcode);

#endif

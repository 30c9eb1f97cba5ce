/*
 * The length of an instruction that the exit has named already: one compare
 * of its bytes in the common case, the decoder when it has prefixes.
 *
 * The row of an exit: the bytes that the instruction has without prefixes.
 * Where the bytes are not those, and the decoder does not find that opcode
 * behind prefixes either, the answer is 0: never trust the guest to have left
 * its code alone between the exit and our read.
 */
#include "insn/insn.h"

struct row {
	uint32_t want; /* first bytes, little-endian */
	uint32_t mask; /* of them, those that count */
	uint8_t length;
	uint8_t map, opcode;
	uint8_t either; /* opcode bits that do not count */
	uint8_t modrm;	/* 0: none, or any */
};

#define BYTES1 0x0000ffu
#define BYTES2 0x00ffffu
#define BYTES3 0xffffffu

static const struct row rows[INSN_EXITS] = {
	[INSN_EXIT_CPUID] = { 0xa20f, BYTES2, 2, INSN_MAP_0F, 0xa2, 0, 0 },
	[INSN_EXIT_HLT] = { 0xf4, BYTES1, 1, INSN_MAP_ONE, 0xf4, 0, 0 },
	[INSN_EXIT_RDMSR] = { 0x320f, BYTES2, 2, INSN_MAP_0F, 0x32, 0, 0 },
	[INSN_EXIT_WRMSR] = { 0x300f, BYTES2, 2, INSN_MAP_0F, 0x30, 0, 0 },
	[INSN_EXIT_RDTSC] = { 0x310f, BYTES2, 2, INSN_MAP_0F, 0x31, 0, 0 },
	[INSN_EXIT_RDPMC] = { 0x330f, BYTES2, 2, INSN_MAP_0F, 0x33, 0, 0 },
	[INSN_EXIT_INVD] = { 0x080f, BYTES2, 2, INSN_MAP_0F, 0x08, 0, 0 },
	[INSN_EXIT_WBINVD] = { 0x090f, BYTES2, 2, INSN_MAP_0F, 0x09, 0, 0 },
	[INSN_EXIT_PAUSE] = { 0x90f3, BYTES2, 2, INSN_MAP_ONE, 0x90, 0, 0 },
	[INSN_EXIT_VMMCALL] = { 0xd9010f, BYTES3, 3, INSN_MAP_0F, 0x01, 0,
				0xd9 },
	[INSN_EXIT_VMCALL] = { 0xc1010f, BYTES3, 3, INSN_MAP_0F, 0x01, 0,
			       0xc1 },
	[INSN_EXIT_XSETBV] = { 0xd1010f, BYTES3, 3, INSN_MAP_0F, 0x01, 0,
			       0xd1 },
	[INSN_EXIT_RDTSCP] = { 0xf9010f, BYTES3, 3, INSN_MAP_0F, 0x01, 0,
			       0xf9 },
	/* 20 and 22, from and to CRn: bit 1 of the opcode does not count. */
	[INSN_EXIT_CR] = { 0x200f, 0xfdff, 3, INSN_MAP_0F, 0x20, 2, 0 },
};

static bool is_row(const struct insn *in, const struct row *row)
{
	unsigned modrm = 0xc0u | (in->reg & 7u) << 3 | (in->rm & 7u);

	if (in->map != row->map || (in->opcode ^ row->opcode) & ~row->either)
		return false;
	if (row->modrm)
		return !in->has_mem && modrm == row->modrm;
	return row != &rows[INSN_EXIT_PAUSE] || in->rep == 0xf3;
}

/* Behind prefixes, or near the end of what could be read. */
static __attribute__((noinline)) unsigned slow(const struct row *row,
					       const uint8_t *bytes,
					       size_t count,
					       enum insn_bits bits)
{
	struct insn in;

	if (insn_decode(&in, bytes, count, bits) != INSN_OK ||
	    !is_row(&in, row))
		return 0;
	return in.length;
}

/* One load on a little-endian machine. */
static uint32_t first_four(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}

unsigned insn_length(enum insn_exit exit, const uint8_t *bytes, size_t count,
		     enum insn_bits bits)
{
	const struct row *row = &rows[exit];

	if (count >= 4 && (first_four(bytes) & row->mask) == row->want)
		return row->length;
	return slow(row, bytes, count, bits);
}

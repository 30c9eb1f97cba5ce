/*
 * The instructions that exit most under a scheme of software, as compilers
 * write them in 64-bit code: no displacement, no SIB, and no prefix but those
 * shown. What is longer goes to the decoder.
 *
 *   [41] 0f 20/22 11rrrbbb     MOV gpr, CRr / MOV CRr, gpr
 *   [41] 0f 01    00111bbb     INVLPG (gpr), but bbb = 100 (SIB), 101 (rip)
 *   48|RB 89      00rrrbbb     MOV gpr, (gpr): eight bytes; likewise
 *
 * (SDM 2A 2.1.5 for ModRM, 2.2.1 for REX.)
 */
#include "insn/emulate.h"

#define REX_B 0x41u

/* The bytes behind REX, as one number; its B as bit 3 of a register. */
static inline uint32_t behind_rex(const uint8_t *bytes, unsigned *b,
				  unsigned *length)
{
	uint32_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	*b = (word & 0xff) == REX_B ? 8 : 0;
	*length = *b ? 4 : 3;
	return *b ? word >> 8 : word & 0xffffff;
}

unsigned insn_brief_cr(const uint8_t *bytes, struct insn_cr *out)
{
	unsigned b, length;
	uint32_t word = behind_rex(bytes, &b, &length);

	if ((word & 0xc0fdff) != 0xc0200f)
		return 0;
	out->number = word >> 19 & 7;
	out->gpr = (uint8_t)((word >> 16 & 7) | b);
	out->write = word >> 8 & 2;
	return length;
}

unsigned insn_brief_invlpg(const uint8_t *bytes, const uint64_t *gpr,
			   uint64_t *linear)
{
	unsigned b, length;
	uint32_t word = behind_rex(bytes, &b, &length);

	if ((word & 0xf8ffff) != 0x38010f || (word >> 17 & 3) == 2)
		return 0;
	*linear = gpr[(word >> 16 & 7) | b];
	return length;
}

unsigned insn_brief_store(const uint8_t *bytes, const uint64_t *gpr,
			  uint64_t *linear, uint64_t *value)
{
	unsigned rex = bytes[0], modrm = bytes[2];

	/* REX.W, with R and B as they are; X has nothing to extend. */
	if ((rex & 0xfa) != 0x48 || bytes[1] != 0x89 || modrm >> 6 ||
	    (modrm >> 1 & 3) == 2)
		return 0;
	*linear = gpr[(modrm & 7) | (rex & 1) << 3];
	*value = gpr[(modrm >> 3 & 7) | (rex & 4) << 1];
	return 3;
}

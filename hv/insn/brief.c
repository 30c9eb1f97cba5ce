/*
 * MOV CRn and INVLPG as compilers write them in 64-bit code: no prefix but
 * REX.B, no displacement, no SIB. What is longer goes to the decoder.
 *
 *   [41] 0f 20/22 11rrrbbb     MOV gpr, CRr / MOV CRr, gpr
 *   [41] 0f 01    00111bbb     INVLPG (gpr), but bbb = 100 (SIB), 101 (rip)
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

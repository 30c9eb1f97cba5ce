/*
 * Integer arithmetic with its flags.
 *
 * Carries are found for all bits at once. Of a + b = r, the carry out of a
 * bit is set where both a and b are, or where either is and r is not; of a
 * difference likewise with a inverted. CF is that of the top bit, AF that of
 * bit 3. SDM 1 3.4.3.1.
 */
#include "insn/alu.h"

#include "insn/operand.h"

static unsigned top(uint64_t v, unsigned bytes)
{
	return v >> (8 * bytes - 1) & 1;
}

/* Bit 0 of the answer: even number of ones in the low byte. */
static unsigned even_parity(uint64_t v)
{
	v ^= v >> 4;
	return ~(0x6996u >> (v & 15)) & 1;
}

static uint64_t result_flags(uint64_t r, unsigned bytes)
{
	return (even_parity(r) ? RFLAGS_PF : 0) | (r ? 0 : RFLAGS_ZF) |
	       (top(r, bytes) ? RFLAGS_SF : 0);
}

static void set_flags(uint64_t *rflags, uint64_t which, uint64_t value)
{
	*rflags = (*rflags & ~which) | (value & which);
}

static void set_carries(uint64_t *rflags, uint64_t r, uint64_t carries,
			unsigned overflow, unsigned bytes)
{
	set_flags(rflags, RFLAGS_ARITHMETIC,
		  result_flags(r, bytes) |
			  (top(carries, bytes) ? RFLAGS_CF : 0) |
			  (carries >> 3 & 1 ? RFLAGS_AF : 0) |
			  (overflow ? RFLAGS_OF : 0));
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned bytes,
		    uint64_t *rflags)
{
	uint64_t r = operand_cut(a + b + carry, bytes);

	set_carries(rflags, r, (a & b) | ((a | b) & ~r),
		    top((a ^ r) & (b ^ r), bytes), bytes);
	return r;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow,
			 unsigned bytes, uint64_t *rflags)
{
	uint64_t r = operand_cut(a - b - borrow, bytes);

	set_carries(rflags, r, (~a & b) | ((~a | b) & r),
		    top((a ^ b) & (a ^ r), bytes), bytes);
	return r;
}

uint64_t alu_binary(enum alu_op op, uint64_t a, uint64_t b, unsigned bytes,
		    uint64_t *rflags)
{
	uint64_t carry = *rflags & RFLAGS_CF, r;

	switch (op) {
	case ALU_ADD:
		return add(a, b, 0, bytes, rflags);
	case ALU_ADC:
		return add(a, b, carry, bytes, rflags);
	case ALU_SUB:
	case ALU_CMP:
		return subtract(a, b, 0, bytes, rflags);
	case ALU_SBB:
		return subtract(a, b, carry, bytes, rflags);
	case ALU_OR:
		r = a | b;
		break;
	case ALU_AND:
		r = a & b;
		break;
	default:
		r = a ^ b;
	}
	set_carries(rflags, r, 0, 0, bytes);
	return r;
}

uint64_t alu_step(uint64_t a, int by, unsigned bytes, uint64_t *rflags)
{
	uint64_t carry = *rflags & RFLAGS_CF, r;

	r = by > 0 ? add(a, 1, 0, bytes, rflags)
		   : subtract(a, 1, 0, bytes, rflags);
	set_flags(rflags, RFLAGS_CF, carry);
	return r;
}

/* One step of a shift or rotate: the bit that falls out becomes CF. */
static uint64_t shift_once(enum alu_shift op, uint64_t a, unsigned bytes,
			   unsigned *carry)
{
	bool left = op == ALU_ROL || op == ALU_RCL || op == ALU_SHL;
	unsigned out = left ? top(a, bytes) : a & 1;
	unsigned in = op == ALU_ROL || op == ALU_ROR   ? out
		      : op == ALU_RCL || op == ALU_RCR ? *carry
		      : op == ALU_SAR		       ? top(a, bytes)
						       : 0;

	*carry = out;
	if (left)
		return operand_cut(a << 1 | in, bytes);
	return a >> 1 | (uint64_t)in << (8 * bytes - 1);
}

/* OF of a shift by one; after more it is not defined. */
static unsigned shift_overflow(enum alu_shift op, uint64_t a, uint64_t r,
			       unsigned bytes)
{
	if (op == ALU_SAR)
		return 0;
	if (op == ALU_SHR)
		return top(a, bytes);
	return top(a ^ r, bytes); /* the sign has changed */
}

uint64_t alu_shift(enum alu_shift op, uint64_t a, unsigned count,
		   unsigned bytes, uint64_t *rflags)
{
	bool rotate = op <= ALU_RCR;
	unsigned carry = *rflags & RFLAGS_CF ? 1 : 0;
	unsigned overflow = 0;
	uint64_t flags;

	count &= bytes == 8 ? 63 : 31;
	if (!count)
		return a;
	for (unsigned i = 0; i < count; i++) {
		uint64_t r = shift_once(op, a, bytes, &carry);

		overflow = shift_overflow(op, a, r, bytes);
		a = r;
	}
	flags = (carry ? RFLAGS_CF : 0) | (overflow ? RFLAGS_OF : 0);
	if (rotate)
		set_flags(rflags, RFLAGS_CF | RFLAGS_OF, flags);
	else
		set_flags(rflags, RFLAGS_ARITHMETIC,
			  flags | result_flags(a, bytes));
	return a;
}

bool alu_condition(unsigned code, uint64_t rflags)
{
	bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
	bool is;

	switch (code >> 1 & 7) {
	case 0:
		is = rflags & RFLAGS_OF;
		break;
	case 1:
		is = rflags & RFLAGS_CF;
		break;
	case 2:
		is = rflags & RFLAGS_ZF;
		break;
	case 3:
		is = rflags & (RFLAGS_CF | RFLAGS_ZF);
		break;
	case 4:
		is = rflags & RFLAGS_SF;
		break;
	case 5:
		is = rflags & RFLAGS_PF;
		break;
	case 6:
		is = less;
		break;
	default:
		is = less || rflags & RFLAGS_ZF;
	}
	return is != (code & 1);
}

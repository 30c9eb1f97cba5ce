/*
 * The emulator: carries out one decoded instruction by software, its memory
 * accesses through callbacks. For MMIO, and for writes to memory that is
 * write-protected.
 *
 * It knows MOV, MOVZX, MOVSX, MOVSXD, MOVBE, MOVNTI, CMOVcc, SETcc, XCHG,
 * XADD, CMPXCHG, CMPXCHG8B, ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NOT
 * NEG, shifts and rotates, BT BTS BTR BTC, PUSH and POP of memory, and MOVS
 * CMPS STOS LODS SCAS with REP.
 */
#ifndef HV_INSN_EMULATE_H
#define HV_INSN_EMULATE_H

#include "insn/insn.h"

enum insn_access {
	INSN_ACCESS_OK,
	INSN_ACCESS_FAULT,   /* it cannot be made; the callback knows why */
	INSN_ACCESS_CHANGED, /* exchange: memory held another value */
};

/* Linear addresses; sizes 1, 2, 4, 8; values zero-extended. */
struct insn_ops {
	/* `write_follows`: the instruction writes what it reads, so the access
	 * needs the permission to write: the guest sees one fault, a write. */
	enum insn_access (*read)(void *ctx, uint64_t linear, unsigned size,
				 bool write_follows, uint64_t *value);
	enum insn_access (*write)(void *ctx, uint64_t linear, unsigned size,
				  uint64_t value);
	/* One atomic compare-and-swap, for locked instructions. May be NULL:
	 * then they write. */
	enum insn_access (*exchange)(void *ctx, uint64_t linear, unsigned size,
				     uint64_t expected, uint64_t value);
};

enum insn_done {
	INSN_DONE,  /* carried out: regs are those after it */
	INSN_AGAIN, /* REP with more to do, or a lost exchange: rip is still at
		     * it, regs are consistent; run or emulate it again */
	INSN_FAULT, /* a callback said so: regs are as before (REP: before the
		     * iteration that failed), so that the fault can be raised
		     */
	INSN_UNSUPPORTED,
};

/* The most iterations of a REP in one call: interrupts get their turn. */
#define INSN_REP_MAX 256

/* Changes gpr, rip and rflags of *regs. */
enum insn_done insn_emulate(const struct insn *in, struct insn_regs *regs,
			    const struct insn_ops *ops, void *ctx);

/* The ModRM (or moffs) operand in memory: its bytes, and VMMU_R, VMMU_W or
 * both. False when it has none, or is not among those above. */
struct insn_memory {
	uint8_t size;
	uint8_t access;
};
bool insn_memory(const struct insn *in, struct insn_memory *out);

/* IN, OUT, INS, OUTS. */
struct insn_io {
	bool in, string;
	uint8_t size;	 /* 1, 2, 4 */
	uint8_t segment; /* of a string: ES for INS */
	uint16_t port;
};
bool insn_io(const struct insn *in, const struct insn_regs *regs,
	     struct insn_io *out);

/* MOV to and from CRn. */
struct insn_cr {
	uint8_t number; /* 0 .. 15 */
	uint8_t gpr;
	bool write; /* of the control register */
};
bool insn_cr(const struct insn *in, struct insn_cr *out);

/* INVLPG: the linear address that it names. */
bool insn_invlpg(const struct insn *in, const struct insn_regs *regs,
		 uint64_t *linear);

/* The same two, and a store of eight bytes, from the first four bytes in
 * 64-bit code. They answer the length; 0: let the decoder look. */
unsigned insn_brief_cr(const uint8_t *bytes, struct insn_cr *out);
unsigned insn_brief_invlpg(const uint8_t *bytes, const uint64_t *gpr,
			   uint64_t *linear);
unsigned insn_brief_store(const uint8_t *bytes, const uint64_t *gpr,
			  uint64_t *linear, uint64_t *value);

/* MOV to CR3, [41] 0f 22 11011bbb, of the same: inline, for the process
 * switch. */
static inline unsigned insn_brief_load_cr3(const uint8_t *bytes, unsigned *gpr)
{
	unsigned b = bytes[0] == 0x41;
	uint32_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	word = b ? word >> 8 : word & 0xffffff;
	*gpr = (word >> 16 & 7) | b << 3;
	return (word & 0xf8ffff) == 0xd8220f ? 3 + b : 0;
}

#endif

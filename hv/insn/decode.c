/*
 * The decoder: prefixes, then a letter from the opcode maps, then what that
 * letter says follows.
 *
 *   prefixes -> opcode -> letter -> ModRM, SIB, displacement -> immediates
 *              `-> VEX, EVEX, XOP -> opcode -> ModRM ... -> immediate
 *
 * A cursor hands out bytes; when it has none left it remembers why, and
 * hands out zeros, so that only the end of the decoder looks.
 * SDM 2 chapter 2, APM 3 section 1.
 */
#include "insn/insn.h"

#include <string.h>

#include "insn/tables.h"

struct cursor {
	const uint8_t *bytes;
	unsigned at, limit;
	enum insn_status status;
};

static bool more(struct cursor *c)
{
	if (c->at < c->limit)
		return true;
	if (c->status == INSN_OK)
		c->status = c->limit == INSN_LENGTH_MAX ? INSN_TOO_LONG
							: INSN_NEED_MORE;
	return false;
}

static uint8_t take(struct cursor *c)
{
	return more(c) ? c->bytes[c->at++] : 0;
}

static uint8_t peek(struct cursor *c)
{
	return more(c) ? c->bytes[c->at] : 0;
}

/* A little-endian number of 0, 1, 2, 4 or 8 bytes, not extended. */
static uint64_t take_number(struct cursor *c, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)take(c) << (8 * i);
	return v;
}

static int64_t take_signed(struct cursor *c, unsigned bytes)
{
	uint64_t v = take_number(c, bytes);
	uint64_t sign = bytes ? UINT64_C(1) << (8 * bytes - 1) : 0;

	return (int64_t)((v ^ sign) - sign);
}

static void take_imm(struct insn *in, struct cursor *c, unsigned bytes)
{
	in->imm = take_signed(c, bytes);
	in->imm_bytes = (uint8_t)bytes;
}

/* In 64-bit mode the overrides of ES, CS, SS and DS do nothing, not even
 * undo one of FS or GS before them: APM 3 1.2.4. */
static void segment_prefix(struct insn *in, enum insn_segment segment)
{
	if (in->bits == INSN_64 && segment < INSN_FS)
		return;
	in->segment = (uint8_t)segment;
	in->segment_given = true;
}

static void prefix(struct insn *in, uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		segment_prefix(in, (byte >> 3) & 3);
		break;
	case 0x64:
	case 0x65:
		segment_prefix(in, byte & 7);
		break;
	case 0x66:
		in->opsize = true;
		break;
	case 0x67:
		in->addr_bytes = in->bits == INSN_32 ? 2 : 4;
		break;
	case 0xf0:
		in->lock = true;
		break;
	default:
		in->rep = byte;
	}
}

/* Takes prefixes and the byte after them, and answers that byte. A REX
 * counts only when it is the last of them. */
static uint8_t take_prefixes(struct insn *in, struct cursor *c)
{
	for (;;) {
		uint8_t byte = take(c);

		if (insn_map_one[byte] == 'p') {
			in->rex = 0;
			prefix(in, byte);
		} else if (in->bits == INSN_64 && (byte & 0xf0) == 0x40) {
			in->rex = byte;
		} else {
			return byte;
		}
		if (c->status != INSN_OK)
			return 0;
	}
}

static void set_sizes(struct insn *in)
{
	if (in->rex & INSN_REX_W)
		in->op_bytes = 8;
	else
		in->op_bytes = (in->bits == INSN_16) == in->opsize ? 4 : 2;
}

static uint8_t rex_high(const struct insn *in, unsigned bit)
{
	return in->rex & bit ? 8 : 0;
}

/* 16-bit addressing: SDM 2 table 2-1. */
static void memory_16(struct insn *in, struct cursor *c, unsigned mod)
{
	static const uint8_t base[8] = {
		INSN_RBX, INSN_RBX, INSN_RBP, INSN_RBP,
		INSN_RSI, INSN_RDI, INSN_RBP, INSN_RBX
	};
	static const uint8_t index[8] = { INSN_RSI,    INSN_RDI,    INSN_RSI,
					  INSN_RDI,    INSN_NO_REG, INSN_NO_REG,
					  INSN_NO_REG, INSN_NO_REG };

	in->base = base[in->rm];
	in->index = index[in->rm];
	if (mod == 0 && in->rm == 6) {
		in->base = INSN_NO_REG;
		mod = 2;
	}
	in->disp = take_signed(c, mod);
}

static void take_sib(struct insn *in, struct cursor *c)
{
	uint8_t sib = take(c);
	uint8_t index = ((sib >> 3) & 7) | rex_high(in, INSN_REX_X);

	if (index != INSN_RSP)
		in->index = index;
	in->scale = (uint8_t)(1u << (sib >> 6));
	in->base = (sib & 7) | rex_high(in, INSN_REX_B);
}

/* 32- and 64-bit addressing: SDM 2 tables 2-2 and 2-3. */
static void memory_32(struct insn *in, struct cursor *c, unsigned mod)
{
	bool sib = (in->rm & 7) == 4;

	in->base = in->rm;
	if (sib)
		take_sib(in, c);
	if (mod == 0 && (in->base & 7) == INSN_RBP) {
		in->base = INSN_NO_REG;
		in->rip_base = !sib && in->bits == INSN_64;
		mod = 2;
	}
	in->disp = take_signed(c, mod == 2 ? 4 : mod);
}

/* `always_register`: MOV to and from CRn and DRn, which ignore mod. */
static void take_modrm(struct insn *in, struct cursor *c, bool always_register)
{
	uint8_t modrm = take(c);
	unsigned mod = modrm >> 6;

	in->has_modrm = true;
	in->reg = ((modrm >> 3) & 7) | rex_high(in, INSN_REX_R);
	in->rm = modrm & 7;
	if (mod != 3 && !always_register && in->addr_bytes == 2) {
		in->has_mem = true;
		memory_16(in, c, mod);
		return;
	}
	in->rm |= rex_high(in, INSN_REX_B);
	if (mod != 3 && !always_register) {
		in->has_mem = true;
		memory_32(in, c, mod);
	}
}

/* A moffs is an unsigned offset without base. */
static void take_moffs(struct insn *in, struct cursor *c)
{
	in->has_mem = true;
	in->disp = (int64_t)take_number(c, in->addr_bytes);
}

static unsigned branch_bytes(const struct insn *in)
{
	return in->bits == INSN_64 || in->op_bytes == 4 ? 4 : 2;
}

static void take_operands(struct insn *in, struct cursor *c, char letter)
{
	unsigned z = in->op_bytes == 2 ? 2 : 4;

	switch (letter) {
	case '-':
		break;
	case 'm':
		take_modrm(in, c, false);
		break;
	case 'r':
		take_modrm(in, c, true);
		break;
	case 'B':
		take_modrm(in, c, false);
		take_imm(in, c, 1);
		break;
	case 'Z':
		take_modrm(in, c, false);
		take_imm(in, c, z);
		break;
	case 'g':
		take_modrm(in, c, false);
		take_imm(in, c, (in->reg & 7) < 2 ? 1 : 0);
		break;
	case 'G':
		take_modrm(in, c, false);
		take_imm(in, c, (in->reg & 7) < 2 ? z : 0);
		break;
	case 's':
		take_modrm(in, c, false);
		if (in->opsize || in->rep == 0xf2)
			take_imm(in, c, 1), take(c);
		break;
	case 'b':
		take_imm(in, c, 1);
		break;
	case 'w':
		take_imm(in, c, 2);
		break;
	case 'z':
		take_imm(in, c, z);
		break;
	case 'v':
		take_imm(in, c, in->op_bytes);
		break;
	case 'j':
		take_imm(in, c, branch_bytes(in));
		break;
	case 'f':
		take_imm(in, c, z);
		take_number(c, 2);
		break;
	case 'e':
		take_imm(in, c, 2);
		take(c);
		break;
	case 'a':
		take_moffs(in, c);
		break;
	default:
		c->status = INSN_UNKNOWN;
	}
}

/* The opcodes of the 0F map that take an imm8 keep it under VEX and EVEX:
 * shifts, compares, inserts, extracts, shuffles. */
static bool map1_has_imm8(uint8_t opcode)
{
	return insn_map_0f[opcode] == 'B';
}

/* The rest of an instruction whose opcode map is in its prefix. */
static void take_sparse(struct insn *in, struct cursor *c, enum insn_sparse map)
{
	in->map = INSN_MAP_OTHER;
	in->opcode = take(c);
	if (!insn_sparse_has(map, in->opcode)) {
		if (c->status == INSN_OK)
			c->status = INSN_UNKNOWN;
		return;
	}
	if (map == INSN_SPARSE_VEX1 && in->opcode == 0x77)
		return; /* VZEROUPPER */
	take_modrm(in, c, false);
	if (map == INSN_SPARSE_VEX3 || map == INSN_SPARSE_EVEX3 ||
	    map == INSN_SPARSE_XOP8)
		take_imm(in, c, 1);
	else if (map == INSN_SPARSE_XOPA)
		take_imm(in, c, 4);
	else if ((map == INSN_SPARSE_VEX1 || map == INSN_SPARSE_EVEX1) &&
		 map1_has_imm8(in->opcode))
		take_imm(in, c, 1);
}

/* VEX, EVEX and XOP carry the legacy prefixes themselves, and are undefined
 * after one: SDM 2 2.3.2. */
static bool vex_allowed(const struct insn *in)
{
	return !in->opsize && !in->rep && !in->lock && !in->rex;
}

/* R X B as a VEX holds them: inverted, and without use outside 64-bit. */
static void set_vex_rex(struct insn *in, uint8_t byte)
{
	if (in->bits == INSN_64)
		in->rex = (uint8_t)(~byte >> 5 & 7) | INSN_REX;
}

static void take_vex(struct insn *in, struct cursor *c, bool three)
{
	uint8_t p = take(c);
	unsigned map = three ? p & 0x1f : 1;

	set_vex_rex(in, three ? p : p | 0x60);
	if (three)
		take(c);
	if (!more(c))
		return;
	if (map < 1 || map > 3)
		c->status = INSN_UNKNOWN;
	else
		take_sparse(in, c, INSN_SPARSE_VEX1 + map - 1);
}

static void take_evex(struct insn *in, struct cursor *c)
{
	static const uint8_t maps[16] = {
		[1] = INSN_SPARSE_EVEX1, [2] = INSN_SPARSE_EVEX2,
		[3] = INSN_SPARSE_EVEX3, [5] = INSN_SPARSE_EVEX5,
		[6] = INSN_SPARSE_EVEX6,
	};
	uint8_t p0 = take(c);
	uint8_t p1 = take(c);

	take(c);
	set_vex_rex(in, p0);
	if (!more(c))
		return;
	if (!maps[p0 & 15] || !(p1 & 4))
		c->status = INSN_UNKNOWN;
	else
		take_sparse(in, c, maps[p0 & 15]);
}

static void take_xop(struct insn *in, struct cursor *c)
{
	uint8_t p = take(c);
	unsigned map = p & 0x1f;

	set_vex_rex(in, p);
	take(c);
	if (!more(c))
		return;
	if (map > 10)
		c->status = INSN_UNKNOWN;
	else
		take_sparse(in, c, INSN_SPARSE_XOP8 + map - 8);
}

/* One opcode byte stands for an old instruction with a memory operand, and
 * for a new prefix where that operand could only be a register. */
static void take_shared(struct insn *in, struct cursor *c, char letter)
{
	uint8_t next = peek(c);
	bool is_new = letter == 'X' ? (next & 0x1f) >= 8
				    : in->bits == INSN_64 || next >= 0xc0;

	if (!is_new) {
		take_operands(in, c, 'm');
	} else if (!vex_allowed(in)) {
		c->status = INSN_UNKNOWN;
	} else if (letter == 'X') {
		take_xop(in, c);
	} else if (letter == 'E') {
		take_evex(in, c);
	} else {
		take_vex(in, c, in->opcode == 0xc4);
	}
}

static void take_sparse_legacy(struct insn *in, struct cursor *c, char letter)
{
	bool map38 = letter == '8';

	in->map = map38 ? INSN_MAP_0F38 : INSN_MAP_0F3A;
	in->opcode = take(c);
	if (insn_sparse_has(map38 ? INSN_SPARSE_0F38 : INSN_SPARSE_0F3A,
			    in->opcode))
		take_operands(in, c, map38 ? 'm' : 'B');
	else if (c->status == INSN_OK)
		c->status = INSN_UNKNOWN;
}

static void take_0f(struct insn *in, struct cursor *c)
{
	char letter;

	in->map = INSN_MAP_0F;
	in->opcode = take(c);
	if (c->status != INSN_OK)
		return;
	letter = insn_map_0f[in->opcode];
	if (letter == '8' || letter == 'A')
		take_sparse_legacy(in, c, letter);
	else
		take_operands(in, c, letter);
}

static void take_one(struct insn *in, struct cursor *c)
{
	char letter = insn_map_one[in->opcode];

	if (in->bits == INSN_64 && insn_gone_in_64(in->opcode))
		c->status = INSN_UNKNOWN;
	else if (letter == 'o')
		take_0f(in, c);
	else if (letter == 'V' || letter == 'E' || letter == 'X')
		take_shared(in, c, letter);
	else
		take_operands(in, c, letter);
}

/* Memory addressed through the stack's registers is on the stack. */
static void default_segment(struct insn *in)
{
	if (in->segment_given)
		return;
	in->segment = in->base == INSN_RSP || in->base == INSN_RBP ? INSN_SS
								   : INSN_DS;
}

enum insn_status insn_decode(struct insn *out, const uint8_t *bytes,
			     size_t count, enum insn_bits bits)
{
	struct cursor c = { .bytes = bytes, .status = INSN_OK };

	c.limit = count < INSN_LENGTH_MAX ? (unsigned)count : INSN_LENGTH_MAX;
	memset(out, 0, sizeof(*out));
	out->bits = (uint8_t)bits;
	out->addr_bytes = (uint8_t)(bits / 8);
	out->base = out->index = INSN_NO_REG;
	out->scale = 1;
	out->opcode = take_prefixes(out, &c);
	if (c.status == INSN_OK) {
		set_sizes(out);
		take_one(out, &c);
	}
	default_segment(out);
	out->length = (uint8_t)c.at;
	return c.status;
}

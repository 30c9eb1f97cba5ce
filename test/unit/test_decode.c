/*
 * The decoder against Zydis: every opcode of every map with every ModRM
 * byte, in all three modes, and random bytes.
 *
 * Wherever Zydis decodes, the length must be the same, and of instructions
 * with a memory operand its parts. Wherever no bytes at all make Zydis decode
 * an opcode, ours must be INSN_UNKNOWN. Left out: what only Knights Corner
 * had (MVEX, and some VEX opcodes with lengths of their own), and what came
 * after Zydis 4.0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "insn/insn.h"

#define BYTES 24

static const enum insn_bits modes[] = { INSN_16, INSN_32, INSN_64 };

struct oracle {
	ZydisDecoder decoder;
	enum insn_bits bits;
	uint64_t agreed;
};

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static void fill_random(uint8_t *bytes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		bytes[i] = (uint8_t)(rng() >> 24);
}

static void oracle_init(struct oracle *o, enum insn_bits bits)
{
	ZydisMachineMode mode = bits == INSN_64 ? ZYDIS_MACHINE_MODE_LONG_64
				: bits == INSN_32
					? ZYDIS_MACHINE_MODE_LEGACY_32
					: ZYDIS_MACHINE_MODE_LEGACY_16;
	ZydisStackWidth width = bits == INSN_64	  ? ZYDIS_STACK_WIDTH_64
				: bits == INSN_32 ? ZYDIS_STACK_WIDTH_32
						  : ZYDIS_STACK_WIDTH_16;

	memset(o, 0, sizeof(*o));
	o->bits = bits;
	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&o->decoder, mode, width)));
}

static void complain(const struct oracle *o, const uint8_t *bytes,
		     const char *what, long long ours, long long theirs)
{
	char text[BYTES * 3 + 1];

	for (unsigned i = 0; i < INSN_LENGTH_MAX; i++)
		snprintf(text + 3 * i, 4, "%02x ", bytes[i]);
	fail_msg("%d bits: %s: %s: ours %lld, Zydis %lld", o->bits, text, what,
		 ours, theirs);
}

static void expect(const struct oracle *o, const uint8_t *bytes,
		   const char *what, long long ours, long long theirs)
{
	if (ours != theirs)
		complain(o, bytes, what, ours, theirs);
}

static unsigned reg_number(ZydisRegister r)
{
	return r == ZYDIS_REGISTER_NONE ? INSN_NO_REG
					: (uint8_t)ZydisRegisterGetId(r);
}

static unsigned segment_number(ZydisRegister r)
{
	return (unsigned)(r - ZYDIS_REGISTER_ES);
}

/* Zydis sign-extends a moffs too: compare what the address size keeps. */
static long long cut(const struct insn *in, long long disp)
{
	return in->addr_bytes == 8 ? disp
				   : disp & ((1ll << 8 * in->addr_bytes) - 1);
}

/* MPX, and that alone, has no 32-bit addresses in 64-bit mode: a NOP where
 * it is off, as everywhere today. */
static bool ignores_67(const struct oracle *o, const struct insn *in)
{
	return o->bits == INSN_64 && in->map == INSN_MAP_0F &&
	       (in->opcode == 0x1a || in->opcode == 0x1b);
}

/* The explicit memory operand of a legacy instruction, part by part. */
static void compare_memory(const struct oracle *o, const uint8_t *bytes,
			   const struct insn *in,
			   const ZydisDecodedInstruction *z,
			   const ZydisDecodedOperand *op)
{
	bool rip = op->mem.base == ZYDIS_REGISTER_RIP ||
		   op->mem.base == ZYDIS_REGISTER_EIP;

	expect(o, bytes, "has memory", in->has_mem, true);
	if (!ignores_67(o, in))
		expect(o, bytes, "address size", in->addr_bytes * 8,
		       z->address_width);
	expect(o, bytes, "relative to rip", in->rip_base, rip);
	if (!rip)
		expect(o, bytes, "base", in->base, reg_number(op->mem.base));
	expect(o, bytes, "index", in->index, reg_number(op->mem.index));
	if (in->index != INSN_NO_REG)
		expect(o, bytes, "scale", in->scale,
		       op->mem.scale ? op->mem.scale : 1);
	expect(o, bytes, "displacement", cut(in, in->disp),
	       cut(in, op->mem.disp.value));
	if (op->mem.type == ZYDIS_MEMOP_TYPE_MEM) /* LEA has none */
		expect(o, bytes, "segment", in->segment,
		       segment_number(op->mem.segment));
}

static void compare_operands(const struct oracle *o, const uint8_t *bytes,
			     const struct insn *in)
{
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

	ZydisDecoderDecodeFull(&o->decoder, bytes, INSN_LENGTH_MAX, &z, op);
	for (unsigned i = 0; i < z.operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    op[i].encoding != ZYDIS_OPERAND_ENCODING_NONE)
			compare_memory(o, bytes, in, &z, &op[i]);
	for (unsigned i = 0; i < z.operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    op[i].encoding >= ZYDIS_OPERAND_ENCODING_UIMM16 &&
		    op[i].encoding != ZYDIS_OPERAND_ENCODING_UIMM8 &&
		    op[i].imm.is_signed)
			expect(o, bytes, "immediate", in->imm,
			       op[i].imm.value.s);
}

static bool is_knights_corner(const ZydisDecodedInstruction *z)
{
	return z->meta.isa_ext == ZYDIS_ISA_EXT_KNC ||
	       z->meta.isa_ext == ZYDIS_ISA_EXT_KNCE ||
	       z->meta.isa_ext == ZYDIS_ISA_EXT_KNCV;
}

/* What later versions of Zydis know. No guest has it: CPUID shows what a guest
 * may use by its leaves, and none of these. */
static bool is_newer(const ZydisDecodedInstruction *z)
{
	static const char *const sets[] = {
		"AVX_IFMA",	 "AVX_NE_CONVERT",
		"AVX_VNNI_INT8", "AVX_VNNI_INT16",
		"MSRLIST",	 "PBNDKB",
		"RAO_INT",	 "SHA512",
		"SM3",		 "SM4",
		"WRMSRNS",
	};
	const char *name = ZydisISASetGetString(z->meta.isa_set);

	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (strcmp(name, sets[i]) == 0)
			return true;
	return false;
}

/* True when Zydis decodes these bytes; then ours has answered the same. */
static bool compare(struct oracle *o, const uint8_t *bytes)
{
	ZydisDecodedInstruction z;
	struct insn in;
	enum insn_status status;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
		    &o->decoder, NULL, bytes, INSN_LENGTH_MAX, &z)))
		return false;
	if (is_knights_corner(&z) || is_newer(&z))
		return false;
	status = insn_decode(&in, bytes, BYTES, o->bits);
	expect(o, bytes, "status", status, INSN_OK);
	expect(o, bytes, "length", in.length, z.length);
	if (in.map != INSN_MAP_OTHER && rng() % 8 == 0)
		compare_operands(o, bytes, &in);
	o->agreed++;
	return true;
}

/* An opcode with all ModRM bytes behind one prefix string. */
static bool compare_opcode(struct oracle *o, const uint8_t *head,
			   unsigned count)
{
	uint8_t bytes[BYTES];
	bool any = false;

	memcpy(bytes, head, count);
	fill_random(bytes + count, BYTES - count);
	for (unsigned modrm = 0; modrm < 256; modrm++) {
		bytes[count] = (uint8_t)modrm;
		bytes[count + 1] = (uint8_t)(rng() >> 24); /* SIB */
		any |= compare(o, bytes);
	}
	return any;
}

/* Zydis knows no form of this opcode: neither may we, in any mode. */
static void expect_unknown(const uint8_t *head, unsigned count)
{
	for (unsigned m = 0; m < 3; m++) {
		uint8_t bytes[BYTES] = { 0 };
		struct insn in;

		memcpy(bytes, head, count);
		if (insn_decode(&in, bytes, BYTES, modes[m]) != INSN_UNKNOWN)
			fail_msg("%02x %02x %02x should be unknown", head[0],
				 head[1], head[2]);
	}
}

static void check_map(const uint8_t *escape, unsigned escape_count)
{
	static const char *const prefixes[] = {
		"",	"\x66",	    "\xf3",	"\xf2",	    "\x67",
		"\x48", "\x4f",	    "\x66\x48", "\x66\xf2", "\x26",
		"\x64", "\x41\x65", "\xf0",	"\x66\x67", "\x64\x2e",
	};
	struct oracle o[3];

	for (unsigned m = 0; m < 3; m++)
		oracle_init(&o[m], modes[m]);
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		bool any = false;
		uint8_t head[8];
		unsigned n = 0;

		for (unsigned p = 0; p < sizeof(prefixes) / sizeof(*prefixes);
		     p++) {
			n = (unsigned)strlen(prefixes[p]);
			memcpy(head, prefixes[p], n);
			memcpy(head + n, escape, escape_count);
			n += escape_count;
			head[n++] = (uint8_t)opcode;
			for (unsigned m = 0; m < 3; m++)
				any |= compare_opcode(&o[m], head, n);
		}
		memcpy(head, escape, escape_count);
		head[escape_count] = (uint8_t)opcode;
		if (!any)
			expect_unknown(head, escape_count + 1);
	}
	for (unsigned m = 0; m < 3; m++)
		assert_true(o[m].agreed > 1000);
}

static void one_byte_map(void **state)
{
	(void)state;
	check_map((const uint8_t *)"", 0);
}

static void map_0f(void **state)
{
	(void)state;
	check_map((const uint8_t *)"\x0f", 1);
}

static void map_0f38(void **state)
{
	(void)state;
	check_map((const uint8_t *)"\x0f\x38", 2);
}

static void map_0f3a(void **state)
{
	(void)state;
	check_map((const uint8_t *)"\x0f\x3a", 2);
}

/* Prefixes that hold a map: all opcodes, random register fields. */
static void check_vector(uint8_t first, unsigned payload, uint8_t map_mask,
			 unsigned opcode_rounds)
{
	uint64_t agreed = 0;

	for (unsigned m = 0; m < 3; m++) {
		struct oracle o;
		uint8_t bytes[BYTES];

		oracle_init(&o, modes[m]);
		for (unsigned i = 0; i < 256 * opcode_rounds; i++) {
			fill_random(bytes, BYTES);
			bytes[0] = first;
			if (modes[m] != INSN_64)
				bytes[1] |= 0xc0;
			bytes[1] &= map_mask;
			bytes[payload + 1] = (uint8_t)i;
			if (first == 0x62)
				bytes[2] |= 4;
			compare(&o, bytes);
		}
		agreed += o.agreed;
	}
	assert_true(agreed > 256 * opcode_rounds / 64);
}

static void vex(void **state)
{
	(void)state;
	check_vector(0xc4, 2, 0xe3, 2000);
	check_vector(0xc5, 1, 0xff, 1000);
}

static void evex(void **state)
{
	(void)state;
	check_vector(0x62, 3, 0xf7, 4000);
}

static void xop(void **state)
{
	(void)state;
	check_vector(0x8f, 2, 0xeb, 2000);
}

static void random_bytes(void **state)
{
	(void)state;
	for (unsigned m = 0; m < 3; m++) {
		struct oracle o;
		uint8_t bytes[BYTES];

		oracle_init(&o, modes[m]);
		for (unsigned i = 0; i < 1000000; i++) {
			fill_random(bytes, BYTES);
			compare(&o, bytes);
		}
		assert_true(o.agreed > 500000);
	}
}

/* However few bytes there are, nothing behind them is read (the sanitizer
 * looks), and the answer is "more" until the instruction is whole. */
static void short_of_bytes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t bytes[BYTES], cut[BYTES];
		struct insn in, again;
		enum insn_bits bits = modes[i % 3];

		fill_random(bytes, BYTES);
		if (insn_decode(&in, bytes, BYTES, bits) != INSN_OK)
			continue;
		for (unsigned n = 0; n < in.length; n++) {
			uint8_t *end = cut + BYTES - n;

			memcpy(end, bytes, n);
			assert_int_equal(insn_decode(&again, end, n, bits),
					 INSN_NEED_MORE);
		}
		assert_int_equal(insn_decode(&again, bytes, in.length, bits),
				 INSN_OK);
		assert_memory_equal(&in, &again, sizeof(in));
	}
}

static void too_long(void **state)
{
	uint8_t bytes[32];
	struct insn in;

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(insn_decode(&in, bytes, 32, INSN_64), INSN_TOO_LONG);
	assert_int_equal(insn_decode(&in, bytes, 15, INSN_64), INSN_TOO_LONG);
	assert_int_equal(insn_decode(&in, bytes, 14, INSN_64), INSN_NEED_MORE);
	bytes[14] = 0x90;
	assert_int_equal(insn_decode(&in, bytes, 32, INSN_64), INSN_OK);
	assert_int_equal(in.length, 15);
	bytes[14] = 0xb0;
	assert_int_equal(insn_decode(&in, bytes, 32, INSN_64), INSN_TOO_LONG);
}

static const struct {
	enum insn_exit exit;
	const char *bytes;
	unsigned length;
} exits[] = {
	{ INSN_EXIT_CPUID, "\x0f\xa2\x90\x90", 2 },
	{ INSN_EXIT_CPUID, "\x66\x48\x0f\xa2", 4 },
	{ INSN_EXIT_CPUID, "\x0f\x32\x90\x90", 0 },
	{ INSN_EXIT_HLT, "\xf4\x90\x90\x90", 1 },
	{ INSN_EXIT_HLT, "\xf3\xf4\x90\x90", 2 },
	{ INSN_EXIT_RDMSR, "\x0f\x32\x90\x90", 2 },
	{ INSN_EXIT_WRMSR, "\x0f\x30\x90\x90", 2 },
	{ INSN_EXIT_RDTSC, "\x0f\x31\x90\x90", 2 },
	{ INSN_EXIT_RDPMC, "\x0f\x33\x90\x90", 2 },
	{ INSN_EXIT_INVD, "\x0f\x08\x90\x90", 2 },
	{ INSN_EXIT_WBINVD, "\x0f\x09\x90\x90", 2 },
	{ INSN_EXIT_WBINVD, "\xf3\x0f\x09\x90", 3 },
	{ INSN_EXIT_PAUSE, "\xf3\x90\x90\x90", 2 },
	{ INSN_EXIT_PAUSE, "\xf3\x66\x90\x90", 3 },
	{ INSN_EXIT_PAUSE, "\x90\x90\x90\x90", 0 },
	{ INSN_EXIT_VMMCALL, "\x0f\x01\xd9\x90", 3 },
	{ INSN_EXIT_VMMCALL, "\x2e\x0f\x01\xd9", 4 },
	{ INSN_EXIT_VMMCALL, "\x2e\x0f\x01\xd1", 0 },
	{ INSN_EXIT_VMCALL, "\x0f\x01\xc1\x90", 3 },
	{ INSN_EXIT_XSETBV, "\x0f\x01\xd1\x90", 3 },
	{ INSN_EXIT_RDTSCP, "\x0f\x01\xf9\x90", 3 },
	{ INSN_EXIT_CR, "\x0f\x20\xc0\x90", 3 },
	{ INSN_EXIT_CR, "\x0f\x22\x18\x90", 3 }, /* mod does not count */
	{ INSN_EXIT_CR, "\x44\x0f\x22\xc0", 4 },
	{ INSN_EXIT_CR, "\x0f\x21\xc0\x90", 0 },
	{ INSN_EXIT_CR, "\x0f\x24\xc0\x90", 0 },
};

static void length_of_exits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(exits) / sizeof(*exits); i++) {
		const uint8_t *b = (const uint8_t *)exits[i].bytes;
		unsigned got = insn_length(exits[i].exit, b, 4, INSN_64);

		if (got != exits[i].length)
			fail_msg("exit %zu: %u, not %u", i, got,
				 exits[i].length);
		if (got && got < 3)
			assert_int_equal(
				insn_length(exits[i].exit, b, got, INSN_64),
				got);
	}
}

static void addresses(void **state)
{
	struct insn_regs regs = { .rip = 0x1000, .stack_bytes = 8 };
	struct insn in;
	uint8_t bytes[BYTES] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		regs.gpr[i] = 0x1111111122220000u + i;
	for (unsigned i = 0; i < 6; i++)
		regs.segment_base[i] = 0x10000000u * (i + 1);
	/* mov 0x10(%rbx,%rcx,4), %eax */
	memcpy(bytes, "\x8b\x44\x8b\x10", 4);
	insn_decode(&in, bytes, BYTES, INSN_64);
	assert_int_equal(insn_address(&in, &regs),
			 regs.gpr[3] + regs.gpr[1] * 4 + 0x10);
	/* mov %fs:-8(%rip), %eax */
	memcpy(bytes, "\x64\x8b\x05\xf8\xff\xff\xff", 7);
	insn_decode(&in, bytes, BYTES, INSN_64);
	assert_int_equal(insn_address(&in, &regs), 0x50000000 + 0x1007 - 8);
	/* addr32 mov (%rbp), %eax: cut to 32 bits, SS has no base */
	memcpy(bytes, "\x67\x8b\x45\x00", 4);
	insn_decode(&in, bytes, BYTES, INSN_64);
	assert_int_equal(insn_address(&in, &regs), 0x22220005);
	/* mov -2(%bp,%si), %ax in 16-bit mode: 64 KiB wrap, base of SS */
	memcpy(bytes, "\x8b\x42\xfe", 3);
	insn_decode(&in, bytes, BYTES, INSN_16);
	assert_int_equal(insn_offset(&in, &regs), 5 + 6 - 2);
	assert_int_equal(insn_address(&in, &regs), 0x30000009);
	/* movabs 0xfedcba9876543210, %al */
	memcpy(bytes, "\xa0\x10\x32\x54\x76\x98\xba\xdc\xfe", 9);
	insn_decode(&in, bytes, BYTES, INSN_64);
	assert_true(insn_address(&in, &regs) == 0xfedcba9876543210u);
}

static int seed(void **state)
{
	(void)state;
	rng_state = 0x9e3779b97f4a7c15u;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_byte_map, seed),
		cmocka_unit_test_setup(map_0f, seed),
		cmocka_unit_test_setup(map_0f38, seed),
		cmocka_unit_test_setup(map_0f3a, seed),
		cmocka_unit_test_setup(vex, seed),
		cmocka_unit_test_setup(evex, seed),
		cmocka_unit_test_setup(xop, seed),
		cmocka_unit_test_setup(random_bytes, seed),
		cmocka_unit_test_setup(short_of_bytes, seed),
		cmocka_unit_test_setup(too_long, seed),
		cmocka_unit_test_setup(length_of_exits, seed),
		cmocka_unit_test_setup(addresses, seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The emulator beside the processor that runs this test: the same random
 * instruction on the same registers, flags and memory, once natively in a
 * small buffer and once emulated; then everything must be equal.
 *
 *   code | jmp back      scratch (below 2 GiB, so that 32-bit addresses and
 *   ...                           moffs reach it)
 *
 * What the processor leaves undefined is not compared. 16- and 32-bit modes,
 * faults and locked exchanges are tried by hand below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <Zydis/Zydis.h>

#include <vmmu/access.h>

#include "insn/alu.h"
#include "insn/emulate.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Registers by number; loaded before and stored after the instruction. The
 * processor's stack pointer is the instruction's too, so nothing in between
 * uses it. */
uint64_t native_gpr[16], native_flags, native_host_rsp;
void *native_code;
void native_run(void);
extern char native_back[];

#define EACH_REGISTER(X)                                                       \
	X("0", "rax")                                                          \
	X("8", "rcx")                                                          \
	X("16", "rdx")                                                         \
	X("24", "rbx")                                                         \
	X("40", "rbp")                                                         \
	X("48", "rsi")                                                         \
	X("56", "rdi")                                                         \
	X("64", "r8")                                                          \
	X("72", "r9")                                                          \
	X("80", "r10")                                                         \
	X("88", "r11")                                                         \
	X("96", "r12")                                                         \
	X("104", "r13")                                                        \
	X("112", "r14")                                                        \
	X("120", "r15")                                                        \
	X("32", "rsp")
#define LOAD(at, name) "mov native_gpr+" at "(%rip), %" name "\n"
#define SAVE(at, name) "mov %" name ", native_gpr+" at "(%rip)\n"

__asm__(".text\n"
	".globl native_run, native_back\n"
	"native_run:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp, native_host_rsp(%rip)\n"
	"pushq native_flags(%rip)\n"
	"popfq\n" EACH_REGISTER(
		LOAD) "jmp *native_code(%rip)\n"
		      "native_back:\n" EACH_REGISTER(
			      SAVE) "mov native_host_rsp(%rip), %rsp\n"
				    "pushfq\n"
				    "popq native_flags(%rip)\n"
				    "cld\n"
				    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\n"
				    "ret\n");

static uint64_t rng_state = 0x9e3779b97f4a7c15u;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static bool one_in(unsigned n)
{
	return (rng() >> 20) % n == 0;
}

/* Numbers near the edges more often than chance would have it. */
static uint64_t interesting(void)
{
	static const uint64_t edges[] = { 0,	      1,	  0x7f,
					  0x80,	      0xff,	  0x7fff,
					  0x8000,     0xffff,	  0x7fffffff,
					  0x80000000, 0xffffffff, INT64_MAX,
					  1ull << 63, UINT64_MAX };

	return one_in(2) ? rng() : edges[(rng() >> 20) % COUNT(edges)];
}

/* The memory of both: one page of code, then scratch. */

#define CODE_SIZE    4096u
#define SCRATCH_SIZE 4096u

static uint8_t *code;	 /* where the instruction is */
static uint8_t *scratch; /* what it works on */

static uint8_t image[SCRATCH_SIZE]; /* what the emulator works on */

/* One kind of instruction to try. */
enum kind {
	PLAIN,
	LOGIC,
	SHIFT,
	ROTATE,
	BIT_REG,
	BIT_IMM,
	CMPXCHG,
	STACK,
	STRING
};

struct template
{
	uint8_t map, opcode, last; /* opcodes opcode .. last */
	uint8_t regs;		   /* allowed ModRM.reg, a bit each */
	uint8_t kind;
	bool lock; /* LOCK may be there, with a memory operand */
	bool memory_only;
	bool modrm;
};

/* One trial. */
struct trial {
	const struct template *t;
	uint8_t bytes[32];
	struct insn in;
	struct insn_regs regs;
	uint64_t target; /* of the memory operand, about */
};

static void show(const struct trial *c, const char *what, uint64_t theirs,
		 uint64_t ours)
{
	char text[64] = "";

	for (unsigned i = 0; i < c->in.length; i++)
		snprintf(text + 3 * i, 4, "%02x ", c->bytes[i]);
	fail_msg("%s: %s: processor %llx, emulator %llx", text, what,
		 (unsigned long long)theirs, (unsigned long long)ours);
}

static const struct trial *trial; /* for messages */

static uint8_t *in_image(uint64_t linear, unsigned size)
{
	uint64_t at = linear - (uintptr_t)scratch;

	if (at > SCRATCH_SIZE - size)
		show(trial, "access outside the scratch memory",
		     (uintptr_t)scratch, linear);
	return image + at;
}

static enum insn_access image_read(void *ctx, uint64_t linear, unsigned size,
				   bool write_follows, uint64_t *value)
{
	(void)ctx;
	(void)write_follows;
	*value = 0;
	memcpy(value, in_image(linear, size), size);
	return INSN_ACCESS_OK;
}

static enum insn_access image_write(void *ctx, uint64_t linear, unsigned size,
				    uint64_t value)
{
	(void)ctx;
	memcpy(in_image(linear, size), &value, size);
	return INSN_ACCESS_OK;
}

static enum insn_access image_exchange(void *ctx, uint64_t linear,
				       unsigned size, uint64_t expected,
				       uint64_t value)
{
	if (memcmp(in_image(linear, size), &expected, size) != 0)
		return INSN_ACCESS_CHANGED;
	return image_write(ctx, linear, size, value);
}

static const struct insn_ops image_ops = { image_read, image_write, NULL };
static const struct insn_ops locked_ops = { image_read, image_write,
					    image_exchange };

static int setup(void **state)
{
	void *at = mmap(NULL, CODE_SIZE + SCRATCH_SIZE,
			PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)state;
	assert_true(at != MAP_FAILED);
	code = (uint8_t *)at + 16;
	scratch = (uint8_t *)at + CODE_SIZE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(code - 16, CODE_SIZE + SCRATCH_SIZE);
}

static const struct template templates[] = {
	{ INSN_MAP_ONE, 0x00, 0x03, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x00, 0x01, 0xff, PLAIN, true, true, true },
	{ INSN_MAP_ONE, 0x04, 0x05, 0xff, PLAIN, false, false, false },
	{ INSN_MAP_ONE, 0x08, 0x0b, 0xff, LOGIC, false, false, true },
	{ INSN_MAP_ONE, 0x0c, 0x0d, 0xff, LOGIC, false, false, false },
	{ INSN_MAP_ONE, 0x10, 0x13, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x14, 0x15, 0xff, PLAIN, false, false, false },
	{ INSN_MAP_ONE, 0x18, 0x1b, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x1c, 0x1d, 0xff, PLAIN, false, false, false },
	{ INSN_MAP_ONE, 0x20, 0x23, 0xff, LOGIC, false, false, true },
	{ INSN_MAP_ONE, 0x28, 0x2b, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x30, 0x33, 0xff, LOGIC, false, false, true },
	{ INSN_MAP_ONE, 0x38, 0x3b, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x3c, 0x3d, 0xff, PLAIN, false, false, false },
	{ INSN_MAP_ONE, 0x63, 0x63, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x80, 0x81, 0xad, PLAIN, true, false, true },
	{ INSN_MAP_ONE, 0x83, 0x83, 0xad, PLAIN, true, false, true },
	{ INSN_MAP_ONE, 0x80, 0x81, 0x52, LOGIC, true, false, true },
	{ INSN_MAP_ONE, 0x83, 0x83, 0x52, LOGIC, true, false, true },
	{ INSN_MAP_ONE, 0x84, 0x85, 0xff, LOGIC, false, false, true },
	{ INSN_MAP_ONE, 0x86, 0x87, 0xff, PLAIN, true, false, true },
	{ INSN_MAP_ONE, 0x88, 0x8b, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0x8f, 0x8f, 0x01, STACK, false, false, true },
	{ INSN_MAP_ONE, 0xa0, 0xa3, 0xff, PLAIN, false, false, false },
	{ INSN_MAP_ONE, 0xa4, 0xa7, 0xff, STRING, false, false, false },
	{ INSN_MAP_ONE, 0xa8, 0xa9, 0xff, LOGIC, false, false, false },
	{ INSN_MAP_ONE, 0xaa, 0xaf, 0xff, STRING, false, false, false },
	{ INSN_MAP_ONE, 0xc0, 0xc1, 0x0f, ROTATE, false, false, true },
	{ INSN_MAP_ONE, 0xc0, 0xc1, 0xf0, SHIFT, false, false, true },
	{ INSN_MAP_ONE, 0xc6, 0xc7, 0x01, PLAIN, false, false, true },
	{ INSN_MAP_ONE, 0xd0, 0xd3, 0x0f, ROTATE, false, false, true },
	{ INSN_MAP_ONE, 0xd0, 0xd3, 0xf0, SHIFT, false, false, true },
	{ INSN_MAP_ONE, 0xf6, 0xf7, 0x03, LOGIC, false, false, true },
	{ INSN_MAP_ONE, 0xf6, 0xf7, 0x0c, PLAIN, true, false, true },
	{ INSN_MAP_ONE, 0xfe, 0xff, 0x03, PLAIN, true, false, true },
	{ INSN_MAP_ONE, 0xff, 0xff, 0x40, STACK, false, false, true },
	{ INSN_MAP_0F, 0x40, 0x4f, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_0F, 0x90, 0x9f, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_0F, 0xa3, 0xa3, 0xff, BIT_REG, false, false, true },
	{ INSN_MAP_0F, 0xab, 0xab, 0xff, BIT_REG, true, false, true },
	{ INSN_MAP_0F, 0xb3, 0xb3, 0xff, BIT_REG, true, false, true },
	{ INSN_MAP_0F, 0xbb, 0xbb, 0xff, BIT_REG, true, false, true },
	{ INSN_MAP_0F, 0xba, 0xba, 0x10, BIT_IMM, false, false, true },
	{ INSN_MAP_0F, 0xba, 0xba, 0xe0, BIT_IMM, true, false, true },
	{ INSN_MAP_0F, 0xb0, 0xb1, 0xff, CMPXCHG, true, true, true },
	{ INSN_MAP_0F, 0xb6, 0xb7, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_0F, 0xbe, 0xbf, 0xff, PLAIN, false, false, true },
	{ INSN_MAP_0F, 0xc0, 0xc1, 0xff, PLAIN, true, false, true },
	{ INSN_MAP_0F, 0xc3, 0xc3, 0xff, PLAIN, false, true, true },
	{ INSN_MAP_0F, 0xc7, 0xc7, 0x02, CMPXCHG, true, true, true },
	{ INSN_MAP_0F38, 0xf0, 0xf1, 0xff, PLAIN, false, true, true },
};

static unsigned put_prefixes(struct trial *c, bool lock)
{
	static const uint8_t null_segments[] = { 0x26, 0x2e, 0x36, 0x3e };
	bool no_66 = (c->t->map == INSN_MAP_0F && c->t->opcode == 0xc3) ||
		     (c->t->map == INSN_MAP_0F && c->t->opcode == 0xc7);
	unsigned n = 0;

	if (lock)
		c->bytes[n++] = 0xf0;
	if (one_in(4) && !no_66)
		c->bytes[n++] = 0x66;
	if (one_in(6))
		c->bytes[n++] = 0x67;
	if (one_in(8))
		c->bytes[n++] = null_segments[rng() % 4];
	if (c->t->kind == STRING && !one_in(3))
		c->bytes[n++] = rng() & 1 ? 0xf2 : 0xf3;
	if (!one_in(3))
		c->bytes[n++] = 0x40 | (rng() & 15);
	return n;
}

static uint8_t pick_modrm(const struct template *t, bool memory)
{
	uint64_t reg, mod;

	do
		reg = rng() >> 20 & 7;
	while (!(t->regs >> reg & 1));
	mod = memory ? rng() >> 20 & 3 : 3;
	return (uint8_t)(mod << 6 | reg << 3 | (rng() >> 30 & 7));
}

/* Random bytes of the template's form. False: not one this test can run. */
static bool generate(struct trial *c)
{
	const struct template *t = c->t;
	bool memory = t->memory_only || !one_in(4);
	bool lock = t->lock && memory && one_in(3);
	unsigned n, span = (unsigned)(t->last - t->opcode + 1);

	for (unsigned i = 0; i < sizeof(c->bytes); i++)
		c->bytes[i] = (uint8_t)(rng() >> 24);
	n = put_prefixes(c, lock);
	if (t->map != INSN_MAP_ONE)
		c->bytes[n++] = 0x0f;
	if (t->map == INSN_MAP_0F38)
		c->bytes[n++] = 0x38;
	c->bytes[n++] = (uint8_t)(t->opcode + (rng() >> 20) % span);
	if (t->modrm)
		c->bytes[n++] = pick_modrm(t, memory);
	if (insn_decode(&c->in, c->bytes, sizeof(c->bytes), INSN_64) != INSN_OK)
		return false;
	if (c->in.map == INSN_MAP_0F && c->in.opcode == 0xc7 &&
	    c->in.op_bytes == 8)
		return false; /* CMPXCHG16B */
	if ((lock || t->memory_only) && !c->in.has_mem)
		return false;
	/* LOCK CMP, LOCK TEST are #UD. */
	return !lock || !(c->in.map == INSN_MAP_ONE &&
			  (c->in.opcode & 0xfc) == 0x80 && c->in.reg % 8 == 7);
}

static void put_number(uint8_t *at, uint64_t v, unsigned bytes)
{
	memcpy(at, &v, bytes);
}

/* Makes the operand's address fall near the target, by its displacement when
 * it has no registers, else by one of them. */
static void aim(struct trial *c)
{
	struct insn *in = &c->in;
	uint64_t *gpr = c->regs.gpr;
	uint64_t want = c->target - (uint64_t)in->disp;
	uint8_t *end = c->bytes + in->length - in->imm_bytes;

	if (in->rip_base)
		put_number(end - 4, c->target - (c->regs.rip + in->length), 4);
	else if (!in->has_modrm)
		put_number(end - in->addr_bytes, c->target, in->addr_bytes);
	else if (in->base == INSN_NO_REG && in->index == INSN_NO_REG)
		put_number(end - 4, c->target, 4);
	else if (in->base == INSN_NO_REG)
		gpr[in->index] = (uint64_t)((int64_t)want / in->scale);
	else if (in->base == in->index)
		gpr[in->base] = (uint64_t)((int64_t)want / (in->scale + 1));
	else if (in->index == INSN_NO_REG)
		gpr[in->base] = want;
	else
		gpr[in->base] = want - gpr[in->index] * in->scale;
	insn_decode(in, c->bytes, sizeof(c->bytes), INSN_64);
}

static uint64_t middle(void)
{
	return (uintptr_t)scratch + SCRATCH_SIZE / 2 + (rng() >> 20) % 512;
}

static void aim_string(struct trial *c)
{
	c->regs.gpr[INSN_RSI] = middle();
	c->regs.gpr[INSN_RDI] = middle();
	c->regs.gpr[INSN_RCX] = (rng() >> 20) % 40;
	if (one_in(2))
		memset(scratch, (int)(rng() & 1), SCRATCH_SIZE);
}

/* The memory operand sometimes holds what CMPXCHG compares with. */
static void match(struct trial *c)
{
	uint64_t at = insn_address(&c->in, &c->regs);
	uint64_t v = c->regs.gpr[INSN_RAX];

	if (c->in.opcode == 0xc7)
		v = c->regs.gpr[INSN_RDX] << 32 | (uint32_t)v;
	if (one_in(2))
		memcpy(scratch + (at - (uintptr_t)scratch), &v, 8);
}

static bool far_from_base(const struct insn *in)
{
	return in->index != INSN_NO_REG || in->disp > 1000 || in->disp < -1000;
}

static bool prepare(struct trial *c)
{
	const struct template *t = c->t;
	struct insn *in = &c->in;

	if (!generate(c))
		return false;
	memset(&c->regs, 0, sizeof(c->regs));
	c->regs.stack_bytes = 8;
	c->regs.rip = (uintptr_t)code;
	for (unsigned i = 0; i < 16; i++)
		c->regs.gpr[i] = interesting();
	c->regs.rflags = 0x202 | (rng() & RFLAGS_ARITHMETIC) |
			 (t->kind == STRING ? rng() & RFLAGS_DF : 0);
	for (unsigned i = 0; i < SCRATCH_SIZE; i += 8) {
		uint64_t v = interesting();

		memcpy(scratch + i, &v, 8);
	}
	c->target = middle();
	if (t->kind == STACK)
		c->regs.gpr[INSN_RSP] = middle();
	if (t->kind == BIT_REG && in->has_mem) {
		if (in->reg == in->base || in->reg == in->index)
			return false;
		c->regs.gpr[in->reg] =
			(uint64_t)(int64_t)(int16_t)(rng() % 4096 - 2048);
	}
	if (t->kind == STACK && in->base == INSN_RSP && far_from_base(in))
		return false; /* the stack itself must be in the scratch */
	if (in->has_mem)
		aim(c);
	if (t->kind == STACK && !in->has_mem && in->rm == INSN_RSP)
		c->regs.gpr[INSN_RSP] = middle();
	if (t->kind == STRING)
		aim_string(c);
	if (t->kind == CMPXCHG)
		match(c);
	return true;
}

static void native(struct trial *c, struct insn_regs *after)
{
	uint64_t back = (uintptr_t)native_back;

	memset(code, 0xcc, 64);
	memcpy(code, c->bytes, c->in.length);
	memcpy(code + c->in.length, "\xff\x25\0\0\0\0", 6);
	memcpy(code + c->in.length + 6, &back, 8);
	memcpy(native_gpr, c->regs.gpr, sizeof(native_gpr));
	native_flags = c->regs.rflags;
	native_code = code;
	native_run();
	*after = c->regs;
	memcpy(after->gpr, native_gpr, sizeof(native_gpr));
	after->rflags = native_flags;
	after->rip = (uintptr_t)code + c->in.length;
}

static unsigned shift_count(const struct trial *c)
{
	uint8_t op = c->in.opcode;
	uint64_t n = op < 0xd0	 ? (uint64_t)c->in.imm
		     : op < 0xd2 ? 1
				 : c->regs.gpr[INSN_RCX];

	return (unsigned)n & ((op & 1) && c->in.op_bytes == 8 ? 63 : 31);
}

/* The flags that the manuals define for this trial. */
static uint64_t defined_flags(const struct trial *c)
{
	unsigned bytes = c->in.opcode & 1 ? c->in.op_bytes : 1;
	uint64_t all = RFLAGS_ARITHMETIC | RFLAGS_DF;
	unsigned count;

	switch (c->t->kind) {
	case LOGIC:
		return all & ~RFLAGS_AF;
	case BIT_REG:
	case BIT_IMM:
		return RFLAGS_CF | RFLAGS_ZF | RFLAGS_DF;
	case ROTATE:
	case SHIFT:
		count = shift_count(c);
		if (!count)
			return all;
		if (count != 1)
			all &= ~RFLAGS_OF;
		if (c->t->kind == SHIFT) {
			all &= ~RFLAGS_AF;
			if (count >= 8 * bytes)
				all &= ~RFLAGS_CF;
		}
		return all;
	default:
		return all;
	}
}

static void compare(const struct trial *c, const struct insn_regs *theirs,
		    const struct insn_regs *ours)
{
	static const char *const names[16] = { "rax", "rcx", "rdx", "rbx",
					       "rsp", "rbp", "rsi", "rdi",
					       "r8",  "r9",  "r10", "r11",
					       "r12", "r13", "r14", "r15" };
	uint64_t flags = defined_flags(c);

	for (unsigned i = 0; i < 16; i++)
		if (theirs->gpr[i] != ours->gpr[i])
			show(c, names[i], theirs->gpr[i], ours->gpr[i]);
	if ((theirs->rflags ^ ours->rflags) & flags)
		show(c, "flags", theirs->rflags, ours->rflags);
	if (theirs->rip != ours->rip)
		show(c, "rip", theirs->rip, ours->rip);
	for (unsigned i = 0; memcmp(scratch, image, SCRATCH_SIZE) != 0; i++)
		if (scratch[i] != image[i])
			show(c, "memory", scratch[i], image[i]);
}

static void run_one(struct trial *c)
{
	struct insn_regs theirs, ours = c->regs;
	enum insn_done done;
	unsigned rounds = 0;

	trial = c;
	memcpy(image, scratch, SCRATCH_SIZE);
	do
		done = insn_emulate(&c->in, &ours,
				    one_in(2) ? &image_ops : &locked_ops, NULL);
	while (done == INSN_AGAIN && ++rounds < 8);
	if (done != INSN_DONE)
		show(c, "not emulated", 0, done);
	native(c, &theirs);
	compare(c, &theirs, &ours);
}

static void as_the_processor_does(void **state)
{
	static struct trial c;

	(void)state;
	for (unsigned i = 0; i < COUNT(templates); i++) {
		unsigned ran = 0;

		for (unsigned n = 0; n < 6000; n++) {
			c.t = &templates[i];
			if (!prepare(&c))
				continue;
			run_one(&c);
			ran++;
		}
		assert_true(ran > 1000);
	}
}

/* insn_memory against Zydis: size and kind of access of the operand. */
static void sizes_and_accesses(void **state)
{
	ZydisDecoder decoder;
	uint64_t seen = 0;

	(void)state;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	for (unsigned n = 0; n < 1000000; n++) {
		ZydisDecodedInstruction z;
		ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
		struct insn in;
		struct insn_memory m;
		uint8_t b[16];
		uint64_t r = rng(), q = rng();

		memcpy(b, &r, 8);
		memcpy(b + 8, &q, 8);
		if (insn_decode(&in, b, 15, INSN_64) != INSN_OK ||
		    !insn_memory(&in, &m))
			continue;
		if (!ZYAN_SUCCESS(
			    ZydisDecoderDecodeFull(&decoder, b, 15, &z, op)))
			continue;
		for (unsigned i = 0; i < z.operand_count_visible; i++) {
			unsigned access = 0;

			if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
				continue;
			if (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ)
				access |= VMMU_R;
			if (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				access |= VMMU_W;
			if (op[i].size != 8u * m.size || access != m.access)
				fail_msg("%02x %02x %02x %02x: %u %u, Zydis "
					 "%u %u",
					 b[0], b[1], b[2], b[3], 8u * m.size,
					 m.access, op[i].size, access);
			seen++;
		}
	}
	assert_true(seen > 50000);
}

/* By hand. */

static struct insn decoded(const char *bytes, unsigned count,
			   enum insn_bits bits)
{
	struct insn in;

	assert_int_equal(insn_decode(&in, (const uint8_t *)bytes, count, bits),
			 INSN_OK);
	assert_int_equal(in.length, count);
	return in;
}

/* Memory that refuses the n-th access, and remembers the last one. */
struct fickle {
	unsigned refuse, count;
	uint64_t linear, value;
	unsigned size;
	bool write_follows, wrote;
};

static enum insn_access fickle_access(struct fickle *f, uint64_t linear,
				      unsigned size)
{
	f->linear = linear;
	f->size = size;
	return ++f->count == f->refuse ? INSN_ACCESS_FAULT : INSN_ACCESS_OK;
}

static enum insn_access fickle_read(void *ctx, uint64_t linear, unsigned size,
				    bool write_follows, uint64_t *value)
{
	struct fickle *f = ctx;

	f->write_follows = write_follows;
	*value = f->value;
	return fickle_access(f, linear, size);
}

static enum insn_access fickle_write(void *ctx, uint64_t linear, unsigned size,
				     uint64_t value)
{
	struct fickle *f = ctx;
	enum insn_access a = fickle_access(f, linear, size);

	if (a == INSN_ACCESS_OK) {
		f->value = value;
		f->wrote = true;
	}
	return a;
}

static enum insn_access fickle_exchange(void *ctx, uint64_t linear,
					unsigned size, uint64_t expected,
					uint64_t value)
{
	struct fickle *f = ctx;

	(void)expected;
	(void)value;
	return fickle_access(f, linear, size) == INSN_ACCESS_OK
		       ? INSN_ACCESS_CHANGED
		       : INSN_ACCESS_FAULT;
}

static const struct insn_ops fickle_ops = { fickle_read, fickle_write, NULL };
static const struct insn_ops racing_ops = { fickle_read, fickle_write,
					    fickle_exchange };

/* Whichever access fails, registers and flags are as before. */
static void faults_change_nothing(void **state)
{
	static struct trial c;

	(void)state;
	for (unsigned i = 0; i < COUNT(templates); i++) {
		if (templates[i].kind == STRING)
			continue;
		for (unsigned n = 0; n < 600; n++) {
			struct insn_regs regs;

			c.t = &templates[i];
			if (!prepare(&c))
				continue;
			for (unsigned k = 1; k < 4; k++) {
				struct fickle f = { .refuse = k };

				regs = c.regs;
				if (insn_emulate(&c.in, &regs, &fickle_ops,
						 &f) != INSN_FAULT)
					break;
				assert_memory_equal(&regs, &c.regs,
						    sizeof(regs));
			}
		}
	}
}

static void rep_stops_where_it_faults(void **state)
{
	struct insn in = decoded("\xf3\xab", 2, INSN_64); /* rep stosl */
	struct insn_regs regs = { .rip = 0x1000, .stack_bytes = 8 };
	struct fickle f = { .refuse = 4 };

	(void)state;
	regs.gpr[INSN_RCX] = 10;
	regs.gpr[INSN_RDI] = 0x2000;
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_FAULT);
	assert_int_equal(regs.gpr[INSN_RCX], 7);
	assert_int_equal(regs.gpr[INSN_RDI], 0x200c);
	assert_int_equal(regs.rip, 0x1000);
	assert_int_equal(f.linear, 0x200c);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(regs.gpr[INSN_RCX], 0);
	assert_int_equal(regs.rip, 0x1002);
}

static void rep_comes_back(void **state)
{
	struct insn in = decoded("\xf3\xa4", 2, INSN_64);
	struct insn_regs regs = { .rip = 0x1000, .stack_bytes = 8 };
	struct fickle f = { 0 };

	(void)state;
	regs.gpr[INSN_RCX] = INSN_REP_MAX + 1;
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_AGAIN);
	assert_int_equal(regs.gpr[INSN_RCX], 1);
	assert_int_equal(regs.rip, 0x1000);
	assert_int_equal(f.count, 2 * INSN_REP_MAX);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	regs.gpr[INSN_RCX] = 0;
	f.count = 0;
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(f.count, 0);
}

static void lost_exchange(void **state)
{
	static const char *const locked[] = { "\x87\x03", "\xf0\x01\x03",
					      "\xf0\x0f\xb1\x0b",
					      "\xf0\x0f\xab\x0b" };

	(void)state;
	for (unsigned i = 0; i < COUNT(locked); i++) {
		struct insn in = decoded(locked[i], (unsigned)strlen(locked[i]),
					 INSN_64);
		struct insn_regs regs = { .rip = 9, .rflags = 2 };
		struct insn_regs same = regs;
		struct fickle f = { .value = 5 };

		assert_int_equal(insn_emulate(&in, &regs, &racing_ops, &f),
				 INSN_AGAIN);
		assert_memory_equal(&regs, &same, sizeof(regs));
		assert_false(f.wrote);
		assert_true(f.write_follows);
	}
}

static void legacy_modes(void **state)
{
	struct insn_regs regs = { .rip = 0xfffe, .stack_bytes = 2 };
	struct insn in;
	struct fickle f = { .value = 0x12345678 };

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		regs.segment_base[i] = 0x100000 * (i + 1);
	regs.gpr[INSN_RBX] = 0x12340010;
	regs.gpr[INSN_RSI] = 0x5678fff0;
	/* mov (%bx,%si), %ax: 16-bit wrap, base of DS; ip wraps too */
	in = decoded("\x8b\x00", 2, INSN_16);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(f.linear, 0x400000);
	assert_int_equal(f.size, 2);
	assert_int_equal(regs.gpr[INSN_RAX], 0x5678);
	assert_int_equal(regs.rip, 0);
	/* pushw (%bx) on a 16-bit stack: sp wraps, esp's upper half stays */
	regs.gpr[INSN_RSP] = 0xabcd0000;
	in = decoded("\xff\x37", 2, INSN_16);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(regs.gpr[INSN_RSP], 0xabcdfffe);
	assert_int_equal(f.linear, 0x300000 + 0xfffe);
	assert_int_equal(f.value, 0x5678);
	/* rep movsb %fs:(%esi), %es:(%edi): ES cannot be overridden */
	regs.gpr[INSN_RCX] = 1;
	regs.gpr[INSN_RSI] = regs.gpr[INSN_RDI] = 0x10;
	in = decoded("\x64\xf3\xa4", 3, INSN_32);
	f.refuse = f.count + 1;
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_FAULT);
	assert_int_equal(f.linear, 0x500010);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(f.linear, 0x100010);
	/* popl %ss:4(%esp): the address is that after the increment */
	regs.stack_bytes = 4;
	regs.gpr[INSN_RSP] = 0x40;
	in = decoded("\x8f\x44\x24\x04", 4, INSN_32);
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(regs.gpr[INSN_RSP], 0x44);
	assert_int_equal(f.linear, 0x300048);
	/* %fs: in 64-bit mode */
	in = decoded("\x64\x88\x25\x02\x00\x00\x00", 7, INSN_64);
	regs.rip = 0x1000;
	regs.gpr[INSN_RAX] = 0x1234;
	assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f), INSN_DONE);
	assert_int_equal(f.linear, 0x500000 + 0x1009);
	assert_int_equal(f.value, 0x12);
}

static void unsupported(void **state)
{
	static const struct {
		const char *bytes;
		unsigned count;
		enum insn_bits bits;
	} some[] = {
		{ "\x0f\xa2", 2, INSN_64 },		/* CPUID */
		{ "\x63\x03", 2, INSN_32 },		/* ARPL */
		{ "\xf7\x23", 2, INSN_64 },		/* MUL */
		{ "\x0f\x10\x03", 3, INSN_64 },		/* MOVUPS */
		{ "\x48\x0f\xc7\x0b", 4, INSN_64 },	/* CMPXCHG16B */
		{ "\xff\x13", 2, INSN_64 },		/* CALL */
		{ "\xf2\x0f\x38\xf0\x03", 5, INSN_64 }, /* CRC32 */
		{ "\xc5\xf8\x10\x03", 4, INSN_64 },	/* VMOVUPS */
		{ "\x6c", 1, INSN_64 },			/* INS */
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(some); i++) {
		struct insn in =
			decoded(some[i].bytes, some[i].count, some[i].bits);
		struct insn_regs regs = { 0 }, same = { 0 };
		struct fickle f = { 0 };

		assert_int_equal(insn_emulate(&in, &regs, &fickle_ops, &f),
				 INSN_UNSUPPORTED);
		assert_memory_equal(&regs, &same, sizeof(regs));
		assert_int_equal(f.count, 0);
	}
}

static void ports(void **state)
{
	struct insn_regs regs = { 0 };
	struct insn_io io;
	struct insn in;

	(void)state;
	regs.gpr[INSN_RDX] = 0xabc03f8;
	in = decoded("\xe4\x80", 2, INSN_64);
	assert_true(insn_io(&in, &regs, &io));
	assert_true(io.in && !io.string && io.size == 1 && io.port == 0x80);
	in = decoded("\x66\xef", 2, INSN_64);
	assert_true(insn_io(&in, &regs, &io));
	assert_true(!io.in && !io.string && io.size == 2 && io.port == 0x3f8);
	in = decoded("\x48\xef", 2, INSN_64); /* no 64-bit ports */
	assert_true(insn_io(&in, &regs, &io));
	assert_int_equal(io.size, 4);
	in = decoded("\x64\xf3\x6e", 3, INSN_64);
	assert_true(insn_io(&in, &regs, &io));
	assert_true(!io.in && io.string && io.size == 1 &&
		    io.segment == INSN_FS);
	in = decoded("\x64\xf3\x6d", 3, INSN_64);
	assert_true(insn_io(&in, &regs, &io));
	assert_true(io.in && io.string && io.size == 4 &&
		    io.segment == INSN_ES);
	in = decoded("\x90", 1, INSN_64);
	assert_false(insn_io(&in, &regs, &io));
}

static void control_registers(void **state)
{
	struct insn_regs regs = { .rip = 0x1000 };
	struct insn_cr cr;
	struct insn in;
	uint64_t linear;

	(void)state;
	in = decoded("\x44\x0f\x20\xc0", 4, INSN_64); /* mov %cr8, %rax */
	assert_true(insn_cr(&in, &cr));
	assert_true(cr.number == 8 && cr.gpr == 0 && !cr.write);
	in = decoded("\x41\x0f\x22\xdc", 4, INSN_64); /* mov %r12, %cr3 */
	assert_true(insn_cr(&in, &cr));
	assert_true(cr.number == 3 && cr.gpr == 12 && cr.write);
	in = decoded("\xf0\x0f\x22\xc1", 4, INSN_32); /* AMD: %ecx, %cr8 */
	assert_true(insn_cr(&in, &cr));
	assert_true(cr.number == 8 && cr.gpr == 1 && cr.write);
	in = decoded("\x0f\x23\xc0", 3, INSN_64); /* a debug register */
	assert_false(insn_cr(&in, &cr));
	regs.gpr[INSN_RBX] = 0x5000;
	in = decoded("\x0f\x01\x7b\x10", 4, INSN_64);
	assert_true(insn_invlpg(&in, &regs, &linear));
	assert_int_equal(linear, 0x5010);
	in = decoded("\x0f\x01\xf8", 3, INSN_64); /* SWAPGS */
	assert_false(insn_invlpg(&in, &regs, &linear));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_processor_does),
		cmocka_unit_test(sizes_and_accesses),
		cmocka_unit_test(faults_change_nothing),
		cmocka_unit_test(rep_stops_where_it_faults),
		cmocka_unit_test(rep_comes_back),
		cmocka_unit_test(lost_exchange),
		cmocka_unit_test(legacy_modes),
		cmocka_unit_test(unsupported),
		cmocka_unit_test(ports),
		cmocka_unit_test(control_registers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * MOV CRn and INVLPG by their first four bytes: whatever the short way takes,
 * the decoder must read in the same way, and the forms of the file's header
 * must all be taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "insn/emulate.h"

static uint64_t gpr[16];

static void decode(const uint8_t *bytes, unsigned length, struct insn *in)
{
	uint8_t all[15] = { 0 };

	memcpy(all, bytes, 4);
	assert_int_equal(insn_decode(in, all, sizeof(all), INSN_64), INSN_OK);
	assert_int_equal(in->length, length);
}

/* The inline one takes what the other takes, of loads of CR3. */
static void check_load_cr3(const uint8_t *bytes)
{
	struct insn_cr cr = { 0 };
	unsigned gpr_number, wanted = insn_brief_cr(bytes, &cr);
	unsigned length = insn_brief_load_cr3(bytes, &gpr_number);

	assert_int_equal(length, cr.write && cr.number == 3 ? wanted : 0);
	if (length)
		assert_int_equal(gpr_number, cr.gpr);
}

/* Answers 1 when the bytes are taken. */
static unsigned check_cr(const uint8_t *bytes)
{
	struct insn_cr brief, full;
	unsigned length = insn_brief_cr(bytes, &brief);
	struct insn in;

	check_load_cr3(bytes);
	if (!length)
		return 0;
	decode(bytes, length, &in);
	assert_true(insn_cr(&in, &full));
	assert_int_equal(brief.number, full.number);
	assert_int_equal(brief.gpr, full.gpr);
	assert_int_equal(brief.write, full.write);
	return 1;
}

static unsigned check_invlpg(const uint8_t *bytes)
{
	uint64_t brief, full;
	unsigned length = insn_brief_invlpg(bytes, gpr, &brief);
	struct insn_regs regs = { .rip = 0x1000, .stack_bytes = 8 };
	struct insn in;

	if (!length)
		return 0;
	memcpy(regs.gpr, gpr, sizeof(gpr));
	decode(bytes, length, &in);
	assert_true(insn_invlpg(&in, &regs, &full));
	assert_true(brief == full);
	return 1;
}

static unsigned check_store(const uint8_t *bytes)
{
	uint64_t linear, value;
	unsigned length = insn_brief_store(bytes, gpr, &linear, &value);
	struct insn_regs regs = { .rip = 0x1000, .stack_bytes = 8 };
	struct insn in;

	if (!length)
		return 0;
	memcpy(regs.gpr, gpr, sizeof(gpr));
	decode(bytes, length, &in);
	assert_int_equal(in.map, INSN_MAP_ONE);
	assert_int_equal(in.opcode, 0x89);
	assert_int_equal(in.op_bytes, 8);
	assert_true(in.has_mem);
	assert_true(insn_address(&in, &regs) == linear);
	assert_true(value == gpr[in.reg]);
	return 1;
}

static unsigned each(unsigned (*check)(const uint8_t *bytes), uint8_t first,
		     uint8_t second)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < 0x10000; i++) {
		const uint8_t bytes[4] = { first, second, (uint8_t)i,
					   (uint8_t)(i >> 8) };

		taken += check(bytes);
	}
	return taken;
}

static void cr_is_read_alike(void **state)
{
	(void)state;
	/* 8 registers of each kind, 64 ModRM bytes; what follows is free. */
	assert_int_equal(each(check_cr, 0x0f, 0x20), 64 * 256);
	assert_int_equal(each(check_cr, 0x0f, 0x22), 64 * 256);
	assert_int_equal(each(check_cr, 0x41, 0x0f), 64 * 2);
	for (unsigned first = 0; first < 256; first++)
		if (first != 0x0f && first != 0x41)
			assert_int_equal(each(check_cr, (uint8_t)first, 0x0f),
					 0);
}

static void invlpg_is_read_alike(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = UINT64_C(0xffff888000000000) + i * 0x1000;
	assert_int_equal(each(check_invlpg, 0x0f, 0x01), 6 * 256);
	assert_int_equal(each(check_invlpg, 0x41, 0x0f), 6);
	for (unsigned first = 0; first < 256; first++)
		if (first != 0x0f && first != 0x41)
			assert_int_equal(
				each(check_invlpg, (uint8_t)first, 0x0f), 0);
}

static void store_is_read_alike(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = UINT64_C(0xffff888000000000) + i * 0x1000;
	for (unsigned first = 0; first < 256; first++)
		taken += each(check_store, (uint8_t)first, 0x89);
	/* Four of REX; 8 registers into 6 addresses; what follows is free. */
	assert_int_equal(taken, 4 * 8 * 6 * 256);
	assert_int_equal(each(check_store, 0x48, 0x8b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cr_is_read_alike),
		cmocka_unit_test(invlpg_is_read_alike),
		cmocka_unit_test(store_is_read_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

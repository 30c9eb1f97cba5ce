/* hv/vm/string_io.c: INS and OUTS, element by element, over page ends, in
 * both directions, and stopped by faults in the middle. */
#include "vcpu_rig.h"

#define CODE UINT64_C(0x400000)
#define DATA UINT64_C(0x600000) /* two pages */
#define DF   (UINT64_C(1) << 10)
#define TF   (UINT64_C(1) << 8)
#define UART 0x3f8
#define NONE 0xed /* reads as ones */

static const uint8_t outsb[] = { 0x6e }, rep_outsb[] = { 0xf3, 0x6e },
		     insb[] = { 0x6c }, rep_insd[] = { 0xf3, 0x6d },
		     rep_insb_32[] = { 0x67, 0xf3, 0x6c };

static int setup(void **state)
{
	rig_setup(state);
	rig_map(CODE, 0x8000 | P);
	*rig_entry(0x2000, rig_index(DATA, 2)) = 0x9000 | P | W;
	*rig_entry(0x9000, 0) = 0xa000 | P | W;
	*rig_entry(0x9000, 1) = 0xc000 | P | W;
	return 0;
}

static void happens(const uint8_t *code, unsigned size, struct exit_io io)
{
	memcpy(rig_memory(0x8000), code, size);
	io.string = true;
	rig_exit();
	rig.v->rip = CODE;
	rig.v->exit = (struct vm_exit){ .kind = EXIT_IO, .io = io };
	vcpu_exit_handlers[EXIT_IO](rig.v);
}

#define HAPPENS(code, ...)                                                     \
	happens(code, sizeof(code), (struct exit_io){ __VA_ARGS__ })

static void one_out(void **state)
{
	(void)state;
	*rig_memory(0xa005) = 'x';
	rig.v->gpr[GPR_RSI] = DATA + 5;
	rig.v->gpr[GPR_RCX] = 77; /* without REP it is not looked at */
	HAPPENS(outsb, .port = UART, .size = 1);
	assert_int_equal(rig.v->rip, CODE + 1);
	assert_int_equal(rig.v->gpr[GPR_RSI], DATA + 6);
	assert_int_equal(rig.v->gpr[GPR_RCX], 77);
	assert_int_equal(rig.printed_count, 1);
	assert_int_equal(rig.printed[0], 'x');
}

static void out_over_the_end_and_backwards(void **state)
{
	(void)state;
	memcpy(rig_memory(0xaffd), "abc", 3);
	memcpy(rig_memory(0xc000), "def", 3);
	rig.v->gpr[GPR_RSI] = DATA + 4093;
	rig.v->gpr[GPR_RCX] = 6;
	HAPPENS(rep_outsb, .port = UART, .size = 1);
	assert_int_equal(rig.v->rip, CODE + 2);
	assert_int_equal(rig.v->gpr[GPR_RCX], 0);
	assert_memory_equal(rig.printed, "abcdef", 6);
	rig.v->rflags |= DF;
	rig.v->gpr[GPR_RSI] = DATA + 4098;
	rig.v->gpr[GPR_RCX] = 6;
	HAPPENS(rep_outsb, .port = UART, .size = 1);
	assert_int_equal(rig.v->gpr[GPR_RSI], DATA + 4092);
	assert_memory_equal(rig.printed + 6, "fedcba", 6);
}

static void nothing_to_do(void **state)
{
	(void)state;
	rig.v->gpr[GPR_RSI] = 0; /* not mapped, not touched */
	rig.v->gpr[GPR_RCX] = 0;
	HAPPENS(rep_outsb, .port = UART, .size = 1);
	assert_int_equal(rig.v->rip, CODE + 2);
	assert_int_equal(rig.printed_count, 0);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

/* The guest comes back for the rest. */
static void bounded(void **state)
{
	unsigned exits = 0;

	(void)state;
	memset(rig_memory(0xa000), 0x11, 4096);
	rig.v->gpr[GPR_RDI] = DATA;
	rig.v->gpr[GPR_RCX] = 1024;
	do {
		uint64_t before = rig.v->gpr[GPR_RCX];

		HAPPENS(rep_insd, .port = NONE, .size = 4, .in = true);
		assert_true(rig.v->gpr[GPR_RCX] < before);
		assert_int_equal(rig.v->gpr[GPR_RDI],
				 DATA + 4 * (1024 - rig.v->gpr[GPR_RCX]));
		exits++;
	} while (rig.v->rip == CODE);
	assert_int_equal(rig.v->gpr[GPR_RCX], 0);
	assert_true(exits > 1);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(*rig_memory(0xa000 + i), 0xff);
}

/* A fault in the middle: what was done counts, what was not does not. */
static void fault_in_the_middle(void **state)
{
	(void)state;
	*rig_entry(0x9000, 1) = 0;
	rig.v->gpr[GPR_RDI] = DATA + 4096 - 10;
	rig.v->gpr[GPR_RCX] = 8;
	memset(rig_memory(0xaff0), 0, 16);
	HAPPENS(rep_insd, .port = NONE, .size = 4, .in = true);
	rig_raised(14, true, VMMU_PF_W);
	assert_true(rig.s.cr2 == DATA + 4096);
	assert_int_equal(rig.v->rip, CODE);
	assert_int_equal(rig.v->gpr[GPR_RCX], 6);
	assert_int_equal(rig.v->gpr[GPR_RDI], DATA + 4096 - 2);
	assert_int_equal(*rig_memory(0xaffd), 0xff);
	assert_int_equal(*rig_memory(0xaffe), 0);
	assert_int_equal(*rig_memory(0xafff), 0);
}

/* 32-bit addresses in 64-bit mode: ECX and EDI count, and are cut. */
static void address_size(void **state)
{
	(void)state;
	rig.v->gpr[GPR_RDI] = UINT64_C(0xdead00000000) + DATA;
	rig.v->gpr[GPR_RCX] = UINT64_C(0xdead00000000) + 3;
	HAPPENS(rep_insb_32, .port = NONE, .size = 1, .in = true);
	assert_int_equal(rig.v->rip, CODE + 3);
	assert_true(rig.v->gpr[GPR_RDI] == DATA + 3);
	assert_true(rig.v->gpr[GPR_RCX] == 0);
	assert_int_equal(*rig_memory(0xa002), 0xff);
	assert_int_equal(*rig_memory(0xa003), 0);
}

static void other_code(void **state)
{
	(void)state;
	rig.v->gpr[GPR_RDI] = DATA;
	HAPPENS(insb, .port = NONE, .size = 4, .in = true);
	assert_int_equal(rig.v->rip, CODE);
	HAPPENS(insb, .port = NONE, .size = 1);
	assert_int_equal(rig.v->rip, CODE);
	assert_int_equal(rig.v->gpr[GPR_RDI], DATA);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

static void single_step(void **state)
{
	(void)state;
	rig.v->rflags |= TF;
	rig.v->gpr[GPR_RDI] = DATA;
	HAPPENS(insb, .port = NONE, .size = 1, .in = true);
	rig_raised(1, false, 0);
	assert_int_equal(rig.v->rip, CODE + 1);
}

static void ends_the_machine(void **state)
{
	(void)state;
	rig.v->gpr[GPR_RSI] = DATA;
	HAPPENS(outsb, .port = 0xf4, .size = 1);
	assert_int_equal(rig.vm.end, VM_EXIT_PORT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_out),
		TEST(out_over_the_end_and_backwards),
		TEST(nothing_to_do),
		TEST(bounded),
		TEST(fault_in_the_middle),
		TEST(address_size),
		TEST(other_code),
		TEST(single_step),
		TEST(ends_the_machine),
	};

	return cmocka_run_group_tests_name("string_io", tests, NULL, NULL);
}

/*
 * hv/vm/tsc.c, by the MSRs as a guest reaches them: its TSC moves as it says,
 * and the board's time does not.
 */
#include "vcpu_rig.h"

#define TSC	    0x10u
#define TSC_ADJUST  0x3bu
#define DEADLINE    0x6e0u
#define SYSTEM_TIME 0x4b564d01u
#define PAGE	    UINT64_C(0x3000)
#define APIC	    UINT64_C(0xfee00000)
#define SECOND	    UINT64_C(1000000000)

static void msr_exit(enum exit_kind kind, uint32_t msr)
{
	rig_exit();
	rig.v->exit = (struct vm_exit){ .kind = kind, .next_rip = 2 };
	rig.v->gpr[GPR_RCX] = msr;
	vcpu_exit_handlers[kind](rig.v);
}

static void wrmsr_to(uint32_t msr, uint64_t value)
{
	rig.v->gpr[GPR_RAX] = (uint32_t)value;
	rig.v->gpr[GPR_RDX] = value >> 32;
	msr_exit(EXIT_WRMSR, msr);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

static uint64_t rdmsr_from(uint32_t msr)
{
	msr_exit(EXIT_RDMSR, msr);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
	return rig.v->gpr[GPR_RDX] << 32 | rig.v->gpr[GPR_RAX];
}

static void arm(uint64_t deadline)
{
	assert_true(board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0xf0), 4,
				     0x1ff));
	assert_true(board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0x320), 4,
				     0x40051));
	wrmsr_to(DEADLINE, deadline);
}

static uint64_t due(void)
{
	return board_deadline(&rig.vm.board);
}

static void goes_on_from_what_was_written(void **state)
{
	static const uint64_t values[] = {
		0, 1, 12345, SECOND, UINT64_C(1) << 63, UINT64_MAX
	};

	(void)state;
	rig.now = 7 * SECOND;
	rig.vm.tsc_offset = 1000;
	assert_int_equal(rdmsr_from(TSC), 7 * SECOND);
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		wrmsr_to(TSC, values[i]);
		assert_int_equal(rdmsr_from(TSC), values[i]);
		rig.now += 500;
		assert_int_equal(rdmsr_from(TSC), values[i] + 500);
		/* What RDTSC reads: host's TSC, which is now - 1000. */
		assert_int_equal(rig.now - 1000 + rig.tsc_offset,
				 values[i] + 500);
	}
}

static void adjust_moves_with_it(void **state)
{
	(void)state;
	rig.now = 100 * SECOND;
	assert_int_equal(rdmsr_from(TSC_ADJUST), 0);
	wrmsr_to(TSC, 30 * SECOND);
	assert_int_equal(rdmsr_from(TSC_ADJUST), 0 - 70 * SECOND);
	rig.now += SECOND;
	wrmsr_to(TSC_ADJUST, 5 * SECOND);
	assert_int_equal(rdmsr_from(TSC), 106 * SECOND);
	assert_int_equal(rdmsr_from(TSC_ADJUST), 5 * SECOND);
	wrmsr_to(TSC_ADJUST, 0);
	assert_int_equal(rdmsr_from(TSC), rig.now);
}

static void adjust_where_it_is_not_offered(void **state)
{
	(void)state;
	rig.vm.cpuid.row[rig.vm.cpuid.basic[7].first][1] &= ~2u;
	msr_exit(EXIT_RDMSR, TSC_ADJUST);
	rig_raised(13, true, 0);
	rig.v->raised = false;
	msr_exit(EXIT_WRMSR, TSC_ADJUST);
	rig_raised(13, true, 0);
	assert_int_equal(rig.v->tsc_adjust, 0);
	rig.v->raised = false;
	wrmsr_to(TSC, 5); /* which has always been there */
	assert_int_equal(rdmsr_from(TSC), 5);
}

/* A deadline in the vCPU's own TSC is as far away as that says. */
static void deadlines(void **state)
{
	(void)state;
	rig.now = 10 * SECOND;
	wrmsr_to(TSC, 1000);
	arm(3000);
	assert_int_equal(due(), 10 * SECOND + 2000);
	assert_int_equal(rdmsr_from(DEADLINE), 3000);
	wrmsr_to(DEADLINE, 1000); /* has come */
	assert_int_equal(due(), 10 * SECOND);
	assert_int_equal(rdmsr_from(DEADLINE), 1000);
	wrmsr_to(DEADLINE, 5);
	assert_int_equal(due(), 10 * SECOND);
	wrmsr_to(DEADLINE, 0);
	assert_int_equal(due(), UINT64_MAX);
	assert_int_equal(rdmsr_from(DEADLINE), 0);
	wrmsr_to(DEADLINE, UINT64_MAX); /* beyond the board's time */
	assert_int_equal(due(), UINT64_MAX);
	assert_int_equal(rdmsr_from(DEADLINE), UINT64_MAX);
	wrmsr_to(TSC, UINT64_MAX - 100);
	assert_int_equal(due(), 10 * SECOND + 100);
}

/* One that is armed follows the TSC that it is compared with. */
static void armed_ones_follow(void **state)
{
	(void)state;
	rig.now = 10 * SECOND;
	arm(12 * SECOND);
	assert_int_equal(due(), 12 * SECOND);
	wrmsr_to(TSC, 11 * SECOND);
	assert_int_equal(due(), 11 * SECOND);
	assert_int_equal(rdmsr_from(DEADLINE), 12 * SECOND);
	wrmsr_to(TSC, SECOND);
	assert_int_equal(due(), 21 * SECOND);
	wrmsr_to(TSC_ADJUST, 0);
	assert_int_equal(due(), 12 * SECOND);
	assert_int_equal(rdmsr_from(DEADLINE), 12 * SECOND);
	wrmsr_to(TSC, 13 * SECOND);
	assert_int_equal(due(), rig.now);
	board_tick(&rig.vm.board, rig.now);
	assert_int_equal(board_pending(&rig.vm.board, 0), 0x51);
	assert_int_equal(rdmsr_from(DEADLINE), 0);
	wrmsr_to(TSC, 0); /* it is over, and does not come back */
	assert_int_equal(due(), UINT64_MAX);
}

/* Timers that count are the board's. */
static void other_timers_stay(void **state)
{
	(void)state;
	rig.now = SECOND;
	board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0xf0), 4, 0x1ff);
	board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0x3e0), 4, 0xb);
	board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0x320), 4, 0x51);
	board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + 0x380), 4, 5000);
	assert_int_equal(due(), SECOND + 5000);
	wrmsr_to(TSC, 0);
	wrmsr_to(TSC, UINT64_MAX / 2);
	assert_int_equal(due(), SECOND + 5000);
}

/* What the guest computes from its page: arch/x86 pvclock-abi.h. */
static uint64_t kvmclock_at(uint64_t tsc)
{
	struct kvmclock_time t;

	memcpy(&t, rig_memory(PAGE), sizeof(t));
	assert_int_equal(t.version & 1, 0);
	assert_int_equal(t.flags, KVMCLOCK_TSC_STABLE);
	return t.system_time +
	       kvmclock_ns(&(struct kvmclock_rate){ t.mul, t.shift },
			   tsc - t.tsc_timestamp);
}

static void kvmclock_stays(void **state)
{
	uint32_t version;

	(void)state;
	rig.now = 50 * SECOND;
	wrmsr_to(TSC, SECOND);
	assert_int_equal(*(uint32_t *)(void *)rig_memory(PAGE), 0);
	wrmsr_to(SYSTEM_TIME, PAGE | 1);
	version = *(uint32_t *)(void *)rig_memory(PAGE);
	assert_int_equal(kvmclock_at(rdmsr_from(TSC)), 50 * SECOND);
	wrmsr_to(TSC, UINT64_MAX - 5);
	assert_int_not_equal(*(uint32_t *)(void *)rig_memory(PAGE), version);
	assert_int_equal(kvmclock_at(rdmsr_from(TSC)), 50 * SECOND);
	rig.now += SECOND;
	assert_int_equal(kvmclock_at(rdmsr_from(TSC)), 51 * SECOND);
	wrmsr_to(TSC_ADJUST, 0);
	assert_int_equal(kvmclock_at(rig.now), 51 * SECOND);
	wrmsr_to(SYSTEM_TIME, 0); /* off: nothing is written there any more */
	version = *(uint32_t *)(void *)rig_memory(PAGE);
	wrmsr_to(TSC, 9);
	assert_int_equal(*(uint32_t *)(void *)rig_memory(PAGE), version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(goes_on_from_what_was_written),
		RIG_TEST(adjust_moves_with_it),
		RIG_TEST(adjust_where_it_is_not_offered),
		RIG_TEST(deadlines),
		RIG_TEST(armed_ones_follow),
		RIG_TEST(other_timers_stay),
		RIG_TEST(kvmclock_stays),
	};

	return cmocka_run_group_tests_name("vm_tsc", tests, NULL, NULL);
}

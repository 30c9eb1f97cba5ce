/*
 * Writes its time-stamp counter, to and fro, and looks whether anything else
 * has moved. Expected: the counter goes on from what was written; the PM timer
 * and kvmclock go on from where they were; a TSC deadline is reached when the
 * counter gets there, also one that was armed before the counter moved; and
 * IA32_TSC_ADJUST, where it is offered, moves with the counter
 * (Intel SDM 3B 17.17.3, SDM 3A 11.5.4.1).
 *
 * Interrupts are off: a timer that has fired is seen in the local APIC's IRR.
 */
#include "lib.h"

#define MSR_TSC	       0x10u
#define MSR_TSC_ADJUST 0x3bu
#define MSR_DEADLINE   0x6e0u
#define MSR_KVMCLOCK   0x4b564d01u
#define LAPIC	       0xfee00000u
#define VECTOR	       0x51u
#define PM_TIMER       0x608
#define MILLION	       1000000u

/* Of kvmclock's page: Linux, arch/x86/include/asm/pvclock-abi.h. */
static struct {
	volatile uint32_t version, pad0;
	volatile uint64_t tsc, ns;
	volatile uint32_t mul;
	volatile int8_t shift;
	volatile uint8_t flags, pad[2];
} clock __attribute__((aligned(32)));

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32)), "c"(msr)
			 : "memory");
}

static void cpuid(uint32_t leaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]),
			   "=d"(regs[3])
			 : "a"(leaf), "c"(0));
}

/* (value * mul) >> 32, of which no product needs more than 64 bits. */
static uint64_t clock_ns(void)
{
	uint64_t tsc = read_tsc() - clock.tsc;

	tsc = clock.shift < 0 ? tsc >> -clock.shift : tsc << clock.shift;
	return clock.ns + (tsc >> 32) * clock.mul +
	       ((tsc & 0xffffffff) * clock.mul >> 32);
}

static bool is_near(uint64_t value, uint64_t to, uint64_t by)
{
	return value >= to && value - to < by;
}

/* Puts the counter there. How far all other clocks have gone meanwhile must be
 * little. */
static uint32_t move(const char *name, uint64_t tsc)
{
	uint32_t pm = in32(PM_TIMER), version = clock.version, failures;
	uint64_t ns = clock_ns(), read;

	write_msr(MSR_TSC, tsc);
	read = read_tsc();
	print("settsc: %s\n", name);
	failures =
		expect("RDTSC goes on from there", is_near(read, tsc, MILLION));
	failures += expect("and so does RDMSR",
			   is_near(read_msr(MSR_TSC), tsc, 10 * MILLION));
	failures += expect("the PM timer stays", in32(PM_TIMER) - pm < 100000);
	failures +=
		expect("kvmclock stays", is_near(clock_ns(), ns, 20 * MILLION));
	return failures + expect("by a new page", clock.version != version &&
							  !(clock.version & 1));
}

static bool fired(void)
{
	return *memory_at(LAPIC + 0x200 + VECTOR / 32 * 0x10) >> VECTOR % 32 &
	       1;
}

/* Waits for the timer; the counter's value when it was seen to have fired. */
static uint64_t wait(void)
{
	uint32_t pm = in32(PM_TIMER);

	while (!fired() && in32(PM_TIMER) - pm < 3000000)
		;
	return read_tsc();
}

/* Takes the interrupt out of the APIC: off and on again. */
static void arm(uint64_t deadline)
{
	*memory_at(LAPIC + 0xf0) = 0xff;
	write_msr(0x1b, read_msr(0x1b) & ~0x800ull);
	write_msr(0x1b, read_msr(0x1b) | 0x800);
	*memory_at(LAPIC + 0xf0) = 0x1ff;
	*memory_at(LAPIC + 0x320) = 0x40000 | VECTOR;
	write_msr(MSR_DEADLINE, deadline);
}

static uint32_t try_deadlines(void)
{
	uint64_t start = read_tsc();
	uint32_t failures = 0;

	arm(start + 20 * MILLION);
	failures += expect("a deadline reads back",
			   read_msr(MSR_DEADLINE) == start + 20 * MILLION);
	failures += expect("it fires when it is due",
			   is_near(wait(), start + 20 * MILLION, 50 * MILLION));
	failures += expect("and reads 0 then", read_msr(MSR_DEADLINE) == 0);

	arm(read_tsc() + (1ull << 50));
	failures += expect("a far one waits", !fired());
	write_msr(MSR_TSC, read_tsc() + (1ull << 50) - 20 * MILLION);
	start = read_tsc();
	failures += expect("until the counter is moved there",
			   !fired() && wait() - start < 80 * MILLION);

	start = read_tsc();
	arm(start + 20 * MILLION);
	write_msr(MSR_TSC, start - 100 * MILLION);
	failures += expect("a counter moved back puts it off",
			   is_near(wait(), start + 20 * MILLION, 50 * MILLION));
	return failures;
}

static uint32_t try_adjust(void)
{
	uint64_t adjust = read_msr(MSR_TSC_ADJUST), tsc = read_tsc();
	uint32_t failures = 0;

	write_msr(MSR_TSC, tsc + (1ull << 40));
	failures += expect("TSC_ADJUST moves with the counter",
			   is_near(adjust + (1ull << 40),
				   read_msr(MSR_TSC_ADJUST), MILLION));
	write_msr(MSR_TSC_ADJUST, 0);
	failures += expect("the counter moves with TSC_ADJUST",
			   is_near(read_tsc(), tsc - adjust, 10 * MILLION));
	return failures +
	       expect("which reads 0", read_msr(MSR_TSC_ADJUST) == 0);
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t failures = 0, regs[4];

	(void)info;
	write_msr(MSR_KVMCLOCK, (uint32_t)(uintptr_t)&clock | 1);
	failures += move("0", 0);
	failures += move("an hour", 3600000ull * MILLION);
	failures += move("half of all", 1ull << 63);
	failures += move("nearly the end", 0 - (1ull << 40));
	failures += move("1", 1);
	failures += try_deadlines();
	cpuid(7, regs);
	if (regs[1] & 2)
		failures += try_adjust();
	return failures;
}

/*
 * What a processor owes to an instruction that a hypervisor carries out for
 * it: a single step ends behind it (Intel SDM 3B, 17.3.1.4), HLT too; the
 * resume flag ends with it (17.3.1.1); and an NMI that came while another was
 * handled is delivered behind the IRET (SDM 3A, 6.7.1), at once and not when
 * something else happens. A timer's deadline may be any number. And what a step
 * ends in may be the shadow of STI or MOV SS. only=N of the command line tries
 * one of them; parts=7 those too that QEMU's own machine has otherwise: it
 * steps on behind a shadow, and triple-faults of INT1.
 */
#include "lib.h"

#define LAPIC	  0xfee00000
#define ICR_LOW	  (LAPIC + 0x300)
#define SELF_NMI  0x00040400 /* to itself, NMI */
#define FLAG_TF	  0x00000100u
#define FLAG_RF	  0x00010000u
#define DR6_STEP  0x00004000u
#define DR7_EXEC0 0x00000402u /* breakpoint 0: global, execution */
#define SPINS	  50000000u

#define QEMU_PARTS 5

/* What IRET takes: volatile, as the compiler does not know that. */
struct frame {
	volatile uint32_t eip, cs, eflags;
};

static volatile uint32_t hits, hit_eip, hit_dr6, nmis, nested;
static uint32_t idt[32][2];

/* Called by handlers: saves what it uses itself, which clang insists on. */
#define CALLED __attribute__((no_caller_saved_registers))

static CALLED void cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static CALLED void send_nmi(void)
{
	*memory_at(ICR_LOW) = SELF_NMI;
}

/* An exit while the guest is in its handler. */
static __attribute__((interrupt)) void debug_trap(struct frame *f)
{
	uint32_t dr6;

	__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
	hit_dr6 = dr6;
	hit_eip = f->eip;
	hits++;
	f->eflags = (f->eflags & ~FLAG_TF) | FLAG_RF;
	__asm__ volatile("mov %0, %%db6" ::"r"(0xffff0ff0));
	cpuid();
}

/* The first sends the second, which must wait until the first is over. */
static __attribute__((interrupt)) void nmi(struct frame *f)
{
	static bool inside;

	(void)f;
	nested += inside;
	inside = true;
	nmis++;
	if (nmis == 1)
		send_nmi();
	cpuid();
	inside = false;
}

static void set_gate(uint32_t vector, void (*handler)(struct frame *))
{
	uint32_t entry = (uint32_t)(uintptr_t)handler;

	idt[vector][0] = 0x08u << 16 | (entry & 0xffff);
	idt[vector][1] = (entry & 0xffff0000) | 0x8e00;
}

static void own_idt(void)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) pointer = {
		sizeof(idt) - 1,
		(uint32_t)(uintptr_t)idt,
	};

	set_gate(1, debug_trap);
	set_gate(2, nmi);
	__asm__ volatile("lidt %0" ::"m"(pointer));
}

/* TF takes effect behind the instruction that follows POPF. */
static uint32_t step_over_cpuid(void)
{
	uint32_t after;

	hits = 0;
	__asm__ volatile("movl $1f, %0\n\t"
			 "xor %%eax, %%eax\n\t"
			 "xor %%ecx, %%ecx\n\t"
			 "pushf\n\t"
			 "orl %1, (%%esp)\n\t"
			 "popf\n\t"
			 "cpuid\n"
			 "1:\tnop"
			 : "=S"(after)
			 : "i"(FLAG_TF)
			 : "eax", "ebx", "ecx", "edx", "cc", "memory");
	return expect("a step over CPUID is one trap",
		      hits == 1 && hit_dr6 & DR6_STEP) +
	       expect("the trap is behind CPUID", hit_eip == after);
}

static uint32_t step_over_hlt(void)
{
	uint32_t after;

	hits = 0;
	__asm__ volatile("movl $1f, %0\n\t"
			 "pushf\n\t"
			 "orl %1, (%%esp)\n\t"
			 "popf\n\t"
			 "hlt\n"
			 "1:\tnop"
			 : "=S"(after)
			 : "i"(FLAG_TF)
			 : "cc", "memory");
	return expect("a step over HLT goes on behind it",
		      hits == 1 && hit_eip == after);
}

/* INT1 in the shadow of a MOV SS, stepped: what a user program can do. Some
 * trap behind the MOV too; the last trap is INT1's own. */
static uint32_t step_over_int1(void)
{
	uint32_t after;

	hits = 0;
	__asm__ volatile("movl $1f, %0\n\t"
			 "mov %%ss, %%edx\n\t"
			 "pushf\n\t"
			 "orl %1, (%%esp)\n\t"
			 "popf\n\t"
			 "mov %%edx, %%ss\n\t"
			 ".byte 0xf1\n"
			 "1:\tnop"
			 : "=S"(after)
			 : "i"(FLAG_TF)
			 : "edx", "cc", "memory");
	return expect("INT1 behind MOV SS is a trap", hits && hit_eip == after);
}

/* The step over STI ends in its shadow, where interrupts are still blocked. */
static uint32_t step_over_sti(void)
{
	uint32_t after;

	hits = 0;
	__asm__ volatile("cli\n\t"
			 "movl $1f, %0\n\t"
			 "pushf\n\t"
			 "orl %1, (%%esp)\n\t"
			 "popf\n\t"
			 "sti\n"
			 "1:\tnop\n\t"
			 "cli"
			 : "=S"(after)
			 : "i"(FLAG_TF)
			 : "cc", "memory");
	return expect("a step over STI is one trap",
		      hits == 1 && hit_dr6 & DR6_STEP) +
	       expect("the trap is behind STI", hit_eip == after);
}

/* An IRET with RF set goes to CPUID; the breakpoint is on the next one. */
static uint32_t resume_over_cpuid(void)
{
	uint32_t at;

	hits = 0;
	__asm__ volatile("movl $2f, %0\n\t"
			 "mov %0, %%db0\n\t"
			 "mov %1, %%db7\n\t"
			 "pushf\n\t"
			 "orl %2, (%%esp)\n\t"
			 "push %%cs\n\t"
			 "push $1f\n\t"
			 "xor %%eax, %%eax\n\t"
			 "xor %%ecx, %%ecx\n\t"
			 "iret\n"
			 "1:\tcpuid\n"
			 "2:\tnop"
			 : "=&S"(at)
			 : "d"(DR7_EXEC0), "i"(FLAG_RF)
			 : "eax", "ebx", "ecx", "cc", "memory");
	__asm__ volatile("mov %0, %%db7" ::"r"(0x400));
	return expect("RF ends with CPUID", hits == 1 && hit_eip == at);
}

/* Nothing here exits but the NMIs themselves. */
static uint32_t nmi_behind_nmi(void)
{
	send_nmi();
	for (uint32_t i = 0; i < SPINS && nmis < 2; i++)
		__asm__ volatile("" ::: "memory");
	return expect("two NMIs, one after the other", nmis == 2 && !nested);
}

/* A deadline at the end of all time is not due now, and costs nothing. The
 * timer's mode is said first (SDM 3A, 10.5.4.1). */
static uint32_t far_deadline(void)
{
	uint64_t before;

	*memory_at(LAPIC + 0xf0) = 0x1ff;
	*memory_at(LAPIC + 0x320) = 0x40040;
	__asm__ volatile("wrmsr" ::"a"(0xfffffff0), "d"(0xffffffff),
			 "c"(0x6e0));
	before = read_tsc();
	for (uint32_t i = 0; i < 1000000; i++)
		__asm__ volatile("" ::: "memory");
	print("corner: the spin took %u ticks\n",
	      (uint32_t)(read_tsc() - before));
	return expect("a far deadline is not due",
		      !(*memory_at(LAPIC + 0x220) & 1)) +
	       expect("and takes no time", read_tsc() - before < 5000000);
}

uint32_t test_main(const struct multiboot_info *info)
{
	static uint32_t (*const part[])(void) = {
		step_over_cpuid, step_over_hlt, resume_over_cpuid,
		nmi_behind_nmi,	 far_deadline,	step_over_int1,
		step_over_sti,
	};
	uint32_t only = option(info, "only", 0), failures = 0;
	uint32_t parts = option(info, "parts", QEMU_PARTS);

	own_idt();
	for (uint32_t i = 0; i < sizeof(part) / sizeof(part[0]) && i < parts;
	     i++)
		if (!only || only == i + 1)
			failures += part[i]();
	return failures;
}

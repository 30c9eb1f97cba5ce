/*
 * Guests that cannot go on: each word of the command line is one way. The
 * hypervisor stops the guest with a sentence, and has nothing left over.
 */
#include "lib.h"

#define P_RW_U UINT64_C(0x67)

static void frame_in_hypervisor(void)
{
	return_to((const void *)HV_IMAGE);
}

static void stack_in_hypervisor(void)
{
	__asm__ volatile("movq %0, %%rsp; int3" : : "r"(HV_DIRECT + 0x8000));
}

static void stack_in_table(void)
{
	__asm__ volatile("movq %0, %%rsp; int3"
			 :
			 : "r"(start_info->pt_base + 256));
}

static void stack_nowhere(void)
{
	__asm__ volatile("movq %0, %%rsp; int3" : : "r"(UINT64_C(1) << 47));
}

static void no_handler(void)
{
	call(set_trap_table, 0);
	__asm__ volatile("ud2");
}

static void user_without_table(void)
{
	static const struct iret_frame f = { .cs = FLAT_USER_CS,
					     .ss = FLAT_USER_SS,
					     .rip = VIRT_BASE };

	return_to(&f);
}

/* A root in which the kernel is not: its next instruction faults, and there is
 * no stack to say so on. */
static void empty_root(void)
{
	const struct mmuext_op op = { .cmd = MMUEXT_NEW_BASEPTR,
				      .arg1.mfn = mfn_of(spare[3]) };

	call(update_va_mapping, spare[3],
	     mfn_of(spare[3]) * PAGE | (P_RW_U & ~2u), UVMF_INVLPG);
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
}

static void crash(void)
{
	const struct sched_shutdown s = { .reason = SHUTDOWN_crash };

	call(sched_op, SCHEDOP_shutdown, &s);
}

#define FAR_SLOT 300u /* of the root, past the hypervisor's */
#define FAR	 (UINT64_C(0xffff) << 48 | (uint64_t)FAR_SLOT << 39)

/* All entries of a page are alike, which becomes a table. */
static uint64_t fill(uint64_t *page, uint64_t entry)
{
	for (size_t i = 0; i < 512; i++)
		page[i] = entry;
	map_at(page, mfn_of(page) * PAGE | (P_RW_U & ~2u));
	return mfn_of(page) * PAGE | P_RW_U;
}

/* One request that is not done in a human's life: its list is half a terabyte
 * of addresses, which four pages are enough for. */
static void endless(void)
{
	struct multicall_entry *m = (void *)spare[3];
	uint64_t machine, entry = mfn_of(m) * PAGE | P_RW_U;

	for (size_t i = 0; i < PAGE / sizeof(*m); i++)
		m[i].op = __HYPERVISOR_xen_version;
	for (size_t level = 0; level < 3; level++)
		entry = fill((void *)spare[level], entry);
	entry_at(0, 4, &machine);
	check("a long list", update(machine + 8 * FAR_SLOT, entry) == 0);
	call(multicall, FAR, 0xffffffff);
}

/* A breakpoint on the word that an instruction writes, and a single step over
 * that instruction. A processor makes one exception of both. */
static void step_over(uint64_t at, uint64_t b)
{
	(void)b;
	__asm__ volatile("pushfq\n\t"
			 "orl $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "movq %0, (%0)\n\t"
			 "nop"
			 :
			 : "r"(at)
			 : "memory", "cc");
}

/* One that MOV SS holds back, and INT1, which is one too. */
static void held_back(uint64_t at, uint64_t b)
{
	(void)b;
	__asm__ volatile("movw (%0), %%ss\n\t"
			 ".byte 0xf1"
			 :
			 : "r"(at)
			 : "memory");
}

static void two_at_once(void (*how)(uint64_t at, uint64_t b))
{
	static volatile uint64_t word[2] __attribute__((aligned(16)));

	word[0] = FLAT_KERNEL_SS;
	call(set_debugreg, 0, word);
	call(set_debugreg, 7, 0x400 | 1 | 3u << 16 | 1u << 18);
	attempt(how, (uintptr_t)word, 0);
	call(set_debugreg, 7, 0x400);
	check("there was one debug exception", arrival.vector == 1);
	finish();
}

static void two_by_step(void)
{
	two_at_once(step_over);
}

static void two_by_int1(void)
{
	two_at_once(held_back);
}

static const struct {
	const char *word;
	void (*f)(void);
} ways[] = {
	{ "frame", frame_in_hypervisor }, { "stack", stack_in_hypervisor },
	{ "table", stack_in_table },	  { "nowhere", stack_nowhere },
	{ "handler", no_handler },	  { "user", user_without_table },
	{ "root", empty_root },		  { "crash", crash },
	{ "endless", endless },		  { "step", two_by_step },
	{ "int1", two_by_int1 },
};

void guest_main(void)
{
	handlers_init();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (told(ways[i].word))
			ways[i].f();
	check("the guest is stopped", false);
	finish();
}

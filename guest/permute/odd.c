/*
 * Writes that no page-table entry of a hypervisor's can simply allow.
 *
 *   1. CR0.WP = 0, CR4.SMAP = 1, EFLAGS.AC = 1: a supervisor writes to a user's
 *      page without W (Intel SDM 3A 4.6.1), a thousand times.
 *   2. The same by instructions of many kinds, whether an emulator knows them
 *      or not, and by the frame of an exception. Afterwards the address is
 *      flushed, and SMAP must bind as before.
 *   3. An exception's frame is pushed into what is still a page table, of a
 *      root that is not loaded.
 *
 * How long a write takes is printed.
 */
#include "permute.h"
#include "tables.h"

#define WRITES	 1000u
#define MIDDLE	 0x800u
#define EFLAGS	 2u
#define AC	 0x40000u
#define NO_AC	 1u /* of case.c's accesses: a supervisor's write */
#define UD	 6  /* vector */
#define CLOBBERS "eax", "ecx", "edx", "cc", "memory"

/* 1. A thousand. */

static void let_leaf_be(uint64_t flags)
{
	const struct entries e = {
		.upper = { .present = true, .write = true, .user = true },
		.upper_raw = chain_refer(0, chain.upper) | P | W | U | A,
		.leaf = { .present = true, .user = flags & U },
		.leaf_raw = chain_frame(0) | P | A | flags,
	};

	case_entries(&e);
}

static void without_wp(bool smap)
{
	const struct registers r = { .pse = machine.has.pse, .smap = smap };

	case_registers(&r);
}

static uint32_t many(const char *what, bool smap, uint64_t flags)
{
	uint32_t wrong = 0;
	uint64_t before;

	without_wp(smap);
	let_leaf_be(flags);
	before = read_tsc();
	for (uint32_t i = 0; i < WRITES; i++) {
		(is_long() ? probe_64 : probe_32)(
			WRITE, EFLAGS | (smap ? AC : 0), chain.address, i);
		wrong += probe.vector != VECTOR_DONE ||
			 *chain_memory(1, 0) != i;
	}
	*chain_memory(1, 0) = chain_signature(1, 0);
	print("permute: WP=0, %s: %u ticks a write\n", what,
	      (uint32_t)(read_tsc() - before) / WRITES);
	return wrong;
}

static uint32_t thousands(void)
{
	uint32_t wrong = many("a supervisor's page", false, 0) +
			 many("a user's page", false, U);

	if (machine.has.smap)
		wrong += many("SMAP, a supervisor's page", true, 0) +
			 many("SMAP, a user's page", true, U);
	return wrong;
}

/* 2. Kinds of instructions, in 32-bit code. */

#define KIND(name, text)                                                       \
	static void name(uint8_t *at)                                          \
	{                                                                      \
		__asm__ volatile(text ::"D"(at) : CLOBBERS);                   \
	}
#define ON_STACK(text)                                                         \
	"mov %%esp, %%edx; mov %0, %%esp;" text "mov %%edx, %%esp"

KIND(mov, "movl $0x11223344, (%0); movb $7, 9(%0)")
KIND(add, "addl $5, (%0); lock incl 4(%0)")
KIND(xchg, "mov $3, %%eax; xchg %%eax, (%0)")
KIND(bts, "lock btsl $9, (%0); setc 8(%0)")
KIND(cmpxchg8b, "push %%ebx; mov (%0), %%eax; mov 4(%0), %%edx;"
		"mov $1, %%ebx; mov $2, %%ecx; lock cmpxchg8b (%0); pop %%ebx")
KIND(stos, "push %0; mov $16, %%ecx; mov $0x55aa, %%eax; rep stosl; pop %0")
KIND(movs, "push %%esi; push %0; lea -256(%0), %%esi; mov $16, %%ecx;"
	   "rep movsl; pop %0; pop %%esi")
KIND(push, ON_STACK("mov $9, %%eax; push $0x1234; push %%ax; push %%eax;"))
KIND(call, ON_STACK("call 1f; 1:"))
KIND(enter, "push %%ebp; mov %%esp, %%edx; xor %%ebp, %%ebp; mov %0, %%esp;"
	    "enter $16, $0; mov %%edx, %%esp; pop %%ebp")
KIND(fnsave, "fninit; fnstcw (%0); fnsave 16(%0)")
KIND(fxsave, "fninit; fxsave (%0)")
KIND(sgdt, "sgdt (%0); sidt 8(%0); smsw 16(%0); lmsw 16(%0); sldt 20(%0)")
KIND(shld, "mov $-1, %%eax; shldl $4, %%eax, (%0)")

static uint8_t *stack_at;

/* guarded() brings us back from it. */
static void fault_on_stack(void)
{
	__asm__ volatile("mov %0, %%esp; ud2" ::"r"(stack_at));
}

static void exception(uint8_t *at)
{
	stack_at = at;
	guarded(fault_on_stack);
}

static const struct {
	const char *name;
	void (*run)(uint8_t *at);
} kinds[] = {
	{ "MOV", mov },
	{ "ADD", add },
	{ "XCHG", xchg },
	{ "BTS", bts },
	{ "CMPXCHG8B", cmpxchg8b },
	{ "STOS", stos },
	{ "MOVS", movs },
	{ "PUSH", push },
	{ "CALL", call },
	{ "ENTER", enter },
	{ "FNSAVE", fnsave },
	{ "FXSAVE", fxsave },
	{ "SGDT", sgdt },
	{ "SHLD", shld },
	{ "an exception", exception },
};

static void with_ac(void (*run)(uint8_t *at), uint32_t page)
{
	__asm__ volatile("push %0; popf" ::"r"(EFLAGS | AC) : "cc", "memory");
	run((uint8_t *)(uintptr_t)(page + MIDDLE));
	__asm__ volatile("push %0; popf" ::"r"(EFLAGS) : "cc", "memory");
}

/* The signature and what ring 3 runs lie before. */
static void clear(unsigned frame)
{
	for (unsigned i = MIDDLE / 8; i < 1024; i++)
		chain_memory(1, frame)[i] = i * 0x01010101u;
}

static bool same(void)
{
	for (unsigned i = MIDDLE / 8; i < 1024; i++)
		if (chain_memory(1, 0)[i] != chain_memory(1, 1)[i])
			return false;
	return true;
}

/* With D set before, the entry is the same after it: the flush alone counts. */
static void try_kind(unsigned n, struct count *count)
{
	let_leaf_be(U | D);
	clear(0);
	clear(1);
	with_ac(kinds[n].run, chain_frame(1));
	with_ac(kinds[n].run, (uint32_t)chain.address);
	count->cases++;
	if (!same()) {
		print("permute: %s wrote something else\n", kinds[n].name);
		count->wrong++;
	}
	let_leaf_be(U | D);
	case_one(NO_AC, count);
}

/* 3. A table as a stack. */

static void table_as_stack(struct count *count)
{
	uint32_t table = (uint32_t)chain_refer(1, machine.levels);
	uint32_t *top = (uint32_t *)(uintptr_t)(table + MIDDLE);

	load_root(1);
	(is_long() ? probe_64 : probe_32)(READ, EFLAGS | AC, chain.address, 0);
	load_root(0);
	stack_at = (uint8_t *)top;
	count->cases++;
	if (guarded(fault_on_stack) == UD &&
	    *memory_at(table + MIDDLE - 8) == 8)
		return;
	print("permute: an exception on a table\n");
	count->wrong++;
}

void odd_all(struct count *count)
{
	struct count c = { .cases = 4 * WRITES };

	chain_begin(2, false);
	c.wrong += thousands();
	if (machine.has.smap && !is_long()) {
		without_wp(true);
		for (unsigned n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
			try_kind(n, &c);
	}
	if (machine.levels == 3)
		table_as_stack(&c);
	print("permute: odd writes: %u cases, %u wrong\n", c.cases, c.wrong);
	count->cases += c.cases;
	count->wrong += c.wrong;
}

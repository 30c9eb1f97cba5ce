/*
 * Hypercalls that the hypervisor has a short way for: each leaves the guest's
 * registers as it must and shows none of the hypervisor's, and each does the
 * same, or refuses the same, as the long way. What is asked for in another form
 * (a place for a count, two in a list) goes the long way, here beside.
 */
#include "lib.h"

#define P_RO	     UINT64_C(0x61)
#define P_RW	     UINT64_C(0x63)
#define P_U	     UINT64_C(4)
#define PS	     UINT64_C(0x80)
#define NOT_MAPPED   (VIRT_BASE + 0x3f000000)
#define NO_ADDRESS   UINT64_C(0x0000900000000000)
#define SEGBASE_NONE 7

/* All that a hypercall takes and leaves, in the order of the assembly. */
struct registers {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9;
	uint64_t rbx, rbp, r12, r13, r14, r15;
};

#define KEEP(offset, reg) "movq %" #reg ", " #offset "(%rsi)\n\t"
__asm__(".globl whole_call\n"
	"whole_call:\n\t" /* (struct registers in, struct registers out) */
	"pushq	%r15\n\t"
	"pushq	%r14\n\t"
	"pushq	%r13\n\t"
	"pushq	%r12\n\t"
	"pushq	%rbp\n\t"
	"pushq	%rbx\n\t"
	"pushq	%rsi\n\t"
	"movq	0(%rdi), %rax\n\t"
	"movq	16(%rdi), %rsi\n\t"
	"movq	24(%rdi), %rdx\n\t"
	"movq	32(%rdi), %r10\n\t"
	"movq	40(%rdi), %r8\n\t"
	"movq	48(%rdi), %r9\n\t"
	"movq	56(%rdi), %rbx\n\t"
	"movq	64(%rdi), %rbp\n\t"
	"movq	72(%rdi), %r12\n\t"
	"movq	80(%rdi), %r13\n\t"
	"movq	88(%rdi), %r14\n\t"
	"movq	96(%rdi), %r15\n\t"
	"movq	8(%rdi), %rdi\n\t"
	"syscall\n\t"
	"pushq	%rsi\n\t"
	"movq	8(%rsp), %rsi\n\t"
	"popq	16(%rsi)\n\t" KEEP(0, rax) KEEP(8, rdi) KEEP(24, rdx)
		KEEP(32, r10) KEEP(40, r8) KEEP(48, r9) KEEP(56, rbx)
			KEEP(64, rbp) KEEP(72, r12) KEEP(80, r13) KEEP(88, r14)
				KEEP(96, r15) "popq	%rsi\n\t"
					      "popq	%rbx\n\t"
					      "popq	%rbp\n\t"
					      "popq	%r12\n\t"
					      "popq	%r13\n\t"
					      "popq	%r14\n\t"
					      "popq	%r15\n\t"
					      "ret\n");
void whole_call(const struct registers *in, struct registers *out);

/* An argument's register may be lost, but shows nothing then. */
static bool is_clean(uint64_t now, uint64_t was)
{
	return now == was || !now;
}

/* 1. One hypercall with what it leaves of the registers. */
static long made(unsigned n, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		 bool *clean)
{
	const struct registers in = { n,     a1,    a2,	   a3,	  a4,
				      0x105, 0x106, 0x107, 0x108, 0x109,
				      0x10a, 0x10b, 0x10c };
	struct registers out = { 0 };

	whole_call(&in, &out);
	*clean = *clean && is_clean(out.rdi, in.rdi) &&
		 is_clean(out.rsi, in.rsi) && is_clean(out.rdx, in.rdx) &&
		 is_clean(out.r10, in.r10) && out.r8 == in.r8 &&
		 out.r9 == in.r9 && out.rbx == in.rbx && out.rbp == in.rbp &&
		 out.r12 == in.r12 && out.r13 == in.r13 && out.r14 == in.r14 &&
		 out.r15 == in.r15;
	return (long)out.rax;
}

/* The same request as the only one and as the first of two. */
static void same_answer(const char *name, unsigned n, const void *one,
			const void *two, long answer)
{
	uint32_t done = 5;
	bool clean = true;
	long first = made(n, (uintptr_t)one, 1, 0, DOMID_SELF, &clean);
	long other = made(n, (uintptr_t)two, 2, (uintptr_t)&done, DOMID_SELF,
			  &clean);

	if (first != answer || other != answer) {
		say_number((uint64_t)-first);
		say_number((uint64_t)-other);
	}
	check(name, clean && first == answer && other == answer &&
			    done == (answer ? 0 : 2));
}

/* 2. mmu_update. */

static void one_update(const char *name, uint64_t at, uint64_t value,
		       long answer)
{
	const struct mmu_update u[2] = { { at, value }, { at, value } };

	same_answer(name, __HYPERVISOR_mmu_update, &u[0], u, answer);
}

static void updates(void)
{
	uint64_t l1, l2, l4, machine = mfn_of(spare[3]) * PAGE;
	uint64_t *entry = entry_at((uintptr_t)spare[3], 1, &l1);

	entry_at((uintptr_t)spare[3], 2, &l2);
	entry_at(0, 4, &l4);
	one_update("an entry of a leaf table", l1, machine | P_RO, 0);
	check("is changed", (*entry & 0xfff) == (P_RO | P_U));
	one_update("one that keeps A and D", l1 | MMU_PT_UPDATE_PRESERVE_AD,
		   machine | (P_RW & ~UINT64_C(0x60)), 0);
	check("has kept them", (*entry & 0x63) == 0x63);
	one_update("a word of a page of data", machine + 8, 42, 0);
	check("is written", ((volatile uint64_t *)spare[3])[1] == 42);
	one_update("a page of cache", l1, machine | P_RW | 0x10, -XEN_EINVAL);
	one_update("a frame that is none", l1, UINT64_C(1) << 45 | P_RW,
		   -XEN_EINVAL);
	one_update("the hypervisor's frame", l1, 0x100000 | P_RW, -XEN_EPERM);
	one_update("an entry of the hypervisor's", 0x100000, 0, -XEN_EPERM);
	one_update("a table, writable", l1, (l1 & ~UINT64_C(0xfff)) | P_RW,
		   -XEN_EINVAL);
	one_update("a large page", l2, machine | P_RW | PS, -XEN_EINVAL);
	one_update("half an entry", l1 + 4, 0, -XEN_ENOSYS);
	one_update("the hypervisor's slot", l4 + 256 * 8, 0, -XEN_EPERM);
	check("nothing of that is done",
	      (*entry & ~UINT64_C(0x60)) == (machine | 7));
}

/* A request, of which the second half is where nobody can read it. */
static void half_lists(void)
{
	struct mmu_update *u = (void *)(spare[3] + PAGE - 8);
	struct mmuext_op *op = (void *)(spare[3] + PAGE - 8);
	uint64_t l1;
	bool clean = true;

	entry_at((uintptr_t)spare[4], 1, &l1);
	u->ptr = l1;
	check("a page is taken out",
	      call(update_va_mapping, spare[4], 0, UVMF_INVLPG) == 0);
	check("half an update", made(__HYPERVISOR_mmu_update, (uintptr_t)u, 1,
				     0, DOMID_SELF, &clean) == -XEN_EFAULT &&
					clean);
	op->cmd = MMUEXT_INVLPG_LOCAL;
	check("half an operation",
	      made(__HYPERVISOR_mmuext_op, (uintptr_t)op, 1, 0, DOMID_SELF,
		   &clean) == -XEN_EFAULT &&
		      clean);
	op->cmd = MMUEXT_NEW_BASEPTR;
	check("half of two", made(__HYPERVISOR_mmuext_op, (uintptr_t)op, 2, 0,
				  DOMID_SELF, &clean) == -XEN_EFAULT &&
				     clean);
	check("it is put in again",
	      call(update_va_mapping, spare[4], mfn_of(spare[4]) * PAGE | P_RW,
		   UVMF_INVLPG) == 0);
}

/* 3. mmuext_op. */

static long two_roots(uint64_t kernel, uint64_t user, bool *clean)
{
	const struct mmuext_op op[2] = {
		{ .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = kernel },
		{ .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = user },
	};

	return made(__HYPERVISOR_mmuext_op, (uintptr_t)op, 2, 0, DOMID_SELF,
		    clean);
}

/* A root that has all of the first one's. */
static uint64_t another_root(void *page)
{
	const uint64_t *from = entry_at(0, 4, &(uint64_t){ 0 });
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE };
	uint64_t *to = page;

	for (unsigned i = 0; i < 512; i++)
		to[i] = i >= 256 && i < 272 ? 0 : from[i];
	op.arg1.mfn = mfn_of(page);
	if (call(update_va_mapping, page, mfn_of(page) * PAGE | P_RO,
		 UVMF_INVLPG) ||
	    call(mmuext_op, &op, 1, 0, DOMID_SELF))
		return 0;
	return mfn_of(page);
}

static void roots(void)
{
	uint64_t machine, first, a, b;
	bool clean = true;

	entry_at(0, 4, &machine);
	first = machine / PAGE;
	a = another_root(spare[5]);
	b = another_root(spare[6]);
	check("two more roots", a && b);
	check("there was no user root", two_roots(a, b, &clean) == 0);
	check("to and fro", two_roots(first, b, &clean) == 0 &&
				    two_roots(b, first, &clean) == 0 &&
				    two_roots(a, b, &clean) == 0 && clean);
	check("a page of data for either",
	      two_roots(a, mfn_of(spare[7]), &clean) == -XEN_EINVAL &&
		      two_roots(mfn_of(spare[7]), b, &clean) == -XEN_EINVAL);
	check("a leaf table for the kernel's",
	      (entry_at((uintptr_t)spare[0], 1, &machine),
	       two_roots(machine / PAGE, b, &clean)) == -XEN_EINVAL);
	check("the hypervisor's",
	      two_roots(0x100, b, &clean) == -XEN_EPERM &&
		      two_roots(a, 0x100, &clean) == -XEN_EPERM);
	check("no registers were lost", clean);
	check("and back", two_roots(first, b, &clean) == 0);
}

static void operations(void)
{
	const struct mmuext_op op[2] = {
		{ .cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = HV_DIRECT },
		{ .cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = NO_ADDRESS }
	};
	const struct mmuext_op no[2] = { { .cmd = 99 }, { .cmd = 99 } };

	same_answer("an INVLPG of what is not its own", __HYPERVISOR_mmuext_op,
		    &op[1], op, 0);
	same_answer("no such operation", __HYPERVISOR_mmuext_op, no, no,
		    -XEN_ENOSYS);
}

/* 4. Segment bases and the stack. */

static uint64_t at_fs(void)
{
	uint64_t word;

	__asm__ volatile("movq %%fs:0, %0" : "=r"(word));
	return word;
}

static void bases(void)
{
	static const uint64_t word = 0x5afe;
	const uint64_t bad[] = { NO_ADDRESS, UINT64_C(0xffff7fffffffffff),
				 UINT64_C(1) << 63 };
	bool clean = true, refused = true;

	check("a base of FS", made(__HYPERVISOR_set_segment_base, SEGBASE_FS,
				   (uintptr_t)&word, 0, 0, &clean) == 0 &&
				      at_fs() == word);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned which = 0; which < 3; which++)
			refused = refused &&
				  made(__HYPERVISOR_set_segment_base, which,
				       bad[i], 0, 0, &clean) == -XEN_EINVAL;
	check("one that is no address", refused && at_fs() == word);
	check("of a user's GS",
	      made(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER,
		   (uintptr_t)&word, 0, 0, &clean) == 0);
	check("of no segment",
	      made(__HYPERVISOR_set_segment_base, SEGBASE_NONE,
		   (uintptr_t)&word, 0, 0, &clean) == -XEN_EINVAL);
	check("a stack", made(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS,
			      (uintptr_t)spare[1], 0, 0, &clean) == 0);
	check("no registers were lost", clean);
}

void guest_main(void)
{
	handlers_init();
	updates();
	half_lists();
	operations();
	bases();
	roots();
	finish();
}

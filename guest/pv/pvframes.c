/*
 * Frames: where the hypervisor is told to go on, and on which stack. IRET to
 * its code, with its segments, to addresses that are none; callbacks and
 * handlers there; modes that a guest may not have.
 */
#include "lib.h"

#define OUR_CS	  0xe008 /* the hypervisor's segments, by their numbers */
#define OUR_SS	  0xe010
#define OUR_TSS	  0xe040
#define IOPL_3	  UINT64_C(0x3000)
#define FLAG_VM	  UINT64_C(0x20000)
#define FLAG_NT	  UINT64_C(0x4000)
#define FLAG_IF	  UINT64_C(0x200)
#define VECTOR_PF 14
#define LOWER_END (UINT64_C(1) << 47)
#define P_R_U	  UINT64_C(0x65)
#define VECTOR_GP 13

static struct iret_frame frame;
static uint64_t seen_flags;

static void landed(void)
{
	__asm__ volatile("pushfq; popq %0" : "=r"(seen_flags));
	__asm__ volatile("int3");
}

static void reset(void)
{
	frame = (struct iret_frame){
		.rip = (uintptr_t)landed,
		.cs = FLAT_KERNEL_CS & ~3u,
		.rflags = FLAG_IF | 2,
		.rsp = (uintptr_t)spare[15] + 4088,
		.ss = FLAT_KERNEL_SS,
	};
}

static void go(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	return_to(&frame);
}

/* Where the return ended. */
static uint64_t try(void)
{
	return attempt(go, 0, 0) ? arrival.vector : 0;
}

/* A real processor refuses the IRET; QEMU's goes there and faults then. */
static bool nowhere(uint64_t rip)
{
	uint64_t vector = try();

	return vector == ARRIVED_FAILSAFE ||
	       ((vector == VECTOR_GP || vector == VECTOR_PF) &&
		arrival.rip == rip);
}

static void returns(void)
{
	reset();
	check("a return that is good", try() == 3);
	reset();
	frame.rflags |= IOPL_3 | FLAG_VM;
	check("IOPL and VM are not taken over",
	      try() == 3 && !(seen_flags & (IOPL_3 | FLAG_VM)));
	reset();
	frame.rflags &= ~FLAG_IF;
	check("interrupts stay on whatever it says",
	      try() == 3 && (seen_flags & FLAG_IF) &&
		      !(arrival.rflags & FLAG_IF));
	call(xen_version, XENVER_version);

	reset();
	frame.rip = HV_IMAGE;
	check("to the hypervisor's code: #PF at it",
	      try() == VECTOR_PF && arrival.rip == HV_IMAGE);
	reset();
	frame.rip = UINT64_C(0x0000800000000000);
	check("to an address that is none", nowhere(frame.rip));
	reset();
	frame.rip = UINT64_C(0x8000000000000000);
	frame.flags = VGCF_in_syscall;
	check("to one by SYSRET", nowhere(frame.rip));
	reset();
	frame.cs = OUR_CS;
	check("with the hypervisor's code segment", try() == ARRIVED_FAILSAFE);
	reset();
	frame.cs = OUR_TSS;
	check("with its TSS for a code segment", try() == ARRIVED_FAILSAFE);
	reset();
	frame.cs = 0;
	check("with no code segment", try() == ARRIVED_FAILSAFE);
	reset();
	frame.cs = 0xfff8;
	check("with one beyond the table", try() == ARRIVED_FAILSAFE);
	reset();
	frame.ss = OUR_SS;
	check("with the hypervisor's stack segment", try() == ARRIVED_FAILSAFE);
	reset();
	frame.ss = 0x60; /* of the guest's own table, and not there */
	check("with a stack segment that is not there",
	      try() == ARRIVED_FAILSAFE);
	reset();
	frame.cs = 0x0c; /* of the LDT, which is empty */
	check("with a segment of an empty LDT", try() == ARRIVED_FAILSAFE);
}

static uint64_t fill(uint64_t *page, uint64_t entry)
{
	for (size_t i = 0; i < 512; i++)
		page[i] = entry;
	map_at(page, mfn_of(page) * PAGE | P_R_U);
	return mfn_of(page) * PAGE | P_R_U;
}

/* SYSCALL in the last two bytes below the hole: where it returns to is none,
 * and SYSRET would say so in ring 0, on this guest's stack (XSA-7). */
static void at_the_end(void)
{
	uint64_t machine, entry;

	spare[0][PAGE - 2] = 0x0f;
	spare[0][PAGE - 1] = 0x05;
	entry = mfn_of(spare[0]) * PAGE | P_R_U;
	for (size_t level = 1; level < 4; level++)
		entry = fill((void *)spare[level], entry);
	entry_at(0, 4, &machine);
	check("a page at the end of the lower half",
	      update(machine + 8 * 255, entry) == 0);
	reset();
	frame.rax = __HYPERVISOR_xen_version;
	frame.rip = LOWER_END - 2;
	try();
	check("SYSCALL there",
	      arrival.vector == ARRIVED_FAILSAFE || arrival.rip == LOWER_END);
}

static long callback(unsigned type, uint64_t at)
{
	const struct callback_register r = { .type = (uint16_t)type,
					     .address = at };

	return call(callback_op, CALLBACKOP_register, &r);
}

static long trap(unsigned vector, uint64_t at)
{
	const struct trap_info t[2] = {
		{ .vector = (uint8_t)vector, .cs = OUR_CS, .address = at }
	};

	return call(set_trap_table, t);
}

static void breakpoint(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("int3");
}

static void handlers(void)
{
	check("a callback at an address that is none",
	      callback(CALLBACKTYPE_event, UINT64_C(1) << 63) < 0 &&
		      callback(CALLBACKTYPE_failsafe, UINT64_C(1) << 47) < 0 &&
		      callback(CALLBACKTYPE_syscall, UINT64_C(1) << 62) < 0);
	check("a callback of a kind that there is not",
	      callback(77, VIRT_BASE) < 0);
	check("a handler at an address that is none",
	      trap(3, UINT64_C(1) << 63) < 0);
	/* It may be named: what is there is not the guest's to execute. */
	trap(3, HV_IMAGE);
	check("a handler in the hypervisor: #PF at it",
	      attempt(breakpoint, 0, 0) && arrival.vector == VECTOR_PF &&
		      arrival.rip == HV_IMAGE);
	handlers_init();
	check("a handler with the hypervisor's segment has the guest's",
	      trap(3, 0) == 0 && attempt(breakpoint, 0, 0) &&
		      arrival.vector == 3 &&
		      (arrival.cs & 0xffff) == (FLAT_KERNEL_CS & ~3u));
}

static void soft(uint64_t vector, uint64_t b)
{
	(void)b;
	if (vector == 0x30)
		__asm__ volatile("int $0x30");
	else if (vector == 14)
		__asm__ volatile("int $14");
	else if (vector == 0xff)
		__asm__ volatile("int $0xff");
	else
		__asm__ volatile("int $2");
}

/* INT n for vectors that the host has interrupts on: the guest's own table
 * says DPL 0, so #GP. */
static void software_interrupts(void)
{
	static const uint8_t vectors[] = { 2, 14, 0x30, 0xff };

	for (unsigned i = 0; i < sizeof(vectors); i++)
		check("INT n of the host's own",
		      attempt(soft, vectors[i], 0) &&
			      arrival.vector == VECTOR_GP &&
			      arrival.error == vectors[i] * 8u + 2);
}

/* Delivery with the stack at a place where nothing may be written ends the
 * guest (pvkill.c); to where it may, it is aligned. */
static void stacks(void)
{
	reset();
	frame.rsp -= 5;
	check("an odd stack", try() == 3 && arrival.rsp % 16 != 0);
}

void guest_main(void)
{
	handlers_init();
	returns();
	at_the_end();
	handlers();
	software_interrupts();
	stacks();
	finish();
}

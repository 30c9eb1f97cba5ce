/*
 * Rings at random, by a seed: "seed=N count=N". Each step makes a state that
 * ring 3 can make (selectors, descriptors, flags, breakpoints, bases, stacks,
 * handlers of all kinds, an event that waits) and returns into it, to one
 * instruction that leads out again, as the guest's user or as its kernel.
 *
 * Whatever the processor makes of that, it is the hypervisor that has to take
 * it: the guest checks that it is still there, and that all ways were gone.
 * Left out is only what ends this guest by its own will: a kernel's stack that
 * cannot be written.
 */
#include "lib.h"

#define P_RW_U	   UINT64_C(0x67)
#define P_R_U	   UINT64_C(0x65)
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define SHARED	   ((volatile struct shared_info *)(void *)spare[14])
#define CODE_SPACE 128u
#define VECTORS	   0x103u

static uint64_t seed, seen[VECTORS];
static uint64_t gdt_at, hole_leaf, ipi_port;
/* What of rflags may be: single steps, or breakpoints, but not both, which QEMU
 * makes two exceptions of (pvkill.c). */
static uint64_t flags;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

static uint64_t number(const char *word, uint64_t value)
{
	const char *at = (const char *)start_info->cmd_line;

	for (; *at; at++) {
		size_t n = 0;

		while (word[n] && at[n] == word[n])
			n++;
		if (word[n])
			continue;
		for (at += n, value = 0; *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (uint64_t)(*at - '0');
		return value;
	}
	return value;
}

/* 1. The stage: tables, of which all low addresses lead to the page of code. */

static uint64_t fill(uint64_t *page, uint64_t entry)
{
	for (size_t i = 0; i < 512; i++)
		page[i] = entry;
	map_at(page, mfn_of(page) * PAGE | P_R_U);
	return mfn_of(page) * PAGE | P_RW_U;
}

static void stage(void)
{
	uint64_t entry = mfn_of(spare[3]) * PAGE | P_R_U, machine, mfn;
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };
	bool good;

	for (size_t level = 0; level < 3; level++)
		entry = fill((void *)spare[level], entry);
	entry_at(0, 4, &machine);
	good = update(machine, entry) == 0;
	mfn = machine / PAGE;
	good = good && mmuext(MMUEXT_NEW_USER_BASEPTR, mfn) == 0;
	fill((void *)spare[4], 0);
	fill((void *)spare[5], 0);
	gdt_at = mfn_of(spare[4]) * PAGE;
	mfn = mfn_of(spare[4]);
	good = good && call(set_gdt, &mfn, 512) == 0;
	good = good && map_at(spare[14], start_info->shared_info | P_RW_U) == 0;
	entry_at((uintptr_t)spare[11], 1, &hole_leaf);
	good = good && map_at(spare[11], 0) == 0;
	call(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
	ipi_port = ipi.port;
	check("the stage", good && ipi_port);
}

/* 2. A state. */

/* Of code and data in all sizes, and of what is none of a guest's. */
static uint64_t some_descriptor(void)
{
	static const uint64_t kinds[] = {
		UINT64_C(0x00affb000000ffff), /* code, 64-bit */
		UINT64_C(0x00cffb000000ffff), /* code, 32-bit */
		UINT64_C(0x000ffb000000ffff), /* code, 16-bit */
		UINT64_C(0x00afff000000ffff), /* code, conforming */
		UINT64_C(0x00cff3000000ffff), /* data */
		UINT64_C(0x000ff3000000ffff), /* data, 16-bit */
		UINT64_C(0x00cff7000000ffff), /* data, expanding down */
		UINT64_C(0x00cff1000000ffff), /* data, read-only */
		UINT64_C(0x00af9b000000ffff), /* code of ring 0 */
		UINT64_C(0x8000ec00e0080000), /* a call gate */
		UINT64_C(0x0000890000000067), /* a TSS */
		0,
	};
	uint64_t d = kinds[below(COUNT(kinds))];

	if (below(6) == 0)
		d ^= UINT64_C(1) << 47; /* not present */
	if (below(6) == 0)
		d ^= UINT64_C(1) << (16 + below(48));
	return d;
}

static uint16_t some_selector(void)
{
	static const uint16_t theirs[] = { 0,	   3,	   0xe008, 0xe00b,
					   0xe010, 0xe040, 0xe050, 0xe060,
					   0xfff8, 0xdff8 };

	switch (below(4)) {
	case 0:
		return theirs[below(COUNT(theirs))];
	case 1:
		return (uint16_t)any();
	default:
		return (uint16_t)(below(16) << 3 | below(8));
	}
}

static uint64_t some_place(void)
{
	static const uint64_t places[] = {
		HV_IMAGE,
		HV_DIRECT,
		HV_LAST,
		UINT64_C(1) << 47,
		(UINT64_C(1) << 47) - 2,
		UINT64_C(1) << 63,
		~UINT64_C(0),
		UINT64_C(1) << 40,
	};

	switch (below(4)) {
	case 0:
		return places[below(COUNT(places))];
	case 1:
		return (uintptr_t)spare[11] + 8 * below(512); /* not there */
	case 2:
		return start_info->pt_base + 2048; /* not to be written */
	default:
		return (uintptr_t)spare[8] + 512 + below(3000);
	}
}

static void set_descriptors(void)
{
	const struct mmuext_op ldt = { .cmd = MMUEXT_SET_LDT,
				       .arg1.linear_addr = (uintptr_t)spare[5],
				       .arg2.nr_ents =
					       (unsigned)below(2) * 16 };

	call(update_descriptor, gdt_at + 8 * below(16), some_descriptor());
	call(update_descriptor, mfn_of(spare[5]) * PAGE + 8 * below(16),
	     some_descriptor());
	call(mmuext_op, &ldt, 1, 0, DOMID_SELF);
	if (below(8) == 0)
		call(set_segment_base, SEGBASE_GS_USER_SEL, some_selector());
	else
		call(set_segment_base, below(4), some_place());
}

/* Where an event waits, all handlers hold events off, or it would come to this
 * guest's own code. */
static void set_handlers(bool masks)
{
	static const uint8_t vectors[] = { 1, 3, 6, 7, 11, 13, 14, 0x80 };
	static const uint16_t types[] = { CALLBACKTYPE_syscall,
					  CALLBACKTYPE_failsafe };
	extern const uint8_t stubs[];
	struct trap_info t[2] = { { 0 } };
	void on_failsafe(void);
	void on_syscall(void);

	for (size_t i = 0; i < COUNT(vectors) + 4; i++) {
		t[0].vector = i < COUNT(vectors) ? vectors[i] : (uint8_t)any();
		t[0].flags = (uint8_t)(below(4) | (masks ? 4 : below(2) * 4));
		t[0].address = (uintptr_t)stubs + 16 * t[0].vector;
		call(set_trap_table, t);
	}
	for (size_t i = 0; i < COUNT(types); i++) {
		const struct callback_register r = {
			.type = types[i],
			.flags = masks || below(2) ? CALLBACKF_mask_events : 0,
			.address = (uintptr_t)(i ? on_failsafe : on_syscall),
		};

		call(callback_op, CALLBACKOP_register, &r);
	}
	call(stack_switch, FLAT_KERNEL_SS,
	     (uintptr_t)spare[6] + PAGE - below(64));
}

/* On the code, on data, and on the stack's words that the hypervisor writes. */
static void set_breakpoints(void)
{
	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t kinds[] = { 0, 1, 3, 1 };
		const uint64_t at[] = {
			(uintptr_t)spare[3] + below(CODE_SPACE),
			(uintptr_t)spare[8] + below(512) * 8,
			(uintptr_t)spare[7] + PAGE - 8 * below(9),
			(uintptr_t)spare[6] + PAGE - 128 + 8 * below(9),
		};
		unsigned which = (unsigned)below(4), kind = kinds[which];

		call(set_debugreg, i, at[which]);
		if (below(3) == 0)
			call(set_debugreg, 7,
			     1u << (2 * i) | kind << (16 + 4 * i) |
				     (kind ? below(2) * 2 : 0) << (18 + 4 * i));
	}
}

/* 3. The way out. */

static uint8_t *out;

static void put(uint64_t bytes, unsigned count)
{
	for (; count; count--, bytes >>= 8)
		*out++ = (uint8_t)bytes;
}

/* mov $imm64: RAX is 0, RCX 1, RDX 2, RSI 6, RDI 7. */
static void put_register(unsigned n, uint64_t value)
{
	put(0x48 | (uint64_t)(0xb8 + n) << 8, 2);
	put(value, 8);
}

static void put_prologue(void)
{
	static const uint8_t segments[] = { 0, 3, 4, 5, 2 };

	if (below(4) == 0) { /* push imm32; popfq */
		put(0x68, 1);
		put(any() & flags, 4);
		put(0x9d, 1);
	}
	if (below(4) == 0) { /* WRFSBASE, WRGSBASE of rax */
		put_register(0, some_place());
		put(UINT64_C(0xd0ae0f48f3) | below(2) << 35, 5);
	}
	if (below(3) == 0) { /* mov to a segment, SS the last */
		put_register(0, some_selector());
		put(0xc08e | (uint64_t)segments[below(5)] << 11, 2);
	}
}

/* Bytes as they lie. */
static const struct {
	uint32_t bytes;
	uint8_t count, user; /* of the user's alone */
} ways_out[] = {
	{ 0x050f, 2, 0 },   { 0x340f, 2, 0 },	{ 0x070f48, 3, 0 },
	{ 0xcc, 1, 0 },	    { 0xf1, 1, 0 },	{ 0x0b0f, 2, 0 },
	{ 0x80cd, 2, 0 },   { 0x02cd, 2, 0 },	{ 0x0ecd, 2, 0 },
	{ 0x01cd, 2, 0 },   { 0x08cd, 2, 0 },	{ 0xfa, 1, 0 },
	{ 0xfb, 1, 0 },	    { 0x060f, 2, 0 },	{ 0x080f, 2, 0 },
	{ 0xcf48, 2, 1 },   { 0xcb48, 2, 1 },	{ 0xcb, 1, 1 },
	{ 0xc0200f, 3, 0 }, { 0xd8200f, 3, 0 }, { 0xe0220f, 3, 0 },
	{ 0xc0220f, 3, 0 }, { 0xd8220f, 3, 0 }, { 0xf8210f, 3, 0 },
	{ 0xf8230f, 3, 0 }, { 0x300f, 2, 0 },	{ 0x320f, 2, 0 },
	{ 0xd1010f, 3, 0 }, { 0xf8010f, 3, 0 }, { 0x16010f, 3, 0 },
	{ 0x1e010f, 3, 0 }, { 0xd8000f, 3, 0 }, { 0xd0000f, 3, 0 },
	{ 0x61e4, 2, 0 },   { 0x80e6, 2, 0 },	{ 0xec, 1, 0 },
	{ 0xef, 1, 0 },	    { 0x6c, 1, 0 },	{ 0x068b48, 3, 0 },
	{ 0x068948, 3, 0 }, { 0x068748, 3, 0 }, { 0xab48f3, 3, 0 },
	{ 0xa448f3, 3, 0 }, { 0xeed9, 2, 0 },	{ 0xc0570f, 3, 0 },
	{ 0xf1f748, 3, 0 }, { 0xd6ff, 2, 1 },	{ 0x2eff48, 3, 1 },
	{ 0x32010f, 3, 0 }, { 0x38010f, 3, 0 }, { 0xf4, 1, 1 },
};

static uint64_t some_msr(void)
{
	static const uint32_t msrs[] = { 0x1b,	     0x10,	 0x277,
					 0x174,	     0xc0000080, 0xc0000081,
					 0xc0000082, 0xc0000084, 0xc0000100,
					 0xc0000101, 0xc0000102, 0xc0000103 };

	return below(4) ? msrs[below(COUNT(msrs))] : (uint32_t)any();
}

/* A store may be to the entry of a page that nobody needs. */
static uint64_t some_target(void)
{
	if (below(4))
		return some_place();
	return (uintptr_t)entry_at((uintptr_t)spare[11], 1, &(uint64_t){ 0 });
}

static uint64_t make_code(bool user)
{
	uint64_t at;
	unsigned way;

	do
		way = (unsigned)below(COUNT(ways_out));
	while (ways_out[way].user && !user);
	for (size_t i = 0; i < PAGE; i++)
		spare[3][i] = spare[8][i] = 0xcc; /* INT3 */
	out = &spare[3][below(CODE_SPACE / 2)];
	at = (uintptr_t)out;
	put_register(6, some_target());
	put_register(7, some_target());
	put_register(2, below(2) ? 0x3f8 : some_place() << 16);
	/* REP is not for so long that it leaves its page, or meets the entry of
	 * one that is needed. */
	put_register(1, (uint8_t)ways_out[way].bytes == 0xf3 ? below(4)
							     : some_msr());
	if (below(2))
		put_prologue();
	/* A kernel's hypercall is none that takes it elsewhere. */
	if (ways_out[way].bytes == 0x050f && !user)
		put_register(0, below(2) ? __HYPERVISOR_xen_version
					 : 64 + below(99));
	if (below(8) == 0)
		put(0x67 - below(2), 1); /* of address or operand size */
	put(ways_out[way].bytes, ways_out[way].count);
	return at;
}

/* 4. One step. */

static struct iret_frame frame;

static void make_frame(bool user, uint64_t rip)
{
	frame = (struct iret_frame){
		.rax = any(),
		.flags = below(2) ? VGCF_in_syscall : 0,
		.rip = below(12) ? rip : some_place(),
		.cs = user ? FLAT_USER_CS : FLAT_KERNEL_CS & ~3u,
		.rflags = below(2) ? 0x202 : any() & flags,
		.rsp = (uintptr_t)spare[user ? 7 : 15] + PAGE - below(40),
		.ss = FLAT_USER_SS,
	};
	if (below(6) == 0)
		frame.ss = some_selector();
	if (!user) {
		if (below(8) == 0)
			frame.cs = below(2) ? 0xe008 : 0xe040;
		return;
	}
	if (below(6) == 0)
		frame.rsp = some_place();
	if (below(4) == 0) {
		frame.cs = (below(2) ? FLAT_USER_CS32 : some_selector()) | 3u;
		/* Where 32 and 16 bits reach. */
		frame.rip = PAGE + (rip & (PAGE - 1));
		frame.rsp = below(2) ? frame.rsp : below(1u << 16);
	}
}

static void go(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	return_to(&frame);
}

static void raise_event(void)
{
	const struct evtchn_send s = { .port = (evtchn_port_t)ipi_port };

	call(event_channel_op, EVTCHNOP_send, &s);
}

static void step(void)
{
	bool user = below(5) < 3, event = below(4) == 0, stop = below(2);

	flags = stop ? 0x3f7ed7 : 0x3f7fd7;
	SHARED->vcpu_info[0].evtchn_upcall_mask = 1;
	set_descriptors();
	set_handlers(event);
	make_frame(user, make_code(user));
	if (below(3) == 0)
		call(fpu_taskswitch, 1);
	if (event)
		raise_event();
	if (stop)
		set_breakpoints();
	attempt(go, 0, 0);
	SHARED->vcpu_info[0].evtchn_upcall_mask = 1;
	call(set_debugreg, 7, 0x400);
	SHARED->vcpu_info[0].evtchn_upcall_pending = 0;
	SHARED->vcpu_info[0].evtchn_pending_sel = 0;
	SHARED->evtchn_pending[ipi_port / 64] = 0;
	update(hole_leaf, 0);
	if (arrival.vector < VECTORS)
		seen[arrival.vector]++;
}

void guest_main(void)
{
	static const uint16_t all[] = { 0,  1,	3,    6,     7,	    11,
					13, 14, 0x80, 0x100, 0x101, 0x102 };
	uint64_t count = number("count=", 1000);
	bool good = true;

	seed = number("seed=", 1) * UINT64_C(0x9e3779b97f4a7c15);
	handlers_init();
	stage();
	for (uint64_t i = 0; i < count; i++)
		step();
	handlers_init();
	check("it is still there", call(xen_version, XENVER_version) > 0);
	for (size_t i = 0; i < COUNT(all); i++)
		if (!seen[all[i]]) {
			say_number(all[i]);
			good = false;
		}
	check("all ways were gone", good);
	finish();
}

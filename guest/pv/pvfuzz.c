/*
 * Random hypercalls, by a seed: "seed=N count=N". Each has arguments of the
 * right kind out of a small stock of good and of bad ones, or is a trapped
 * write, or a touch of a page that may not be there. Left out is only what
 * would end this guest by its own will: its code, its stack, the root it runs
 * on, shutting down, waiting for ever.
 *
 * All that the guest checks is that it is still there; whether all is well is
 * for the hypervisor's audit and for a second VM to say.
 */
#include "lib.h"

#define P_RW_U	  UINT64_C(0x67)
#define P_R_U	  UINT64_C(0x65)
#define FOREIGN	  64
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define LIST_MOST 6

static uint64_t seed, foreign[FOREIGN];
static size_t foreign_count;
static uint64_t calls, good, own_first, own_last;
/* Machine addresses of the tables of the start by level, and of the entries of
 * the stock's pages: M2P, by which they are found, will not be what it was. */
static uint64_t table_at[5], leaf_at[SPARE_PAGES];
static const volatile uint64_t *leaf[SPARE_PAGES];

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

/* 1. Stocks. */

static uint64_t number(const char *word)
{
	const char *at = (const char *)start_info->cmd_line;
	uint64_t value = 0;

	for (; *at; at++) {
		size_t n = 0;

		while (word[n] && at[n] == word[n])
			n++;
		if (word[n])
			continue;
		for (at += n; *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (uint64_t)(*at - '0');
		return value;
	}
	return 1;
}

static void find_foreign(void)
{
	struct xen_machphys_mapping map;
	const uint64_t *m2p, *p2m = (const void *)start_info->mfn_list;

	own_first = own_last = p2m[0];
	for (uint64_t gfn = 0; gfn < start_info->nr_pages; gfn++) {
		own_first = p2m[gfn] < own_first ? p2m[gfn] : own_first;
		own_last = p2m[gfn] > own_last ? p2m[gfn] : own_last;
	}
	call(memory_op, XENMEM_machphys_mapping, &map);
	m2p = (const void *)map.v_start;
	for (uint64_t mfn = 0; mfn <= map.max_mfn; mfn++)
		if (m2p[mfn] != ~UINT64_C(0) &&
		    (m2p[mfn] >= start_info->nr_pages || p2m[m2p[mfn]] != mfn))
			foreign[foreign_count++ % FOREIGN] = mfn;
	for (size_t i = foreign_count; i < FOREIGN; i++)
		foreign[i] = own_last + 2 + i;
}

static void find_tables(void)
{
	for (unsigned level = 2; level <= 4; level++) {
		entry_at(VIRT_BASE, level, &table_at[level]);
		table_at[level] &= ~UINT64_C(0xfff);
	}
	for (size_t i = 0; i < SPARE_PAGES; i++)
		leaf[i] = entry_at((uintptr_t)spare[i], 1, &leaf_at[i]);
}

static uint8_t *some_page(void)
{
	return spare[below(SPARE_PAGES)];
}

static void *some_table(void)
{
	return (void *)(start_info->pt_base +
			below(start_info->nr_pt_frames) * PAGE);
}

/* One that is none of this guest's, or it would meet its own code. */
static uint64_t strange(uint64_t mfn)
{
	return mfn - own_first <= own_last - own_first ? foreign[0] : mfn;
}

static uint64_t some_frame(void)
{
	switch (below(12)) {
	case 0:
		/* Under shadow they can be mapped writable, and would be. */
		return own_first ? mfn_of(some_table()) : foreign[0];
	case 1:
		return foreign[below(FOREIGN)];
	case 2:
		return strange(below(0x400)); /* the hypervisor's */
	case 3:
		return strange(any() >> below(64));
	case 4:
		return start_info->shared_info / PAGE;
	case 5:
		return strange(UINT64_C(1) << below(64));
	default:
		return mfn_of(some_page());
	}
}

/* What is answered there may be longer than a page's rest. */
static uint64_t some_address(void)
{
	switch (below(10)) {
	case 0:
		return HV_IMAGE + below(1 << 22);
	case 1:
		return HV_LAST - below(64);
	case 2:
		return any();
	case 3:
		return (UINT64_C(1) << 47) - below(16);
	case 4:
		return (uintptr_t)some_table() + below(4096);
	case 5:
		return (uintptr_t)spare[below(SPARE_PAGES - 2)] + 4096 -
		       below(64);
	default:
		return (uintptr_t)spare[below(SPARE_PAGES - 2)] +
		       (below(512) << 3);
	}
}

/* Where an entry may be changed that does not map this guest's own code. */
static uint64_t some_entry_at(void)
{
	static const uint16_t slots[] = { 0, 1, 255, 256, 264, 271, 272, 510 };

	switch (below(8)) {
	case 0:
		return table_at[4] + 8 * slots[below(8)];
	case 1:
		return table_at[3] + 8 * below(510);
	case 2:
		return table_at[2] + 8 * (16 + below(496));
	case 3:
		return any() & 1
			       ? foreign[below(FOREIGN)] * PAGE + 8 * below(512)
			       : strange(UINT64_C(1) << below(52)) * PAGE;
	case 4:
	case 5:
		return mfn_of(some_page()) * PAGE + 8 * below(512) +
		       (below(16) ? 0 : below(8));
	default:
		return leaf_at[below(SPARE_PAGES)];
	}
}

static uint64_t some_entry(void)
{
	uint64_t flags = below(2) ? P_RW_U : P_R_U;

	switch (below(10)) {
	case 0:
		return 0;
	case 1:
		return strange(any() / PAGE) * PAGE | below(4096);
	case 2:
		flags |= UINT64_C(1) << (below(2) ? below(12) : 40 + below(24));
		break;
	case 3:
		flags = any() & 0xfff;
		break;
	}
	return some_frame() * PAGE | flags;
}

/* 2. Requests: each fills the arguments of one hypercall. */

static uint8_t stock[8192] __attribute__((aligned(4096)));
static size_t stock_used;

/* Memory for a structure, good for one call and those within it. */
static void *memory(size_t size)
{
	void *at = &stock[stock_used];

	stock_used += (size + 7) / 8 * 8;
	return at;
}

/* The same, or now and then a bad place for it. */
static uint64_t place(const void *at)
{
	return below(24) ? (uintptr_t)at : some_address();
}

static uint64_t domain(void)
{
	return below(24) ? DOMID_SELF : any() >> below(64);
}

static uint64_t count_of(uint64_t n)
{
	return below(32) ? n : any() >> below(64);
}

static void updates(struct multicall_entry *m)
{
	uint64_t n = 1 + below(LIST_MOST);
	struct mmu_update *u = memory(n * sizeof(*u));
	uint32_t *done = memory(8);

	for (uint64_t i = 0; i < n; i++) {
		u[i].ptr = some_entry_at() | (below(4) ? 0 : below(8));
		u[i].val = u[i].ptr & 1 ? below(0x10000) : some_entry();
	}
	m->op = __HYPERVISOR_mmu_update;
	m->args[0] = place(u);
	m->args[1] = count_of(n);
	m->args[2] = below(2) ? 0 : place(done);
	m->args[3] = domain();
	/* As many as there are, or the rest of the stock would be entries. */
	if (m->args[1] > n && m->args[0] == (uintptr_t)u)
		m->args[1] |= 0x80000000;
}

static void update_va(struct multicall_entry *m)
{
	m->op = __HYPERVISOR_update_va_mapping;
	m->args[0] = below(8) ? (uintptr_t)some_page()
			      : HV_IMAGE + (any() & 0x7ffffffff000);
	m->args[1] = some_entry();
	m->args[2] = below(16);
}

static void operations(struct multicall_entry *m)
{
	uint64_t n = 1 + below(LIST_MOST);
	struct mmuext_op *op = memory(n * sizeof(*op));

	for (uint64_t i = 0; i < n; i++) {
		op[i].cmd = below(20) ? (unsigned)below(19) : (unsigned)any();
		op[i].arg1.mfn = some_frame();
		op[i].arg2.src_mfn = some_frame();
		if (op[i].cmd == MMUEXT_SET_LDT) {
			op[i].arg1.linear_addr = some_address() &
						 ~(uint64_t)(below(2) * 4095);
			op[i].arg2.nr_ents = (unsigned)below(2048);
		} else if (op[i].cmd == MMUEXT_NEW_BASEPTR) {
			/* One that it can run on, or none at all. */
			op[i].arg1.mfn =
				below(2) ? mfn_of((void *)start_info->pt_base)
					 : foreign[below(FOREIGN)];
		} else if (op[i].cmd == MMUEXT_CLEAR_PAGE ||
			   op[i].cmd == MMUEXT_COPY_PAGE) {
			op[i].arg1.mfn = below(2) ? mfn_of(some_page())
						  : strange(below(0x400));
		}
	}
	m->op = __HYPERVISOR_mmuext_op;
	m->args[0] = place(op);
	m->args[1] = n;
	m->args[2] = below(2) ? 0 : place(memory(8));
	m->args[3] = domain();
}

static void reservation(struct multicall_entry *m)
{
	struct xen_memory_reservation *r = memory(sizeof(*r));
	uint64_t *list = memory(8 * LIST_MOST);
	/* Under shadow what was given up can be mapped, and ends the guest
	 * when it is touched. */
	bool up = !own_first || below(2);

	for (size_t i = 0; i < LIST_MOST; i++)
		list[i] = up ? gfn_of(some_page()) + (below(8) ? 0 : any())
			     : some_frame();
	*r = (struct xen_memory_reservation){
		.extent_start = { (void *)place(list) },
		.nr_extents = count_of(below(LIST_MOST)),
		.extent_order = below(16) ? 0 : (unsigned)below(64),
		.domid = below(16) ? DOMID_SELF : (domid_t)any(),
	};
	/* The list has an end. */
	if (r->nr_extents > LIST_MOST)
		r->nr_extents |= UINT64_C(1) << 40;
	m->op = __HYPERVISOR_memory_op;
	m->args[0] = up ? XENMEM_populate_physmap : XENMEM_decrease_reservation;
	m->args[1] = place(r);
}

static void memory_other(struct multicall_entry *m)
{
	m->op = __HYPERVISOR_memory_op;
	m->args[0] = 2 + below(30);
	if (m->args[0] == XENMEM_populate_physmap)
		m->args[0] = XENMEM_memory_map;
	m->args[1] = some_address();
}

static void descriptors(struct multicall_entry *m)
{
	uint64_t *list = memory(8 * 14);

	if (below(2)) {
		m->op = __HYPERVISOR_update_descriptor;
		m->args[0] = mfn_of(some_page()) * PAGE + 8 * below(512);
		if (below(4) == 0)
			m->args[0] = some_entry_at();
		m->args[1] = any() & any();
		return;
	}
	for (size_t i = 0; i < 14; i++)
		list[i] = some_frame();
	m->op = __HYPERVISOR_set_gdt;
	m->args[0] = place(list);
	m->args[1] = below(16) ? below(7200) : any();
}

static void traps(struct multicall_entry *m)
{
	struct trap_info *t = memory(4 * sizeof(*t));

	for (size_t i = 0; i < 3; i++)
		t[i] = (struct trap_info){ .vector =
						   (uint8_t)(0x90 + below(96)),
					   .flags = (uint8_t)any(),
					   .cs = (uint16_t)any(),
					   .address = some_address() };
	t[3].address = 0;
	m->op = __HYPERVISOR_set_trap_table;
	m->args[0] = place(t);
	if (m->args[0] - VIRT_BASE < start_info->nr_pages * PAGE)
		m->args[0] = (uintptr_t)t; /* not what is anywhere else */
}

static void callbacks(struct multicall_entry *m)
{
	struct callback_register *r = memory(sizeof(*r));

	*r = (struct callback_register){
		.type = (uint16_t)(below(4) ? CALLBACKTYPE_nmi : 8 + below(99)),
		.flags = (uint16_t)any(),
		.address = some_address(),
	};
	m->op = __HYPERVISOR_callback_op;
	m->args[0] = below(3);
	m->args[1] = (uintptr_t)r;
}

static void events(struct multicall_entry *m)
{
	uint32_t *words = memory(64);

	for (size_t i = 0; i < 6; i++)
		words[i] = below(4) ? (uint32_t)below(64) : (uint32_t)any();
	m->op = __HYPERVISOR_event_channel_op;
	m->args[0] = below(16);
	m->args[1] = place(words);
}

static void vcpus(struct multicall_entry *m)
{
	uint64_t *words = memory(64);

	words[0] = below(2) ? any() : some_address();
	words[1] = any() & 1;
	m->op = __HYPERVISOR_vcpu_op;
	m->args[0] = below(16);
	m->args[1] = below(8) ? 0 : any();
	m->args[2] = place(words);
	/* Its words stay where they are: nobody else's memory has them. */
	if (m->args[0] == VCPUOP_register_vcpu_info) {
		words[0] = own_first ? mfn_of(some_table()) : foreign[0];
		m->args[2] = (uintptr_t)words;
	}
}

static void versions(struct multicall_entry *m)
{
	m->op = __HYPERVISOR_xen_version;
	m->args[0] = below(12);
	m->args[1] = some_address();
}

static void the_rest(struct multicall_entry *m)
{
	static const uint8_t ops[] = {
		__HYPERVISOR_stack_switch,
		__HYPERVISOR_fpu_taskswitch,
		__HYPERVISOR_set_segment_base,
		__HYPERVISOR_vm_assist,
		__HYPERVISOR_physdev_op,
		__HYPERVISOR_set_timer_op,
		__HYPERVISOR_get_debugreg,
		__HYPERVISOR_grant_table_op,
		__HYPERVISOR_platform_op,
		__HYPERVISOR_domctl,
		__HYPERVISOR_sched_op,
		__HYPERVISOR_set_debugreg,
		__HYPERVISOR_console_io,
		40,
		55,
		63,
	};

	m->op = ops[below(COUNT(ops))];
	for (size_t i = 0; i < 5; i++)
		m->args[i] = below(2) ? below(16) : some_address();
	if (m->op == __HYPERVISOR_sched_op && m->args[0] < 3)
		m->args[0] = SCHEDOP_yield;
	if (m->op == __HYPERVISOR_console_io)
		m->args[0] = 1 + below(3);
	if (m->op == __HYPERVISOR_set_debugreg)
		m->args[1] &= ~UINT64_C(0xff); /* none that is on */
	if (m->op == __HYPERVISOR_fpu_taskswitch)
		m->args[0] = 0;
}

static void (*const makers[])(struct multicall_entry *m) = {
	updates,     updates,	  updates,	updates,    update_va,
	update_va,   update_va,	  operations,	operations, operations,
	reservation, descriptors, memory_other, traps,	    callbacks,
	events,	     vcpus,	  versions,	the_rest,
};

static void make(struct multicall_entry *m)
{
	for (size_t i = 0; i < 6; i++)
		m->args[i] = 0;
	makers[below(COUNT(makers))](m);
}

/* 3. One step. */

static void many(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	uint64_t n = 1 + below(LIST_MOST);
	struct multicall_entry *list = memory(n * sizeof(*list));

	for (uint64_t i = 0; i < n; i++)
		make(&list[i]);
	calls++;
	/* Zeros would be calls of set_trap_table. */
	good += call(multicall, below(24) ? (uintptr_t)list : HV_IMAGE, n) == 0;
}

static void one(uint64_t a, uint64_t b)
{
	struct multicall_entry m;

	(void)a, (void)b;
	make(&m);
	calls++;
	good += call5((unsigned)m.op, m.args[0], m.args[1], m.args[2],
		      m.args[3], m.args[4]) >= 0;
}

static void store(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

static void exchange(uint64_t at, uint64_t value)
{
	__asm__ volatile("xchgq %0, (%1)" : "+r"(value) : "r"(at) : "memory");
}

static void take_rights(uint64_t at, uint64_t value)
{
	(void)value;
	__asm__ volatile("lock andb $0xfd, (%0)" : : "r"(at) : "memory");
}

/* Is it a table of the start, which maps this guest's own code? */
static bool is_ours(uint64_t mfn)
{
	const uint8_t *table = (const void *)start_info->pt_base;

	for (size_t i = 0; i < start_info->nr_pt_frames; i++)
		if (mfn_of(table + i * PAGE) == mfn)
			return true;
	return false;
}

static uint64_t frame_at(size_t page)
{
	return (*leaf[page] & UINT64_C(0x000ffffffffff000)) / PAGE;
}

/* Of a page that may be a table, data, or nothing. */
static void touch(void)
{
	static void (*const ways[])(uint64_t, uint64_t) = { store, exchange,
							    take_rights };
	uint64_t page = below(SPARE_PAGES);
	uint64_t at = (uintptr_t)spare[page] + 8 * below(512);
	const struct mmuext_op op = { .cmd = MMUEXT_INVLPG_LOCAL,
				      .arg1.linear_addr = at };

	/* Before that it may still be what it was. */
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
	if (!is_ours(frame_at(page)))
		attempt(ways[below(3)], at, below(2) ? some_entry() : 0);
}

/* As it was: mapped where it belongs, so that the stock does not run dry. */
static void put_back(uint64_t a, uint64_t b)
{
	uint8_t *page = some_page();
	uint64_t frame = gfn_of(page);
	struct xen_memory_reservation r = { .extent_start = { &frame },
					    .nr_extents = 1,
					    .domid = DOMID_SELF };
	const struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE,
				      .arg1.mfn = mfn_of(page) };
	uint64_t *p2m = (void *)start_info->mfn_list;

	(void)a, (void)b;
	if (call(memory_op, XENMEM_populate_physmap, &r) == 1)
		p2m[gfn_of(page)] = frame;
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
	call(update_va_mapping, page, mfn_of(page) * PAGE | P_RW_U,
	     UVMF_INVLPG);
}

/* A table as a kernel makes one, and what it leads to. */
static void make_table(uint64_t a, uint64_t b)
{
	uint8_t *page = some_page();
	uint64_t mfn = mfn_of(page);
	struct mmuext_op op = { .cmd = (unsigned)below(4), .arg1.mfn = mfn };

	(void)a, (void)b;
	for (size_t i = 0; i < SPARE_PAGES; i++)
		if (frame_at(i) == mfn)
			update(leaf_at[i], mfn * PAGE | P_R_U);
	for (uint64_t i = below(4); i; i--)
		update(mfn * PAGE + 8 * below(512),
		       mfn_of(some_page()) * PAGE |
			       (below(4) ? P_R_U : P_RW_U));
	call(update_va_mapping, page, mfn * PAGE | P_R_U, UVMF_INVLPG);
	if (below(2))
		op.cmd = MMUEXT_PIN_L1_TABLE;
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
}

/* Now and then all that was linked is let go, or tables would soon be tables
 * for ever, and refusals all that is left. */
static void let_go(uint64_t a, uint64_t b)
{
	static const uint16_t slots[] = { 0, 1, 255, 272, 510 };
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR };

	(void)a, (void)b;
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
	op = (struct mmuext_op){ .cmd = MMUEXT_SET_LDT };
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
	call(set_gdt, &op, 0);
	for (size_t i = 0; i < COUNT(slots); i++)
		update(table_at[4] + 8 * slots[i], 0);
	for (uint64_t i = 0; i < 510; i++)
		update(table_at[3] + 8 * i, 0);
	for (uint64_t i = 16; i < 512; i++)
		update(table_at[2] + 8 * i, 0);
	for (size_t i = 0; i < SPARE_PAGES; i++)
		update(leaf_at[i], 0);
	op.cmd = MMUEXT_UNPIN_TABLE;
	for (size_t i = 0; i < SPARE_PAGES; i++) {
		op.arg1.mfn = mfn_of(spare[i]);
		call(mmuext_op, &op, 1, 0, DOMID_SELF);
	}
	op.cmd = MMUEXT_TLB_FLUSH_LOCAL;
	call(mmuext_op, &op, 1, 0, DOMID_SELF);
}

static void refill(uint64_t page, uint64_t b)
{
	uint64_t *word = (void *)spare[page];

	(void)b;
	for (unsigned i = 0; i < 512; i++)
		word[i] = 0;
}

/* The shared page is in the stock of frames, so events may come. */
static void step(uint64_t n)
{
	stock_used = 0;
	if (n % 1000 == 999) {
		attempt(let_go, 0, 0);
		for (size_t i = 0; i < 4 * SPARE_PAGES; i++)
			attempt(put_back, 0, 0);
		for (size_t i = 0; i < SPARE_PAGES; i++)
			if (!is_ours(frame_at(i)))
				attempt(refill, i, 0);
		return;
	}
	switch (below(10)) {
	case 0:
		touch();
		break;
	case 1:
		attempt(put_back, 0, 0);
		break;
	case 2:
		attempt(many, 0, 0);
		break;
	case 3:
		attempt(make_table, 0, 0);
		break;
	default:
		attempt(one, 0, 0);
	}
}

void guest_main(void)
{
	uint64_t count = number("count=");

	seed = number("seed=") * UINT64_C(0x9e3779b97f4a7c15);
	handlers_init();
	find_foreign();
	find_tables();
	for (uint64_t i = 0; i < count; i++)
		step(i);
	say("calls ");
	say_number(calls);
	say(" good ");
	say_number(good);
	say("\n");
	check("it is still there", true);
	check("some calls were good, some refused",
	      good > calls / 20 && good < calls - calls / 20);
	finish();
}

/*
 * Guest handles: every hypercall that takes an address is given the
 * hypervisor's own memory, the table that is only to be read, addresses that
 * are none, and ranges that begin well and end there. Each answers with an
 * error, and none has written.
 */
#include "lib.h"

#define LOWER_END UINT64_C(0x0000800000000000)

/* Addresses, none of which a guest may name. */
static const uint64_t bad[] = {
	HV_IMAGE,
	HV_DIRECT,
	HV_DIRECT + 0x200000,
	HV_LAST,
	LOWER_END,
	LOWER_END - 4,
	~UINT64_C(7),
	~UINT64_C(0),
	UINT64_C(0x1234000000000000),
	VIRT_BASE + 0x3f000000, /* the guest's half, and nothing there */
};
#define COUNT (sizeof(bad) / sizeof(bad[0]))

/* `take` answers what the hypercall with this address said. */
static void all_refused(const char *name, long (*take)(uint64_t at))
{
	bool good = true;

	for (size_t i = 0; i < COUNT; i++) {
		long result = take(bad[i]);

		if (result >= 0) {
			say_number(bad[i]);
			say_number((uint64_t)result);
			good = false;
		}
	}
	check(name, good);
}

static long trap_table(uint64_t at)
{
	return call(set_trap_table, at);
}

static long mmu_update(uint64_t at)
{
	return call(mmu_update, at, 1, 0, DOMID_SELF);
}

/* The request is good, the place for the count of what was done is not. */
static long mmu_update_done(uint64_t at)
{
	static struct mmu_update u;

	return call(mmu_update, &u, 0, at, DOMID_SELF);
}

static long mmuext_at(uint64_t at)
{
	return call(mmuext_op, at, 1, 0, DOMID_SELF);
}

static long mmuext_done(uint64_t at)
{
	return call(mmuext_op, 0, 0, at, DOMID_SELF);
}

static long multicall(uint64_t at)
{
	return call(multicall, at, 1);
}

static long multicall_many(uint64_t at)
{
	return call(multicall, at, 0xffffffff);
}

static long set_gdt(uint64_t at)
{
	return call(set_gdt, at, 512);
}

static long set_ldt(uint64_t at)
{
	struct mmuext_op op = { .cmd = MMUEXT_SET_LDT,
				.arg1.linear_addr = at & ~(PAGE - 1),
				.arg2.nr_ents = 16 };

	return call(mmuext_op, &op, 1, 0, DOMID_SELF);
}

static long features(uint64_t at)
{
	return call(xen_version, XENVER_get_features, at);
}

static long extraversion(uint64_t at)
{
	return call(xen_version, XENVER_extraversion, at);
}

static long capabilities(uint64_t at)
{
	return call(xen_version, XENVER_capabilities, at);
}

static long compile_info(uint64_t at)
{
	return call(xen_version, XENVER_compile_info, at);
}

static long machphys(uint64_t at)
{
	return call(memory_op, XENMEM_machphys_mapping, at);
}

static long memory_map(uint64_t at)
{
	return call(memory_op, XENMEM_memory_map, at);
}

static long memory_map_buffer(uint64_t at)
{
	struct xen_memory_map map = { .nr_entries = 8,
				      .buffer = { (void *)at } };

	return call(memory_op, XENMEM_memory_map, &map);
}

static long reservation(uint64_t at)
{
	return call(memory_op, XENMEM_decrease_reservation, at);
}

/* Answers how many extents were done: none is as good as an error. */
static long extents(uint64_t at)
{
	struct xen_memory_reservation r = { .extent_start = { (void *)at },
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return call(memory_op, XENMEM_decrease_reservation, &r) - 1;
}

static long callback(uint64_t at)
{
	return call(callback_op, CALLBACKOP_register, at);
}

static long console(uint64_t at)
{
	long result = call(console_io, CONSOLEIO_write, 64, at);

	/* What cannot be read is not written, whatever the answer. */
	return result ? result : -1;
}

static long vcpu_info(uint64_t at)
{
	return call(vcpu_op, VCPUOP_register_vcpu_info, 0, at);
}

static long runstate(uint64_t at)
{
	return call(vcpu_op, VCPUOP_get_runstate_info, 0, at);
}

static long singleshot(uint64_t at)
{
	return call(vcpu_op, VCPUOP_set_singleshot_timer, 0, at);
}

static long time_area(uint64_t at)
{
	struct vcpu_register_time_memory_area area = { .addr.p = at };

	return call(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &area);
}

static long bind_virq(uint64_t at)
{
	return call(event_channel_op, EVTCHNOP_bind_virq, at);
}

static long send(uint64_t at)
{
	return call(event_channel_op, EVTCHNOP_send, at);
}

static long shut_down(uint64_t at)
{
	return call(sched_op, SCHEDOP_shutdown, at);
}

static const struct {
	const char *name;
	long (*take)(uint64_t at);
} calls[] = {
	{ "set_trap_table", trap_table },
	{ "mmu_update: list", mmu_update },
	{ "mmu_update: count of what is done", mmu_update_done },
	{ "mmuext_op: list", mmuext_at },
	{ "mmuext_op: count of what is done", mmuext_done },
	{ "multicall: list", multicall },
	{ "multicall: more than there is memory", multicall_many },
	{ "set_gdt: list", set_gdt },
	{ "SET_LDT: table", set_ldt },
	{ "get_features", features },
	{ "extraversion", extraversion },
	{ "capabilities", capabilities },
	{ "compile_info", compile_info },
	{ "machphys_mapping", machphys },
	{ "memory_map", memory_map },
	{ "memory_map: buffer", memory_map_buffer },
	{ "decrease_reservation", reservation },
	{ "decrease_reservation: list", extents },
	{ "callback_op", callback },
	{ "console_io", console },
	{ "register_vcpu_info", vcpu_info },
	{ "get_runstate_info", runstate },
	{ "set_singleshot_timer", singleshot },
	{ "register_time_memory_area", time_area },
	{ "bind_virq", bind_virq },
	{ "evtchn send", send },
	{ "shutdown", shut_down },
};

/* Where a guest reads and may not write: its own page tables, the M2P. */
static void read_only_memory(void)
{
	struct xen_machphys_mapping map;
	uint64_t before, *table = (void *)start_info->pt_base;

	call(memory_op, XENMEM_machphys_mapping, &map);
	before = *table;
	check("an answer does not go to a page table",
	      features((uintptr_t)table) < 0 &&
		      extraversion((uintptr_t)table) < 0 && *table == before);
	before = *(volatile uint64_t *)map.v_start;
	check("an answer does not go to the M2P",
	      features(map.v_start) < 0 &&
		      *(volatile uint64_t *)map.v_start == before);
	check("a list in the M2P is not read", mmu_update(map.v_start) < 0);
}

/* A page's end: the first half of a request is there, the second is not. */
static void half_a_request(void)
{
	uint64_t machine, end = VIRT_BASE + start_info->nr_pages * PAGE;
	const struct multicall_entry *last;

	last = (const void *)(spare[1] + PAGE - sizeof(*last) / 2);
	entry_at((uintptr_t)spare[2], 1, &machine);
	check("the page behind can be taken away",
	      call(update_va_mapping, spare[2], 0, UVMF_INVLPG) == 0);
	check("half a multicall entry", call(multicall, last, 1) < 0);
	check("half a list", mmu_update((uintptr_t)spare[1] + PAGE - 8) < 0);
	check("a list behind all memory", mmu_update(end) < 0);
}

void guest_main(void)
{
	handlers_init();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		all_refused(calls[i].name, calls[i].take);
	handlers_init();
	read_only_memory();
	half_a_request();
	check("a number that there is not",
	      call5(63, 0, 0, 0, 0, 0) == -XEN_ENOSYS);
	check("a number beyond the table",
	      call5(0x7fffffff, 0, 0, 0, 0, 0) == -XEN_ENOSYS);
	finish();
}

/*
 * Another VM's frames. M2P is there for all to read, so they can be found: the
 * frames that have a number and are not in this guest's own P2M. Every call
 * that names a frame is made with each of them, and refused.
 */
#include "lib.h"

#define P_RW_U	  UINT64_C(0x67)
#define P_R_U	  UINT64_C(0x65)
#define MAX	  65536
#define VECTOR_PF 14

static uint32_t foreign[MAX];
static size_t count;

/* Tables of this guest, for entries to be put in. */
static uint64_t leaf_at, link_at[5], draft_at, *pinned;

/* 1. Finding them. */

static void find(void)
{
	struct xen_machphys_mapping map;
	const uint64_t *m2p, *p2m = (const void *)start_info->mfn_list;

	call(memory_op, XENMEM_machphys_mapping, &map);
	m2p = (const void *)map.v_start;
	for (uint64_t mfn = 0; mfn <= map.max_mfn && count < MAX; mfn++)
		if (m2p[mfn] != ~UINT64_C(0) &&
		    (m2p[mfn] >= start_info->nr_pages || p2m[m2p[mfn]] != mfn))
			foreign[count++] = (uint32_t)mfn;
	say("frames of another VM: ");
	say_number(count);
	say("\n");
}

/* 2. Ways to reach one. Each answers true when it was refused. */

static bool mapped_writable(uint64_t mfn)
{
	if (map_at(spare[3], mfn * PAGE | P_RW_U) < 0)
		return true;
	*(volatile uint64_t *)spare[3] = 0x5ec4e7;
	return false;
}

static bool mapped_read_only(uint64_t mfn)
{
	return map_at(spare[3], mfn * PAGE | P_R_U) < 0;
}

static bool in_a_leaf(uint64_t mfn)
{
	return update(leaf_at, mfn * PAGE | P_RW_U) < 0 &&
	       update(leaf_at | MMU_PT_UPDATE_PRESERVE_AD, mfn * PAGE | P_R_U) <
		       0;
}

/* An entry that is not present still leads a processor's guesses. */
static bool in_an_absent_leaf(uint64_t mfn)
{
	return update(leaf_at, mfn * PAGE) < 0;
}

static bool in_a_link(uint64_t mfn)
{
	return update(link_at[2], mfn * PAGE | P_RW_U) < 0 &&
	       update(link_at[3], mfn * PAGE | P_RW_U) < 0 &&
	       update(link_at[4], mfn * PAGE | P_RW_U) < 0;
}

static bool as_a_table_that_changes(uint64_t mfn)
{
	return update(mfn * PAGE, 0) < 0 &&
	       update(mfn * PAGE + 8 * 511, mfn_of(spare[0]) * PAGE | P_R_U) <
		       0 &&
	       update(mfn * PAGE | MMU_PT_UPDATE_PRESERVE_AD, 0) < 0;
}

static bool by_another_number(uint64_t mfn)
{
	return update(mfn * PAGE | MMU_MACHPHYS_UPDATE, gfn_of(spare[0])) < 0;
}

static bool pinned_as_a_table(uint64_t mfn)
{
	return mmuext(MMUEXT_PIN_L1_TABLE, mfn) < 0 &&
	       mmuext(MMUEXT_PIN_L2_TABLE, mfn) < 0 &&
	       mmuext(MMUEXT_PIN_L3_TABLE, mfn) < 0 &&
	       mmuext(MMUEXT_PIN_L4_TABLE, mfn) < 0;
}

static bool unpinned(uint64_t mfn)
{
	return mmuext(MMUEXT_UNPIN_TABLE, mfn) < 0;
}

static bool as_a_root(uint64_t mfn)
{
	return mmuext(MMUEXT_NEW_BASEPTR, mfn) < 0;
}

static bool as_a_user_root(uint64_t mfn)
{
	return mmuext(MMUEXT_NEW_USER_BASEPTR, mfn) < 0;
}

static bool cleared(uint64_t mfn)
{
	return mmuext(MMUEXT_CLEAR_PAGE, mfn) < 0;
}

static bool copied_over(uint64_t mfn)
{
	return mmuext2(MMUEXT_COPY_PAGE, mfn, mfn_of(spare[0])) < 0;
}

static bool copied_from(uint64_t mfn)
{
	return mmuext2(MMUEXT_COPY_PAGE, mfn_of(spare[3]), mfn) < 0;
}

static bool as_a_gdt(uint64_t mfn)
{
	const uint64_t list[2] = { mfn, mfn };

	return call(set_gdt, list, 512) < 0 && call(set_gdt, list, 1024) < 0;
}

static bool as_a_descriptor(uint64_t mfn)
{
	return call(update_descriptor, mfn * PAGE,
		    UINT64_C(0x00cff3000000ffff)) < 0;
}

static bool as_vcpu_info(uint64_t mfn)
{
	const struct vcpu_register_vcpu_info r = { .mfn = mfn };

	return call(vcpu_op, VCPUOP_register_vcpu_info, 0, &r) < 0;
}

static bool given_up(uint64_t mfn)
{
	struct xen_memory_reservation r = { .extent_start = { &mfn },
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return call(memory_op, XENMEM_decrease_reservation, &r) <= 0;
}

/* A table that was filled before anybody looked at it. */
static bool in_a_draft(uint64_t mfn)
{
	return update(draft_at, mfn * PAGE | P_RW_U) == 0 &&
	       mmuext(MMUEXT_PIN_L1_TABLE, draft_at / PAGE) < 0 &&
	       mmuext(MMUEXT_PIN_L2_TABLE, draft_at / PAGE) < 0 &&
	       mmuext(MMUEXT_PIN_L3_TABLE, draft_at / PAGE) < 0 &&
	       mmuext(MMUEXT_PIN_L4_TABLE, draft_at / PAGE) < 0 &&
	       mmuext(MMUEXT_NEW_BASEPTR, draft_at / PAGE) < 0;
}

static void store(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

static bool by_a_trapped_write(uint64_t mfn)
{
	return attempt(store, (uintptr_t)&pinned[1], mfn * PAGE | P_RW_U) &&
	       arrival.vector == VECTOR_PF && !pinned[1];
}

static bool in_a_batch(uint64_t mfn)
{
	const struct mmu_update u[2] = { { leaf_at, 0 },
					 { leaf_at, mfn * PAGE | P_RW_U } };
	uint32_t done = 9;

	return call(mmu_update, u, 2, &done, DOMID_SELF) < 0 && done == 1;
}

static bool in_a_multicall(uint64_t mfn)
{
	struct multicall_entry m[2] = {
		{ .op = __HYPERVISOR_update_va_mapping,
		  .args = { (uintptr_t)spare[3], mfn * PAGE | P_RW_U } },
		{ .op = __HYPERVISOR_xen_version },
	};

	return call(multicall, m, 2) == 0 && (long)m[0].result < 0 &&
	       (long)m[1].result > 0;
}

static const struct {
	const char *name;
	bool (*refused)(uint64_t mfn);
} ways[] = {
	{ "mapped writable", mapped_writable },
	{ "mapped read-only", mapped_read_only },
	{ "in a leaf table", in_a_leaf },
	{ "in an entry that is not present", in_an_absent_leaf },
	{ "in upper tables", in_a_link },
	{ "as a table that is changed", as_a_table_that_changes },
	{ "given another number", by_another_number },
	{ "pinned, at each level", pinned_as_a_table },
	{ "unpinned", unpinned },
	{ "as a root", as_a_root },
	{ "as a user's root", as_a_user_root },
	{ "cleared", cleared },
	{ "copied over", copied_over },
	{ "copied from", copied_from },
	{ "as a GDT", as_a_gdt },
	{ "as a page of descriptors", as_a_descriptor },
	{ "as vcpu_info", as_vcpu_info },
	{ "given up", given_up },
	{ "in a table before it is one", in_a_draft },
	{ "by a trapped write", by_a_trapped_write },
	{ "in a batch, behind what is good", in_a_batch },
	{ "in a multicall", in_a_multicall },
};

static void try_all(void)
{
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		size_t reached = 0;

		for (size_t i = 0; i < count; i++)
			reached += !ways[w].refused(foreign[i]);
		check(ways[w].name, count && !reached);
	}
}

/* 3. Another domain, by its number. */

static bool no_domain(uint32_t id)
{
	const struct mmu_update u = { leaf_at, 0 };
	const struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
	struct evtchn_alloc_unbound port = { .dom = DOMID_SELF,
					     .remote_dom = (domid_t)id };
	struct evtchn_bind_interdomain bind = { .remote_dom = (domid_t)id };
	uint64_t frame = gfn_of(spare[5]);
	struct xen_memory_reservation r = { .extent_start = { &frame },
					    .nr_extents = 1,
					    .domid = (domid_t)id };

	/* A port may wait for anybody; nobody can come. */
	call(event_channel_op, EVTCHNOP_alloc_unbound, &port);
	port.dom = (domid_t)id;
	return call(mmu_update, &u, 1, 0, id) < 0 &&
	       call(mmu_update, &u, 1, 0, (id + 1) << 16 | DOMID_SELF) < 0 &&
	       call(mmuext_op, &op, 1, 0, id) < 0 &&
	       call(update_va_mapping_otherdomain, spare[3], 0, 0, id) < 0 &&
	       call(memory_op, XENMEM_decrease_reservation, &r) <= 0 &&
	       call(memory_op, XENMEM_populate_physmap, &r) <= 0 &&
	       call(event_channel_op, EVTCHNOP_alloc_unbound, &port) < 0 &&
	       call(event_channel_op, EVTCHNOP_bind_interdomain, &bind) < 0;
}

static void others(void)
{
	static const uint32_t ids[] = { 0,	   1,	      2,
					3,	   0x7fef,    DOMID_IO,
					DOMID_XEN, DOMID_COW, DOMID_INVALID };
	bool good = true;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		good &= no_domain(ids[i]);
	check("another domain by its number", good);
	good = true;
	for (unsigned op = 0; op < 16; op++)
		good &= call(grant_table_op, op, spare[3], 1) == -XEN_ENOSYS;
	check("there are no grants to be had", good);
	check("nor an exchange of frames",
	      call(memory_op, XENMEM_exchange, spare[3]) == -XEN_ENOSYS);
	check("nor operations on domains",
	      call(domctl, spare[3]) == -XEN_ENOSYS &&
		      call(sysctl, spare[3]) == -XEN_ENOSYS &&
		      call(platform_op, spare[3]) == -XEN_ENOSYS);
}

static uint64_t empty_slot(uint64_t va, unsigned level)
{
	uint64_t machine;

	entry_at(va, level, &machine);
	return machine;
}

/* What is not used by the kernel: entries in the same tables as its own. */
static void prepare(void)
{
	uint64_t machine;

	for (unsigned i = 6; i <= 7; i++) {
		uint64_t *table = (void *)spare[i];

		for (unsigned n = 0; n < 512; n++)
			table[n] = 0;
		map_at(table, mfn_of(table) * PAGE | P_R_U);
	}
	entry_at((uintptr_t)spare[4], 1, &leaf_at);
	for (unsigned level = 2; level <= 4; level++)
		link_at[level] = empty_slot(VIRT_BASE, level);
	/* The last of each table leads nowhere so far. */
	link_at[2] |= 8 * 511;
	link_at[3] &= ~UINT64_C(0xfff);
	link_at[4] &= ~UINT64_C(0xfff);
	draft_at = mfn_of(spare[6]) * PAGE;
	pinned = (void *)spare[7];
	entry_at((uintptr_t)spare[7], 1, &machine);
	check("a table of its own",
	      mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(pinned)) == 0);
}

void guest_main(void)
{
	handlers_init();
	find();
	check("another VM is there", count > 0);
	prepare();
	try_all();
	others();
	finish();
}

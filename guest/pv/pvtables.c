/*
 * Page tables on the running hypervisor: what an entry may lead to, tables
 * that are changed behind its back, roots that are none, and memory that is
 * given away while it is in use. Each attack is one that has been published
 * about a paravirtual hypervisor, or a variation.
 */
#include "lib.h"

#define P_RW_U	  UINT64_C(0x67)
#define P_R_U	  UINT64_C(0x65)
#define LARGE	  UINT64_C(0x80)
#define RESERVED  (UINT64_C(1) << 51)
#define ADDRESS	  UINT64_C(0x000ffffffffff000)
#define VECTOR_PF 14

static uint64_t page_entry(const void *page, uint64_t flags)
{
	return mfn_of(page) * PAGE | flags;
}

static void *table_at(unsigned n)
{
	return (void *)(start_info->pt_base + n * PAGE);
}

/* 1. Leaves. */

static void leaves(void)
{
	uint64_t before = 0, machine;

	entry_at((uintptr_t)spare[3], 1, &machine);
	before = page_entry(spare[3], P_RW_U);
	check("a page table, writable",
	      map_at(spare[3], page_entry(table_at(0), P_RW_U)) < 0 &&
		      map_at(spare[3], page_entry(table_at(3), P_RW_U)) < 0);
	check("a page table made writable where it is",
	      map_at(table_at(1), page_entry(table_at(1), P_RW_U)) < 0);
	check("the hypervisor's memory",
	      map_at(spare[3], 0x100000 | P_RW_U) < 0 &&
		      map_at(spare[3], 0x100000 | P_R_U) < 0 &&
		      map_at(spare[3], 0 | P_R_U) < 0);
	check("the M2P itself",
	      update(machine, UINT64_C(0xfee00000) | P_RW_U) < 0);
	check("past the end of memory",
	      map_at(spare[3], (UINT64_C(1) << 45) | P_RW_U) < 0);
	check("reserved bits", map_at(spare[3], before | RESERVED) < 0);
	check("an address of the hypervisor's",
	      map_at((void *)HV_IMAGE, before) < 0 &&
		      map_at((void *)HV_LAST, before) < 0);
	check("an address that is none",
	      map_at((void *)(UINT64_C(1) << 63), before) < 0);
	check("an address without a table",
	      map_at((void *)UINT64_C(0x400000), before) < 0);
	check("the page is as it was", *(volatile uint8_t *)spare[3] == 0);
	check("for another domain",
	      call(mmu_update, spare[0], 1, 0, 1) < 0 &&
		      call(mmuext_op, spare[0], 1, 0, 0) < 0);
	check("an entry that is none", update(machine + 4, before) < 0);
	check("an entry in the hypervisor's memory",
	      update(0x100000, before) < 0 &&
		      update(UINT64_C(1) << 51, before) < 0);
}

/* 2. Upper levels. */

static void uppers(void)
{
	uint64_t machine, value, *entry;

	entry = entry_at(VIRT_BASE, 2, &machine);
	value = *entry;
	check("a large page", update(machine, value | LARGE) < 0);
	check("an upper entry to data",
	      update(machine, page_entry(spare[5], P_RW_U)) < 0);
	check("an L2 that leads to itself",
	      update(machine, (machine & ADDRESS) | P_RW_U) < 0);
	check("an L2 that leads to the root",
	      update(machine, page_entry(table_at(0), P_RW_U)) < 0);
	entry = entry_at(VIRT_BASE, 4, &machine);
	check("the root's own entry, recursive and writable",
	      update((machine & ~(PAGE - 1)) + 8 * 300,
		     page_entry(table_at(0), P_RW_U)) < 0);
	check("the hypervisor's slots, first and last",
	      update((machine & ~(PAGE - 1)) + 8 * 256, 0) < 0 &&
		      update((machine & ~(PAGE - 1)) + 8 * 271, *entry) < 0);
	check("a large page in the root",
	      update((machine & ~(PAGE - 1)) + 8 * 3, *entry | LARGE) < 0);
	entry = entry_at(VIRT_BASE, 3, &machine);
	check("a large page in an L3", update(machine, *entry | LARGE) < 0);
	check("reserved bits in an L3", update(machine, *entry | RESERVED) < 0);
}

/* 3. Pins and roots. */

static uint64_t *make_leaf_table(unsigned n, uint64_t first)
{
	uint64_t *table = (void *)spare[n];

	for (unsigned i = 0; i < 512; i++)
		table[i] = 0;
	table[0] = first;
	return table;
}

static void pins(void)
{
	uint64_t root = mfn_of(table_at(0));
	uint64_t *table = make_leaf_table(6, page_entry(spare[7], P_RW_U));

	check("a table that is mapped writable",
	      mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) < 0);
	check("it becomes read-only",
	      map_at(table, page_entry(table, P_R_U)) == 0);
	check("it is pinned", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) == 0);
	check("twice", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table)) < 0);
	check("at another level",
	      mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(table)) < 0);
	check("what it maps writable is no table",
	      mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(spare[7])) < 0);
	check("it is not mapped writable",
	      map_at(table, page_entry(table, P_RW_U)) < 0);
	table[1] = page_entry(spare[8], P_RW_U);
	check("a trapped write of what is good",
	      table[1] == page_entry(spare[8], P_RW_U));
	check("it is unpinned", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)) == 0);
	check("twice", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table)) < 0);
	check("and writable again",
	      map_at(table, page_entry(table, P_RW_U)) == 0);
	check("the root is not unpinned into nothing",
	      mmuext(MMUEXT_UNPIN_TABLE, root) == 0 &&
		      mmuext(MMUEXT_PIN_L4_TABLE, root) == 0);
	check("a root that is data",
	      mmuext(MMUEXT_NEW_BASEPTR, mfn_of(spare[7])) < 0);
	check("a root that is a leaf table",
	      mmuext(MMUEXT_NEW_BASEPTR, mfn_of(table_at(3))) < 0);
	check("a root of the hypervisor's",
	      mmuext(MMUEXT_NEW_BASEPTR, 0x15b) < 0 &&
		      mmuext(MMUEXT_NEW_BASEPTR, UINT64_C(1) << 40) < 0);
	check("a user's root that is data",
	      mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(spare[7])) < 0);
	check("the root once more", mmuext(MMUEXT_NEW_BASEPTR, root) == 0);
	check("an operation that there is not",
	      mmuext(20, root) < 0 && mmuext(99, root) < 0);
}

/* 4. Trapped writes. */

static void store(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

static void string_store(uint64_t at, uint64_t value)
{
	uint64_t count = 3;

	__asm__ volatile("rep stosq"
			 : "+D"(at), "+c"(count)
			 : "a"(value)
			 : "memory");
}

static void trapped(void)
{
	uint64_t *table = make_leaf_table(9, page_entry(spare[10], P_RW_U));
	uint64_t old = page_entry(spare[10], P_RW_U), was;

	map_at(table, page_entry(table, P_R_U));
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table));
	check("a table written over",
	      attempt(store, (uintptr_t)&table[2],
		      page_entry(table_at(0), P_RW_U)) &&
		      arrival.vector == VECTOR_PF && !table[2]);
	check("the hypervisor's memory written in",
	      attempt(store, (uintptr_t)&table[2], 0x100000 | P_RW_U) &&
		      !table[2]);
	check("half an entry, good", !attempt(store, (uintptr_t)&table[3], 0));
	check("across two entries",
	      attempt(store, (uintptr_t)&table[3] + 4, ~UINT64_C(0)) &&
		      !table[3] && !table[4]);
	attempt(store, (uintptr_t)table - 4, page_entry(spare[11], P_RW_U));
	check("a store that began in the page before is no entry",
	      table[0] != page_entry(spare[11], P_RW_U));
	table[0] = old;
	was = old;
	__asm__ volatile("xchgq %0, %1" : "+r"(was), "+m"(table[0]));
	check("XCHG gives back what was there, and writes", was == old);
	was = 0;
	__asm__ volatile("xchgq %0, %1" : "+r"(was), "+m"(table[0]));
	check("XCHG to nothing",
	      (was & ~UINT64_C(0x60)) == (old & ~UINT64_C(0x60)) && !table[0]);
	table[0] = old;
	__asm__ volatile("lock andb $0xfd, %0" : "+m"(table[0]));
	check("LOCK AND takes the right to write",
	      table[0] == (old & ~UINT64_C(2)));
	table[0] = old;
	__asm__ volatile("ds andb $0xfd, %0" : "+m"(table[0]));
	check("so does AND with DS in place of LOCK",
	      table[0] == (old & ~UINT64_C(2)));
	__asm__ volatile("lock btrq $5, %0" : "+m"(table[0]));
	check("LOCK BTR takes the accessed bit",
	      table[0] == (old & ~UINT64_C(0x22)));
	was = table[0];
	__asm__ volatile("lock cmpxchgq %2, %1"
			 : "+a"(was), "+m"(table[0])
			 : "r"(old));
	check("LOCK CMPXCHG", table[0] == old);
	check("REP STOS, good",
	      !attempt(string_store, (uintptr_t)&table[5], 0));
	check("REP STOS of a table", attempt(string_store, (uintptr_t)&table[5],
					     page_entry(table_at(0), P_RW_U)) &&
					     !table[5] && !table[6]);
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table));
}

/* 5. The balloon, vcpu_info, and both at a time. */

static long give_up(uint64_t mfn)
{
	struct xen_memory_reservation r = { .extent_start = { &mfn },
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return call(memory_op, XENMEM_decrease_reservation, &r);
}

static long take(uint64_t *frame)
{
	struct xen_memory_reservation r = { .extent_start = { frame },
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return call(memory_op, XENMEM_populate_physmap, &r);
}

static void balloon(void)
{
	uint64_t mfn = mfn_of(spare[11]), gfn = gfn_of(spare[11]), frame;

	check("a frame that is mapped", give_up(mfn) == 0);
	check("a page table", give_up(mfn_of(table_at(0))) == 0);
	check("the hypervisor's", give_up(0x100) == 0 && give_up(0) == 0);
	check("what is no memory", give_up(UINT64_C(1) << 40) == 0);
	frame = gfn;
	check("more than was promised", take(&frame) == 0);
	*(volatile uint64_t *)spare[11] = 0x5ec4e7;
	map_at(spare[11], 0);
	check("a frame that is free", give_up(mfn) == 1);
	check("twice", give_up(mfn) == 0);
	check("mapped afterwards", map_at(spare[11], mfn * PAGE | P_RW_U) < 0);
	frame = start_info->nr_pages + 5;
	check("a place past the end", take(&frame) == 0);
	frame = gfn_of(spare[12]);
	check("a place that is taken", take(&frame) == 0);
	frame = gfn;
	check("a frame comes back", take(&frame) == 1);
	check("and is empty", map_at(spare[11], frame * PAGE | P_RW_U) == 0 &&
				      *(volatile uint64_t *)spare[11] == 0);
}

static void look(uint64_t va, uint64_t b)
{
	(void)b;
	(void)*(volatile uint64_t *)va;
}

/* The mapping goes, and is not flushed, while a pin holds the frame; the pin
 * goes, and the frame. */
static void remembered(void)
{
	uint64_t mfn = mfn_of(spare[10]), frame = gfn_of(spare[10]);

	spare[10][0] = 0;
	map_at(spare[10], mfn * PAGE | P_R_U);
	check("a page is pinned", mmuext(MMUEXT_PIN_L1_TABLE, mfn) == 0);
	look((uintptr_t)spare[10], 0);
	check("it is mapped no more",
	      call(update_va_mapping, spare[10], 0, UVMF_NONE) == 0);
	check("nor pinned", mmuext(MMUEXT_UNPIN_TABLE, mfn) == 0);
	check("and given up", give_up(mfn) == 1);
	check("no processor remembers it",
	      attempt(look, (uintptr_t)spare[10], 0) && arrival.vector == 14);
	check("another comes", take(&frame) == 1);
	map_at(spare[10], frame * PAGE | P_RW_U);
}

static long register_info(uint64_t mfn, uint32_t offset)
{
	const struct vcpu_register_vcpu_info r = { .mfn = mfn,
						   .offset = offset };

	return call(vcpu_op, VCPUOP_register_vcpu_info, 0, &r);
}

static void shared_words(void)
{
	const struct vcpu_info *info = (const void *)(spare[13] + 64);

	check("vcpu_info in a page table",
	      register_info(mfn_of(table_at(0)), 0) < 0);
	check("vcpu_info of the hypervisor's", register_info(0x100, 0) < 0);
	check("vcpu_info over a page's end",
	      register_info(mfn_of(spare[13]), 4096 - 32) < 0 &&
		      register_info(mfn_of(spare[13]), 0xfffffff8) < 0);
	check("vcpu_info", register_info(mfn_of(spare[13]), 64) == 0 &&
				   info->time.tsc_to_system_mul != 0);
	check("its page is not given up", give_up(mfn_of(spare[13])) == 0);
	map_at(spare[13], 0);
	check("nor when it is not mapped", give_up(mfn_of(spare[13])) == 0);
	check("nor made a table",
	      mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(spare[13])) < 0);
}

/* 6. Batches. */

static void batches(void)
{
	struct mmu_update u[3];
	struct multicall_entry m[2] = {
		{ .op = __HYPERVISOR_multicall, .args = { 0, 0 } },
		{ .op = __HYPERVISOR_iret },
	};
	uint64_t machine;
	uint32_t done = 99;

	entry_at((uintptr_t)spare[14], 1, &machine);
	u[0] = (struct mmu_update){ machine, page_entry(spare[14], P_R_U) };
	u[1] = (struct mmu_update){ machine, page_entry(table_at(0), P_RW_U) };
	u[2] = (struct mmu_update){ machine, 0 };
	check("a batch that fails halfway",
	      call(mmu_update, u, 3, &done, DOMID_SELF) < 0 && done == 1);
	check("and what was before it is done",
	      attempt(store, (uintptr_t)spare[14], 1) && !spare[14][0]);
	m[0].args[0] = (uintptr_t)m;
	m[0].args[1] = 2;
	check("a multicall in a multicall",
	      call(multicall, m, 2) == 0 && (long)m[0].result == -XEN_ENOSYS &&
		      (long)m[1].result == -XEN_ENOSYS);
}

void guest_main(void)
{
	handlers_init();
	leaves();
	uppers();
	pins();
	trapped();
	balloon();
	remembered();
	shared_words();
	batches();
	finish();
}

/*
 * Under shadow a guest may write what it likes into its tables: its numbers
 * are its own, and what it says is data until the shadow tables are made. So
 * here nothing that is written is refused for what it is, and each attack is
 * shown to lead to the guest's own memory, or nowhere.
 */
#include "lib.h"

#define P_RW_U	   UINT64_C(0x67)
#define P_R_U	   UINT64_C(0x65)
#define LARGE	   UINT64_C(0x80)
#define RESERVED   (UINT64_C(1) << 51)
#define BEYOND	   (UINT64_C(1) << 45)
#define HV_SLOT	   256
#define OURS	   UINT64_C(0x100000) /* where the hypervisor's image lies */
#define RECURSIVE  300
#define USER_CODE  UINT64_C(0x400000)
#define DATA_3	   UINT64_C(0x00cff3000000ffff)
#define VECTOR_UD  6
#define VECTOR_GP  13
#define VECTOR_PF  14
#define WORD(page) (*(volatile uint64_t *)(page))

static uint64_t *root;		 /* where the guest sees its own */
static uint64_t root_gfn, first; /* and the entry that VIRT_BASE has there */

static void load(uint64_t at, uint64_t b)
{
	(void)b;
	(void)WORD(at);
}

static void store(uint64_t at, uint64_t value)
{
	WORD(at) = value;
}

static bool is_refused(void (*f)(uint64_t, uint64_t), uint64_t at)
{
	return attempt(f, at, 0) && arrival.vector == VECTOR_PF;
}

static long set_root_entry(unsigned i, uint64_t entry)
{
	long result = update(root_gfn * PAGE + i * 8, entry);

	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
	return result;
}

/* 1. Leaves. */

static bool leads_nowhere(uint64_t entry)
{
	return map_at(spare[3], entry) == 0 &&
	       is_refused(load, (uintptr_t)spare[3]) &&
	       is_refused(store, (uintptr_t)spare[3]);
}

static void leaves(void)
{
	volatile uint64_t *own = (void *)(VIRT_BASE + OURS);

	map_at(spare[3], OURS | P_RW_U);
	check("the hypervisor's number is a page of the guest's",
	      WORD(spare[3]) == *own);
	WORD(spare[3]) ^= 1;
	check("which it may write", WORD(spare[3]) == *own);
	WORD(spare[3]) ^= 1;
	check("past the end of memory", leads_nowhere(BEYOND | P_RW_U));
	check("just past the shared page",
	      leads_nowhere((start_info->nr_pages + 1) * PAGE | P_RW_U));
	check("the local APIC", leads_nowhere(UINT64_C(0xfee00000) | P_RW_U));
	check("reserved bits",
	      leads_nowhere(mfn_of(spare[3]) * PAGE | P_RW_U | RESERVED));
	check("no page", leads_nowhere(0));
	check("read-only",
	      map_at(spare[3], mfn_of(spare[3]) * PAGE | P_R_U) == 0 &&
		      !is_refused(load, (uintptr_t)spare[3]) &&
		      is_refused(store, (uintptr_t)spare[3]));
	check("and as it was",
	      map_at(spare[3], mfn_of(spare[3]) * PAGE | P_RW_U) == 0 &&
		      !is_refused(store, (uintptr_t)spare[3]));
}

/* 2. The root. */

static bool holds(uint64_t at)
{
	return is_refused(load, at) && is_refused(store, at);
}

static void slots(void)
{
	for (unsigned i = HV_SLOT; i < HV_SLOT + 16; i++)
		set_root_entry(i, first);
	check("the hypervisor's slots are not the guest's",
	      holds(HV_IMAGE) && holds(HV_DIRECT) && holds(HV_LAST));
	set_root_entry(HV_SLOT, root_gfn * PAGE | P_RW_U);
	check("nor by a loop", holds(HV_IMAGE));
	set_root_entry(HV_SLOT, first | LARGE);
	check("nor by a large page", holds(HV_IMAGE));
	for (unsigned i = HV_SLOT; i < HV_SLOT + 16; i++)
		set_root_entry(i, 0);
	check("nor are they gone", call(xen_version, XENVER_version, 0) > 0);
}

/* The root as the last page of 512 GiB, reached through itself. */
static void recursion(void)
{
	uint64_t index = RECURSIVE;
	uint64_t *self = (void *)(~UINT64_C(0) << 48 | index << 39 |
				  index << 30 | index << 21 | index << 12);

	set_root_entry(RECURSIVE, root_gfn * PAGE | P_RW_U);
	check("the root through itself", self[511] == root[511]);
	check("its own slot says what the guest wrote", !self[HV_SLOT]);
	if (!attempt(store, (uintptr_t)&self[HV_SLOT], first))
		mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
	check("the hypervisor's is not it", holds(HV_IMAGE));
	set_root_entry(HV_SLOT, 0);
	set_root_entry(RECURSIVE, 0);
	check("it is gone", is_refused(load, (uintptr_t)self));
	set_root_entry(RECURSIVE, BEYOND | P_RW_U);
	check("a table past the end of memory", holds((uintptr_t)self));
	set_root_entry(RECURSIVE, start_info->nr_pages * PAGE | P_RW_U);
	check("the shared page as one", !attempt(load, (uintptr_t)self, 0) ||
						arrival.vector == VECTOR_PF);
	set_root_entry(RECURSIVE, 0);
}

/* 3. Frames that are none of the guest's. */

static void frames(void)
{
	const uint64_t none[] = { start_info->nr_pages, /* the shared page */
				  start_info->nr_pages + 1, BEYOND / PAGE,
				  UINT64_C(1) << 52, ~UINT64_C(0) };
	unsigned taken = 0;

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		uint64_t mfn = none[i];

		for (unsigned cmd = MMUEXT_PIN_L1_TABLE;
		     cmd <= MMUEXT_PIN_L4_TABLE; cmd++)
			taken += mmuext(cmd, mfn) == 0;
		taken += mmuext(MMUEXT_UNPIN_TABLE, mfn) == 0;
		taken += mmuext(MMUEXT_NEW_BASEPTR, mfn) == 0;
		taken += mmuext(MMUEXT_NEW_USER_BASEPTR, mfn) == 0;
		taken += mmuext(MMUEXT_CLEAR_PAGE, mfn) == 0;
		taken += mmuext2(MMUEXT_COPY_PAGE, mfn, mfn_of(spare[4])) == 0;
		taken += call(set_gdt, &mfn, 512) == 0;
		if (mfn < UINT64_C(1) << 52)
			taken += update(mfn * PAGE, 0) == 0;
	}
	check("pins, roots, copies, entries", !taken);
	check("a number that is another's",
	      update(mfn_of(spare[4]) * PAGE | MMU_MACHPHYS_UPDATE, 1) < 0);
	check("an address of the hypervisor's",
	      map_at((void *)HV_IMAGE, P_RW_U) < 0 &&
		      map_at((void *)HV_LAST, P_RW_U) < 0 &&
		      map_at((void *)(UINT64_C(1) << 63), P_RW_U) < 0);
}

/* 4. Memory that goes away while it is a table. */

static uint64_t balloon(unsigned cmd, uint64_t gfn)
{
	struct xen_memory_reservation r = { .nr_extents = 1,
					    .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, &gfn);
	return (uint64_t)call(memory_op, cmd, &r);
}

static void link(unsigned table, unsigned index, unsigned to)
{
	((uint64_t *)spare[table])[index] = mfn_of(spare[to]) * PAGE | P_RW_U;
}

/* 0x400000 in a root of its own: spare[8] to spare[11], to spare[12]. */
static void draft(void)
{
	link(8, 0, 9);
	link(9, 0, 10);
	link(10, 2, 11);
	link(11, 0, 12);
}

static void withdrawal(void)
{
	uint64_t gfn = mfn_of(spare[11]);

	draft();
	set_root_entry(0, mfn_of(spare[9]) * PAGE | P_RW_U);
	check("a page behind new tables", !is_refused(store, USER_CODE));
	check("its table is given away",
	      balloon(XENMEM_decrease_reservation, gfn) == 1);
	check("twice", balloon(XENMEM_decrease_reservation, gfn) == 0);
	check("the page is out of reach", holds(USER_CODE));
	check("so is the table", holds((uintptr_t)spare[11]));
	check("another in its place",
	      balloon(XENMEM_populate_physmap, gfn) == 1);
	check("which is empty", holds(USER_CODE) && !WORD(spare[11]));
	link(11, 0, 12);
	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
	check("until the guest fills it", !is_refused(load, USER_CODE));
	set_root_entry(0, 0);
	check("and out of its root", holds(USER_CODE));
}

/* 5. Its users. */

/* movq (%rcx), %rax; ud2 */
static unsigned user_reads(uint64_t at)
{
	const struct iret_frame f = {
		.rcx = at,
		.rip = USER_CODE,
		.cs = FLAT_USER_CS,
		.rflags = 0x202,
		.ss = FLAT_USER_SS,
	};

	attempt((void (*)(uint64_t, uint64_t))(void *)return_to, (uintptr_t)&f,
		0);
	return (unsigned)arrival.vector;
}

static bool user_is_refused(uint64_t at)
{
	return user_reads(at) == VECTOR_PF && arrival.error & 4;
}

/* Each exception finds D clear in the entry of the stack that it is pushed on:
 * a fault of the hypervisor's own, answered each time. */
static bool stack_is_cleaned(unsigned times)
{
	while (times--)
		if (map_at(spare[14], mfn_of(spare[14]) * PAGE | 0x27) ||
		    user_reads(USER_CODE) != VECTOR_UD)
			return false;
	return true;
}

static void users(void)
{
	WORD(spare[12]) = UINT64_C(0x0b0f018b48);
	draft();
	check("a root for users",
	      mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(spare[8])) == 0);
	call(stack_switch, FLAT_KERNEL_SS, (uintptr_t)spare[14] + PAGE);
	check("they run there", user_reads(USER_CODE) == VECTOR_UD);
	check("and come back by a stack that is cleaned",
	      stack_is_cleaned(100));
	check("and do not see their kernel",
	      user_is_refused((uintptr_t)spare[0]) &&
		      user_is_refused(VIRT_BASE));
	check("nor the hypervisor", user_is_refused(HV_IMAGE) &&
					    user_is_refused(HV_DIRECT) &&
					    user_is_refused(HV_LAST));
	check("nor does it see theirs", holds(USER_CODE));
	((uint64_t *)spare[8])[HV_SLOT] = first;
	check("a slot of the hypervisor's in it",
	      mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(spare[8])) == 0 &&
		      user_is_refused(HV_IMAGE));
	check("the same root again",
	      mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(spare[8])) == 0 &&
		      user_is_refused(VIRT_BASE));
}

/* 6. Descriptors: what the processor has is a copy that was checked. */

static void load_ds(uint64_t selector, uint64_t b)
{
	(void)b;
	__asm__ volatile("movl %k0, %%ds\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds"
			 :
			 : "r"(selector)
			 : "rax");
}

static void descriptors(void)
{
	uint64_t *gdt = (void *)spare[13], mfn = mfn_of(gdt);

	check("a GDT that is written to", call(set_gdt, &mfn, 512) == 0);
	gdt[5] = DATA_3;
	check("unseen: it is not the processor's",
	      attempt(load_ds, 5 * 8 | 3, 0) && arrival.vector == VECTOR_GP);
	check("by the call for it: it is",
	      call(update_descriptor, mfn * PAGE + 6 * 8, DATA_3) == 0 &&
		      !attempt(load_ds, 6 * 8 | 3, 0));
	gdt[6] = 0;
	check("what was checked stays", !attempt(load_ds, 6 * 8 | 3, 0));
	check("its page is given away",
	      balloon(XENMEM_decrease_reservation, mfn) == 1 &&
		      !attempt(load_ds, 6 * 8 | 3, 0));
}

void guest_main(void)
{
	uint64_t machine;

	handlers_init();
	first = *entry_at(VIRT_BASE, 4, &machine);
	root_gfn = machine / PAGE;
	root = (void *)start_info->pt_base;
	leaves();
	slots();
	recursion();
	frames();
	withdrawal();
	users();
	descriptors();
	finish();
}

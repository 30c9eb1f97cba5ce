/*
 * Random hypercalls over hv/pv and the library, by a seed, with an audit after
 * each and a bystander whose frames are named like any others. Unlike a guest
 * on the machine (guest/pv/pvfuzz.c) this one has no code and no stack that it
 * could lose, so every frame and every entry may be meant.
 */
#include "pv_rig.h"

#define STEPS 600
#define SEEDS 16
#define LIST  4

static struct pv_bystander *by;
static uint64_t seed, good;
static uint64_t promoted[VMMU_FRAME_TYPES];
static uint64_t first_table; /* P2M will not be what it was */
static uint64_t words[512];  /* where requests are, and answers go */

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

/* Few of its own, or nothing would ever meet itself. */
static uint64_t own_frame(void)
{
	hfn_t hfn = { 0 };

	vmmu_direct_p2m(&rig.vm.mmu,
			mk_gfn(rig_gfn_of(rig_spare(0)) + below(24)), &hfn);
	return hfn.v;
}

static uint64_t some_table(void)
{
	return first_table + below(rig.si->nr_pt_frames);
}

static uint64_t some_frame(void)
{
	switch (below(12)) {
	case 0:
		return some_table();
	case 1:
		return by->witness[below(by->count)].hfn.v;
	case 2:
		return below(RIG_OURS);
	case 3:
		return any() >> below(64);
	case 4:
		return rig.d->shared_page.v >> 12;
	case 5:
		return rig.si->console.domU.mfn;
	default:
		return own_frame();
	}
}

static uint64_t some_address(void)
{
	switch (below(4)) {
	case 0:
		return rig_bad[below(RIG_BAD)];
	case 1:
		return (uintptr_t)rig_spare((unsigned)below(24));
	default:
		return (uintptr_t)&words[400 + below(64)];
	}
}

static uint64_t some_entry(void)
{
	uint64_t flags = below(2) ? P_RW : P_RO;

	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return any();
	case 2:
		flags |= UINT64_C(1) << below(64);
		break;
	}
	return some_frame() << 12 | flags;
}

static uint64_t place(void *at)
{
	return below(32) ? (uintptr_t)at : rig_bad[below(RIG_BAD)];
}

static uint64_t domain(void)
{
	return below(32) ? DOMID_SELF : below(8);
}

/* 2. Hypercalls. */

static long updates(void)
{
	struct mmu_update *u = (void *)words;
	uint64_t n = 1 + below(LIST);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t frame = below(2) ? own_frame() : some_frame();

		u[i].ptr = (frame << 12) + 8 * below(512) +
			   (below(4) ? 0 : below(8));
		u[i].val = (u[i].ptr & 7) == MMU_MACHPHYS_UPDATE
				   ? below(RIG_MEMORY / 4096 + 9)
				   : some_entry();
	}
	return call(mmu_update, place(u), n, below(2) ? 0 : place(&words[300]),
		    domain());
}

static long update_va(void)
{
	uint64_t va = below(16) ? (uintptr_t)rig_spare((unsigned)below(24))
				: some_address();

	return call(update_va_mapping, va, some_entry(), below(16));
}

static long operations(void)
{
	struct mmuext_op *op = (void *)words;
	uint64_t n = 1 + below(LIST);

	for (uint64_t i = 0; i < n; i++) {
		op[i] = (struct mmuext_op){
			.cmd = (unsigned)(below(4) ? below(6) : below(22)),
			.arg1.mfn = below(3) ? own_frame() : some_frame(),
			.arg2.src_mfn = some_frame(),
		};
		if (op[i].cmd == MMUEXT_SET_LDT) {
			op[i].arg1.linear_addr =
				(uintptr_t)rig_spare((unsigned)below(24));
			op[i].arg2.nr_ents = (unsigned)below(1100);
		}
	}
	return call(mmuext_op, place(op), n, below(2) ? 0 : place(&words[300]),
		    domain());
}

static long tables_of_descriptors(void)
{
	for (unsigned i = 0; i < 14; i++)
		words[i] = own_frame();
	if (below(2))
		return call(set_gdt, place(words), below(1100));
	return call(update_descriptor, (some_frame() << 12) + 8 * below(512),
		    any());
}

static long balloon(void)
{
	struct xen_memory_reservation *r = (void *)words;
	bool up = below(2);

	for (unsigned i = 0; i < LIST; i++)
		words[300 + i] = up ? rig_gfn_of(rig_spare(0)) + below(24)
				    : some_frame();
	*r = (struct xen_memory_reservation){
		.extent_start.p = (void *)place(&words[300]),
		.nr_extents = below(LIST),
		.domid = (domid_t)domain(),
	};
	return call(memory_op,
		    up ? XENMEM_populate_physmap : XENMEM_decrease_reservation,
		    place(r));
}

/* All others, with whatever comes; those that end a guest are no attack. */
static long the_rest(void)
{
	uint64_t op = below(PV_CALLS), a[5];

	for (unsigned i = 0; i < 64; i++)
		words[i] = below(2) ? below(64) : some_frame();
	for (unsigned i = 0; i < 5; i++)
		a[i] = below(3) ? below(20) : some_address();
	if (op == __HYPERVISOR_sched_op || op == __HYPERVISOR_memory_op)
		a[0] = 4 + below(2);
	if (op == __HYPERVISOR_console_io)
		a[1] = below(64);
	if (op == __HYPERVISOR_multicall)
		a[0] = rig_bad[below(RIG_BAD)];
	if (op == __HYPERVISOR_vcpu_op)
		a[1] = 0;
	return rig_call5((unsigned)op, a[0], a[1], a[2], a[3], a[4]);
}

/* Mapped where it belongs and no table, as far as that can be. */
static long put_back(void)
{
	void *va = rig_spare((unsigned)below(24));
	struct mmuext_op *op = (void *)words;
	hfn_t hfn;

	if (!vmmu_direct_p2m(&rig.vm.mmu, mk_gfn(rig_gfn_of(va)), &hfn))
		return -1;
	*op = (struct mmuext_op){ .cmd = MMUEXT_UNPIN_TABLE,
				  .arg1.mfn = hfn.v };
	call(mmuext_op, op, 1, 0, DOMID_SELF);
	return call(update_va_mapping, va,
		    hfn.v << 12 | (below(2) ? P_RW : P_RO), UVMF_INVLPG);
}

/* A table as a kernel makes one, and what it leads to. */
static long make_table(void)
{
	void *va = rig_spare((unsigned)below(24));
	struct mmuext_op *op = (void *)words;
	hfn_t hfn;

	if (!vmmu_direct_p2m(&rig.vm.mmu, mk_gfn(rig_gfn_of(va)), &hfn))
		return -1;
	*op = (struct mmuext_op){ .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = hfn.v };
	call(mmuext_op, op, 1, 0, DOMID_SELF);
	call(update_va_mapping, va, hfn.v << 12 | P_RO, UVMF_INVLPG);
	for (uint64_t i = below(4); i; i--) {
		struct mmu_update *u = (void *)words;

		*u = (struct mmu_update){ (hfn.v << 12) + 8 * below(512),
					  own_frame() << 12 | P_RO };
		call(mmu_update, u, 1, 0, DOMID_SELF);
	}
	*op = (struct mmuext_op){ .cmd = below(2) ? 0 : (unsigned)below(4),
				  .arg1.mfn = hfn.v };
	return call(mmuext_op, op, 1, 0, DOMID_SELF);
}

static void step(void)
{
	static long (*const ways[])(void) = {
		updates,    updates,	update_va,  update_va,
		operations, operations, put_back,   tables_of_descriptors,
		balloon,    the_rest,	make_table,
	};
	uint64_t way = below(sizeof(ways) / sizeof(ways[0]));

	good += ways[way]() >= 0;
	rig.console_size = 0;
	rig.c->leave = rig.c->blocked = false;
}

static void random_calls(uint64_t first)
{
	uint64_t refused = 0;

	seed = first * UINT64_C(0x9e3779b97f4a7c15);
	good = 0;
	rig_machine();
	rig.config.bystander = RIG_BYSTANDER;
	rig_image(rig_usual(), 3);
	assert_null(rig_load());
	by = rig.d->bystander;
	first_table = rig_mfn_of((void *)rig.si->pt_base);
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		rig_audit();
		assert_int_equal(rig.vm.end, VM_RUNNING);
		assert_int_equal(machine.trespass, 0);
		if (i % 256 == 0)
			assert_int_equal(pv_bystander_changed(by), 0);
	}
	assert_int_equal(pv_bystander_changed(by), 0);
	for (unsigned i = 1; i < VMMU_DIRECT_STATUSES; i++)
		refused += rig.d->direct.stats.status[i];
	/* There was something to refuse, and something that was done. */
	assert_true(refused > STEPS / 8 && good > STEPS / 8);
	for (unsigned type = VMMU_FRAME_L1; type < VMMU_FRAME_WRITABLE; type++)
		promoted[type] += rig.d->direct.stats.promoted[type];
	rig_teardown(NULL);
	machine_take();
}

static void by_seeds(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= SEEDS; i++)
		random_calls(i);
	/* The builder makes five of them a time. */
	assert_true(promoted[VMMU_FRAME_L1] > 8 * SEEDS);
	assert_true(promoted[VMMU_FRAME_L2] > 2 * SEEDS);
	assert_true(promoted[VMMU_FRAME_L3] > 2 * SEEDS);
	assert_true(promoted[VMMU_FRAME_L4] > 2 * SEEDS);
	assert_true(promoted[VMMU_FRAME_SEGMENTS] > SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "by_seeds", rig_run, NULL, NULL,
		  (void *)(uintptr_t)by_seeds },
	};

	return cmocka_run_group_tests_name("pv_random", tests, NULL, NULL);
}

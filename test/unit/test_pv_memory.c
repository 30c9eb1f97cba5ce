/*
 * hv/pv/call_memory.c: what a paravirtual guest is told of memory, and the
 * balloon.
 */
#include "pv_rig.h"

static void maps(void **state)
{
	struct xen_memory_map *map = rig_spare(0);
	struct xen_machphys_mapping *m2p = rig_spare(1);
	uint32_t *ram = rig_spare(2);

	(void)state;
	map->nr_entries = 5;
	map->buffer.p = ram;
	assert_int_equal(call(memory_op, XENMEM_memory_map, map), 0);
	assert_int_equal(map->nr_entries, 1);
	assert_int_equal(*(uint64_t *)(ram + 2), RIG_MEMORY);
	assert_int_equal(ram[4], 1);
	map->nr_entries = 0;
	assert_int_equal(call(memory_op, XENMEM_memory_map, map), -XEN_EINVAL);
	map->nr_entries = 1;
	for (size_t i = 0; i < RIG_BAD; i++) {
		map->buffer.p = (void *)rig_bad[i];
		assert_int_equal(call(memory_op, XENMEM_memory_map, map),
				 -XEN_EFAULT);
		assert_int_equal(call(memory_op, XENMEM_memory_map, rig_bad[i]),
				 -XEN_EFAULT);
		assert_int_equal(
			call(memory_op, XENMEM_machphys_mapping, rig_bad[i]),
			-XEN_EFAULT);
	}
	assert_int_equal(call(memory_op, XENMEM_machphys_mapping, m2p), 0);
	assert_int_equal(m2p->v_start, HV_M2P_BASE);
	assert_int_equal(m2p->max_mfn, RIG_FRAMES - 1);
	assert_int_equal(call(memory_op, XENMEM_current_reservation),
			 RIG_MEMORY / 4096);
	assert_int_equal(call(memory_op, XENMEM_maximum_reservation),
			 RIG_MEMORY / 4096);
	assert_int_equal(call(memory_op, XENMEM_maximum_ram_page),
			 RIG_FRAMES - 1);
	assert_int_equal(call(memory_op, XENMEM_maximum_gpfn),
			 RIG_MEMORY / 4096 - 1);
	assert_int_equal(call(memory_op, XENMEM_exchange, map), -XEN_ENOSYS);
	assert_int_equal(call(memory_op, ~UINT64_C(0), map), -XEN_ENOSYS);
}

static long balloon(unsigned cmd, uint64_t frame)
{
	struct xen_memory_reservation *r = rig_spare(0);

	rig.entries[0] = frame;
	*r = (struct xen_memory_reservation){
		.extent_start.p = rig.entries,
		.nr_extents = 1,
		.domid = DOMID_SELF,
	};
	return call(memory_op, cmd, r);
}

static long give_up(uint64_t mfn)
{
	return balloon(XENMEM_decrease_reservation, mfn);
}

static long take(uint64_t gfn)
{
	return balloon(XENMEM_populate_physmap, gfn);
}

static void the_balloon(void **state)
{
	void *va = rig_spare(7);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn);

	(void)state;
	assert_int_equal(give_up(mfn), 0); /* it is mapped */
	memset(va, 0x66, 4096);
	assert_int_equal(call(update_va_mapping, va, 0, UVMF_INVLPG), 0);
	assert_int_equal(give_up(mfn), 1);
	assert_int_equal(give_up(mfn), 0);
	assert_int_equal(pv_frames.m2p[mfn], VMMU_M2P_INVALID);
	assert_false(rig.taken[mfn]);
	assert_int_equal(call(memory_op, XENMEM_current_reservation),
			 RIG_MEMORY / 4096 - 1);
	assert_int_equal(call(update_va_mapping, va, mfn << 12 | P_RW, 0),
			 -XEN_EPERM);
	assert_int_equal(take(gfn + 1), 0); /* there is one */
	assert_int_equal(take(RIG_MEMORY / 4096), 0);
	assert_int_equal(take(~UINT64_C(0)), 0);
	assert_int_equal(take(gfn), 1);
	assert_int_equal(rig.entries[0], rig_mfn(gfn));
	assert_int_equal(take(gfn), 0); /* more than was promised */
	assert_int_equal(call(update_va_mapping, va, rig_mfn(gfn) << 12 | P_RW,
			      UVMF_INVLPG),
			 0);
	rig_see((uintptr_t)va);
	assert_int_equal(*(uint64_t *)va, 0);
	assert_int_equal(give_up(rig_foreign()), 0);
	assert_int_equal(give_up(7), 0);
	assert_int_equal(give_up(~UINT64_C(0)), 0);
	assert_int_equal(give_up(rig.d->shared_page.v >> 12), 0);
	assert_int_equal(give_up(rig_mfn_of((void *)rig.si->pt_base)), 0);
	rig_untouched();
}

/* What the hypervisor remembers of P2M goes with it. */
static void a_gpa_is_looked_up_again(void **state)
{
	void *va = rig_spare(7), *other = rig_spare(8);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn), word = 0;
	gpa_t gpa = gfn_gpa(mk_gfn(gfn));

	(void)state;
	*(uint64_t *)va = 0x77;
	*(uint64_t *)other = 0x88;
	assert_int_equal(vmmu_gmem_read(&rig.vm.mem, gpa, &word, 8),
			 VMMU_GMEM_OK);
	assert_int_equal(word, 0x77);
	assert_int_equal(call(update_va_mapping, va, 0, UVMF_INVLPG), 0);
	assert_int_equal(give_up(mfn), 1);
	assert_int_equal(vmmu_gmem_read(&rig.vm.mem, gpa, &word, 8),
			 VMMU_GMEM_NONE);
	assert_int_equal(
		rig_update(rig_mfn_of(other) << 12 | MMU_MACHPHYS_UPDATE, gfn),
		0);
	assert_int_equal(vmmu_gmem_read(&rig.vm.mem, gpa, &word, 8),
			 VMMU_GMEM_OK);
	assert_int_equal(word, 0x88);
	assert_int_equal(rig_update(rig_mfn(gfn) << 12 | MMU_MACHPHYS_UPDATE,
				    rig_gfn_of(other)),
			 0);
	rig_audit();
}

/* A frame that it calls otherwise leaves a hole in P2M, but is one still. */
static void more_than_was_promised(void **state)
{
	void *va = rig_spare(7);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn);
	hfn_t hfn;

	(void)state;
	assert_int_equal(
		rig_update(mfn << 12 | MMU_MACHPHYS_UPDATE, UINT64_C(1) << 40),
		0);
	assert_false(vmmu_direct_p2m(&rig.vm.mmu, mk_gfn(gfn), &hfn));
	assert_int_equal(take(gfn), 0);
	assert_int_equal(call(memory_op, XENMEM_current_reservation),
			 RIG_MEMORY / 4096);
	assert_int_equal(rig_update(mfn << 12 | MMU_MACHPHYS_UPDATE, gfn), 0);
	assert_int_equal(rig_mfn(gfn), mfn);
	rig_untouched();
}

static void no_memory_to_take(void **state)
{
	void *va = rig_spare(7);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn);
	unsigned left = rig.frames_left;

	(void)state;
	assert_int_equal(call(update_va_mapping, va, 0, UVMF_INVLPG), 0);
	assert_int_equal(give_up(mfn), 1);
	rig.frames_left = 0;
	assert_int_equal(take(gfn), 0);
	assert_int_equal(rig.d->owned, RIG_MEMORY / 4096 - 1);
	rig.frames_left = left + 1;
	assert_int_equal(take(gfn), 1);
}

static void reservations(void **state)
{
	static const unsigned cmds[] = { XENMEM_decrease_reservation,
					 XENMEM_populate_physmap };
	struct xen_memory_reservation *r = rig_spare(0);

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		*r = (struct xen_memory_reservation){
			.extent_start.p = rig.entries,
			.nr_extents = 1,
			.domid = 1,
		};
		assert_int_equal(call(memory_op, cmds[n], r), -XEN_EPERM);
		r->domid = DOMID_SELF;
		r->extent_order = 9;
		assert_int_equal(call(memory_op, cmds[n], r), 0);
		r->extent_order = 0;
		r->nr_extents = (uint64_t)INT32_MAX + 1;
		assert_int_equal(call(memory_op, cmds[n], r), 0);
		r->nr_extents = 2;
		for (size_t i = 0; i < RIG_BAD; i++) {
			assert_int_equal(call(memory_op, cmds[n], rig_bad[i]),
					 -XEN_EFAULT);
			r->extent_start.p = (void *)rig_bad[i];
			assert_int_equal(call(memory_op, cmds[n], r), 0);
		}
	}
	rig_untouched();
}

/* A place for the answer that cannot be written: the guest has the frame. */
static void an_answer_that_is_lost(void **state)
{
	struct xen_memory_reservation *r = rig_spare(0);
	void *va = rig_spare(7), *list = rig_spare(8);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn);

	(void)state;
	assert_int_equal(call(update_va_mapping, va, 0, UVMF_INVLPG), 0);
	assert_int_equal(give_up(mfn), 1);
	*(uint64_t *)list = gfn;
	call(update_va_mapping, list, rig_mfn_of(list) << 12 | P_RO,
	     UVMF_INVLPG);
	rig_see((uintptr_t)list);
	*r = (struct xen_memory_reservation){
		.extent_start.p = list,
		.nr_extents = 1,
		.domid = DOMID_SELF,
	};
	assert_int_equal(call(memory_op, XENMEM_populate_physmap, r), 0);
	assert_int_equal(rig.d->owned, RIG_MEMORY / 4096);
	assert_true(rig_mfn(gfn) != 0);
	rig_untouched();
}

#define T(f) RIG_TEST(f, rig_setup_beside)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(maps),
		T(the_balloon),
		T(a_gpa_is_looked_up_again),
		T(more_than_was_promised),
		T(no_memory_to_take),
		T(reservations),
		T(an_answer_that_is_lost),
	};

	return cmocka_run_group_tests_name("pv_memory", tests, NULL, NULL);
}

/*
 * hv/pv/call_mmu.c: arguments of the hypercalls of paging. Which entries may be
 * what is the library's, and tested there; here is what reaches it, what comes
 * back, and what the processor is told.
 */
#include "pv_rig.h"

/* The machine address of the leaf entry for va. */
static uint64_t leaf(const void *va)
{
	struct vmmu_direct_walk w;

	assert_true(
		vmmu_direct_walk(&rig.c->vcpu->mmu, mk_gva((uintptr_t)va), &w));
	return w.at.v;
}

static uint64_t entry_of(const void *va)
{
	struct vmmu_direct_walk w;

	vmmu_direct_walk(&rig.c->vcpu->mmu, mk_gva((uintptr_t)va), &w);
	return w.entry;
}

/* 1. mmu_update. */

static void one_entry(void **state)
{
	void *va = rig_spare(1);
	uint64_t own = rig_mfn_of(va) << 12;

	(void)state;
	assert_int_equal(rig_update(leaf(va), own | P_RO), 0);
	assert_int_equal(entry_of(va) & ~UINT64_C(0x60), (own | P_RO) & ~0x60u);
	assert_int_equal(rig_update(leaf(va) | MMU_PT_UPDATE_PRESERVE_AD,
				    own | (P_RW & ~0x60u)),
			 0);
	assert_int_equal(entry_of(va), own | P_RW);
	assert_int_equal(rig_update(leaf(va) | MMU_MACHPHYS_UPDATE, 5),
			 0 /* of the table's own frame, and back */);
	assert_int_equal(rig.m2p[leaf(va) >> 12], 5);
	assert_int_equal(
		rig_update(leaf(va) | MMU_MACHPHYS_UPDATE, rig_gfn_of(va) >> 9),
		0);
}

static void other_operations(void **state)
{
	uint64_t at = leaf(rig_spare(1));

	(void)state;
	for (unsigned how = 3; how < 8; how++)
		assert_int_equal(rig_update(at | how, 0), -XEN_ENOSYS);
	assert_int_equal(entry_of(rig_spare(1)) & 1, 1);
}

static void what_is_anothers(void **state)
{
	uint64_t at = leaf(rig_spare(1));

	(void)state;
	assert_int_equal(rig_update(at, rig_foreign() << 12 | P_RW),
			 -XEN_EPERM);
	assert_int_equal(rig_update(at, rig_foreign() << 12 | P_RO),
			 -XEN_EPERM);
	assert_int_equal(rig_update(rig_foreign() << 12, 0), -XEN_EPERM);
	assert_int_equal(
		rig_update(rig_foreign() << 12 | MMU_MACHPHYS_UPDATE, 1),
		-XEN_EPERM);
	assert_int_equal(rig_update(at, UINT64_C(0x10000) | P_RO), -XEN_EPERM);
	assert_int_equal(rig_update(UINT64_C(0x10000), 0), -XEN_EPERM);
	assert_int_equal(rig_update(UINT64_C(1) << 51, 0), -XEN_EPERM);
	assert_int_equal(rig_update(at, rig.si->pt_base), -XEN_EINVAL);
	rig_untouched();
}

static void lists_of_updates(void **state)
{
	struct mmu_update *u = rig_request(leaf(rig_spare(1)), 0);

	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(rig_update_list(rig_bad[i]), -XEN_EFAULT);
	for (unsigned domain = 0; domain < 0x7ff0; domain += 0x123)
		assert_int_equal(call(mmu_update, u, 1, 0, domain), -XEN_EPERM);
	assert_int_equal(call(mmu_update, u, 1, 0, DOMID_SELF | 2u << 16),
			 -XEN_EPERM);
	assert_int_equal(call(mmu_update, u, 1, 0, DOMID_XEN), -XEN_EPERM);
	assert_int_equal(call(mmu_update, u, 0x80000001, 0, DOMID_SELF),
			 -XEN_EINVAL);
	assert_int_equal(call(mmu_update, u, 0x7fffffff, 0, DOMID_SELF) <= 0,
			 1);
	assert_int_equal(
		call(mmu_update, ~UINT64_C(0) - 100, 1000, 0, DOMID_SELF),
		-XEN_EFAULT);
	assert_int_equal(call(mmu_update, u, 0, 0, DOMID_SELF), 0);
	assert_true(rig.c->stats.update_refused > 0x7ff0 / 0x123);
}

/* What was before the bad one is done, and told. */
static void a_list_that_fails_halfway(void **state)
{
	void *va = rig_spare(1);
	struct mmu_update *u = rig_request(leaf(va), 0);
	uint32_t *done = (void *)(u + 8);

	(void)state;
	u[1] = (struct mmu_update){ leaf(va), rig_foreign() << 12 | P_RW };
	u[2] = (struct mmu_update){ leaf(va), rig_mfn_of(va) << 12 | P_RW };
	assert_int_equal(call(mmu_update, u, 3, done, DOMID_SELF), -XEN_EPERM);
	assert_int_equal(*done, 1);
	assert_int_equal(entry_of(va), 0);
	assert_int_equal(rig.c->stats.update_batched, 1);
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(call(mmu_update, u, 1, rig_bad[i], DOMID_SELF),
				 -XEN_EFAULT);
	rig_untouched();
}

static void long_lists_breathe(void **state)
{
	struct mmu_update *u = rig_spare(2);
	uint64_t at = leaf(rig_spare(1)), own = rig_mfn_of(rig_spare(1)) << 12;

	(void)state;
	for (unsigned i = 0; i < 1024; i++)
		u[i] = (struct mmu_update){ at, i & 1 ? 0 : own | P_RW };
	assert_int_equal(call(mmu_update, u, 1024, 0, DOMID_SELF), 0);
	assert_int_equal(rig.takes, 1024 / PV_CALLS_A_BREATH);
	assert_int_equal(rig.c->stats.update_batched, 1024);
	assert_int_equal(rig.c->stats.update_lists, 1);
}

/* 2. update_va_mapping. */

static void by_address(void **state)
{
	void *va = rig_spare(1);
	uint64_t own = rig_mfn_of(va) << 12;

	(void)state;
	assert_int_equal(call(update_va_mapping, va, own | P_RO, 0), 0);
	assert_int_equal(machine.invlpgs, 0);
	assert_int_equal(call(update_va_mapping, va, own | P_RW, UVMF_INVLPG),
			 0);
	assert_int_equal(machine.invlpgs, 1);
	assert_int_equal(machine.invlpg_at, (uintptr_t)va);
	machine.cr3_loads = 0;
	assert_int_equal(call(update_va_mapping, va, own | P_RW,
			      UVMF_TLB_FLUSH | UVMF_ALL),
			 0);
	assert_int_equal(machine.cr3_loads, 1);
	for (size_t i = 0; i < RIG_BAD - 1; i++)
		assert_true(call(update_va_mapping, rig_bad[i], own | P_RW, 0) <
			    0);
	assert_int_equal(call(update_va_mapping, 0x1000, own | P_RW, 0),
			 -XEN_EINVAL);
	assert_int_equal(call(update_va_mapping, va, rig_foreign() << 12 | P_RO,
			      UVMF_INVLPG),
			 -XEN_EPERM);
	assert_int_equal(machine.invlpgs, 1);
	rig_untouched();
}

/* 3. mmuext_op. */

static void lists_of_operations(void **state)
{
	struct mmuext_op *op = rig_spare(0);
	uint32_t *done = (void *)(op + 8);

	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++) {
		assert_int_equal(call(mmuext_op, rig_bad[i], 1, 0, DOMID_SELF),
				 -XEN_EFAULT);
		assert_int_equal(call(mmuext_op, op, 0, rig_bad[i], DOMID_SELF),
				 -XEN_EFAULT);
	}
	op[0] = (struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL };
	op[1] = (struct mmuext_op){ .cmd = 14 };
	op[2] = op[0];
	machine.cr3_loads = 0;
	assert_int_equal(call(mmuext_op, op, 3, done, DOMID_SELF), -XEN_ENOSYS);
	assert_int_equal(*done, 1);
	assert_int_equal(machine.cr3_loads, 1);
	assert_int_equal(call(mmuext_op, op, 1, 0, 0), -XEN_EPERM);
	assert_int_equal(call(mmuext_op, op, 1, 0, 1), -XEN_EPERM);
	assert_int_equal(call(mmuext_op, op, 0x80000000, 0, DOMID_SELF),
			 -XEN_EINVAL);
	assert_int_equal(rig_ext(19, 0, 0), -XEN_ENOSYS);
	assert_int_equal(rig_ext(20, 0, 0), -XEN_ENOSYS);
	assert_int_equal(rig_ext(UINT32_MAX, 0, 0), -XEN_ENOSYS);
	assert_int_equal(rig_ext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
	assert_int_equal(rig_ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
}

static void flushes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		static const uint8_t one[] = { MMUEXT_INVLPG_LOCAL,
					       MMUEXT_INVLPG_MULTI,
					       MMUEXT_INVLPG_ALL };
		static const uint8_t all[] = { MMUEXT_TLB_FLUSH_LOCAL,
					       MMUEXT_TLB_FLUSH_MULTI,
					       MMUEXT_TLB_FLUSH_ALL };

		machine.invlpgs = machine.cr3_loads = 0;
		assert_int_equal(rig_ext(one[i], 0x7000 + i, 0), 0);
		assert_int_equal(machine.invlpgs, 1);
		assert_int_equal(machine.invlpg_at, 0x7000 + i);
		assert_int_equal(rig_ext(all[i], 0, 0), 0);
		assert_int_equal(machine.cr3_loads, 1);
	}
}

/* An empty table of the guest's own, as it must be mapped. */
static uint64_t make_table(unsigned n)
{
	void *va = rig_spare(n);
	uint64_t mfn = rig_mfn_of(va);

	memset(va, 0, 4096);
	assert_int_equal(
		call(update_va_mapping, va, mfn << 12 | P_RO, UVMF_INVLPG), 0);
	rig_see((uintptr_t)va);
	return mfn;
}

static void pins(void **state)
{
	uint64_t mfn = make_table(3);

	(void)state;
	for (unsigned level = 1; level <= 4; level++) {
		unsigned cmd = MMUEXT_PIN_L1_TABLE + level - 1;

		assert_int_equal(rig_ext(cmd, mfn, 0), 0);
		assert_int_equal(rig.frame[mfn].type, level);
		assert_int_equal(rig_ext(cmd, mfn, 0), -XEN_EBUSY);
		assert_int_equal(rig_ext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
		assert_int_equal(rig_ext(MMUEXT_UNPIN_TABLE, mfn, 0),
				 -XEN_EBUSY);
		assert_int_equal(rig_ext(cmd, rig_foreign(), 0), -XEN_EPERM);
		assert_int_equal(rig_ext(cmd, 0, 0), -XEN_EPERM);
		assert_int_equal(rig_ext(cmd, RIG_FRAMES, 0), -XEN_EPERM);
		assert_int_equal(rig_ext(cmd, ~UINT64_C(0), 0), -XEN_EPERM);
		assert_int_equal(rig_ext(cmd, rig_mfn_of(rig_spare(1)), 0),
				 -XEN_EINVAL);
	}
	assert_int_equal(rig_ext(MMUEXT_UNPIN_TABLE, rig_foreign(), 0),
			 -XEN_EPERM);
	rig_untouched();
}

/* Four tables of links are left to be taken apart, which takes a while:
 * whatever is asked for next does that first, and the host is heard. */
static void unpin_much(void)
{
	uint64_t l1 = make_table(3), *entry = rig_spare(8);

	for (unsigned n = 4; n < 8; n++) {
		uint64_t *links = rig_spare(n);

		for (unsigned i = 0; i < 512; i++)
			links[i] = l1 << 12 | P_RW;
		assert_int_equal(call(update_va_mapping, links,
				      rig_mfn_of(links) << 12 | P_RO,
				      UVMF_INVLPG),
				 0);
		entry[n] = rig_mfn_of(links) << 12 | P_RW;
	}
	assert_int_equal(call(update_va_mapping, entry,
			      rig_mfn_of(entry) << 12 | P_RO, UVMF_INVLPG),
			 0);
	rig.takes = 0;
	assert_int_equal(rig_ext(MMUEXT_PIN_L3_TABLE, rig_mfn_of(entry), 0), 0);
	assert_true(rig.takes > 2);
	assert_int_equal(rig_ext(MMUEXT_UNPIN_TABLE, rig_mfn_of(entry), 0), 0);
	assert_int_equal(rig.d->direct.doomed_count, 1);
	rig.takes = 0;
}

static void heard(void)
{
	assert_true(rig.takes > 2);
	assert_int_equal(rig.d->direct.doomed_count, 0);
	rig_audit();
	for (unsigned n = 3; n < 9; n++)
		call(update_va_mapping, rig_spare(n),
		     rig_mfn_of(rig_spare(n)) << 12 | P_RW, UVMF_INVLPG);
	for (unsigned n = 3; n < 9; n++) {
		rig_see((uintptr_t)rig_spare(n));
		memset(rig_spare(n), 0, 4096);
	}
}

static void what_is_left_is_done_by_whatever_comes_next(void **state)
{
	uint64_t page = rig_mfn_of(rig_spare(10));
	uint64_t other = rig_mfn_of(rig_spare(11));
	uint64_t *list = rig_spare(9);
	struct xen_memory_reservation r = {
		.extent_start.p = list,
		.nr_extents = 1,
		.domid = DOMID_SELF,
	};
	struct xen_memory_reservation *request = rig_spare(12);

	(void)state;
	unpin_much();
	assert_int_equal(rig_ext(MMUEXT_COPY_PAGE, page, other), 0);
	heard();
	unpin_much();
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, page, 0), 0);
	heard();
	unpin_much();
	list[0] = rig_foreign();
	assert_int_equal(call(set_gdt, list, 1), -XEN_EPERM);
	heard();
	unpin_much();
	*request = r;
	assert_int_equal(call(memory_op, XENMEM_decrease_reservation, request),
			 0);
	heard();
}

static void roots(void **state)
{
	uint64_t old = rig.c->vcpu->mmu.root.v, mfn = make_table(3);
	const struct vmmu_direct_cpu *cpu = vmmu_direct_cpu(&rig.c->vcpu->mmu);

	(void)state;
	assert_int_equal(rig_ext(MMUEXT_NEW_BASEPTR, mfn, 0), 0);
	assert_int_equal(rig.c->vcpu->mmu.root.v, mfn << 12);
	assert_int_equal(machine.cr[3], mfn << 12);
	assert_int_equal(rig.c->cr3_kernel, mfn << 12);
	/* It has the hypervisor's entries, or the next instruction would be
	 * the last. */
	assert_memory_equal((uint64_t *)pv_page(mk_hpa(mfn << 12)) +
				    HV_SLOT_FIRST,
			    rig.d->template, sizeof(rig.d->template));
	assert_int_equal(rig_ext(MMUEXT_NEW_BASEPTR, old >> 12, 0), 0);
	assert_int_equal(machine.cr[3], old);
	assert_int_equal(rig_ext(MMUEXT_NEW_BASEPTR, rig_foreign(), 0),
			 -XEN_EPERM);
	assert_int_equal(rig_ext(MMUEXT_NEW_BASEPTR, 0, 0), -XEN_EPERM);
	assert_int_equal(
		rig_ext(MMUEXT_NEW_BASEPTR, rig_mfn_of(rig_spare(1)), 0),
		-XEN_EINVAL);
	assert_int_equal(machine.cr[3], old);
	assert_int_equal(rig.c->vcpu->mmu.root.v, old);
	assert_int_equal(rig_ext(MMUEXT_NEW_USER_BASEPTR, mfn, 0), 0);
	assert_int_equal(cpu->user_root.v, mfn << 12);
	assert_int_equal(rig_ext(MMUEXT_NEW_USER_BASEPTR, rig_foreign(), 0),
			 -XEN_EPERM);
	assert_int_equal(cpu->user_root.v, mfn << 12);
	assert_int_equal(rig_ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
	assert_int_equal(cpu->user_root.v, 0);
	rig_untouched();
}

static void pages_are_cleared_and_copied(void **state)
{
	uint8_t *a = rig_spare(4), *b = rig_spare(5);
	uint64_t table = rig_mfn_of((void *)rig.si->pt_base);

	(void)state;
	memset(a, 0x5a, 4096);
	assert_int_equal(
		rig_ext(MMUEXT_COPY_PAGE, rig_mfn_of(b), rig_mfn_of(a)), 0);
	assert_memory_equal(a, b, 4096);
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, rig_mfn_of(a), 0), 0);
	assert_true(a[0] == 0 && a[4095] == 0);
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, table, 0), -XEN_EINVAL);
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, rig_foreign(), 0),
			 -XEN_EPERM);
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, 7, 0), -XEN_EPERM);
	assert_int_equal(rig_ext(MMUEXT_CLEAR_PAGE, ~UINT64_C(0), 0),
			 -XEN_EPERM);
	assert_int_equal(rig_ext(MMUEXT_COPY_PAGE, table, rig_mfn_of(a)),
			 -XEN_EINVAL);
	assert_int_equal(
		rig_ext(MMUEXT_COPY_PAGE, rig_foreign(), rig_mfn_of(a)),
		-XEN_EPERM);
	assert_int_equal(
		rig_ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), rig_foreign()),
		-XEN_EPERM);
	assert_int_equal(rig_ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), 7),
			 -XEN_EPERM);
	/* A table may be read. */
	assert_int_equal(rig_ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), table), 0);
	assert_memory_equal(a, (void *)rig.si->pt_base, 4096);
	rig_untouched();
}

#define T(f) RIG_TEST(f, rig_setup_beside)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_entry),
		T(other_operations),
		T(what_is_anothers),
		T(lists_of_updates),
		T(a_list_that_fails_halfway),
		T(long_lists_breathe),
		T(by_address),
		T(lists_of_operations),
		T(flushes),
		T(pins),
		T(what_is_left_is_done_by_whatever_comes_next),
		T(roots),
		T(pages_are_cleared_and_copied),
	};

	return cmocka_run_group_tests_name("pv_mmu", tests, NULL, NULL);
}

/*
 * hv/pv/call_mmu.c, call_desc.c, call_memory.c: arguments of the hypercalls of
 * paging, of descriptor tables and of the balloon. Which entries may be what is
 * the library's, and tested there; here is what reaches it, what comes back,
 * and what the processor is told.
 */
#include "pv_rig.h"

#define BYSTANDER (UINT64_C(6) << 20)

static struct pv_bystander *by;

static int setup(void **state)
{
	(void)state;
	rig_machine();
	rig.config.bystander = BYSTANDER;
	rig_image(rig_usual(), 3);
	assert_null(rig_load());
	by = rig.d->bystander;
	return 0;
}

static void untouched(void)
{
	assert_int_equal(pv_bystander_changed(by), 0);
	rig_audit();
}

static uint64_t foreign(void)
{
	return by->witness[by->count - 2].hfn.v;
}

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

static long update_list(uint64_t at)
{
	return call(mmu_update, at, 1, 0, DOMID_SELF);
}

static struct mmu_update *request(uint64_t ptr, uint64_t val)
{
	struct mmu_update *u = rig_spare(0);

	u[0] = (struct mmu_update){ ptr, val };
	return u;
}

static long update(uint64_t ptr, uint64_t val)
{
	return update_list((uintptr_t)request(ptr, val));
}

static void one_entry(void **state)
{
	void *va = rig_spare(1);
	uint64_t own = rig_mfn_of(va) << 12;

	(void)state;
	assert_int_equal(update(leaf(va), own | P_RO), 0);
	assert_int_equal(entry_of(va) & ~UINT64_C(0x60), (own | P_RO) & ~0x60u);
	assert_int_equal(update(leaf(va) | MMU_PT_UPDATE_PRESERVE_AD,
				own | (P_RW & ~0x60u)),
			 0);
	assert_int_equal(entry_of(va), own | P_RW);
	assert_int_equal(update(leaf(va) | MMU_MACHPHYS_UPDATE, 5),
			 0 /* of the table's own frame, and back */);
	assert_int_equal(rig.m2p[leaf(va) >> 12], 5);
	assert_int_equal(
		update(leaf(va) | MMU_MACHPHYS_UPDATE, rig_gfn_of(va) >> 9), 0);
}

static void other_operations(void **state)
{
	uint64_t at = leaf(rig_spare(1));

	(void)state;
	for (unsigned how = 3; how < 8; how++)
		assert_int_equal(update(at | how, 0), -XEN_ENOSYS);
	assert_int_equal(entry_of(rig_spare(1)) & 1, 1);
}

static void what_is_anothers(void **state)
{
	uint64_t at = leaf(rig_spare(1));

	(void)state;
	assert_int_equal(update(at, foreign() << 12 | P_RW), -XEN_EPERM);
	assert_int_equal(update(at, foreign() << 12 | P_RO), -XEN_EPERM);
	assert_int_equal(update(foreign() << 12, 0), -XEN_EPERM);
	assert_int_equal(update(foreign() << 12 | MMU_MACHPHYS_UPDATE, 1),
			 -XEN_EPERM);
	assert_int_equal(update(at, UINT64_C(0x10000) | P_RO), -XEN_EPERM);
	assert_int_equal(update(UINT64_C(0x10000), 0), -XEN_EPERM);
	assert_int_equal(update(UINT64_C(1) << 51, 0), -XEN_EPERM);
	assert_int_equal(update(at, rig.si->pt_base), -XEN_EINVAL);
	untouched();
}

static void lists_of_updates(void **state)
{
	struct mmu_update *u = request(leaf(rig_spare(1)), 0);

	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(update_list(rig_bad[i]), -XEN_EFAULT);
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
	struct mmu_update *u = request(leaf(va), 0);
	uint32_t *done = (void *)(u + 8);

	(void)state;
	u[1] = (struct mmu_update){ leaf(va), foreign() << 12 | P_RW };
	u[2] = (struct mmu_update){ leaf(va), rig_mfn_of(va) << 12 | P_RW };
	assert_int_equal(call(mmu_update, u, 3, done, DOMID_SELF), -XEN_EPERM);
	assert_int_equal(*done, 1);
	assert_int_equal(entry_of(va), 0);
	assert_int_equal(rig.c->stats.update_batched, 1);
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(call(mmu_update, u, 1, rig_bad[i], DOMID_SELF),
				 -XEN_EFAULT);
	untouched();
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
	assert_int_equal(call(update_va_mapping, va, foreign() << 12 | P_RO,
			      UVMF_INVLPG),
			 -XEN_EPERM);
	assert_int_equal(machine.invlpgs, 1);
	untouched();
}

/* 3. mmuext_op. */

static long ext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
	struct mmuext_op *op = rig_spare(0);

	*op = (struct mmuext_op){ .cmd = cmd,
				  .arg1.mfn = arg1,
				  .arg2.src_mfn = arg2 };
	return call(mmuext_op, op, 1, 0, DOMID_SELF);
}

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
	assert_int_equal(ext(19, 0, 0), -XEN_ENOSYS);
	assert_int_equal(ext(20, 0, 0), -XEN_ENOSYS);
	assert_int_equal(ext(UINT32_MAX, 0, 0), -XEN_ENOSYS);
	assert_int_equal(ext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
	assert_int_equal(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
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
		assert_int_equal(ext(one[i], 0x7000 + i, 0), 0);
		assert_int_equal(machine.invlpgs, 1);
		assert_int_equal(machine.invlpg_at, 0x7000 + i);
		assert_int_equal(ext(all[i], 0, 0), 0);
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

		assert_int_equal(ext(cmd, mfn, 0), 0);
		assert_int_equal(rig.frame[mfn].type, level);
		assert_int_equal(ext(cmd, mfn, 0), -XEN_EBUSY);
		assert_int_equal(ext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
		assert_int_equal(ext(MMUEXT_UNPIN_TABLE, mfn, 0), -XEN_EBUSY);
		assert_int_equal(ext(cmd, foreign(), 0), -XEN_EPERM);
		assert_int_equal(ext(cmd, 0, 0), -XEN_EPERM);
		assert_int_equal(ext(cmd, RIG_FRAMES, 0), -XEN_EPERM);
		assert_int_equal(ext(cmd, ~UINT64_C(0), 0), -XEN_EPERM);
		assert_int_equal(ext(cmd, rig_mfn_of(rig_spare(1)), 0),
				 -XEN_EINVAL);
	}
	assert_int_equal(ext(MMUEXT_UNPIN_TABLE, foreign(), 0), -XEN_EPERM);
	untouched();
}

static void roots(void **state)
{
	uint64_t old = rig.c->vcpu->mmu.root.v, mfn = make_table(3);
	const struct vmmu_direct_cpu *cpu = vmmu_direct_cpu(&rig.c->vcpu->mmu);

	(void)state;
	assert_int_equal(ext(MMUEXT_NEW_BASEPTR, mfn, 0), 0);
	assert_int_equal(rig.c->vcpu->mmu.root.v, mfn << 12);
	assert_int_equal(machine.cr[3], mfn << 12);
	assert_int_equal(rig.c->cr3_kernel, mfn << 12);
	/* It has the hypervisor's entries, or the next instruction would be
	 * the last. */
	assert_memory_equal((uint64_t *)pv_page(mk_hpa(mfn << 12)) +
				    HV_SLOT_FIRST,
			    rig.d->template, sizeof(rig.d->template));
	assert_int_equal(ext(MMUEXT_NEW_BASEPTR, old >> 12, 0), 0);
	assert_int_equal(machine.cr[3], old);
	assert_int_equal(ext(MMUEXT_NEW_BASEPTR, foreign(), 0), -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_NEW_BASEPTR, 0, 0), -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_NEW_BASEPTR, rig_mfn_of(rig_spare(1)), 0),
			 -XEN_EINVAL);
	assert_int_equal(machine.cr[3], old);
	assert_int_equal(rig.c->vcpu->mmu.root.v, old);
	assert_int_equal(ext(MMUEXT_NEW_USER_BASEPTR, mfn, 0), 0);
	assert_int_equal(cpu->user_root.v, mfn << 12);
	assert_int_equal(ext(MMUEXT_NEW_USER_BASEPTR, foreign(), 0),
			 -XEN_EPERM);
	assert_int_equal(cpu->user_root.v, mfn << 12);
	assert_int_equal(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
	assert_int_equal(cpu->user_root.v, 0);
	untouched();
}

static void pages_are_cleared_and_copied(void **state)
{
	uint8_t *a = rig_spare(4), *b = rig_spare(5);
	uint64_t table = rig_mfn_of((void *)rig.si->pt_base);

	(void)state;
	memset(a, 0x5a, 4096);
	assert_int_equal(ext(MMUEXT_COPY_PAGE, rig_mfn_of(b), rig_mfn_of(a)),
			 0);
	assert_memory_equal(a, b, 4096);
	assert_int_equal(ext(MMUEXT_CLEAR_PAGE, rig_mfn_of(a), 0), 0);
	assert_true(a[0] == 0 && a[4095] == 0);
	assert_int_equal(ext(MMUEXT_CLEAR_PAGE, table, 0), -XEN_EINVAL);
	assert_int_equal(ext(MMUEXT_CLEAR_PAGE, foreign(), 0), -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_CLEAR_PAGE, 7, 0), -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_CLEAR_PAGE, ~UINT64_C(0), 0), -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_COPY_PAGE, table, rig_mfn_of(a)),
			 -XEN_EINVAL);
	assert_int_equal(ext(MMUEXT_COPY_PAGE, foreign(), rig_mfn_of(a)),
			 -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), foreign()),
			 -XEN_EPERM);
	assert_int_equal(ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), 7), -XEN_EPERM);
	/* A table may be read. */
	assert_int_equal(ext(MMUEXT_COPY_PAGE, rig_mfn_of(a), table), 0);
	assert_memory_equal(a, (void *)rig.si->pt_base, 4096);
	untouched();
}

/* 4. Descriptor tables. */

#define DATA_3 UINT64_C(0x00cff3000000ffff)
#define DATA_0 UINT64_C(0x00cf93000000ffff)
#define CODE_3 UINT64_C(0x00affb000000ffff)
#define GATE   UINT64_C(0x00008e0000080000)

static uint64_t make_segments(unsigned n, uint64_t descriptor)
{
	uint64_t *va = rig_spare(n), mfn = rig_mfn_of(va);

	memset(va, 0, 4096);
	va[5] = descriptor;
	assert_int_equal(
		call(update_va_mapping, va, mfn << 12 | P_RO, UVMF_INVLPG), 0);
	rig_see((uintptr_t)va);
	return mfn;
}

static long set_gdt(uint64_t first, uint64_t second, uint64_t entries)
{
	uint64_t *list = rig_spare(0);

	for (unsigned i = 0; i < 32; i++)
		list[i] = i ? second : first;
	return call(set_gdt, list, entries);
}

static void a_gdt(void **state)
{
	uint64_t good = make_segments(6, CODE_3), next;
	uint64_t *list = rig_spare(0);

	(void)state;
	assert_int_equal(set_gdt(good, 0, 16), 0);
	assert_int_equal(rig.c->gdt_frames, 1);
	assert_int_equal(rig.c->gdt_frame[0].v, good);
	assert_int_equal(rig.frame[good].type, VMMU_FRAME_SEGMENTS);
	/* In force: it cannot be written, given up or made a table. */
	assert_true(call(update_va_mapping, rig_spare(6), good << 12 | P_RW,
			 0) < 0);
	assert_int_equal(ext(MMUEXT_PIN_L1_TABLE, good, 0), -XEN_EINVAL);
	next = make_segments(7, DATA_3);
	assert_int_equal(set_gdt(next, good, 513), 0);
	assert_int_equal(rig.c->gdt_frames, 2);
	assert_int_equal(set_gdt(good, 0, 0), 0);
	assert_int_equal(rig.c->gdt_frames, 0);
	assert_int_equal(call(update_va_mapping, rig_spare(6),
			      good << 12 | P_RW, UVMF_INVLPG),
			 0);
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(call(set_gdt, rig_bad[i], 16), -XEN_EFAULT);
	assert_int_equal(call(set_gdt, list, PV_GDT_ENTRIES + 1), -XEN_EINVAL);
	assert_int_equal(call(set_gdt, list, ~UINT64_C(0)), -XEN_EINVAL);
	untouched();
}

/* All of its frames, or none. */
static void a_gdt_that_is_bad(void **state)
{
	uint64_t good = make_segments(6, DATA_3), gate;

	(void)state;
	assert_int_equal(set_gdt(good, 0, 16), 0);
	assert_int_equal(set_gdt(good, foreign(), 513), -XEN_EPERM);
	assert_int_equal(set_gdt(foreign(), 0, 16), -XEN_EPERM);
	assert_int_equal(set_gdt(7, 0, 16), -XEN_EPERM);
	assert_int_equal(set_gdt(rig_mfn_of(rig_spare(1)), 0, 16), -XEN_EINVAL);
	assert_int_equal(set_gdt(rig_mfn_of((void *)rig.si->pt_base), 0, 16),
			 -XEN_EINVAL);
	gate = make_segments(8, GATE);
	assert_int_equal(set_gdt(good, gate, 513), -XEN_EINVAL);
	assert_int_equal(rig.c->gdt_frames, 1);
	assert_int_equal(rig.c->gdt_frame[0].v, good);
	assert_int_equal(rig.frame[good].type_count, 1);
	untouched();
}

static long set_ldt(uint64_t base, uint64_t entries)
{
	struct mmuext_op *op = rig_spare(0);

	*op = (struct mmuext_op){ .cmd = MMUEXT_SET_LDT,
				  .arg1.linear_addr = base,
				  .arg2.nr_ents = (unsigned)entries };
	return call(mmuext_op, op, 1, 0, DOMID_SELF);
}

static void an_ldt(void **state)
{
	uint64_t mfn = make_segments(6, DATA_3);
	uint64_t base = (uintptr_t)rig_spare(6);

	(void)state;
	assert_int_equal(set_ldt(base, 16), 0);
	assert_int_equal(rig.c->ldt_frames, 1);
	assert_int_equal(rig.frame[mfn].type, VMMU_FRAME_SEGMENTS);
	assert_int_equal(machine.lldts, 1);
	assert_int_equal(set_ldt(base + 8, 16), -XEN_EINVAL);
	assert_int_equal(set_ldt(base, 8193), -XEN_EINVAL);
	assert_int_equal(set_ldt(base, UINT32_MAX), -XEN_EINVAL);
	/* The page behind is writable: not both, so neither. */
	assert_int_equal(set_ldt(base, 513), -XEN_EINVAL);
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_true(set_ldt(rig_bad[i] & ~UINT64_C(4095), 16) < 0);
	assert_int_equal(rig.c->ldt_frames, 1);
	assert_int_equal(set_ldt(0, 0), 0);
	assert_int_equal(rig.c->ldt_frames, 0);
	assert_int_equal(rig.frame[mfn].type_count, 0);
	untouched();
}

static void descriptors(void **state)
{
	uint64_t mfn = make_segments(6, DATA_3);
	const uint64_t *va = rig_spare(6);

	(void)state;
	assert_int_equal(set_gdt(mfn, 0, 16), 0);
	assert_int_equal(call(update_descriptor, mfn << 12 | 16, CODE_3), 0);
	assert_int_equal(va[2], CODE_3);
	assert_int_equal(call(update_descriptor, mfn << 12 | 16, DATA_0), 0);
	assert_int_equal(va[2], DATA_3); /* DPL 3 is what it gets */
	assert_int_equal(call(update_descriptor, mfn << 12 | 16, GATE),
			 -XEN_EINVAL);
	assert_int_equal(va[2], DATA_3);
	assert_int_equal(call(update_descriptor, mfn << 12 | 17, CODE_3),
			 -XEN_EINVAL);
	assert_int_equal(call(update_descriptor, foreign() << 12, CODE_3),
			 -XEN_EPERM);
	assert_int_equal(call(update_descriptor, 0x8000, CODE_3), -XEN_EPERM);
	assert_int_equal(call(update_descriptor, ~UINT64_C(7), CODE_3),
			 -XEN_EPERM);
	assert_true(call(update_descriptor,
			 rig_mfn_of((void *)rig.si->pt_base) << 12,
			 CODE_3) < 0);
	untouched();
}

/* 5. memory_op. */

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
	assert_int_equal(give_up(foreign()), 0);
	assert_int_equal(give_up(7), 0);
	assert_int_equal(give_up(~UINT64_C(0)), 0);
	assert_int_equal(give_up(rig.d->shared_page.v >> 12), 0);
	assert_int_equal(give_up(rig_mfn_of((void *)rig.si->pt_base)), 0);
	untouched();
}

/* A frame that it calls otherwise leaves a hole in P2M, but is one still. */
static void more_than_was_promised(void **state)
{
	void *va = rig_spare(7);
	uint64_t gfn = rig_gfn_of(va), mfn = rig_mfn(gfn);
	hfn_t hfn;

	(void)state;
	assert_int_equal(
		update(mfn << 12 | MMU_MACHPHYS_UPDATE, UINT64_C(1) << 40), 0);
	assert_false(vmmu_direct_p2m(&rig.vm.mmu, mk_gfn(gfn), &hfn));
	assert_int_equal(take(gfn), 0);
	assert_int_equal(call(memory_op, XENMEM_current_reservation),
			 RIG_MEMORY / 4096);
	assert_int_equal(update(mfn << 12 | MMU_MACHPHYS_UPDATE, gfn), 0);
	assert_int_equal(rig_mfn(gfn), mfn);
	untouched();
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
	untouched();
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
	untouched();
}

#define T(f) RIG_TEST(f, setup)

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
		T(roots),
		T(pages_are_cleared_and_copied),
		T(a_gdt),
		T(a_gdt_that_is_bad),
		T(an_ldt),
		T(descriptors),
		T(maps),
		T(the_balloon),
		T(more_than_was_promised),
		T(no_memory_to_take),
		T(reservations),
		T(an_answer_that_is_lost),
	};

	return cmocka_run_group_tests_name("pv_mmu", tests, NULL, NULL);
}

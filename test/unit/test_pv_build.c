/*
 * hv/pv/build.c, domain.c: what a guest finds when it starts, by its own eyes,
 * and what it is refused.
 */
#include "pv_rig.h"

static void the_first_page_is_told(void **state)
{
	const struct start_info *si = rig.si;

	(void)state;
	assert_string_equal(si->magic, "xen-3.0-x86_64");
	assert_int_equal(si->nr_pages, RIG_MEMORY / 4096);
	assert_int_equal(si->shared_info, rig.d->shared_page.v);
	assert_string_equal((const char *)si->cmd_line, "one two");
	assert_int_equal(si->flags, SIF_VIRT_P2M_4TOOLS);
	assert_int_equal(si->console.domU.evtchn, 1);
	assert_int_equal(si->console.domU.mfn, rig_mfn(rig.d->console_gfn));
	assert_int_equal(si->mod_len, 0);
	assert_int_equal(rig_frame.rip, RIG_CODE);
	assert_int_equal(rig_frame.cs, PV_GUEST_CS);
	assert_int_equal(rig_frame.ss, PV_GUEST_SS);
	assert_int_equal(rig_frame.rflags, PV_RFLAGS_IF | 2);
	assert_int_equal(rig_frame.rsp & 4095, 0);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
	assert_true(rig.c->kernel);
	assert_int_equal(rig.fpu_resets, 1);
}

/* Its list, the hypervisor's and the M2P are the same. */
static void all_its_frames_are_listed(void **state)
{
	const uint64_t *list = (const void *)rig.si->mfn_list;

	(void)state;
	for (uint64_t gfn = 0; gfn < rig.si->nr_pages; gfn++) {
		assert_int_equal(list[gfn], rig_mfn(gfn));
		assert_int_equal(pv_frames.m2p[list[gfn]], gfn);
		assert_true(list[gfn] >= RIG_OURS);
	}
	assert_int_equal(rig.d->owned, rig.si->nr_pages);
	for (uint64_t i = 0; i < RIG_OURS; i++)
		assert_int_equal(pv_frames.m2p[i], VMMU_M2P_INVALID);
	assert_int_equal(pv_frames.m2p[hpa_hfn(rig.d->shared_page).v],
			 VMMU_M2P_INVALID);
}

static unsigned rights(uint64_t va)
{
	struct vmmu_direct_walk w;

	return vmmu_direct_walk(&rig.c->vcpu->mmu, mk_gva(va), &w) ? w.perms
								   : 0;
}

/* From VIRT_BASE on, each page its own; tables may only be read. */
static void the_kernel_sees_its_memory(void **state)
{
	uint64_t tables = rig.si->pt_base, pages = 0;
	struct vmmu_direct_walk w;

	(void)state;
	for (uint64_t va = RIG_BASE; rights(va); va += 4096, pages++) {
		bool table = va - tables < rig.si->nr_pt_frames * 4096;

		assert_true(
			vmmu_direct_walk(&rig.c->vcpu->mmu, mk_gva(va), &w));
		assert_int_equal((w.entry & UINT64_C(0xffffffffff000)) >> 12,
				 rig_mfn((va - RIG_BASE) / 4096));
		assert_int_equal(!(w.perms & VMMU_W), table);
	}
	assert_int_equal(pages % 1024, 0);
	assert_true(pages * 4096 >=
		    rig_frame.rsp - RIG_BASE + UINT64_C(512) * 1024);
	assert_int_equal(rig_mfn_of((void *)tables) << 12,
			 rig.c->vcpu->mmu.root.v);
	assert_int_equal(machine.cr[3], rig.c->vcpu->mmu.root.v);
	assert_int_equal(
		vmmu_frame_of(&pv_frames, mk_hfn(rig_mfn_of((void *)tables)))
			->flags,
		VMMU_FRAME_VALIDATED | VMMU_FRAME_PINNED);
}

static void its_hypercall_page_is_written(void **state)
{
	const uint8_t *page = (const void *)RIG_CODE;

	(void)state;
	for (unsigned n = 0; n < 128; n++) {
		const uint8_t *code = page + 32 * n;

		/* push %rcx, push %r11, in iret's push %rax too */
		assert_memory_equal(code, "\x51\x41\x53", 3);
		if (n == __HYPERVISOR_iret)
			assert_memory_equal(code + 3, "\x50\xb8\x17\0\0\0\x0f",
					    7);
		else
			assert_true(code[3] == 0xb8 && code[4] == n &&
				    code[13] == 0xc3);
	}
}

static void initrd(bool mapped)
{
	static uint8_t file[9000];
	const struct rig_note note[] = {
		{ NOTE_BASE, RIG_BASE },
		{ NOTE_ENTRY, RIG_CODE },
		{ NOTE_P2M, RIG_P2M },
		{ NOTE_MOD_START, mapped ? 0 : 1 },
	};
	uint8_t seen[sizeof(file)];
	uint64_t gfn;

	rig_machine();
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + i / 256);
	rig_image(note, 4);
	rig.req.initrd = (struct load_file){ file, sizeof(file) };
	assert_null(rig_load());
	assert_int_equal(rig.si->mod_len, sizeof(file));
	gfn = mapped ? rig_gfn_of((void *)rig.si->mod_start)
		     : rig.si->mod_start;
	assert_int_equal(rig.si->flags & SIF_MOD_START_PFN,
			 mapped ? 0 : SIF_MOD_START_PFN);
	assert_int_equal(vmmu_gmem_read(&rig.vm.mem, gfn_gpa(mk_gfn(gfn)), seen,
					sizeof(seen)),
			 VMMU_GMEM_OK);
	assert_memory_equal(seen, file, sizeof(file));
	if (mapped)
		assert_memory_equal((void *)rig.si->mod_start, file,
				    sizeof(file));
	else
		assert_int_equal(rights(RIG_BASE + gfn * 4096), 0);
}

static void an_initrd_is_mapped(void **state)
{
	(void)state;
	initrd(true);
}

static void or_told_by_its_frame(void **state)
{
	(void)state;
	initrd(false);
}

/* Where the kernel wants it, with tables that are counted in. */
static void the_list_is_elsewhere(void **state)
{
	const uint64_t *list = (const void *)RIG_P2M;

	(void)state;
	initrd(false);
	assert_int_equal(rig.si->mfn_list, RIG_P2M);
	assert_true(rights(RIG_P2M) & VMMU_W);
	for (uint64_t gfn = 0; gfn < rig.si->nr_pages; gfn++)
		assert_int_equal(list[gfn], rig_mfn(gfn));
	/* 4 pages of it, an L1, an L2, an L3 */
	assert_int_equal(rig.si->nr_p2m_frames, 4 + 3);
	assert_int_equal(rights(RIG_BASE + rig.si->first_p2m_pfn * 4096), 0);
}

static void refused(uint64_t memory, const struct rig_note *note, size_t count,
		    const char *why)
{
	const char *wrong;

	rig_machine();
	rig.config.memory = memory;
	rig_image(note, count);
	wrong = rig_load();
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, why));
	vm_destroy(&rig.vm);
	assert_int_equal(rig.frames_taken, 0);
	assert_int_equal(rig.allocs_out, 0);
	munmap(pv_frames.map, RIG_FRAMES * VMMU_PAGE_SIZE);
	close(rig.memory);
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct rig_note in_ours[] = { { NOTE_BASE, HV_IMAGE_BASE },
					    { NOTE_ENTRY, HV_IMAGE_BASE } };
	const struct rig_note into_ours[] = {
		{ NOTE_BASE, HV_IMAGE_BASE - (2u << 20) },
		{ NOTE_ENTRY, RIG_CODE },
	};
	const struct rig_note list_in_ours[] = { { NOTE_BASE, RIG_BASE },
						 { NOTE_ENTRY, RIG_CODE },
						 { NOTE_P2M, HV_M2P_BASE } };
	const struct rig_note list_across[] = {
		{ NOTE_BASE, RIG_BASE },
		{ NOTE_ENTRY, RIG_CODE },
		{ NOTE_P2M, (UINT64_C(1) << 47) - 4096 },
	};

	(void)state;
	refused(UINT64_C(2) << 20, rig_usual(), 3, "does not fit");
	refused(RIG_MEMORY, in_ours, 2, "does not fit");
	refused(RIG_MEMORY, into_ours, 2, "addresses that there are not");
	refused(RIG_MEMORY, list_in_ours, 3, "does not fit");
	refused(RIG_MEMORY, list_across, 3, "does not fit");
	refused(UINT64_C(1) << 30, rig_usual(), 3, "not that much memory");
}

/* Memory that runs out, wherever: a sentence, and nothing is kept. True: it
 * did not matter. */
static bool with_less(unsigned frames, unsigned alloc)
{
	const char *wrong;

	rig_machine();
	rig.config.bystander = RIG_BYSTANDER;
	rig_image(rig_usual(), 3);
	rig.frames_left = frames;
	rig.alloc_fails = alloc;
	wrong = rig_load();
	if (wrong)
		assert_true(strlen(wrong) > 10);
	if (rig.c)
		rig_audit();
	pv_current = NULL;
	vm_destroy(&rig.vm);
	assert_int_equal(rig.frames_taken, 0);
	assert_int_equal(rig.allocs_out, 0);
	munmap(pv_frames.map, RIG_FRAMES * VMMU_PAGE_SIZE);
	close(rig.memory);
	return !wrong;
}

static void no_memory_at_any_step(void **state)
{
	unsigned need = RIG_MEMORY / 4096, tries = 0, alloc = 1;

	(void)state;
	for (unsigned left = need - 2; !with_less(left, 0); tries++)
		left += left == need + 4 ? 1534 : 1;
	assert_true(tries >= 8); /* memory, shared page, table page; twice */
	while (!with_less(RIG_FRAMES, alloc))
		alloc++;
	/* domain, P2M, vCPU, its state; the bystander and its four; sums */
	assert_int_equal(alloc, 11);
	munmap((void *)RIG_BASE, RIG_MEMORY);
	munmap((void *)RIG_P2M, RIG_MEMORY);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define BARE(f) RIG_TEST(f, NULL)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_page_is_told),
		T(all_its_frames_are_listed),
		T(the_kernel_sees_its_memory),
		T(its_hypercall_page_is_written),
		BARE(an_initrd_is_mapped),
		BARE(or_told_by_its_frame),
		BARE(the_list_is_elsewhere),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(no_memory_at_any_step),
	};

	return cmocka_run_group_tests_name("pv_build", tests, NULL, NULL);
}

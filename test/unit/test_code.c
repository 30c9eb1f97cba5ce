/* hv/vm/code.c: the code at rip, and the walk that is remembered. A memo
 * whose page was swapped for another shows whether it was used. */
#include "vcpu_rig.h"

#define CODE UINT64_C(0x400000) /* gva */

static uint8_t swapped[4096];

static const uint8_t *look_up(void)
{
	rig_exit();
	return vcpu_code(rig.v);
}

/* Is the memo used for what the vCPU looks up now? */
static bool remembered(void)
{
	rig.v->memo.code = swapped;
	return look_up() == swapped + (rig.v->rip & VMMU_PAGE_MASK);
}

static void map_code(void)
{
	rig_map(CODE, 0x8000 | P);
	rig.v->rip = CODE + 0x10;
	assert_ptr_equal(look_up(), rig_memory(0x8010));
	assert_true(remembered());
}

static void same_page_is_remembered(void **state)
{
	(void)state;
	map_code();
	for (unsigned at = 0; at <= 4092; at += 7) {
		rig.v->rip = CODE + at;
		assert_true(remembered());
	}
	rig.v->memo.page = 0;
	rig.v->rip = CODE + 4092;
	assert_ptr_equal(look_up(), rig_memory(0x8ffc));
	for (unsigned at = 4093; at < 4096; at++) {
		rig.v->rip = CODE + at;
		assert_null(look_up()); /* not four bytes in one page */
	}
	rig_map(CODE + 4096, 0x9000 | P);
	rig.v->rip = CODE + 4096;
	assert_false(remembered());
	assert_ptr_equal(look_up(), rig_memory(0x9000));
}

/* One bit of each entry that was used, also one that nothing looks at. */
static void every_entry_counts(void **state)
{
	(void)state;
	for (unsigned level = 1; level <= 4; level++)
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t *e;

			map_code();
			e = rig_entry(0x1000ul * level, rig_index(CODE, level));
			*e ^= UINT64_C(1) << bit;
			assert_false(remembered());
			*e ^= UINT64_C(1) << bit;
			rig.vm.end = VM_RUNNING;
		}
	map_code();
	*rig_entry(0x1000, rig_index(CODE, 1) + 1) = 1; /* a neighbour */
	assert_true(remembered());
}

static void registers_count(void **state)
{
	static const uint64_t cr4[] = { VMMU_CR4_PSE, VMMU_CR4_PGE,
					VMMU_CR4_SMEP, VMMU_CR4_SMAP };

	(void)state;
	map_code();
	memcpy(rig_memory(0x6000), rig_memory(0x4000), 4096);
	rig.s.cr3 = 0x6000;
	assert_false(remembered());
	assert_ptr_equal(look_up(), rig_memory(0x8010));
	assert_true(remembered());

	rig.s.cr0 ^= VMMU_CR0_WP;
	assert_false(remembered());
	for (unsigned i = 0; i < sizeof(cr4) / sizeof(cr4[0]); i++) {
		look_up();
		assert_true(remembered());
		rig.s.cr4 ^= cr4[i];
		assert_false(remembered());
	}
	look_up();
	rig.s.efer ^= VMMU_EFER_NXE;
	assert_false(remembered());
	look_up();
	rig.s.cr0 &= ~VMMU_CR0_PG;
	assert_false(remembered());
}

static void privilege_counts(void **state)
{
	(void)state;
	map_code();
	rig.s.cpl = 3;
	assert_false(remembered());
	rig_raised(14, true, VMMU_PF_P | VMMU_PF_U | VMMU_PF_I);
	assert_true(rig.s.cr2 == rig.v->rip);
	*rig_entry(0x1000, rig_index(CODE, 1)) |= U;
	assert_ptr_equal(look_up(), rig_memory(0x8010));
	assert_true(remembered());
	rig.s.cpl = 0;
	assert_false(remembered());
	look_up();
	assert_true(remembered());
	rig.s.cr4 |= VMMU_CR4_SMEP;
	assert_null(look_up());
	rig_raised(14, true, VMMU_PF_P | VMMU_PF_I);
}

/* Slots and backing: the page's pointer itself is another. */
static void generation_counts(void **state)
{
	const uint8_t *before;

	(void)state;
	map_code();
	look_up();
	rig_slot(2, 0, 0x1000000, 4096, RIG_RAM + 0x10000);
	assert_false(remembered());
	before = look_up();
	*rig_memory(0x8010) = 0x77;
	lab_host_move(&rig.lab, mk_hva(rig.lab.hva_base.v + 0x8000), 4096);
	assert_ptr_not_equal(look_up(), before);
	assert_int_equal(*look_up(), 0x77);
}

static void without_paging(void **state)
{
	(void)state;
	rig.s.cr0 = VMMU_CR0_PE;
	rig.s.efer = 0;
	rig.bits = 32;
	rig.s.seg[SEG_CS].base = 0x7000;
	rig.v->rip = 0x1010;
	assert_ptr_equal(look_up(), rig_memory(0x8010));
	assert_true(remembered());
	rig.s.seg[SEG_CS].base = 0x8000;
	assert_ptr_equal(look_up(), rig_memory(0x9010));
	rig.s.seg[SEG_CS].base = 0xfffff000; /* wraps at 4 GiB */
	rig.v->rip = 0x9010;
	assert_ptr_equal(look_up(), rig_memory(0x8010));
	rig.v->rip = RIG_NONE + 0x1000;
	assert_null(look_up());
	assert_int_equal(rig.vm.end, VM_KILLED);
	assert_non_null(strstr(rig.vm.sentence, "0x180000"));
}

/* Entries of 4 bytes and PDPTEs are not remembered, and found all the same. */
static void legacy_modes(void **state)
{
	(void)state;
	rig.s.efer = 0;
	rig.bits = 32;
	rig.s.cr4 = 0;
	((uint32_t *)(void *)rig_memory(0x4000))[1] = 0x5003;
	((uint32_t *)(void *)rig_memory(0x5000))[0] = 0x8003;
	rig.v->rip = CODE + 4;
	assert_ptr_equal(look_up(), rig_memory(0x8004));
	assert_false(remembered());
	((uint32_t *)(void *)rig_memory(0x5000))[0] = 0x9003;
	assert_ptr_equal(look_up(), rig_memory(0x9004));

	rig.s.cr4 = VMMU_CR4_PAE;
	rig.v->features.pdptes_in_memory = true;
	*rig_entry(0x4000, 0) = 0x5001;
	*rig_entry(0x5000, 2) = 0x6003;
	*rig_entry(0x6000, 0) = 0xa003;
	assert_ptr_equal(look_up(), rig_memory(0xa004));
	*rig_entry(0x4000, 0) = 0x5000;
	assert_null(look_up());
	rig_raised(14, true, 0); /* without NX, I is never set */
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Ten tables at 0x1000 .. 0xa000, two entries used of each; pages behind. */
static uint64_t random_table_entry(void)
{
	uint64_t e = (rnd(10) + 1) << 12;

	if (rnd(8) == 0)
		e = rnd(0x120) << 12; /* a page, or no memory */
	if (rnd(40) == 0)
		e |= UINT64_C(1) << (40 + rnd(24)); /* reserved, ignored, NX */
	return e | (rnd(30) ? P : 0) | rnd(2) * W | (rnd(8) ? U : 0) |
	       rnd(2) * A | (rnd(30) ? 0 : PS);
}

static void random_mode(void)
{
	switch (rnd(5)) {
	case 0:
		rig.s.cr4 ^= VMMU_CR4_SMEP;
		break;
	case 1:
		rig.s.efer ^= VMMU_EFER_NXE;
		break;
	case 2:
		rig.s.cr4 ^= VMMU_CR4_LA57;
		break;
	case 3:
		rig.s.cpl ^= 3;
		break;
	default:
		rig.s.cr3 = (rnd(3) + 4) << 12;
	}
}

/* What a walk says that remembers nothing; NULL: no code to be had. */
static const uint8_t *fresh(void)
{
	struct vmmu_mode mode;
	struct vmmu_gwalk walk;
	uint8_t *page;

	vmmu_mode_set(&mode, &rig.v->look.regs, &rig.v->features);
	if (vmmu_gwalk(&rig.vm.mem, &mode, mk_gva(rig.v->rip),
		       VMMU_X | (rig.s.cpl == 3 ? VMMU_U : 0), VMMU_GWALK_PEEK,
		       &walk) != VMMU_GWALK_OK ||
	    vmmu_gmem_page(&rig.vm.mem, gpa_gfn(walk.gpa), VMMU_R, &page) !=
		    VMMU_GMEM_OK)
		return NULL;
	return page + (rig.v->rip & VMMU_PAGE_MASK);
}

/* Tables change under the memo in every way, and it never lies. */
static void changes_at_random(void **state)
{
	unsigned found = 0, used = 0, faults = 0;

	(void)state;
	for (unsigned step = 0; step < 10000; step++) {
		const uint8_t *code;

		if (step % 100 == 0) /* something that works, to begin with */
			for (unsigned t = 1; t <= 10; t++)
				for (unsigned i = 0; i < 2; i++)
					*rig_entry(t << 12, i) =
						(rnd(10) + 1) << 12 | P | U;
		if (rnd(20) == 0)
			random_mode();
		if (rnd(50) == 0)
			lab_host_move(
				&rig.lab,
				mk_hva(rig.lab.hva_base.v + rnd(16) * 4096),
				4096);
		*rig_entry((rnd(10) + 1) << 12, (unsigned)rnd(2)) =
			random_table_entry();
		for (unsigned i = 0; i < 4; i++) {
			struct code_memo before = rig.v->memo;

			if (rnd(4) == 0)
				rig.v->rip = (uint64_t)!rnd(16) << 48 |
					     rnd(2) << 39 | rnd(2) << 30 |
					     rnd(2) << 21 | rnd(2) << 12 |
					     rnd(4093);
			rig.vm.end = VM_RUNNING;
			code = look_up();
			if (code != fresh())
				fail_msg("step %u: rip %llx: %p, not %p", step,
					 (unsigned long long)rig.v->rip,
					 (const void *)code,
					 (const void *)fresh());
			found += code != NULL;
			used += code && before.page &&
				!memcmp(&before, &rig.v->memo, sizeof(before));
			faults += rig.v->event.type == EVENT_EXCEPTION;
		}
	}
	print_message("# found %u, by memo %u, faults %u\n", found, used,
		      faults);
	assert_true(found > 10000 && used > 5000 && faults > 1000);
}

/* 15 bytes over a page's end, each page by its own translation. */
static void fetch_over_the_end(void **state)
{
	uint8_t bytes[15];
	unsigned count;

	(void)state;
	rig_map(CODE, 0x8000 | P);
	rig_map(CODE + 4096, 0xf000 | P);
	for (unsigned i = 0; i < 16; i++) {
		*rig_memory(0x8ff0 + i) = (uint8_t)i;
		*rig_memory(0xf000 + i) = (uint8_t)(16 + i);
	}
	for (unsigned at = 0; at < 16; at++) {
		rig_exit();
		rig.v->rip = CODE + 0xff0 + at;
		assert_int_equal(vcpu_fetch(rig.v, bytes, &count), GUEST_OK);
		assert_int_equal(count, at ? 16 - at : 15);
		if (count < 15)
			assert_int_equal(vcpu_fetch_rest(rig.v, bytes, &count),
					 GUEST_OK);
		assert_int_equal(count, 15);
		for (unsigned i = 0; i < 15; i++)
			assert_int_equal(bytes[i], at + i);
	}
	*rig_entry(0x1000, rig_index(CODE + 4096, 1)) = 0;
	assert_int_equal(vcpu_fetch(rig.v, bytes, &count), GUEST_OK);
	assert_int_equal(vcpu_fetch_rest(rig.v, bytes, &count), GUEST_FAULTED);
	rig_raised(14, true, VMMU_PF_I);
	assert_true(rig.s.cr2 == CODE + 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(same_page_is_remembered),
		RIG_TEST(every_entry_counts),
		RIG_TEST(registers_count),
		RIG_TEST(privilege_counts),
		RIG_TEST(generation_counts),
		RIG_TEST(without_paging),
		RIG_TEST(legacy_modes),
		RIG_TEST(changes_at_random),
		RIG_TEST(fetch_over_the_end),
	};

	return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}

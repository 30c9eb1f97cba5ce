/*
 * hv/pv/call_desc.c: descriptor tables of paravirtual guests, by frame and by
 * entry, each check from both sides.
 */
#include "pv_rig.h"

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
	assert_int_equal(rig_ext(MMUEXT_PIN_L1_TABLE, good, 0), -XEN_EINVAL);
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
	rig_untouched();
}

/* All of its frames, or none. */
static void a_gdt_that_is_bad(void **state)
{
	uint64_t good = make_segments(6, DATA_3), gate;

	(void)state;
	assert_int_equal(set_gdt(good, 0, 16), 0);
	assert_int_equal(set_gdt(good, rig_foreign(), 513), -XEN_EPERM);
	assert_int_equal(set_gdt(rig_foreign(), 0, 16), -XEN_EPERM);
	assert_int_equal(set_gdt(7, 0, 16), -XEN_EPERM);
	assert_int_equal(set_gdt(rig_mfn_of(rig_spare(1)), 0, 16), -XEN_EINVAL);
	assert_int_equal(set_gdt(rig_mfn_of((void *)rig.si->pt_base), 0, 16),
			 -XEN_EINVAL);
	gate = make_segments(8, GATE);
	assert_int_equal(set_gdt(good, gate, 513), -XEN_EINVAL);
	assert_int_equal(rig.c->gdt_frames, 1);
	assert_int_equal(rig.c->gdt_frame[0].v, good);
	assert_int_equal(rig.frame[good].type_count, 1);
	rig_untouched();
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
	rig_untouched();
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
	assert_int_equal(call(update_descriptor, rig_foreign() << 12, CODE_3),
			 -XEN_EPERM);
	assert_int_equal(call(update_descriptor, 0x8000, CODE_3), -XEN_EPERM);
	assert_int_equal(call(update_descriptor, ~UINT64_C(7), CODE_3),
			 -XEN_EPERM);
	assert_true(call(update_descriptor,
			 rig_mfn_of((void *)rig.si->pt_base) << 12,
			 CODE_3) < 0);
	rig_untouched();
}

#define T(f) RIG_TEST(f, rig_setup_beside)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_gdt),
		T(a_gdt_that_is_bad),
		T(an_ldt),
		T(descriptors),
	};

	return cmocka_run_group_tests_name("pv_desc", tests, NULL, NULL);
}

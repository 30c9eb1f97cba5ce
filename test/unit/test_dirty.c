/*
 * The dirty log is exact: what was written is told, once, and nothing else; by
 * write-protection, and by hardware that logs.
 */
#include "vm_rig.h"

static bool by_hardware;

/* A test of both ways. */
#define EACH_WAY(name)                                                         \
	EACH(name)                                                             \
	static void name##_by_hardware(void **state)                           \
	{                                                                      \
		by_hardware = true;                                            \
		name(state);                                                   \
		by_hardware = false;                                           \
	}

#define PAGES 1000u /* no multiple of 64 */
#define WORDS ((PAGES + 63) / 64)
#define GPA   (6 * MIB)

struct log_rig {
	struct vm_rig *r;
	uint64_t bitmap[WORDS];
	uint64_t out[WORDS];
};

static void set_flags(struct log_rig *l, uint32_t flags)
{
	assert_int_equal(
		vm_rig_slot(l->r, 0, flags, GPA, PAGES * 4096ul, GPA,
			    flags & VMMU_SLOT_LOG_DIRTY ? l->bitmap : NULL),
		VMMU_SLOT_OK);
}

static struct log_rig *log_rig(const struct pt_format *f)
{
	struct vm_rig_config c = vm_rig_default(f);
	struct log_rig *l = calloc(1, sizeof(*l));

	c.fault_around = 64 * MIB;
	c.logs_dirty = by_hardware;
	l->r = vm_rig_make(&c);
	return l;
}

static void log_rig_free(struct log_rig *l)
{
	vm_rig_free(l->r);
	free(l);
}

static void touch(struct log_rig *l, unsigned page, unsigned access)
{
	assert_int_equal(vm_rig_touch(l->r, GPA + page * 4096ul, access, NULL),
			 VMMU_RESUME);
}

static unsigned level_at(struct log_rig *l, unsigned page)
{
	struct pt_walk w;

	return pt_walk(vm_rig_table(l->r), GPA + page * 4096ul, &w) ? w.level
								    : 0;
}

static void tells_what_was_written_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);

	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	touch(l, 3, VMMU_W);
	touch(l, 4, VMMU_R);
	touch(l, PAGES - 1, VMMU_W);
	touch(l, 3, VMMU_W);
	if (by_hardware) {
		assert_int_equal(l->r->vm.stats.pf_dirty, 0);
		assert_int_equal(level_at(l, 2), 1);
	} else {
		assert_int_equal(l->r->vm.stats.pf_dirty, 2);
		assert_int_equal(level_at(l, 2), 0); /* no neighbours */
	}
	vm_rig_audit(l->r);
	assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(l->out[i / 64] >> i % 64 & 1,
				 i == 3 || i == PAGES - 1);
	vm_rig_audit(l->r);
	assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	for (unsigned i = 0; i < WORDS; i++)
		assert_int_equal(l->out[i], 0);
	/* It is logged anew. */
	touch(l, 3, VMMU_W);
	assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	assert_int_equal(l->out[0], 8);
	log_rig_free(l);
}
EACH_WAY(tells_what_was_written)

static void a_slot_that_does_not_log_has_no_log_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);

	set_flags(l, 0);
	assert_false(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	assert_false(vmmu_vm_get_dirty_log(&l->r->vm, 1, l->out));
	log_rig_free(l);
}
EACH_WAY(a_slot_that_does_not_log_has_no_log)

/* Large leaves become read-only as they are; the first write splits one. */
static void splits_when_written_not_when_turned_on_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);

	set_flags(l, 0);
	touch(l, 0, VMMU_W);
	assert_int_equal(level_at(l, 0), 2);
	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	assert_int_equal(level_at(l, 0), 2);
	touch(l, 1, VMMU_R);
	assert_int_equal(level_at(l, 0), 2);
	vm_rig_audit(l->r);
	touch(l, 1, VMMU_W);
	assert_int_equal(level_at(l, 0), 1);
	vm_rig_audit(l->r);
	assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	assert_int_equal(l->out[0], 2);
	log_rig_free(l);
}
EACH(splits_when_written_not_when_turned_on)

static void goes_back_to_large_leaves_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);
	uint64_t violations, flushes;

	for (unsigned dirty = 0; dirty < 3; dirty++) {
		set_flags(l, VMMU_SLOT_LOG_DIRTY);
		/* All pages written, or all read, or some of each. */
		for (unsigned i = 0; i < 512; i++)
			touch(l, i,
			      dirty == 0 || (dirty == 2 && i % 2) ? VMMU_W
								  : VMMU_R);
		assert_int_equal(level_at(l, 0), 1);
		set_flags(l, 0);
		vm_rig_audit(l->r);
		/* What was all written is so still, and costs no fault. */
		violations = l->r->vm.stats.violations;
		if (dirty == 0)
			touch(l, 0, VMMU_W);
		assert_int_equal(l->r->vm.stats.violations, violations);
		/* Those that are not alike are mapped large when written. */
		assert_int_equal(level_at(l, 0), dirty == 2 ? 1 : 2);
		flushes = l->r->lab.count.flush_all;
		touch(l, 0, VMMU_W);
		touch(l, 1, VMMU_W);
		assert_int_equal(level_at(l, 1), 2);
		/* The table that the large leaf replaced may be cached. */
		assert_int_equal(l->r->lab.count.flush_all,
				 flushes + (dirty == 2));
		vm_rig_audit(l->r);
		assert_int_equal(vm_rig_slot(l->r, 0, 0, GPA, 0, 0, NULL),
				 VMMU_SLOT_OK);
		memset(l->bitmap, 0, sizeof(l->bitmap));
	}
	log_rig_free(l);
}
EACH(goes_back_to_large_leaves)

/* Another bitmap is another log: nothing is dirty in it yet. */
static void a_new_bitmap_starts_clean_in(const struct pt_format *f)
{
	uint64_t other[WORDS] = { 0 };
	struct log_rig *l = log_rig(f);
	enum vmmu_slot_error e;

	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	touch(l, 9, VMMU_W);
	e = vm_rig_slot(l->r, 0, VMMU_SLOT_LOG_DIRTY, GPA, PAGES * 4096ul, GPA,
			other);
	assert_int_equal(e, VMMU_SLOT_OK);
	vm_rig_audit(l->r);
	touch(l, 9, VMMU_W);
	assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
	assert_int_equal(l->out[0], 1u << 9);
	log_rig_free(l);
}
EACH_WAY(a_new_bitmap_starts_clean)

/* What software writes for the guest is logged too, each time anew. */
static void logs_what_software_writes_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);
	uint64_t word = 1;

	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(vmmu_gmem_write(&l->r->cpu[0].mem,
						 mk_gpa(GPA + 7 * 4096 + 8),
						 &word, sizeof(word)),
				 VMMU_GMEM_OK);
		assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
		assert_int_equal(l->out[0], 1u << 7);
	}
	log_rig_free(l);
}
EACH_WAY(logs_what_software_writes)

/* Random reads, writes and readings of the log, against a set of bits. */
static void agrees_with_a_set_of_bits_in(const struct pt_format *f)
{
	struct log_rig *l = log_rig(f);
	uint64_t model[WORDS] = { 0 }, seed = 5;

	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned page = (unsigned)(vm_rig_random(&seed) % PAGES);
		unsigned what = (unsigned)(vm_rig_random(&seed) % 40);

		if (what < 20) {
			touch(l, page, VMMU_R);
		} else if (what < 39) {
			touch(l, page, VMMU_W);
			model[page / 64] |= UINT64_C(1) << page % 64;
		} else {
			assert_true(
				vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
			assert_memory_equal(l->out, model, sizeof(model));
			memset(model, 0, sizeof(model));
			vm_rig_audit(l->r);
		}
	}
	log_rig_free(l);
}
EACH_WAY(agrees_with_a_set_of_bits)

/* Many first writes cost a violation for each table of leaves; and when they
 * are logged anew, none. */
static void hardware_logs_without_faults_in(const struct pt_format *f)
{
	struct log_rig *l;
	uint64_t violations;

	by_hardware = true;
	l = log_rig(f);
	by_hardware = false;
	set_flags(l, 0);
	touch(l, 0, VMMU_W);
	assert_int_equal(level_at(l, 0), 2);
	assert_false(l->r->logs);
	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	assert_true(l->r->logs);
	assert_int_equal(level_at(l, 0), 0);
	violations = l->r->vm.stats.violations;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PAGES; i++)
			touch(l, i, VMMU_W);
		assert_true(vmmu_vm_get_dirty_log(&l->r->vm, 0, l->out));
		for (unsigned i = 0; i < PAGES; i++)
			assert_true(l->out[i / 64] >> i % 64 & 1);
		vm_rig_audit(l->r);
	}
	assert_int_equal(l->r->vm.stats.violations, violations + 2);
	assert_int_equal(level_at(l, 0), 1);
	set_flags(l, 0);
	assert_false(l->r->logs);
	assert_int_equal(level_at(l, 0), 2);
	touch(l, 1, VMMU_W);
	log_rig_free(l);
}
EACH(hardware_logs_without_faults)

/* What was logged of a slot is told of that slot, although it has gone or has
 * another bitmap by the time that the log would be full. */
static void what_was_logged_is_drained_in_time_in(const struct pt_format *f)
{
	uint64_t other[WORDS] = { 0 };
	struct log_rig *l;

	by_hardware = true;
	l = log_rig(f);
	by_hardware = false;
	set_flags(l, VMMU_SLOT_LOG_DIRTY);
	touch(l, 9, VMMU_W);
	assert_int_equal(l->bitmap[0], 0);
	assert_int_equal(vm_rig_slot(l->r, 0, VMMU_SLOT_LOG_DIRTY, GPA,
				     PAGES * 4096ul, GPA, other),
			 VMMU_SLOT_OK);
	assert_int_equal(l->bitmap[0], 1u << 9);
	touch(l, 10, VMMU_W);
	vmmu_vm_logged(&l->r->vm, mk_gpa(GPA - 4096)); /* no slot has it */
	assert_int_equal(vm_rig_slot(l->r, 0, 0, GPA, 0, GPA, NULL),
			 VMMU_SLOT_OK);
	assert_int_equal(other[0], 1u << 10);
	assert_false(l->r->logs);
	log_rig_free(l);
}
EACH(what_was_logged_is_drained_in_time)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_was_written),
		cmocka_unit_test(tells_what_was_written_by_hardware),
		cmocka_unit_test(a_slot_that_does_not_log_has_no_log),
		cmocka_unit_test(
			a_slot_that_does_not_log_has_no_log_by_hardware),
		cmocka_unit_test(splits_when_written_not_when_turned_on),
		cmocka_unit_test(goes_back_to_large_leaves),
		cmocka_unit_test(a_new_bitmap_starts_clean),
		cmocka_unit_test(a_new_bitmap_starts_clean_by_hardware),
		cmocka_unit_test(logs_what_software_writes),
		cmocka_unit_test(logs_what_software_writes_by_hardware),
		cmocka_unit_test(agrees_with_a_set_of_bits),
		cmocka_unit_test(agrees_with_a_set_of_bits_by_hardware),
		cmocka_unit_test(hardware_logs_without_faults),
		cmocka_unit_test(what_was_logged_is_drained_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Guest memory: each step's refusal by its name, copies across pages and
 * slots, and the cache of frames: when it may answer and when it must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <vmmu/access.h>
#include <vmmu/gmem.h>

#include "test/unit/flat_host.h"

static struct flat_host host;
static struct vmmu_slot storage[8];
static struct vmmu_slots slots;
static struct vmmu_gmem mem;
static uint64_t bitmap[1];

static void set(uint32_t id, uint32_t flags, uint64_t gpa, uint64_t size,
		uint64_t arena)
{
	struct vmmu_slot want = {
		.id = id,
		.flags = flags,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(FLAT_HVA + arena),
		.dirty = bitmap,
	};

	assert_int_equal(vmmu_slots_set(&slots, &want), VMMU_SLOT_OK);
}

/* RAM at 0x10000 and at 0x12000, apart in the arena; a ROM at 0x40000. */
static int fresh(void **state)
{
	(void)state;
	flat_host_init(&host);
	vmmu_slots_init(&slots, storage, 8);
	set(1, 0, 0x10000, 0x2000, 0x8000);
	set(2, 0, 0x12000, 0x1000, 0x2000);
	set(3, VMMU_SLOT_READ_ONLY, 0x40000, 0x1000, 0x3000);
	vmmu_gmem_init(&mem, &slots, &host.host);
	return 0;
}

static int done(void **state)
{
	(void)state;
	flat_host_fini(&host);
	return 0;
}

static enum vmmu_gmem_status page(uint64_t gfn, unsigned access, uint8_t **p)
{
	return vmmu_gmem_page(&mem, mk_gfn(gfn), access, p);
}

static void the_chain_is_followed(void **state)
{
	uint8_t *p;

	(void)state;
	assert_int_equal(page(0x11, VMMU_R, &p), VMMU_GMEM_OK);
	assert_ptr_equal(p, host.arena + 0x9000);
	assert_int_equal(page(0x12, VMMU_W, &p), VMMU_GMEM_OK);
	assert_ptr_equal(p, host.arena + 0x2000);
}

static void refusals_have_names(void **state)
{
	uint8_t *p;

	(void)state;
	assert_int_equal(page(0x13, VMMU_R, &p), VMMU_GMEM_NO_SLOT);
	assert_int_equal(page(0xf, VMMU_W, &p), VMMU_GMEM_NO_SLOT);
	assert_int_equal(page(0x40, VMMU_W, &p), VMMU_GMEM_READ_ONLY);
	assert_int_equal(page(0x40, VMMU_R, &p), VMMU_GMEM_OK);
	assert_int_equal(page(0x40, VMMU_W, &p), VMMU_GMEM_READ_ONLY);
	host.answer = VMMU_RESOLVE_NOT_NOW;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_NOT_NOW);
	host.answer = VMMU_RESOLVE_NONE;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_NONE);
}

static void a_warm_frame_asks_nobody(void **state)
{
	uint8_t *p;

	(void)state;
	page(0x10, VMMU_W, &p);
	assert_int_equal(host.resolves, 1);
	for (int i = 0; i < 10; i++) {
		page(0x10, VMMU_W, &p);
		page(0x10, VMMU_R, &p);
	}
	assert_int_equal(host.resolves, 1);
}

static void a_read_does_not_allow_a_write(void **state)
{
	uint8_t *p;

	(void)state;
	host.read_only = true;
	page(0x10, VMMU_R, &p);
	page(0x10, VMMU_W, &p);
	assert_int_equal(host.resolves, 2);
	page(0x10, VMMU_W, &p);
	assert_int_equal(host.resolves, 2);
}

static void a_failed_ask_is_not_kept(void **state)
{
	uint8_t *p;

	(void)state;
	host.answer = VMMU_RESOLVE_NOT_NOW;
	page(0x10, VMMU_R, &p);
	host.answer = VMMU_RESOLVE_OK;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_OK);
}

static void a_change_of_slots_drops_the_cache(void **state)
{
	uint8_t *p;

	(void)state;
	page(0x10, VMMU_W, &p);
	set(1, 0, 0x50000, 0x2000, 0x8000);
	assert_int_equal(page(0x10, VMMU_W, &p), VMMU_GMEM_NO_SLOT);
	assert_int_equal(page(0x50, VMMU_W, &p), VMMU_GMEM_OK);
	assert_ptr_equal(p, host.arena + 0x8000);
	set(1, VMMU_SLOT_READ_ONLY, 0x50000, 0x2000, 0x8000);
	assert_int_equal(page(0x50, VMMU_W, &p), VMMU_GMEM_READ_ONLY);
}

/* Frames that share a line of the cache take it from each other. */
static void frames_of_one_line_do_not_mix(void **state)
{
	uint8_t *p;

	(void)state;
	set(4, 0, (0x10 + VMMU_GMEM_WAYS) * 0x1000, 0x1000, 0x5000);
	for (int i = 0; i < 3; i++) {
		page(0x10, VMMU_W, &p);
		assert_ptr_equal(p, host.arena + 0x8000);
		page(0x10 + VMMU_GMEM_WAYS, VMMU_W, &p);
		assert_ptr_equal(p, host.arena + 0x5000);
	}
}

/* Frame 0's gpa is 0: an empty line must not be taken for it. */
static void frame_zero_is_a_frame(void **state)
{
	uint8_t *p;

	(void)state;
	assert_int_equal(page(0, VMMU_R, &p), VMMU_GMEM_NO_SLOT);
	set(4, 0, 0, 0x1000, 0x5000);
	assert_int_equal(page(0, VMMU_R, &p), VMMU_GMEM_OK);
	assert_ptr_equal(p, host.arena + 0x5000);
}

/* The log may have been taken and cleared between two writes. */
static void each_write_to_a_logged_page_is_logged(void **state)
{
	uint8_t *p;

	(void)state;
	set(1, VMMU_SLOT_LOG_DIRTY, 0x10000, 0x2000, 0x8000);
	for (int i = 0; i < 3; i++) {
		bitmap[0] = 0;
		page(0x11, VMMU_R, &p);
		assert_int_equal(bitmap[0], 0);
		page(0x11, VMMU_W, &p);
		assert_int_equal(bitmap[0], 2);
	}
}

/* Reclaims: the slot moves away while its page is being asked for. */
static void move_slot_1(struct flat_host *h)
{
	h->during = NULL;
	set(1, 0, 0x50000, 0x2000, 0x8000);
}

static void a_change_during_the_ask_is_seen(void **state)
{
	uint8_t *p;

	(void)state;
	host.during = move_slot_1;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_NO_SLOT);
	assert_int_equal(page(0x50, VMMU_R, &p), VMMU_GMEM_OK);
}

static void change_each_time(struct flat_host *h)
{
	(void)h;
	slots.generation++;
}

static void a_host_in_flux_is_not_waited_for(void **state)
{
	uint8_t *p;

	(void)state;
	host.during = change_each_time;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_NOT_NOW);
	host.during = NULL;
	assert_int_equal(page(0x10, VMMU_R, &p), VMMU_GMEM_OK);
}

static void copies_cross_pages_and_slots(void **state)
{
	uint8_t out[0x1800], in[0x1800];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(
		vmmu_gmem_write(&mem, mk_gpa(0x10c00), out, sizeof(out)),
		VMMU_GMEM_OK);
	memset(in, 0, sizeof(in));
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x10c00), in, sizeof(in)),
			 VMMU_GMEM_OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_memory_equal(host.arena + 0x8c00, out, 0x1400);
	assert_memory_equal(host.arena + 0x2000, out + 0x1400, 0x400);
	assert_int_equal(host.arena[0x2400], 0);
	assert_int_equal(host.arena[0x8bff], 0);
}

static void a_copy_ends_where_memory_does(void **state)
{
	uint8_t buf[0x1100] = { 0 };

	(void)state;
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x12f00), buf, 0x101),
			 VMMU_GMEM_NO_SLOT);
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x12f00), buf, 0x100),
			 VMMU_GMEM_OK);
	assert_int_equal(vmmu_gmem_write(&mem, mk_gpa(0x40000), buf, 1),
			 VMMU_GMEM_READ_ONLY);
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(UINT64_MAX), buf, 2),
			 VMMU_GMEM_NO_SLOT);
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x9999), buf, 0),
			 VMMU_GMEM_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_chain_is_followed, fresh,
						done),
		cmocka_unit_test_setup_teardown(refusals_have_names, fresh,
						done),
		cmocka_unit_test_setup_teardown(a_warm_frame_asks_nobody, fresh,
						done),
		cmocka_unit_test_setup_teardown(a_read_does_not_allow_a_write,
						fresh, done),
		cmocka_unit_test_setup_teardown(a_failed_ask_is_not_kept, fresh,
						done),
		cmocka_unit_test_setup_teardown(
			a_change_of_slots_drops_the_cache, fresh, done),
		cmocka_unit_test_setup_teardown(frames_of_one_line_do_not_mix,
						fresh, done),
		cmocka_unit_test_setup_teardown(frame_zero_is_a_frame, fresh,
						done),
		cmocka_unit_test_setup_teardown(
			each_write_to_a_logged_page_is_logged, fresh, done),
		cmocka_unit_test_setup_teardown(a_change_during_the_ask_is_seen,
						fresh, done),
		cmocka_unit_test_setup_teardown(
			a_host_in_flux_is_not_waited_for, fresh, done),
		cmocka_unit_test_setup_teardown(copies_cross_pages_and_slots,
						fresh, done),
		cmocka_unit_test_setup_teardown(a_copy_ends_where_memory_does,
						fresh, done),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}

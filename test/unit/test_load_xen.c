/*
 * load/xen.c: a kernel for paravirtual guests is loaded where its physical
 * addresses say, and its notes are believed only where they can be true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/load_image.h"
#include "test/unit/load_rig.h"

#define HIGH UINT64_C(0xffffffff80000000)

struct note {
	uint32_t type;
	uint64_t value;
};

/* What Linux says, in the order that it says it. */
static const struct note usual[] = {
	{ 3, HIGH },		   /* VIRT_BASE */
	{ 15, UINT64_C(1) << 39 }, /* INIT_P2M */
	{ 1, HIGH + IMAGE_BASE },  /* ENTRY */
	{ 2, HIGH + IMAGE_BASE },  /* HYPERCALL_PAGE */
	{ 16, 1 },		   /* MOD_START_PFN */
	{ 4, 0 },		   /* PADDR_OFFSET */
};
#define USUAL (sizeof(usual) / sizeof(usual[0]))

static struct load_rig rig;

/* The image with these notes, loaded. */
static const char *load(const struct note *note, size_t count,
			struct load_xen *xen)
{
	static struct image m;
	size_t at = IMAGE_NOTES;

	image_linux(&m, true);
	for (size_t i = 0; i < count; i++)
		at = image_note(&m, at, "Xen", 4, note[i].type, note[i].value,
				8);
	assert_true(at <= IMAGE_HEADER + 64);
	image_segment(&m, 2, PT_NOTE, IMAGE_NOTES, 0, at - IMAGE_NOTES, 0);
	lab_host_withdraw(&rig.lab, rig.lab.hva_base, RIG_ALL);
	vmmu_gmem_init(&rig.mem, &rig.slots, &rig.host);
	rig.req.kernel = (struct load_file){ m.byte, m.size };
	return load_xen(&rig.mem, &rig.req, xen);
}

/* The usual notes, one of them with another value. */
static const char *load_with(uint32_t type, uint64_t value,
			     struct load_xen *xen)
{
	struct note note[USUAL];

	memcpy(note, usual, sizeof(note));
	for (size_t i = 0; i < USUAL; i++)
		if (note[i].type == type)
			note[i].value = value;
	return load(note, USUAL, xen);
}

static void a_kernel_is_described(void **state)
{
	struct load_xen xen;

	(void)state;
	assert_null(load(usual, USUAL, &xen));
	assert_int_equal(xen.entry, HIGH + IMAGE_BASE);
	assert_int_equal(xen.virt_base, HIGH);
	assert_int_equal(xen.init_p2m, UINT64_C(1) << 39);
	assert_int_equal(xen.hypercall_page, IMAGE_BASE);
	assert_true(xen.unmapped_initrd);
	/* Behind the data, which lie highest. */
	assert_int_equal(xen.end, IMAGE_BASE + 0x9000);
}

static void what_is_not_noted_is_not_there(void **state)
{
	struct load_xen xen;

	(void)state;
	assert_null(load((const struct note[]){ usual[0], usual[2] }, 2, &xen));
	assert_int_equal(xen.init_p2m, 0);
	assert_int_equal(xen.hypercall_page, 0);
	assert_false(xen.unmapped_initrd);
}

static void its_segments_are_in_place(void **state)
{
	struct load_xen xen;
	uint8_t byte[8];

	(void)state;
	assert_null(load(usual, USUAL, &xen));
	assert_int_equal(vmmu_gmem_read(&rig.mem, mk_gpa(IMAGE_BASE + 0x8000),
					byte, sizeof(byte)),
			 VMMU_GMEM_OK);
	assert_memory_equal(byte, rig.req.kernel.data + IMAGE_DATA,
			    sizeof(byte));
}

static void an_entry_is_needed(void **state)
{
	struct load_xen xen;

	(void)state;
	assert_non_null(load(usual, 1, &xen));
	assert_non_null(load(&usual[2], 1, &xen));
	assert_non_null(load_with(1, 0, &xen));
	assert_non_null(load_with(3, 0, &xen));
}

static void addresses_are_looked_at(void **state)
{
	struct load_xen xen;

	(void)state;
	assert_non_null(load_with(1, UINT64_C(1) << 47, &xen));
	assert_non_null(load_with(3, UINT64_C(1) << 63, &xen));
	assert_non_null(load_with(3, HIGH + 0x1000, &xen));
	assert_non_null(load_with(15, UINT64_C(1) << 62, &xen));
	assert_non_null(load_with(15, (UINT64_C(1) << 39) + 8, &xen));
	assert_non_null(load_with(4, 0x1000, &xen));
}

static void the_hypercall_page_is_the_kernels(void **state)
{
	struct load_xen xen;

	(void)state;
	assert_non_null(load_with(2, HIGH, &xen));
	assert_non_null(load_with(2, HIGH + IMAGE_BASE + 8, &xen));
	assert_non_null(load_with(2, 0, &xen));
	/* Half of it in what is loaded. */
	assert_non_null(load_with(2, HIGH + IMAGE_BASE + 0x1000, &xen));
}

static void other_files_are_refused(void **state)
{
	static const uint8_t text[64] = "no kernel";
	struct load_xen xen;

	(void)state;
	rig.req.kernel = (struct load_file){ text, sizeof(text) };
	assert_non_null(load_xen(&rig.mem, &rig.req, &xen));
	rig.req.kernel = (struct load_file){ NULL, 0 };
	assert_non_null(load_xen(&rig.mem, &rig.req, &xen));
}

static int set_up(void **state)
{
	(void)state;
	load_rig_init(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	load_rig_fini(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_is_described),
		cmocka_unit_test(what_is_not_noted_is_not_there),
		cmocka_unit_test(its_segments_are_in_place),
		cmocka_unit_test(an_entry_is_needed),
		cmocka_unit_test(addresses_are_looked_at),
		cmocka_unit_test(the_hypercall_page_is_the_kernels),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

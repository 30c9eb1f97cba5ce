/* hv/load on files that are cut, bent or made to hurt: each is refused with a
 * sentence or loaded right, and never is a byte outside it read (ASan) or
 * memory written that is not the guest's RAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "load_image.h"
#include "load_rig.h"

static struct load_rig r;
static struct image m;
static const uint8_t initrd[100] = { 1, 2, 3 };
static unsigned loaded, refusals;

static int setup(void **state)
{
	(void)state;
	load_rig_init(&r);
	r.req.initrd = (struct load_file){ initrd, sizeof(initrd) };
	loaded = refusals = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	load_rig_fini(&r);
	return 0;
}

enum kind { LINUX64, LINUX32, MULTIBOOT, FLAT, KINDS };

static void make(enum kind kind)
{
	if (kind == FLAT)
		image_flat(&m, 64, IMAGE_END);
	else if (kind == MULTIBOOT)
		image_multiboot(&m);
	else
		image_linux(&m, kind == LINUX64);
}

/* Refused, or loaded right. What is right for a flat image its own test
 * knows; here only that all else is. */
static void survives(enum kind kind, const char *what, size_t at,
		     uint64_t value)
{
	const char *wrong = load_rig_load(&r, m.byte, m.size);

	if (wrong) {
		assert_true(strlen(wrong) > 10);
		refusals++;
		return;
	}
	loaded++;
	wrong = load_rig_check(&r);
	if (wrong)
		fail_msg("kind %u, %s at %zu, value %llx: %s", kind, what, at,
			 (unsigned long long)value, wrong);
}

static void cut_at_every_byte(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		make((enum kind)kind);
		for (size_t size = m.size; size-- > 0;) {
			unsigned before = loaded;

			m.size = size;
			survives((enum kind)kind, "cut", size, 0);
			assert_int_equal(loaded != before, size >= IMAGE_END);
		}
	}
	assert_int_equal(loaded, 3 * IMAGE_TAIL);
}

static const uint64_t extremes[] = {
	0,	    1,		0x7f,	    0xff,	0xffff,
	0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
	INT64_MAX,  1ull << 63, UINT64_MAX, IMAGE_END,	0xa0000,
};

/* Every field of every header is among these. */
static void extremes_at_every_byte(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t at = 0; at < IMAGE_TEXT; at++) {
			size_t width = at % 8 == 0 ? 8 : at % 4 == 0 ? 4 : 2;

			if (at % 2)
				continue;
			for (; width >= 2; width /= 2)
				for (unsigned i = 0; i < sizeof(extremes) / 8;
				     i++) {
					make((enum kind)kind);
					memcpy(m.byte + at, &extremes[i],
					       width);
					survives((enum kind)kind, "extreme", at,
						 extremes[i]);
				}
		}
	}
	assert_true(loaded > 1000 && refusals > 1000);
}

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Several fields at a time. */
static void bent_at_random(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		enum kind kind = (enum kind)(rnd() % KINDS);

		make(kind);
		for (uint64_t n = rnd() % 4 + 1; n; n--) {
			uint64_t value = rnd() % 2 ? rnd() % 0x400000 : rnd();
			size_t width = (size_t)1 << rnd() % 4;

			memcpy(m.byte + rnd() % IMAGE_TEXT / width * width,
			       &value, width);
		}
		survives(kind, "random", step, 0);
	}
	assert_true(loaded > 1000 && refusals > 1000);
}

static void segment_refused(uint64_t paddr, uint64_t filesz, uint64_t memsz,
			    const char *word)
{
	const char *wrong;

	for (unsigned wide = 0; wide < 2; wide++) {
		image_linux(&m, wide);
		image_segment(&m, 1, PT_LOAD, IMAGE_DATA, paddr, filesz, memsz);
		wrong = load_rig_load(&r, m.byte, m.size);
		if (!wrong || !strstr(wrong, word))
			fail_msg("paddr %llx memsz %llx: \"%s\", not \"%s\"",
				 (unsigned long long)paddr,
				 (unsigned long long)memsz,
				 wrong ? wrong : "loaded", word);
	}
}

static void segments(void **state)
{
	static const char fit[] = "does not fit";

	(void)state;
	segment_refused(IMAGE_BASE, 0x20, 0x20, "overlap");
	segment_refused(IMAGE_BASE - 0, 0, 1, "overlap");
	/* .bss of the first, byte by byte at both ends */
	segment_refused(IMAGE_BASE + IMAGE_TEXT_N + IMAGE_BSS - 1, 1, 1,
			"overlap");
	segment_refused(640 * RIG_KIB - 0x10, 0x11, 0x11, fit);
	segment_refused(640 * RIG_KIB - 0x10, 1, 0x11, fit);
	segment_refused(0xb8000, 0x20, 0x20, fit);
	segment_refused(0xb8000, 0, 0x20, fit);
	segment_refused(0xe0000, 0x20, 0x20, fit); /* the ACPI tables */
	segment_refused(0x9f000, 0x20, 0x200000, fit);
	segment_refused(RIG_LOW - 1, 2, 2, fit);
	segment_refused(RIG_LOW - 1, 1, 2, fit);
	segment_refused(RIG_LOW, 0, 1, fit);
	segment_refused(RIG_LOW, 1, 1, fit);
	segment_refused(0xffffffff, 1, 1, fit);
	segment_refused(0xffffffff, 1, 0xffffffff, fit);
	segment_refused(0x200000, 2, 1, "broken");
	segment_refused(0x200000, 1, 0, "broken");
	segment_refused(0x200000, IMAGE_DATA_N + IMAGE_TAIL + 1, 0x1000, "cut");
}

static void segments_of_64_bits(void **state)
{
	static const uint64_t at[] = { RIG_HIGH + 65536, RIG_HIGH + 65535,
				       1ull << 52, 1ull << 63, UINT64_MAX };

	(void)state;
	image_linux(&m, true);
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		image_segment(&m, 1, PT_LOAD, IMAGE_DATA, at[i], 2, 2);
		assert_non_null(load_rig_load(&r, m.byte, m.size));
		image_segment(&m, 1, PT_LOAD, IMAGE_DATA, at[i], 0, UINT64_MAX);
		assert_non_null(load_rig_load(&r, m.byte, m.size));
	}
	image_segment(&m, 1, PT_LOAD, UINT64_MAX - 1, 0x200000, 2, 2);
	assert_non_null(load_rig_load(&r, m.byte, m.size));
	image_segment(&m, 1, PT_LOAD, 2, 0x200000, UINT64_MAX - 1, UINT64_MAX);
	assert_non_null(load_rig_load(&r, m.byte, m.size));
	/* what is not used may be anything */
	image_segment(&m, 1, PT_NULL, UINT64_MAX, 5, UINT64_MAX, 7);
	assert_null(load_rig_load(&r, m.byte, m.size));
}

/* The note at `at` claims sizes; the PVH note behind it must not be found by
 * reading astray, nor lost where it still is. */
static void notes(void **state)
{
	static const uint32_t size[] = { 0x7fffffff, 0x80000000, 0xfffffffc,
					 0xfffffffd, 0xffffffff, 53,
					 60 };

	(void)state;
	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++)
		for (unsigned field = 0; field < 2; field++) {
			image_linux(&m, true);
			image_put32(&m, IMAGE_NOTES + 4 * field, size[i]);
			assert_non_null(strstr(
				load_rig_load(&r, m.byte, m.size), "PVH"));
		}
	/* PVH's own */
	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		image_linux(&m, true);
		image_put32(&m, IMAGE_NOTES + 28 + 4, size[i]);
		assert_non_null(load_rig_load(&r, m.byte, m.size));
	}
	for (unsigned i = 0; i < 4; i++) {
		const uint64_t to[] = { 0, IMAGE_BASE - 1, 0xe0000,
					0x100000000 | IMAGE_BASE };

		image_linux(&m, true);
		memcpy(m.byte + IMAGE_NOTES + 28 + 16, &to[i], 8);
		assert_non_null(
			strstr(load_rig_load(&r, m.byte, m.size), "PVH entry"));
	}
}

/* The notes' segment ends inside the PVH note, or in the padding before it;
 * the file goes on. */
static void notes_end_early(void **state)
{
	(void)state;
	for (unsigned size = 0; size < 28 + 16 + 8; size++) {
		image_linux(&m, true);
		image_segment(&m, 2, PT_NOTE, IMAGE_NOTES, 0, size, 0);
		assert_non_null(strstr(load_rig_load(&r, m.byte, m.size),
				       "no PVH entry"));
	}
	image_linux(&m, true); /* ... and the file does not go on */
	memcpy(m.byte + 0x1000, m.byte + IMAGE_NOTES, 25);
	m.size = 0x1000 + 25;
	image_segment(&m, 2, PT_NOTE, 0x1000, 0, 25, 0);
	assert_non_null(strstr(load_rig_load(&r, m.byte, m.size), "no PVH"));
	image_linux(&m, true);
	image_put32(&m, IMAGE_NOTES + 28, 3); /* "Xen" without its NUL */
	assert_non_null(strstr(load_rig_load(&r, m.byte, m.size), "no PVH"));
	/* an entry that 32 bits do not reach, though memory is there */
	image_linux(&m, true);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, RIG_HIGH, 64, 64);
	assert_null(load_rig_load(&r, m.byte, m.size));
	memcpy(m.byte + IMAGE_NOTES + 28 + 16, &(uint64_t){ RIG_HIGH + 8 }, 8);
	assert_non_null(
		strstr(load_rig_load(&r, m.byte, m.size), "PVH entry is not"));
}

/* As many program headers as are looked at, and one more. */
static void many_segments(void **state)
{
	const size_t table = 0x1000, entry = sizeof(Elf64_Phdr);
	Elf64_Ehdr e;

	(void)state;
	image_linux(&m, true);
	memset(m.byte + table, 0, (LOAD_SEGMENTS + 1) * entry);
	memcpy(m.byte + table + (LOAD_SEGMENTS - 4) * entry, m.byte + sizeof(e),
	       4 * entry);
	memcpy(&e, m.byte, sizeof(e));
	e.e_phoff = table;
	for (unsigned n = 0; n < 2; n++) {
		e.e_phnum = (uint16_t)(LOAD_SEGMENTS + n);
		memcpy(m.byte, &e, sizeof(e));
		m.size = table + e.e_phnum * entry;
		if (n)
			assert_non_null(load_rig_load(&r, m.byte, m.size));
		else
			survives(LINUX64, "segments", table, 0);
	}
	assert_int_equal(loaded, 1);
}

static void not_a_program_for_x86(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bend[] = { { EI_CLASS, 0 }, { EI_CLASS, 3 }, { EI_DATA, 2 },
		     { 16, ET_REL },  { 16, ET_CORE }, { 18, EM_ARM } };

	(void)state;
	for (unsigned i = 0; i < sizeof(bend) / sizeof(bend[0]); i++) {
		image_linux(&m, true);
		m.byte[bend[i].at] = bend[i].value;
		assert_non_null(load_rig_load(&r, m.byte, m.size));
	}
}

static void kludge(void **state)
{
	static const uint32_t b = IMAGE_BASE;
	/* header, load, end, .bss, entry; all of a file of 700 bytes */
	static const struct {
		uint32_t word[5];
		const char *says;
	} bad[] = {
		{ { b - 1, b, 0, 0, b }, "broken" },
		{ { b + 65, b, 0, 0, b }, "broken" },
		{ { UINT32_MAX, 0, 0, 0, 0 }, "broken" },
		{ { b + 64, b, b - 1, 0, b }, "broken" },
		{ { b + 64, b, 1, 0, b }, "broken" },
		{ { b + 64, b, b + 701, 0, b }, "cut" },
		{ { b + 64, b, UINT32_MAX, 0, b }, "cut" },
		{ { b + 64, b, b + 700, b + 699, b }, "broken" },
		{ { b + 64, b, b + 700, 1, b }, "broken" },
		{ { b + 64, b, b + 700, UINT32_MAX, b }, "does not fit" },
		{ { b + 64, b, b + 700, RIG_LOW + 1, b }, "does not fit" },
		{ { b + 64, b, b, b, b }, "entry" }, /* loads nothing */
		{ { b + 64, b, b + 700, 0, b + 700 }, "entry" },
		{ { b + 64, b, b + 700, 0, b - 1 }, "entry" },
		{ { b + 64, b, b + 700, 0, UINT32_MAX }, "entry" },
		{ { 0xb8040, 0xb8000, 0, 0, 0xb8000 }, "does not fit" },
		{ { 0xffffff40, 0xffffff00, 0, 0, 0xffffff00 },
		  "does not fit" },
		{ { RIG_LOW, RIG_LOW - 64, 0, 0, RIG_LOW - 64 },
		  "does not fit" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *wrong;

		image_flat(&m, 64, 700);
		image_addresses(&m, 64, bad[i].word);
		wrong = load_rig_load(&r, m.byte, m.size);
		if (!wrong || !strstr(wrong, bad[i].says))
			fail_msg("row %u: \"%s\"", i, wrong ? wrong : "loaded");
	}
	/* a header that the file does not have whole */
	for (size_t size = 64 + 12; size < 64 + 32; size++) {
		image_flat(&m, 64, 700);
		m.size = size;
		assert_non_null(
			strstr(load_rig_load(&r, m.byte, m.size), "broken"));
	}
}

/* The host has no memory for the guest any more, at each moment. */
static void host_gives_no_memory(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		uint64_t n;

		make((enum kind)kind);
		for (n = 1;; n++) {
			r.lab.odd_resolve_at = n;
			r.lab.odd_resolve = VMMU_RESOLVE_NONE;
			if (!load_rig_load(&r, m.byte, m.size))
				break;
			assert_true(n < 100);
		}
		r.lab.odd_resolve_at = 0;
		assert_true(n > 3);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cut_at_every_byte),     TEST(extremes_at_every_byte),
		TEST(bent_at_random),	     TEST(segments),
		TEST(segments_of_64_bits),   TEST(notes),
		TEST(notes_end_early),	     TEST(many_segments),
		TEST(not_a_program_for_x86), TEST(kludge),
		TEST(host_gives_no_memory),
	};

	return cmocka_run_group_tests_name("load_hostile", tests, NULL, NULL);
}

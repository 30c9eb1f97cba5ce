/* hv/load on good images: what is where afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "load_image.h"
#include "load_rig.h"

static struct load_rig r;
static struct image m;
static uint8_t initrd[RIG_MIB];

static int setup(void **state)
{
	(void)state;
	load_rig_init(&r);
	for (size_t i = 0; i < sizeof(initrd); i++)
		initrd[i] = (uint8_t)(i * 11 % 253 + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	load_rig_fini(&r);
	return 0;
}

static void loads(void)
{
	const char *wrong = load_rig_load(&r, m.byte, m.size);

	if (wrong)
		fail_msg("refused: %s", wrong);
	wrong = load_rig_check(&r);
	if (wrong)
		fail_msg("not right: %s", wrong);
}

static void refused(const char *word)
{
	const char *wrong = load_rig_load(&r, m.byte, m.size);

	assert_non_null(wrong);
	if (!strstr(wrong, word))
		fail_msg("\"%s\" does not say \"%s\"", wrong, word);
}

static void linux_of_both_classes(void **state)
{
	(void)state;
	for (unsigned wide = 0; wide < 2; wide++) {
		image_linux(&m, wide);
		loads();
		assert_string_equal(r.entry.kind, "linux");
		assert_int_equal(r.entry.eip, IMAGE_BASE + 0x50);
		assert_int_equal(r.entry.ebx, 0x1000);
		assert_int_equal(r.entry.eax, 0);
	}
}

/* The entry is virtual in the file, and physical in eip. */
static void multiboot_elf(void **state)
{
	(void)state;
	image_multiboot(&m);
	loads();
	assert_string_equal(r.entry.kind, "multiboot");
	assert_int_equal(r.entry.eip, IMAGE_BASE + 4);
	assert_int_equal(r.entry.ebx, 0x9000);

	image_header(&m, 4, IMAGE_BASE + 0x20); /* physical already */
	loads();
	assert_int_equal(r.entry.eip, IMAGE_BASE + 0x20);
	image_header(&m, 4, 0xd0000000);
	refused("entry");
	image_linux(&m, true);
	image_magic(&m, IMAGE_HEADER, 0);
	image_header(&m, 4, UINT64_C(0x100000000) + IMAGE_BASE);
	refused("entry");
}

static void multiboot_flat(void **state)
{
	uint32_t word[5] = { IMAGE_BASE + 64, IMAGE_BASE, 0, 0,
			     IMAGE_BASE + 700 };

	(void)state;
	image_flat(&m, 64, 700);
	loads();
	assert_int_equal(r.entry.eip, IMAGE_BASE + 0x10);
	assert_true(
		load_rig_holds(&r, IMAGE_BASE, m.byte, 700, 700 + IMAGE_BSS));

	/* load_end 0: all of the file; what is before load_addr stays out */
	word[0] = IMAGE_BASE + 14;
	image_addresses(&m, 64, word);
	refused("entry"); /* 700 - 50 bytes: the entry is behind them */
	word[4] = IMAGE_BASE;
	image_addresses(&m, 64, word);
	loads();
	assert_true(
		load_rig_holds(&r, IMAGE_BASE, m.byte + 50, 650, 650 + 999));
}

static void header_anywhere_in_8_kib(void **state)
{
	(void)state;
	for (size_t at = 0; at <= 8192 - 12; at += 4) {
		image_flat(&m, at, 12000);
		assert_null(load_rig_load(&r, m.byte, m.size));
	}
	assert_null(load_rig_check(&r));
	image_flat(&m, 8192 - 8, 12000);
	refused("neither");
	image_flat(&m, 61, 12000); /* not aligned: not looked at */
	refused("neither");
	image_flat(&m, 64, 12000);
	m.byte[64 + 8] ^= 1;
	refused("neither");
}

static void a_false_header_before_the_true_one(void **state)
{
	(void)state;
	image_flat(&m, 64, 700);
	image_put32(&m, 32, MB_MAGIC); /* its sum is wrong */
	loads();
}

static void flags(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++) {
		image_multiboot(&m);
		image_magic(&m, IMAGE_HEADER, 1u << bit);
		if (bit >= 2 && bit < 16)
			refused("not offered");
		else if (bit != 16)
			loads();
	}
}

static void initrd_is_high_and_whole(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		if (kind)
			image_multiboot(&m);
		else
			image_linux(&m, true);
		r.req.initrd = (struct load_file){ initrd, 5000 };
		loads();
		assert_true(
			load_rig_holds(&r, RIG_LOW - 8192, initrd, 5000, 8192));
		r.req.initrd = (struct load_file){ initrd, 0 };
		loads();
	}
}

/* Exactly what is left above the kernel, and one byte more. */
static void initrd_too_large(void **state)
{
	uint8_t *large = calloc(1, 4 * RIG_MIB);
	uint64_t room = RIG_LOW - (IMAGE_BASE + 0x9000);

	(void)state;
	image_linux(&m, true);
	r.req.initrd = (struct load_file){ large, room };
	loads();
	r.req.initrd.size++;
	refused("initrd");
	r.req.initrd.size = RIG_LOW;
	refused("initrd");
	r.req.initrd.size = 4 * RIG_MIB;
	refused("initrd");
	image_multiboot(&m);
	refused("initrd");
	free(large);
}

/* A kernel at memory's end: the initrd goes below it. */
static void initrd_goes_round_the_kernel(void **state)
{
	(void)state;
	image_linux(&m, true);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, RIG_LOW - 0x2000, 0x20, 0x30);
	r.req.initrd = (struct load_file){ initrd, 8192 };
	loads();
	assert_true(load_rig_holds(&r, RIG_LOW - 0x4000, initrd, 8192, 8192));
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, RIG_HIGH + 64, 0x20, 0x30);
	loads();
	r.req.initrd.size = 4096;
	loads();
	assert_true(load_rig_holds(&r, RIG_LOW - 0x1000, initrd, 4096, 4096));
}

static void information_goes_round_the_kernel(void **state)
{
	(void)state;
	image_linux(&m, true);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, 0x2fff, 1, 0x2345);
	loads();
	assert_int_equal(r.entry.ebx, 0x6000);
	image_multiboot(&m);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, 0x4000, 5, 0x8000);
	loads();
	assert_int_equal(r.entry.ebx, 0xc000);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, 0x4000, 5,
		      640 * RIG_KIB - 0x4000 - 8191);
	refused("low memory");
	image_linux(&m, true);
	image_segment(&m, 1, PT_LOAD, IMAGE_DATA, 0, 5, 640 * RIG_KIB);
	refused("low memory");
}

static void command_line(void **state)
{
	static char args[LOAD_ARGS_MAX + 1];

	(void)state;
	memset(args, 'a', LOAD_ARGS_MAX - 1);
	r.req.args = args;
	for (unsigned kind = 0; kind < 2; kind++) {
		if (kind)
			image_multiboot(&m);
		else
			image_linux(&m, true);
		args[LOAD_ARGS_MAX - 1] = 0;
		loads();
		args[LOAD_ARGS_MAX - 1] = 'a';
		refused("command line is too long");
	}
	r.req.args = "";
	loads();
}

static void no_kernel(void **state)
{
	const char *wrong;

	(void)state;
	r.req.kernel = (struct load_file){ 0 };
	wrong = load_guest(&r.mem, &r.req, &r.entry);
	assert_non_null(strstr(wrong, "no kernel was given"));
	m.size = 0;
	refused("neither");
	image_linux(&m, true);
	image_put32(&m, IMAGE_NOTES + 28 + 8, 17); /* another of Xen's notes */
	refused("no PVH entry");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(linux_of_both_classes),
		TEST(multiboot_elf),
		TEST(multiboot_flat),
		TEST(header_anywhere_in_8_kib),
		TEST(a_false_header_before_the_true_one),
		TEST(flags),
		TEST(initrd_is_high_and_whole),
		TEST(initrd_too_large),
		TEST(initrd_goes_round_the_kernel),
		TEST(information_goes_round_the_kernel),
		TEST(command_line),
		TEST(no_kernel),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}

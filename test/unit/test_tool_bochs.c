/* tools/bochs.c: what Bochs and GRUB are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/bochs.h"

static struct options plain(void)
{
	return (struct options){ .mmu = "vtlb",
				 .append = "console=ttyS0  quiet -- a=$b;c",
				 .initrd = "some.img",
				 .memory = (uint64_t)256 << 20,
				 .bochs = true,
				 .cpus = 1 };
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void the_machine(void **state)
{
	const struct bochs_files files = { .console = "/dev/pts/7",
					   .memory = (uint64_t)300 << 20,
					   .report = "/dev/pts/8" };
	struct options options = plain();
	char *text = bochs_config(&files, &options);

	(void)state;
	has(text, "model=corei7_skylake_x");
	has(text, "memory: guest=300, host=300\n");
	has(text, "path=disc.iso,");
	has(text, "com1: enabled=1, mode=term, dev=/dev/pts/7\n");
	has(text, "com2: enabled=1, mode=term, dev=/dev/pts/8\n");
	has(text, "log: log\n");
	has(text, "time0=local");
	free(text);
	options.icount = true;
	options.processor = "corei7_haswell_4770";
	text = bochs_config(&files, &options);
	has(text, "cpu: model=corei7_haswell_4770, ");
	has(text, "time0=1767225600");
	free(text);
}

static void a_bare_machine_reports_nothing(void **state)
{
	const struct bochs_files files = { .console = "/dev/p" };
	const struct options options = plain();
	char *text = bochs_config(&files, &options);

	(void)state;
	has(text, "com2: enabled=0\n");
	free(text);
}

/* GRUB's shell takes no word apart, and spaces are one. */
static void with_the_hypervisor(void **state)
{
	const struct options options = plain();
	char *text = bochs_grub_config(&options, false);

	(void)state;
	assert_string_equal(text,
			    "multiboot /boot/vmmu.elf 'mmu=vtlb' "
			    "'memory=268435456' 'cpus=1' '--' 'console=ttyS0' "
			    "'quiet' '--' 'a=$b;c'\n"
			    "module /boot/kernel\n"
			    "module /boot/initrd\n"
			    "boot\n");
	free(text);
}

static void bare(void **state)
{
	struct options options = plain();
	char *text;

	(void)state;
	options.mmu = "none";
	options.append = "quiet";
	text = bochs_grub_config(&options, false);
	assert_string_equal(text, "linux /boot/kernel 'quiet'\n"
				  "initrd /boot/initrd\n"
				  "boot\n");
	free(text);
	options.initrd = NULL;
	text = bochs_grub_config(&options, true);
	assert_string_equal(text, "multiboot /boot/kernel 'quiet'\nboot\n");
	free(text);
}

static void what_grub_would_change_is_refused(void **state)
{
	(void)state;
	assert_null(bochs_append_wrong("console=ttyS0 a=$b -- c"));
	assert_non_null(bochs_append_wrong("a='b'"));
	assert_non_null(bochs_append_wrong("a=\"b c\""));
	assert_non_null(bochs_append_wrong("a\\b"));
}

/* Of a log that it writes to its standard error until it has read where else
 * to. */
static void what_it_complains_of(void **state)
{
	(void)state;
	assert_null(bochs_complaint("00000000000i[PLUGIN] loaded x.so"));
	assert_null(bochs_complaint("00000000000e[SIM   ] notify called"));
	assert_string_equal(
		bochs_complaint("00000000000p[SIM   ] >>PANIC<< out of range"),
		"out of range");
	assert_string_equal(bochs_complaint("bochs: cannot open"),
			    "bochs: cannot open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine),
		cmocka_unit_test(a_bare_machine_reports_nothing),
		cmocka_unit_test(with_the_hypervisor),
		cmocka_unit_test(bare),
		cmocka_unit_test(what_it_complains_of),
		cmocka_unit_test(what_grub_would_change_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * tools/qemu.c: the command line that QEMU is started with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tools/qemu.h"

static const struct options plain = { .mmu = "nested",
				      .append = "console=ttyS0 -- x",
				      .qemu = "qemu",
				      .memory = (uint64_t)512 << 20,
				      .cpus = 1 };
static const struct qemu hosted = {
	.hypervisor = 5, .kernel = 6, .initrd = 7, .module_bytes = 3000000
};

/* The word after the n-th one that is this, or NULL. */
static const char *after(const struct qemu_args *args, const char *word)
{
	for (unsigned int i = 0; i + 1 < args->count; i++)
		if (strcmp(args->arg[i], word) == 0)
			return args->arg[i + 1];
	return NULL;
}

static struct qemu_args build(const struct qemu *qemu,
			      const struct options *options)
{
	struct outcome out = { .status = OUTCOME_GOOD };
	struct qemu_args args;

	assert_int_equal(qemu_args_build(qemu, options, &args, &out), 0);
	assert_null(args.arg[args.count]);
	return args;
}

static void with_the_hypervisor(void **state)
{
	struct qemu_args args = build(&hosted, &plain);

	(void)state;
	assert_string_equal(after(&args, "-kernel"), "/dev/fd/5");
	assert_string_equal(after(&args, "-initrd"), "/dev/fd/6,/dev/fd/7");
	assert_string_equal(after(&args, "-append"),
			    "mmu=nested memory=536870912 cpus=1 -- "
			    "console=ttyS0 -- x");
	assert_string_equal(after(&args, "-cpu"),
			    "EPYC,-rdrand,-rdseed,+svm,+npt");
	/* 512 + 512 / 64 + 64 + 3 (2.9 of modules). */
	assert_string_equal(after(&args, "-m"), "587M");
	assert_null(after(&args, "-icount"));
	qemu_args_free(&args);
}

static void features_follow_the_processor(void **state)
{
	struct options options = plain;
	struct qemu_args args;

	(void)state;
	options.features = "+la57,-smap";
	args = build(&hosted, &options);
	assert_string_equal(after(&args, "-cpu"),
			    "EPYC,-rdrand,-rdseed,+svm,+npt,+la57,-smap");
	qemu_args_free(&args);
}

static void without_an_initrd(void **state)
{
	struct qemu qemu = hosted;
	struct qemu_args args;

	(void)state;
	qemu.initrd = -1;
	args = build(&qemu, &plain);
	assert_string_equal(after(&args, "-initrd"), "/dev/fd/6");
	qemu_args_free(&args);
}

static void bare_differs_in_svm_alone(void **state)
{
	struct options options = plain;
	struct qemu qemu = hosted;
	struct qemu_args args;

	(void)state;
	options.mmu = "none";
	options.icount = true;
	qemu.hypervisor = -1;
	args = build(&qemu, &options);
	assert_string_equal(after(&args, "-kernel"), "/dev/fd/6");
	assert_string_equal(after(&args, "-initrd"), "/dev/fd/7");
	assert_string_equal(after(&args, "-append"), plain.append);
	assert_string_equal(after(&args, "-cpu"), "EPYC,-rdrand,-rdseed,-svm");
	assert_string_equal(after(&args, "-m"), "512M");
	assert_string_equal(after(&args, "-icount"), "shift=0,sleep=off");
	assert_string_equal(after(&args, "-seed"), "1");
	qemu_args_free(&args);
}

static void words_for_the_hypervisor(void **state)
{
	struct options options = plain;
	struct qemu_args args;

	(void)state;
	options.set[0] = "a=1";
	options.set[1] = "b=2";
	options.set_count = 2;
	args = build(&hosted, &options);
	assert_string_equal(after(&args, "-append"),
			    "mmu=nested memory=536870912 cpus=1 a=1 b=2 -- "
			    "console=ttyS0 -- x");
	qemu_args_free(&args);
}

/* Whatever the sizes, the guest gets all it was promised. */
static void memory_is_never_less(void **state)
{
	struct options options = plain;
	struct qemu qemu = hosted;

	(void)state;
	for (uint64_t mib = 16; mib <= 1 << 20; mib *= 2) {
		for (qemu.module_bytes = 0; qemu.module_bytes < 5000000;
		     qemu.module_bytes += 999999) {
			uint64_t all;

			options.memory = mib << 20;
			all = qemu_memory(&qemu, &options);
			assert_true(all - options.memory >=
				    qemu.module_bytes + (64 << 20));
			assert_int_equal(all % (1 << 20), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_the_hypervisor),
		cmocka_unit_test(features_follow_the_processor),
		cmocka_unit_test(without_an_initrd),
		cmocka_unit_test(bare_differs_in_svm_alone),
		cmocka_unit_test(words_for_the_hypervisor),
		cmocka_unit_test(memory_is_never_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

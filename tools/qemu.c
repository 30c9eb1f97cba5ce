/*
 * QEMU's command line.
 *
 * One machine for every run: the pc machine, an EPYC processor, no devices
 * but two UARTs and the exit port. With the hypervisor, QEMU boots vmmu.elf
 * by Multiboot 1 with the guest's kernel and initrd as modules; bare, it
 * boots the guest. The processor differs in SVM alone, so that the rows of
 * both runs compare.
 *
 * --icount makes a run repeat to the instruction: one instruction is one
 * nanosecond and one TSC tick, the random numbers and the date are fixed, and
 * RDRAND and RDSEED are not offered.
 *
 * Files are handed over as /dev/fd/N (see file.c). QEMU starts stopped (-S)
 * and is let go over QMP, so that no event of a short run is missed.
 */
#include "qemu.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(struct qemu_args *args,
						      const char *format, ...)
{
	va_list ap;

	if (args->count == QEMU_ARGS_MAX)
		return;
	va_start(ap, format);
	if (vasprintf(&args->arg[args->count], format, ap) < 0)
		args->arg[args->count] = NULL;
	va_end(ap);
	/* A hole where memory ran out ends the build: see build's last line. */
	if (args->arg[args->count])
		args->count++;
	else
		args->count = QEMU_ARGS_MAX;
}

uint64_t qemu_memory(const struct qemu *qemu, const struct options *options)
{
	const uint64_t mib = 1 << 20;
	uint64_t overhead;

	if (qemu->hypervisor < 0)
		return options->memory;
	/*
	 * The modules as QEMU loads them, 64 MiB for the hypervisor, and one
	 * part in 64 for tables and for what it keeps for each frame.
	 */
	overhead = qemu->module_bytes + 64 * mib + options->memory / 64;
	return (options->memory + overhead + mib - 1) & ~(mib - 1);
}

/* A paravirtual guest needs nothing that not every x86-64 processor has. */
static const char *cpu_features(const struct qemu *qemu,
				const struct options *options)
{
	if (qemu->hypervisor < 0 || options_para(options))
		return "-svm";
	return "+svm,+npt";
}

static void add_machine(const struct qemu *qemu, const struct options *options,
			struct qemu_args *args)
{
	add(args, "%s", options->qemu);
	add(args, "-nodefaults");
	add(args, "-no-user-config");
	add(args, "-display");
	add(args, "none");
	add(args, "-machine");
	add(args, "pc");
	add(args, "-accel");
	add(args, "%s", options->kvm ? "kvm" : "tcg");
	add(args, "-cpu");
	add(args, "%s,%s%s%s", options->kvm ? "host" : "EPYC,-rdrand,-rdseed",
	    cpu_features(qemu, options), options->features ? "," : "",
	    options->features ? options->features : "");
	add(args, "-m");
	add(args, "%" PRIu64 "M", qemu_memory(qemu, options) >> 20);
	add(args, "-no-reboot");
	add(args, "-S");
	add(args, "-device");
	add(args, "isa-debug-exit,iobase=0xf4,iosize=4");
	if (!options->icount)
		return;
	add(args, "-icount");
	add(args, "shift=0,sleep=off");
	add(args, "-seed");
	add(args, "1");
	add(args, "-rtc");
	add(args, "base=2026-01-01,clock=vm");
}

static void add_serial(struct qemu_args *args, const char *name, int fd)
{
	add(args, "-chardev");
	add(args, "socket,id=%s,fd=%d", name, fd);
	add(args, "-serial");
	add(args, "chardev:%s", name);
}

static void add_channels(const struct qemu *qemu, struct qemu_args *args)
{
	add_serial(args, "console", qemu->console.theirs);
	if (qemu->hypervisor >= 0)
		add_serial(args, "report", qemu->report.theirs);
	add(args, "-chardev");
	add(args, "socket,id=control,fd=%d", qemu->control.theirs);
	add(args, "-mon");
	add(args, "chardev=control,mode=control");
	/* The log of resets tells a triple fault from a reset asked for. */
	add(args, "-d");
	add(args, "cpu_reset");
	add(args, "-D");
	add(args, "/dev/fd/%d", qemu->trace);
}

static void add_bare(const struct qemu *qemu, const struct options *options,
		     struct qemu_args *args)
{
	add(args, "-kernel");
	add(args, "/dev/fd/%d", qemu->kernel);
	add(args, "-append");
	add(args, "%s", options->append);
	if (qemu->initrd < 0)
		return;
	add(args, "-initrd");
	add(args, "/dev/fd/%d", qemu->initrd);
}

/* The words before "--" are the hypervisor's, those after it the guest's. */
void qemu_words(const struct options *options, char *text, size_t size)
{
	const struct {
		const char *key;
		unsigned int value;
	} numbers[] = {
		{ "switch-every", options->switch_every },
		{ "roots", options->roots },
		{ "table-memory", options->table_memory },
	};
	int at = snprintf(text, size, "mmu=%s memory=%" PRIu64 " cpus=%u",
			  options->mmu, options->memory, options->cpus);

	if (options->guest_pv)
		at += snprintf(text + at, size - (size_t)at, " guest=pv");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value)
			at += snprintf(text + at, size - (size_t)at, " %s=%u",
				       numbers[i].key, numbers[i].value);
	for (unsigned int i = 0; i < options->set_count; i++) {
		size_t left = size - (size_t)at;
		int n = snprintf(text + at, left, " %s", options->set[i]);

		if (n < 0 || (size_t)n >= left)
			break;
		at += n;
	}
	snprintf(text + at, size - (size_t)at, " -- %s", options->append);
}

static void add_append(const struct options *options, struct qemu_args *args)
{
	size_t size = 2048 + strlen(options->append);
	char *words = malloc(size);

	if (words)
		qemu_words(options, words, size);
	add(args, "%s", words ? words : "");
	free(words);
}

static void add_hypervisor(const struct qemu *qemu,
			   const struct options *options,
			   struct qemu_args *args)
{
	add(args, "-kernel");
	add(args, "/dev/fd/%d", qemu->hypervisor);
	add(args, "-append");
	add_append(options, args);
	add(args, "-initrd");
	if (qemu->initrd < 0)
		add(args, "/dev/fd/%d", qemu->kernel);
	else
		add(args, "/dev/fd/%d,/dev/fd/%d", qemu->kernel, qemu->initrd);
}

int qemu_args_build(const struct qemu *qemu, const struct options *options,
		    struct qemu_args *args, struct outcome *out)
{
	*args = (struct qemu_args){ .count = 0 };
	add_machine(qemu, options, args);
	add_channels(qemu, args);
	if (qemu->hypervisor < 0)
		add_bare(qemu, options, args);
	else
		add_hypervisor(qemu, options, args);
	if (args->count < QEMU_ARGS_MAX)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START,
			   "no memory for QEMU's command line");
}

void qemu_args_free(struct qemu_args *args)
{
	for (unsigned int i = 0; i < QEMU_ARGS_MAX; i++)
		free(args->arg[i]);
}

/*
 * What Bochs and GRUB are told, as text.
 *
 * One machine for every run: a Skylake-X, which has VMX with EPT, VPID, PML
 * and unrestricted guests, unless another processor is named; a disc to boot
 * from; two serial ports; no sound, and no display that anything is drawn on.
 * Time is counted in instructions (clock: sync=none), IPS of them a second.
 *
 * GRUB's own words are single-quoted. It puts a backslash before quotes and
 * backslashes when it hands a command line over, so such a line is refused.
 */
#include "bochs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSOR  "corei7_skylake_x"
#define IPS	   50000000
#define START_DATE "1767225600" /* 2026-01-01, as under QEMU */

char *bochs_config(const struct bochs_files *files,
		   const struct options *options)
{
	uint64_t mib = files->memory >> 20;
	char *text = NULL;
	char report[320] = "enabled=0";

	if (files->report)
		snprintf(report, sizeof(report), "enabled=1, mode=term, dev=%s",
			 files->report);
	if (asprintf(&text,
		     "cpu: model=%s, count=1, ips=%d, "
		     "reset_on_triple_fault=0\n"
		     "clock: sync=none, time0=%s\n"
		     "memory: guest=%" PRIu64 ", host=%" PRIu64 "\n"
		     "romimage: file=" BOCHS_BIOS ", options=fastboot\n"
		     "vgaromimage: file=" BOCHS_VGA_BIOS "\n"
		     "display_library: rfb, options=\"timeout=0\"\n"
		     "sound: driver=dummy, waveoutdrv=dummy, "
		     "waveindrv=dummy\n"
		     "speaker: enabled=1, mode=none\n"
		     "ata0-master: type=cdrom, path=disc.iso, "
		     "status=inserted\n"
		     "boot: cdrom\n"
		     "com1: enabled=1, mode=term, dev=%s\n"
		     "com2: %s\n"
		     "log: log\n"
		     "panic: action=fatal\n"
		     "error: action=ignore\n"
		     "info: action=ignore\n"
		     "debug: action=ignore\n",
		     options->processor ? options->processor : PROCESSOR, IPS,
		     options->icount ? START_DATE : "local", mib, mib,
		     files->console, report) < 0)
		return NULL;
	return text;
}

const char *bochs_append_wrong(const char *append)
{
	if (strpbrk(append, "'\"\\"))
		return "holds a quote or a backslash, which the boot loader "
		       "on --machine bochs would change";
	return NULL;
}

/* A command with each word quoted, so that GRUB's shell takes none apart. */
static void put_words(FILE *to, const char *words)
{
	while (*words) {
		size_t length = strcspn(words, " \t\n");

		if (length)
			fprintf(to, " '%.*s'", (int)length, words);
		words += length;
		words += strspn(words, " \t\n");
	}
	fprintf(to, "\n");
}

static void put_bare(FILE *to, const struct options *options, bool multiboot)
{
	fprintf(to, "%s /boot/kernel", multiboot ? "multiboot" : "linux");
	put_words(to, options->append);
	if (options->initrd)
		fprintf(to, "%s /boot/initrd\n",
			multiboot ? "module" : "initrd");
}

static void put_hypervisor(FILE *to, const struct options *options)
{
	char words[4096];

	qemu_words(options, words, sizeof(words));
	fprintf(to, "multiboot /boot/vmmu.elf");
	put_words(to, words);
	fprintf(to, "module /boot/kernel\n");
	if (options->initrd)
		fprintf(to, "module /boot/initrd\n");
}

char *bochs_grub_config(const struct options *options, bool multiboot)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	if (options_bare(options))
		put_bare(to, options, multiboot);
	else
		put_hypervisor(to, options);
	fprintf(to, "boot\n");
	return fclose(to) == 0 ? text : NULL;
}

/*
 * What options ask of one another. Each by itself is good: options.c has seen
 * to that.
 *
 * The words for the hypervisor are bounded here, so that what takes them
 * further along the way never has to cut them short: qemu_words, GRUB, and the
 * hypervisor, which has 4096 bytes for its words and the guest's.
 */
#include "options.h"

#include <string.h>

#include "bochs.h"

#define MMU_MAX	   31	/* as the hypervisor has it */
#define SET_MAX	   1024 /* all --set together */
#define APPEND_MAX 2047 /* as Linux has it */

static int wrong(struct outcome *out, const char *sentence)
{
	return outcome_set(out, OUTCOME_USAGE, "%s", sentence);
}

static size_t set_size(const struct options *options)
{
	size_t size = 0;

	for (unsigned int i = 0; i < options->set_count; i++)
		size += strlen(options->set[i]) + 1;
	return size;
}

static int check_lengths(const struct options *options, struct outcome *out)
{
	if (strlen(options->mmu) > MMU_MAX)
		return wrong(out, "--mmu names too many schemes");
	if (set_size(options) > SET_MAX)
		return outcome_set(out, OUTCOME_USAGE,
				   "--set is too long: all of them together "
				   "have %d bytes",
				   SET_MAX);
	if (!options_bare(options) && strlen(options->append) > APPEND_MAX)
		return outcome_set(out, OUTCOME_USAGE,
				   "--append is too long: a guest's command "
				   "line has %d bytes at most",
				   APPEND_MAX);
	return OUTCOME_GOOD;
}

static int check_guest(const struct options *options, struct outcome *out)
{
	bool direct = strcmp(options->mmu, "direct") == 0;

	if (!options->kernel)
		return wrong(out, "--kernel FILE is missing: name the guest "
				  "to run");
	if (options->guest_pv && !direct && strcmp(options->mmu, "shadow") != 0)
		return wrong(out, "--guest pv needs --mmu direct or shadow");
	if (options->guest_hvm && direct)
		return wrong(out, "--guest hvm cannot be: under --mmu direct "
				  "a guest is paravirtual");
	if (options->monitor && !options_listens(options))
		return wrong(out, "--monitor needs the hypervisor: --mmu none "
				  "has none");
	return OUTCOME_GOOD;
}

static int check_machine(const struct options *options, struct outcome *out)
{
	if (options->bochs && bochs_append_wrong(options->append))
		return outcome_set(out, OUTCOME_USAGE, "--append %s",
				   bochs_append_wrong(options->append));
	if (options->features && options->bochs)
		return wrong(out, "--features needs QEMU: Bochs has whole "
				  "processors only, by --processor");
	if (options->processor && !options->bochs)
		return wrong(out, "--processor needs --machine bochs");
	if (options->icount && options->kvm)
		return wrong(out, "--icount needs --machine tcg or bochs: KVM "
				  "does not count instructions");
	return OUTCOME_GOOD;
}

int options_check(const struct options *options, struct outcome *out)
{
	if (!check_guest(options, out) && !check_machine(options, out))
		check_lengths(options, out);
	return out->status;
}

/*
 * What `vmmu run` was asked to do: glibc's argp describes and parses the
 * options, the values are checked here, and what they ask of one another in
 * options_check.c. Every complaint names the option and what was wrong with it.
 */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum option_key {
	KEY_MMU = 0x100,
	KEY_GUEST,
	KEY_KERNEL,
	KEY_INITRD,
	KEY_APPEND,
	KEY_MEMORY,
	KEY_CPUS,
	KEY_MACHINE,
	KEY_FEATURES,
	KEY_PROCESSOR,
	KEY_ICOUNT,
	KEY_STATS,
	KEY_LOG,
	KEY_TIMEOUT,
	KEY_HYPERVISOR,
	KEY_QEMU,
	KEY_SET,
	KEY_SWITCH,
	KEY_ROOTS,
	KEY_TABLE_MEMORY,
	KEY_MONITOR,
};

static const struct argp_option option_list[] = {
	{ "mmu", KEY_MMU, "SCHEME", 0,
	  "How guest memory is translated: nested, vtlb or shadow, or none "
	  "for the bare machine without the hypervisor (default nested); "
	  "several with commas for --switch-every; or direct, for which the "
	  "guest is started as a paravirtual one",
	  1 },
	{ "guest", KEY_GUEST, "pv|hvm", 0,
	  "How it is started: as a whole machine, or as a paravirtual Linux, "
	  "which needs --mmu direct or shadow (default hvm, but pv for direct)",
	  1 },
	{ "switch-every", KEY_SWITCH, "TIME", 0,
	  "Move the running guest from one scheme of --mmu to the next every "
	  "TIME, as 200ms or 1s",
	  1 },
	{ "roots", KEY_ROOTS, "N", 0,
	  "Page-table roots that shadow keeps, 1 to 64 (default 32; of a "
	  "paravirtual guest those of 4 processes, two each)",
	  1 },
	{ "table-memory", KEY_TABLE_MEMORY, "KIB", 0,
	  "Most memory for the tables that the processor walks for the guest "
	  "(default 16384); shadow keeps twice as much beside them at most",
	  1 },
	{ "kernel", KEY_KERNEL, "FILE", 0,
	  "The guest: a Linux bzImage, a vmlinux with a PVH entry, or a "
	  "Multiboot 1 image (required)",
	  1 },
	{ "initrd", KEY_INITRD, "FILE", 0, "Its initial RAM disk or module",
	  1 },
	{ "append", KEY_APPEND, "STRING", 0, "Its command line", 1 },
	{ "memory", KEY_MEMORY, "SIZE", 0,
	  "Its memory, with a unit K, M, G or T (default 512M)", 1 },
	{ "cpus", KEY_CPUS, "N", 0, "Its processors (default, and most, 1)",
	  1 },
	{ "machine", KEY_MACHINE, "tcg|kvm|bochs", 0,
	  "What executes: QEMU's software emulation of an AMD processor "
	  "(default tcg), QEMU with KVM, or Bochs's of an Intel one",
	  2 },
	{ "features", KEY_FEATURES, "LIST", 0,
	  "What the processor has beside, or less than, an EPYC: names as QEMU "
	  "knows them, each with + or -, as in +la57,+pku,-smap",
	  2 },
	{ "processor", KEY_PROCESSOR, "MODEL", 0,
	  "The processor that Bochs emulates, of those that `bochs --help cpu' "
	  "lists (default corei7_skylake_x)",
	  2 },
	{ "icount", KEY_ICOUNT, NULL, 0,
	  "Repeatable: one instruction is one nanosecond and one TSC tick", 2 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0, "End the guest after this time",
	  2 },
	{ "stats", KEY_STATS, "FILE", 0,
	  "Write the statistics, a JSON object, to FILE", 3 },
	{ "log", KEY_LOG, "FILE", 0, "Write the hypervisor's log to FILE", 3 },
	{ "monitor", KEY_MONITOR, "FILE", 0,
	  "Carry out the monitor commands in FILE, which may be a pipe; their "
	  "answers go to standard error",
	  3 },
	{ "hypervisor", KEY_HYPERVISOR, "FILE", 0,
	  "The hypervisor's image (default: the one of this installation)", 4 },
	{ "qemu", KEY_QEMU, "PROGRAM", 0, "QEMU (default qemu-system-x86_64)",
	  4 },
	{ "set", KEY_SET, "KEY=VALUE", 0,
	  "One more word for the hypervisor's command line; may be repeated",
	  4 },
	{ 0 },
};

static const char doc[] =
	"Boots a guest and joins its console to the terminal.\v"
	"When the console is a terminal, Ctrl-] ends the guest, and Ctrl-\\ "
	"opens the monitor: help lists its commands, cont goes back.\n\n"
	"Exits 0 when the guest powered off, with the odd status "
	"(value << 1) | 1 when it wrote value to the exit port 0xf4, and "
	"otherwise with an even status and one sentence: 2 wrong option, "
	"4 not started, 6 guest stopped, 8 timeout, 10 hypervisor died, "
	"12 escape key.";

bool options_bare(const struct options *options)
{
	return strcmp(options->mmu, "none") == 0;
}

bool options_listens(const struct options *options)
{
	return !options_bare(options);
}

static int unit_shift(char unit)
{
	static const char units[] = "KMGT";
	const char *at = unit ? strchr(units, unit) : NULL;

	return at ? 10 * (int)(at - units + 1) : -1;
}

const char *options_size(const char *text, uint64_t *bytes)
{
	unsigned long long count;
	char *end;
	int shift;

	errno = 0;
	count = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno)
		return "is not a size: write one like 512M";
	if (!*end)
		return "lacks a unit: K, M, G or T";
	shift = unit_shift(*end);
	if (shift < 0 || end[1])
		return "has a unit that is none of K, M, G, T";
	if (count > UINT64_MAX >> shift)
		return "is more than 64 bits can count";
	*bytes = (uint64_t)count << shift;
	return NULL;
}

const char *options_number(const char *text, unsigned int lowest,
			   unsigned int highest, unsigned int *number)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end)
		return "is not a whole number";
	if (errno || count < lowest || count > highest)
		return "is out of range";
	*number = (unsigned int)count;
	return NULL;
}

/* 200, 200ms, 1s. */
static const char *options_ms(const char *text, unsigned int *ms)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' ||
	    (*end && strcmp(end, "ms") != 0 && strcmp(end, "s") != 0))
		return "is not a whole number of milliseconds: write 200ms";
	if (errno || count < 1 || count > 1000000)
		return "is out of range";
	if (*end == 's')
		count *= 1000;
	if (count > 1000000)
		return "is out of range";
	*ms = (unsigned int)count;
	return NULL;
}

bool options_para(const struct options *options)
{
	return options->guest_pv || strcmp(options->mmu, "direct") == 0;
}

static bool is_scheme(const char *name, size_t length)
{
	static const char *const schemes[] = { "none", "nested", "vtlb",
					       "shadow", "direct" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == length &&
		    strncmp(name, schemes[i], length) == 0)
			return true;
	return false;
}

/* A guest cannot be moved to these, or from them. */
static bool stands_alone(const char *name, size_t length)
{
	return (length == 4 && strncmp(name, "none", 4) == 0) ||
	       (length == 6 && strncmp(name, "direct", 6) == 0);
}

static const char *set_mmu(struct options *options, const char *text)
{
	const char *name = text;
	size_t length;

	options->mmu = text;
	for (;; name += length + 1) {
		length = strcspn(name, ",");
		if (!is_scheme(name, length) ||
		    (stands_alone(name, length) && strlen(text) != length))
			return "is not a scheme: there are none, direct, "
			       "nested, vtlb and shadow, the last three also "
			       "with commas";
		if (!name[length])
			return NULL;
	}
}

static const char *set_guest(struct options *options, const char *text)
{
	options->guest_pv = strcmp(text, "pv") == 0;
	options->guest_hvm = strcmp(text, "hvm") == 0;
	return options->guest_pv || options->guest_hvm
		       ? NULL
		       : "is not a kind of guest: there are pv and hvm";
}

static const char *set_machine(struct options *options, const char *text)
{
	options->kvm = strcmp(text, "kvm") == 0;
	options->bochs = strcmp(text, "bochs") == 0;
	if (!options->kvm && !options->bochs && strcmp(text, "tcg") != 0)
		return "is not a machine: there are tcg, kvm and bochs";
	return NULL;
}

/* They become a part of QEMU's option: nothing else may be said there. */
static const char *set_features(struct options *options, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *at = text;

	while (*at == '+' || *at == '-') {
		size_t length = strspn(at + 1, letters);

		if (!length)
			break;
		at += 1 + length;
		if (!*at) {
			options->features = text;
			return NULL;
		}
		if (*at++ != ',')
			break;
	}
	return "is not a list of features like +la57,-smap";
}

/* It becomes a part of a line of Bochs's configuration. */
static const char *set_processor(struct options *options, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	if (!*text || text[strspn(text, letters)])
		return "is not a processor like corei7_haswell_4770";
	options->processor = text;
	return NULL;
}

static const char *set_memory(struct options *options, const char *text)
{
	const char *wrong = options_size(text, &options->memory);
	uint64_t mib = options->memory >> 20;

	if (wrong)
		return wrong;
	if (options->memory & ((1 << 20) - 1))
		return "is not a whole number of MiB";
	if (mib < 16 || mib > 1 << 20)
		return "is out of range: a guest has 16M to 1T";
	return NULL;
}

static const char *set_cpus(struct options *options, const char *text)
{
	const char *wrong = options_number(text, 1, INT_MAX, &options->cpus);

	if (!wrong && options->cpus > 1)
		return "is not offered: a guest has one processor";
	return wrong;
}

/* Words of the hypervisor's command line stand between spaces, and on their way
 * through GRUB between quotes. A word that is a path is none of its keys'. */
static const char *add_set(struct options *options, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
	size_t key = strspn(text, letters);

	if (!key || text[key] != '=')
		return "is not of the form KEY=VALUE";
	if (strpbrk(text, " \t\n"))
		return "holds a blank";
	if (strpbrk(text, "'\"\\"))
		return "holds a quote or a backslash";
	if (options->set_count == OPTIONS_SET_MAX)
		return "is one too many";
	options->set[options->set_count++] = text;
	return NULL;
}

/* Options that hold text, as they are. False when key is none of them. */
static bool take_text(struct options *options, int key, const char *text)
{
	const char **where = key == KEY_KERNEL	     ? &options->kernel
			     : key == KEY_INITRD     ? &options->initrd
			     : key == KEY_APPEND     ? &options->append
			     : key == KEY_STATS	     ? &options->stats
			     : key == KEY_LOG	     ? &options->log
			     : key == KEY_MONITOR    ? &options->monitor
			     : key == KEY_QEMU	     ? &options->qemu
			     : key == KEY_HYPERVISOR ? &options->hypervisor
						     : NULL;

	if (where)
		*where = text;
	return where != NULL;
}

static const char *take_value(struct options *options, int key,
			      const char *text)
{
	switch (key) {
	case KEY_MMU:
		return set_mmu(options, text);
	case KEY_GUEST:
		return set_guest(options, text);
	case KEY_FEATURES:
		return set_features(options, text);
	case KEY_PROCESSOR:
		return set_processor(options, text);
	case KEY_MEMORY:
		return set_memory(options, text);
	case KEY_CPUS:
		return set_cpus(options, text);
	case KEY_MACHINE:
		return set_machine(options, text);
	case KEY_SWITCH:
		return options_ms(text, &options->switch_every);
	case KEY_ROOTS:
		return options_number(text, 1, 64, &options->roots);
	case KEY_TABLE_MEMORY:
		return options_number(text, 64, 4194304,
				      &options->table_memory);
	case KEY_TIMEOUT:
		return options_number(text, 1, 1000000, &options->timeout);
	default:
		return add_set(options, text);
	}
}

static const char *option_name(int key)
{
	const struct argp_option *o = option_list;

	while (o->key != key)
		o++;
	return o->name;
}

struct parse {
	struct options *options;
	struct outcome *out;
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	const char *wrong;

	if (key == ARGP_KEY_ARG) {
		outcome_set(parse->out, OUTCOME_USAGE,
			    "'%s' is not an option of vmmu run", arg);
		return EINVAL;
	}
	if (key < KEY_MMU || key > KEY_MONITOR)
		return ARGP_ERR_UNKNOWN;
	if (key == KEY_ICOUNT) {
		parse->options->icount = true;
		return 0;
	}
	if (take_text(parse->options, key, arg))
		return 0;
	wrong = take_value(parse->options, key, arg);
	if (!wrong)
		return 0;
	outcome_set(parse->out, OUTCOME_USAGE, "--%s %s %s", option_name(key),
		    arg, wrong);
	return EINVAL;
}

int options_parse(int argc, char **argv, struct options *options,
		  struct outcome *out)
{
	static const struct argp argp = { option_list, parse_one, NULL, doc,
					  NULL,	       NULL,	  NULL };
	static char name[] = "vmmu run";
	struct parse parse = { options, out };

	*options = (struct options){ .mmu = "nested",
				     .append = "",
				     .qemu = "qemu-system-x86_64",
				     .memory = (uint64_t)512 << 20,
				     .cpus = 1 };
	argv[0] = name;
	argp_err_exit_status = OUTCOME_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &parse) != 0)
		return outcome_set(out, OUTCOME_USAGE,
				   "the options cannot be parsed");
	return options_check(options, out);
}

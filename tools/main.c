/*
 * The vmmu command: finds the subcommand, and prints the one sentence that
 * it leaves behind.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"

#ifndef VMMU_VERSION
#error "the build gives the version"
#endif

struct command {
	const char *name;
	const char *line;
	int (*run)(int argc, char **argv, struct outcome *out);
};

static const struct command commands[] = {
	{ "run", "boot a guest and join its console to the terminal",
	  run_command },
	{ "extract", "take the vmlinux out of a Linux bzImage",
	  extract_command },
	{ "show", "print a report of a run, the largest counts first",
	  show_command },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("Usage: vmmu COMMAND [OPTION...]\n"
	       "Memory virtualization: runs guests under a chosen scheme.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].line);
	printf("\n`vmmu COMMAND --help' lists the options of one; "
	       "vmmu(1) is the manual.\n");
	return OUTCOME_GOOD;
}

static int dispatch(int argc, char **argv, struct outcome *out)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word)
		return outcome_set(out, OUTCOME_USAGE,
				   "no command: `vmmu --help' lists them");
	if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0)
		return print_help();
	if (strcmp(word, "--version") == 0) {
		printf("vmmu %s\n", VMMU_VERSION);
		return OUTCOME_GOOD;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1, out);
	return outcome_set(out, OUTCOME_USAGE,
			   "'%s' is not a command: `vmmu --help' lists them",
			   word);
}

int main(int argc, char **argv)
{
	struct outcome out = { .status = OUTCOME_GOOD };
	int status = dispatch(argc, argv, &out);

	if (*out.text)
		fprintf(stderr, "vmmu: %s\n", out.text);
	return status;
}

/*
 * `vmmu extract`: the vmlinux inside a bzImage, for a boot loader that loads
 * ELF (GRUB's multiboot command with the hypervisor).
 */
#include "run.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"

struct extract {
	const char *file[2];
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct extract *extract = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num < 2) {
		extract->file[state->arg_num] = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int write_out(const char *path, const struct bytes *bytes,
		     struct outcome *out)
{
	FILE *file = fopen(path, "wb");
	size_t done = file ? fwrite(bytes->data, 1, bytes->size, file) : 0;

	if (file && fclose(file) == 0 && done == bytes->size)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START, "%s: cannot be written: %s",
			   path, strerror(errno));
}

static int extract_file(const struct extract *extract, struct outcome *out)
{
	struct bytes image, vmlinux;

	if (file_read(extract->file[0], KERNEL_SIZE_MAX, &image, out))
		return out->status;
	if (!kernel_extract(extract->file[0], &image, &vmlinux, out)) {
		write_out(extract->file[1], &vmlinux, out);
		bytes_free(&vmlinux);
	}
	bytes_free(&image);
	return out->status;
}

int extract_command(int argc, char **argv, struct outcome *out)
{
	static const struct argp argp = {
		NULL,
		parse_one,
		"BZIMAGE OUT",
		"Writes the vmlinux inside a Linux bzImage to OUT.",
		NULL,
		NULL,
		NULL
	};
	static char name[] = "vmmu extract";
	struct extract extract = { { NULL, NULL } };

	argv[0] = name;
	argp_err_exit_status = OUTCOME_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &extract) != 0)
		return outcome_set(out, OUTCOME_USAGE,
				   "vmmu extract takes two files: BZIMAGE and "
				   "OUT");
	if (!extract.file[1])
		return outcome_set(out, OUTCOME_USAGE,
				   "vmmu extract needs two files: BZIMAGE and "
				   "OUT");
	return extract_file(&extract, out);
}

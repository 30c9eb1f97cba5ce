/*
 * Rows about files and programs: reading files, and a shell pipeline.
 */
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The sum of a file's 64-bit words, by read(2) of 64 KiB at a time. */
static uint64_t sum_file(const char *path)
{
	static uint64_t words[8192];
	int fd = open(path, O_RDONLY);
	uint64_t sum = 0;
	ssize_t n;

	while ((n = read(fd, words, sizeof(words))) > 0)
		for (ssize_t i = 0; i < n / 8; i++)
			sum += words[i];
	close(fd);
	return sum;
}

static struct result row_fileread(void)
{
	const size_t size = 4 * MIB, rounds = 4;
	struct result result = { .ops = size / PAGE * rounds, .ok = true };
	uint64_t sum = noise_file("/fileread", size);
	uint64_t start = ticks();

	for (size_t round = 0; round < rounds; round++)
		result.ok &= sum_file("/fileread") == sum;
	result.ticks = ticks() - start;
	unlink("/fileread");
	return result;
}

/* One line of a program's output. */
static void output_of(const char *command, char *line, size_t size)
{
	FILE *pipe = popen(command, "r");

	*line = '\0';
	if (!pipe)
		return;
	if (!fgets(line, (int)size, pipe))
		*line = '\0';
	pclose(pipe);
	line[strcspn(line, " \n")] = '\0';
}

/* Every process of it a busybox applet. The digest is that of seq 2000. */
static struct result row_pipeline(void)
{
	static const char command[] =
		"busybox seq 2000 | busybox sort -r -n | busybox sort -n | "
		"busybox md5sum";
	struct result result = { .ops = 4, .ok = true };
	uint64_t start = ticks();

	for (size_t i = 0; i < result.ops; i++) {
		char digest[64];

		output_of(command, digest, sizeof(digest));
		result.ok &=
			strcmp(digest, "ea4d0a24dabcaa11f9aa979b872d162b") == 0;
	}
	result.ticks = ticks() - start;
	return result;
}

const struct row rows_file[] = {
	{ "fileread", row_fileread },
	{ "pipeline", row_pipeline },
	{ NULL, NULL },
};

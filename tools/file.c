/*
 * Whole files in memory, bounded, and memory as a file.
 *
 * Files travel to QEMU as inherited descriptors (/dev/fd/N), never by name:
 * its Multiboot loader splits names at commas and spaces, and a file that is
 * replaced between our look at it and QEMU's would slip through our checks.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, struct outcome *out)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 && errno == ENOENT) {
		outcome_set(out, OUTCOME_START, "%s: no such file", path);
		return -1;
	}
	if (fd < 0) {
		outcome_set(out, OUTCOME_START, "%s: cannot be read: %s", path,
			    strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		outcome_set(out, OUTCOME_START, "%s: not a regular file", path);
		close(fd);
		return -1;
	}
	return fd;
}

static int read_all(int fd, struct bytes *to)
{
	size_t got = 0;

	while (got < to->size) {
		ssize_t n = read(fd, to->data + got, to->size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		got += (size_t)n;
	}
	return 0;
}

static int read_open(int fd, const char *path, size_t max, struct bytes *to,
		     struct outcome *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || (size_t)st.st_size > max)
		return outcome_set(out, OUTCOME_START,
				   "%s: larger than the %zu MiB that are read",
				   path, max >> 20);
	to->size = (size_t)st.st_size;
	to->data = malloc(to->size + 1);
	if (!to->data)
		return outcome_set(out, OUTCOME_START,
				   "%s: no memory to read it into", path);
	if (read_all(fd, to) == 0)
		return OUTCOME_GOOD;
	bytes_free(to);
	return outcome_set(out, OUTCOME_START, "%s: cannot be read whole",
			   path);
}

int file_read(const char *path, size_t max, struct bytes *to,
	      struct outcome *out)
{
	int fd = file_open(path, out);
	int status;

	if (fd < 0)
		return out->status;
	status = read_open(fd, path, max, to, out);
	close(fd);
	return status;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_from_bytes(const char *label, const struct bytes *from,
		    struct outcome *out)
{
	int fd = memfd_create(label, 0);

	if (fd >= 0 && file_write_all(fd, from->data, from->size) == 0)
		return fd;
	outcome_set(out, OUTCOME_START, "no memory for a copy of %s: %s", label,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int not_written(const char *path, struct outcome *out)
{
	return outcome_set(out, OUTCOME_START, "%s: cannot be written: %s",
			   path, strerror(errno));
}

FILE *file_create(const char *path, struct outcome *out)
{
	FILE *file = fopen(path, "we");

	if (!file)
		not_written(path, out);
	return file;
}

int file_close_written(FILE *file, bool good, const char *path,
		       struct outcome *out)
{
	good = good && !ferror(file) && fflush(file) == 0;
	if (!good)
		not_written(path, out);
	if (fclose(file) != 0 && good)
		not_written(path, out);
	return out->status;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	bytes->data = NULL;
	bytes->size = 0;
}

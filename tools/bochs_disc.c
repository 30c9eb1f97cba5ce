/*
 * The disc that Bochs boots: GRUB, the hypervisor, and the guest's files as
 * modules, made by grub-mkrescue in a directory of this run's own.
 */
#include "bochs_disc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "signals.h"

static int failed(const char *what, struct outcome *out)
{
	return outcome_set(out, OUTCOME_START, "%s: %s", what, strerror(errno));
}

static int make_dir(struct bochs *bochs, struct outcome *out)
{
	const char *base = getenv("TMPDIR");

	snprintf(bochs->dir, sizeof(bochs->dir), "%s/vmmu-XXXXXX",
		 base && *base && strlen(base) < 200 ? base : "/tmp");
	if (mkdtemp(bochs->dir))
		return OUTCOME_GOOD;
	failed(bochs->dir, out);
	bochs->dir[0] = '\0';
	return out->status;
}

static void path_in(const struct bochs *bochs, const char *name, char *path,
		    size_t size)
{
	snprintf(path, size, "%s/%s", bochs->dir, name);
}

int bochs_disc_put(const struct bochs *bochs, const char *name, char *text,
		   struct outcome *out)
{
	char path[400];
	int fd;

	if (!text)
		return outcome_set(out, OUTCOME_START, "no memory");
	path_in(bochs, name, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		failed(path, out);
	if (fd >= 0)
		close(fd);
	free(text);
	return out->status;
}

/* From the file's beginning, wherever its offset is. */
static int copy(int from, int to)
{
	char buffer[65536];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(from, buffer, sizeof(buffer), at);

		if (n <= 0)
			return (int)n;
		if (file_write_all(to, buffer, (size_t)n) < 0)
			return -1;
		at += n;
	}
}

static int put_file(const struct bochs *bochs, const char *name, int from,
		    struct outcome *out)
{
	char path[400];
	int fd;

	if (from < 0)
		return OUTCOME_GOOD;
	path_in(bochs, name, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || copy(from, fd) < 0)
		failed(path, out);
	if (fd >= 0)
		close(fd);
	return out->status;
}

static int make_tree(const struct bochs *bochs, struct outcome *out)
{
	static const char *const dirs[] = { "root", "root/boot",
					    "root/boot/grub" };
	char path[400];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		path_in(bochs, dirs[i], path, sizeof(path));
		if (mkdir(path, 0700) < 0)
			return failed(path, out);
	}
	return OUTCOME_GOOD;
}

/* In the child: silent, but for what goes into its log. What it makes for a
 * while lies in our directory too. It has a group of its own, so that a signal
 * of the terminal's is ours to pass on. */
static void become_mkrescue(const struct bochs *bochs, int log)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(bochs->dir) < 0 || setenv("TMPDIR", ".", 1) < 0)
		_exit(127);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	execlp("grub-mkrescue", "grub-mkrescue", "-o", "disc.iso", "root",
	       NULL);
	_exit(127);
}

/* Waits for the child, or for a signal that ends the run, and the child with
 * it. 0 and the child's status, or out's. */
static int await_mkrescue(pid_t pid, int *status, struct outcome *out)
{
	sigset_t set;
	int number;

	signals_hold(&set);
	sigdelset(&set, SIGTSTP); /* waits for what can restore a terminal */
	while (waitpid(pid, status, WNOHANG) == 0) {
		number = sigwaitinfo(&set, NULL);
		if (number < 0 || number == SIGCHLD)
			continue;
		kill(-pid, SIGKILL);
		waitpid(pid, status, 0);
		return outcome_set(out, 128 + number,
				   "a signal ended the run before the guest "
				   "began: %s",
				   strsignal(number));
	}
	return OUTCOME_GOOD;
}

/* The last line of its log says why. */
static int tell_no_disc(int log, struct outcome *out)
{
	char line[300], last[300] = "grub-mkrescue said nothing";
	FILE *lines = fdopen(log, "r");

	if (lines)
		rewind(lines);
	while (lines && fgets(line, sizeof(line), lines)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			memcpy(last, line, sizeof(last));
	}
	if (lines)
		fclose(lines);
	else
		close(log);
	return outcome_set(out, OUTCOME_START, "no disc for Bochs: %s", last);
}

/* Its log is in memory: the directory may have no room, which is what it would
 * have to say. */
static int run_mkrescue(const struct bochs *bochs, struct outcome *out)
{
	int status = -1, log = memfd_create("mkrescue", MFD_CLOEXEC);
	pid_t pid = log < 0 ? -1 : fork();

	if (pid == 0)
		become_mkrescue(bochs, log);
	if (pid < 0)
		failed("no disc for Bochs", out);
	if (pid > 0) {
		setpgid(pid, pid);
		await_mkrescue(pid, &status, out);
	}
	if (!out->status && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return tell_no_disc(log, out);
	if (log >= 0)
		close(log);
	return out->status;
}

int bochs_disc_make(struct bochs *bochs, const struct qemu *qemu,
		    const struct options *options, bool multiboot,
		    struct outcome *out)
{
	sigset_t set;

	/* From here on there is something to remove. */
	signals_hold(&set);
	if (make_dir(bochs, out) || make_tree(bochs, out) ||
	    put_file(bochs, "root/boot/vmmu.elf", qemu->hypervisor, out) ||
	    put_file(bochs, "root/boot/kernel", qemu->kernel, out) ||
	    put_file(bochs, "root/boot/initrd", qemu->initrd, out) ||
	    bochs_disc_put(bochs, "root/boot/grub/grub.cfg",
			   bochs_grub_config(options, multiboot), out))
		return out->status;
	return run_mkrescue(bochs, out);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void bochs_remove(struct bochs *bochs)
{
	if (bochs->dir[0])
		nftw(bochs->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	bochs->dir[0] = '\0';
}

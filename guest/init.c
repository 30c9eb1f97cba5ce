/*
 * /init of the guest image: mounts what Linux needs, runs the rows that the
 * kernel command line asks for, and powers the machine off.
 *
 * On the console it prints lines for whoever ran the guest:
 *   @vmmu {"boot_tsc":N}                             first of all
 *   @vmmu {"row":"touch","per_op":N,"ops":N,"ticks":N,"ok":true}  for each row
 *   @vmmu {"done":true,"failures":N}                 at the end
 *
 * Words of the kernel command line:
 *   vmmu.rows=a,b    only these rows       vmmu.repeat=N    all of them N times
 *   vmmu.shell       a shell on the console instead of rows
 *
 * Huge pages and address-space randomization are switched off: rows count
 * what happens to 4 KiB pages, and count the same in every boot.
 */
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void power_off(void)
{
	fflush(stdout);
	sync();
	/* A real UART is slower than the way to power-off. */
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	/* Power-off is not there: a reset ends the machine at least. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}

void give_up(const char *what)
{
	/* A child of init only ends itself; init finds its status. */
	if (getpid() != 1)
		_exit(1);
	printf("init: %s\n@vmmu {\"done\":true,\"failures\":1}\n", what);
	power_off();
	_exit(1);
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	/* A kernel built without the feature has no such file. */
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		printf("init: %s cannot be set\n", path);
	close(fd);
}

static void mount_all(void)
{
	static const struct {
		const char *type, *at;
	} all[] = { { "proc", "/proc" },
		    { "sysfs", "/sys" },
		    { "devtmpfs", "/dev" } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		mkdir(all[i].at, 0755);
		mount(all[i].type, all[i].at, all[i].type, 0, NULL);
	}
}

/* The kernel found no /dev/console in the image: give init one. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void set_up(void)
{
	mount_all();
	open_console();
	setenv("PATH", "/bin", 1);
	write_setting("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	write_setting("/proc/sys/kernel/randomize_va_space", "0");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	/* The kernel's chatter would fall into the middle of our lines; its
	 * warnings may. */
	write_setting("/proc/sys/kernel/printk", "5 4 1 7");
}

/* The value of a word key or key=value on the kernel command line, or NULL. */
static const char *option(const char *key)
{
	static char text[4096];
	size_t length = strlen(key);
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *word = strtok(text, " \n"); word; word = strtok(NULL, " \n"))
		if (strncmp(word, key, length) == 0 &&
		    (word[length] == '=' || !word[length]))
			return word + length + (word[length] == '=');
	return NULL;
}

/* True when name is one of the words of a list that commas part. */
static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (*list) {
		size_t word = strcspn(list, ",");

		if (word == length && strncmp(list, name, word) == 0)
			return true;
		list += word + (list[word] == ',');
	}
	return false;
}

static unsigned int run_row(const struct row *row)
{
	struct result result = row->run();

	printf("@vmmu {\"row\":\"%s\",\"per_op\":%llu,\"ops\":%llu,"
	       "\"ticks\":%llu,\"ok\":%s}\n",
	       row->name, (unsigned long long)(result.ticks / result.ops),
	       (unsigned long long)result.ops, (unsigned long long)result.ticks,
	       result.ok ? "true" : "false");
	fflush(stdout);
	return !result.ok;
}

struct tally {
	unsigned int rows;
	unsigned int failures;
};

static void run_rows(const struct row *rows, const char *list,
		     struct tally *tally)
{
	for (; rows->name; rows++) {
		if (list && !listed(list, rows->name))
			continue;
		tally->rows++;
		tally->failures += run_row(rows);
	}
}

static unsigned int run_all(void)
{
	const char *repeat = option("vmmu.repeat");
	unsigned long rounds = repeat ? strtoul(repeat, NULL, 10) : 1;
	const char *list = option("vmmu.rows");
	struct tally tally = { 0, 0 };

	for (unsigned long round = 0; round < rounds; round++) {
		run_rows(rows_memory, list, &tally);
		run_rows(rows_process, list, &tally);
		run_rows(rows_file, list, &tally);
	}
	/* A misspelt row would otherwise be work well done. */
	if (!tally.rows)
		printf("init: no row of that name\n");
	return tally.failures + !tally.rows;
}

/* A shell with a controlling terminal, so that Ctrl-C and jobs work. */
static void run_shell(void)
{
	int pid = fork();

	if (pid == 0) {
		execl("/bin/busybox", "setsid", "-c", "busybox", "sh", "-l",
		      (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	uint64_t boot = ticks();
	unsigned int failures = 0;

	set_up();
	printf("@vmmu {\"boot_tsc\":%llu}\n", (unsigned long long)boot);
	fflush(stdout);
	if (option("vmmu.shell"))
		run_shell();
	else
		failures = run_all();
	printf("@vmmu {\"done\":true,\"failures\":%u}\n", failures);
	power_off();
	return 0;
}

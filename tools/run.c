/*
 * `vmmu run`: checks everything that can be checked before anything starts,
 * starts QEMU, and says how it ended.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "session.h"

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool has_entry(const struct options *options,
		      const struct bytes *vmlinux)
{
	return options_para(options) ? kernel_pv_entry(vmlinux)
				     : kernel_pvh_entry(vmlinux);
}

/* The hypervisor loads ELF: a bzImage's vmlinux is taken out for it. */
static int take_kernel(struct session *session, const struct bytes *image,
		       struct outcome *out)
{
	const char *path = session->options->kernel;
	struct bytes vmlinux;

	if (kernel_kind(image) == KERNEL_NONE)
		return outcome_set(out, OUTCOME_START,
				   "%s: not a kernel: neither a bzImage, nor a "
				   "vmlinux with a PVH entry, nor a Multiboot "
				   "1 image",
				   path);
	session->multiboot = kernel_kind(image) == KERNEL_MULTIBOOT;
	if (session->options->bochs && session->qemu.hypervisor < 0 &&
	    kernel_kind(image) == KERNEL_VMLINUX)
		return outcome_set(out, OUTCOME_START,
				   "%s: a vmlinux, which GRUB does not boot "
				   "bare: name its bzImage",
				   path);
	if (session->qemu.hypervisor < 0 ||
	    kernel_kind(image) != KERNEL_BZIMAGE) {
		session->qemu.kernel = file_from_bytes(path, image, out);
		return out->status;
	}
	if (kernel_extract(path, image, &vmlinux, out) != OUTCOME_GOOD)
		return out->status;
	if (has_entry(session->options, &vmlinux))
		session->qemu.kernel = file_from_bytes(path, &vmlinux, out);
	else
		outcome_set(out, OUTCOME_START, "%s: this Linux has no %s",
			    path,
			    options_para(session->options)
				    ? "paravirtual entry (CONFIG_XEN_PV)"
				    : "PVH entry (CONFIG_PVH)");
	bytes_free(&vmlinux);
	return out->status;
}

static int open_kernel(struct session *session, struct outcome *out)
{
	struct bytes image;

	if (file_read(session->options->kernel, KERNEL_SIZE_MAX, &image, out))
		return out->status;
	take_kernel(session, &image, out);
	bytes_free(&image);
	return out->status;
}

/* Its first bytes say so. */
static bool boots(int fd)
{
	uint8_t head[8192];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	const struct bytes image = { head, n > 0 ? (size_t)n : 0 };

	return kernel_kind(&image) == KERNEL_MULTIBOOT;
}

static int open_hypervisor(struct session *session, struct outcome *out)
{
	const char *path = session->options->hypervisor;
	char found[4096];

	if (options_bare(session->options))
		return OUTCOME_GOOD;
	if (!path && host_find_hypervisor(found, sizeof(found), out))
		return out->status;
	path = path ? path : found;
	session->qemu.hypervisor = file_open(path, out);
	if (!out->status && !boots(session->qemu.hypervisor))
		outcome_set(out, OUTCOME_START,
			    "%s: not a hypervisor's image, which is a "
			    "Multiboot 1 one",
			    path);
	return out->status;
}

static int open_files(struct session *session, struct outcome *out)
{
	struct qemu *qemu = &session->qemu;

	if (open_hypervisor(session, out) || open_kernel(session, out))
		return out->status;
	if (session->options->initrd)
		qemu->initrd = file_open(session->options->initrd, out);
	qemu->module_bytes = size_of(qemu->kernel);
	if (qemu->initrd >= 0)
		qemu->module_bytes += size_of(qemu->initrd);
	return out->status;
}

/* Now, and not when the guest has run for an hour. */
static int create_files(struct session *session, struct outcome *out)
{
	const struct options *options = session->options;

	if (options->log)
		session->report.log = file_create(options->log, out);
	if (options->stats && !out->status)
		session->stats = file_create(options->stats, out);
	return out->status;
}

/* A pipe is opened for writing too: it has no end then, and whoever writes may
 * come and go. */
static int open_commands(struct session *session, struct outcome *out)
{
	const char *path = session->options->monitor;
	struct stat st = { .st_mode = 0 };
	int flags = O_RDONLY;

	if (!path)
		return OUTCOME_GOOD;
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		flags = O_RDWR;
	else if (S_ISDIR(st.st_mode))
		return outcome_set(out, OUTCOME_START, "%s: is a directory",
				   path);
	session->commands = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	if (session->commands >= 0)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START, "%s: cannot be read: %s", path,
			   strerror(errno));
}

static int check_memory(const struct session *session, struct outcome *out)
{
	uint64_t need = qemu_memory(&session->qemu, session->options);

	if (session->options->bochs && need > BOCHS_MEMORY_MAX)
		return outcome_set(out, OUTCOME_START,
				   "--machine bochs has 2048 MiB at most, and "
				   "the guest needs %u MiB with its hypervisor",
				   (unsigned int)(need >> 20));
	return host_check_memory(need, out);
}

/* What must be there before a machine can start. */
static int prepare(struct session *session, struct outcome *out)
{
	const struct options *options = session->options;

	if (options->bochs ? host_find_bochs(out)
			   : host_find_qemu(options->qemu, out))
		return out->status;
	if (open_files(session, out) || check_memory(session, out) ||
	    open_commands(session, out))
		return out->status;
	if (options->kvm && host_probe_kvm(out))
		return out->status;
	if (create_files(session, out))
		return out->status;
	if (options->bochs)
		return bochs_prepare(&session->bochs, &session->qemu, options,
				     session->multiboot, out);
	return qemu_open_channels(&session->qemu, out);
}

static int start(struct session *session, struct outcome *out)
{
	struct qemu_args args;

	if (session->options->bochs)
		return bochs_start(&session->bochs, &session->qemu,
				   session->options, out);
	session->qmp.fd = session->qemu.control.ours;
	if (!qemu_args_build(&session->qemu, session->options, &args, out))
		qemu_start(&session->qemu, args.arg, out);
	qemu_args_free(&args);
	return out->status;
}

static const char wrote_exit_port[] = "the guest wrote to the exit port";

static bool triple_faulted(const struct qemu *qemu)
{
	static const char words[] = "Triple fault";
	char text[65536];
	ssize_t n = pread(qemu->trace, text, sizeof(text), 0);

	return n > 0 && memmem(text, (size_t)n, words, sizeof(words) - 1);
}

/* The same of Bochs, by its last words: which may be the guest's, who has no
 * exit port there (guest/multiboot/lib.c). */
static bool find_bochs_end(const struct session *session, struct bare_end *end)
{
	char words[256];
	unsigned int code;

	bochs_last_words(&session->bochs, words, sizeof(words));
	if (sscanf(words, "exit port %u", &code) == 1) {
		*end = (struct bare_end){ "exit", (int)code, wrote_exit_port };
		return true;
	}
	*end = (struct bare_end){ "poweroff", 0, "the guest powered off" };
	if (strstr(words, "soft power off"))
		return true;
	end->how = "triple-fault";
	end->sentence = "it triple-faulted";
	return strstr(words, "exception with no resolution");
}

/* How a machine without the hypervisor ended. False: QEMU did not say. */
static bool find_bare_end(const struct session *session, struct bare_end *end)
{
	const char *reason = session->qmp.reason;
	int status = session->wait_status;

	if (session->options->bochs)
		return find_bochs_end(session, end);
	*end = (struct bare_end){ "poweroff", 0, "the guest powered off" };
	if (strcmp(reason, "guest-reset") == 0) {
		bool fault = triple_faulted(&session->qemu);

		end->how = fault ? "triple-fault" : "reset";
		end->sentence = fault ? "it triple-faulted"
				      : "it reset the machine";
		return true;
	}
	/* A write to the exit port is a shutdown, too, from QEMU 9 on. Before
	 * it ran, an odd status is QEMU's own complaint. */
	if (!session->qmp.resumed || !WIFEXITED(status))
		return false;
	if (!(WEXITSTATUS(status) & 1))
		return strcmp(reason, "guest-shutdown") == 0;
	end->how = "exit";
	end->code = WEXITSTATUS(status) >> 1;
	end->sentence = wrote_exit_port;
	return true;
}

/* The signal that ended the process, which nobody here has sent: a machine
 * short of memory does. 0: none. */
static int killed_by(const struct session *session)
{
	int status = session->wait_status;

	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* What QEMU complained of, as the rest of a sentence. */
static const char *complaint(const struct session *session)
{
	if (*session->errors)
		return session->errors;
	return killed_by(session) ? strsignal(killed_by(session))
				  : "it said nothing";
}

static void judge_bochs_death(struct session *session, struct outcome *out)
{
	char words[256];

	bochs_last_words(&session->bochs, words, sizeof(words));
	if (strstr(session->errors, "cpu directive"))
		outcome_set(out, OUTCOME_START,
			    "Bochs has no processor %s: `bochs --help cpu' "
			    "lists those that it has",
			    session->options->processor);
	else if (killed_by(session) && !*words)
		outcome_set(out, OUTCOME_DIED, "Bochs died: %s",
			    complaint(session));
	else if (!session->report.last_count && !*words)
		outcome_set(out, OUTCOME_START, "Bochs did not start: %s",
			    complaint(session));
	else
		outcome_set(out, OUTCOME_DIED,
			    "the %s died without a report: %s",
			    options_bare(session->options) ? "machine"
							   : "hypervisor",
			    *words ? words : "Bochs does not say why");
}

static void judge_death(struct session *session, struct outcome *out)
{
	if (session->options->bochs) {
		judge_bochs_death(session, out);
		return;
	}
	if (!session->qmp.resumed)
		outcome_set(out, OUTCOME_START, "QEMU did not start: %s",
			    complaint(session));
	else if (options_bare(session->options) || *session->errors ||
		 killed_by(session))
		outcome_set(out, OUTCOME_DIED, "QEMU died: %s",
			    complaint(session));
	else
		outcome_set(out, OUTCOME_DIED, "the hypervisor died%s",
			    triple_faulted(&session->qemu)
				    ? " of a triple fault"
				    : " without a report");
}

/* Ended from here, or dead: the report says so, as nobody else can. */
static json_t *report_killed(const struct session *session,
			     const struct outcome *out)
{
	struct bare_end end = { "killed", out->status, out->text };

	return report_bare(session->options, &end);
}

static void judge(struct session *session, struct outcome *out)
{
	json_t **report = &session->report.end;
	struct bare_end end;

	if (!*report && out->status)
		*report = report_killed(session, out);
	else if (!*report && options_bare(session->options) &&
		 find_bare_end(session, &end))
		*report = report_bare(session->options, &end);
	if (*report) {
		report_outcome(*report, out);
	} else {
		judge_death(session, out);
		*report = report_killed(session, out);
	}
	if (*report && session->stats) {
		report_write(*report, session->options, session->stats,
			     session->run_ms, out);
		session->stats = NULL;
	}
	if (out->status == OUTCOME_DIED)
		report_print_last(&session->report, stderr);
}

static void close_session(struct session *session, struct outcome *out)
{
	bochs_remove(&session->bochs);
	json_decref(session->report.end);
	if (session->report.log)
		file_close_written(session->report.log, true,
				   session->options->log, out);
	if (session->stats)
		fclose(session->stats);
	free(session);
}

int run_command(int argc, char **argv, struct outcome *out)
{
	struct session *session = calloc(1, sizeof(*session));
	struct options options;

	if (!session)
		return outcome_set(out, OUTCOME_START, "no memory");
	session->options = &options;
	session->qemu.hypervisor = -1;
	session->qemu.kernel = -1;
	session->qemu.initrd = -1;
	session->bochs.console.held = -1;
	session->bochs.report.held = -1;
	session->commands = -1;
	if (!options_parse(argc, argv, &options, out) &&
	    !prepare(session, out) && !start(session, out)) {
		session_run(session, out);
		judge(session, out);
	}
	close_session(session, out);
	return out->status;
}

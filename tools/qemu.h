/*
 * QEMU: its command line, and the process.
 */
#ifndef TOOLS_QEMU_H
#define TOOLS_QEMU_H

#include <sys/types.h>

#include "options.h"

/* A channel is a pair of connected sockets: ours, and the one QEMU gets. */
struct qemu_channel {
	int ours;
	int theirs;
};

/* The files QEMU reads and the channels it talks on; -1 where none is. */
struct qemu {
	pid_t pid;		     /* 0 before the start */
	int hypervisor;		     /* Multiboot ELF32, or -1: bare */
	int kernel;		     /* what is loaded as the guest */
	int initrd;		     /* -1: none */
	uint64_t module_bytes;	     /* size of kernel and initrd together */
	struct qemu_channel console; /* the guest's COM1 */
	struct qemu_channel report;  /* the hypervisor's COM2 */
	struct qemu_channel control; /* QMP */
	struct qemu_channel errors;  /* QEMU's own stderr */
	int trace;		     /* its log of processor resets */
};

#define QEMU_ARGS_MAX 64

struct qemu_args {
	unsigned int count;
	char *arg[QEMU_ARGS_MAX + 1]; /* ends in NULL */
};

/* The hypervisor's command line, and the guest's behind it. */
void qemu_words(const struct options *options, char *text, size_t size);

/* Memory of the machine: the guest's, and the hypervisor's on top of it. */
uint64_t qemu_memory(const struct qemu *qemu, const struct options *options);

/* Builds the command line. 0, or out's status. */
int qemu_args_build(const struct qemu *qemu, const struct options *options,
		    struct qemu_args *args, struct outcome *out);
void qemu_args_free(struct qemu_args *args);

/* Makes the channels. 0, or out's status. */
int qemu_open_channels(struct qemu *qemu, struct outcome *out);

/* Starts QEMU; it ends when we do. 0, or out's status. */
int qemu_start(struct qemu *qemu, char **argv, struct outcome *out);

#endif

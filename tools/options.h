/*
 * What `vmmu run` was asked to do.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "outcome.h"

/* The --set words that are passed on, at most. */
#define OPTIONS_SET_MAX 16

struct options {
	const char *mmu;	/* "none", or a scheme of the hypervisor */
	const char *kernel;	/* file name */
	const char *initrd;	/* file name or NULL */
	const char *append;	/* the guest's command line */
	const char *hypervisor; /* file name or NULL: where it is installed */
	const char *qemu;	/* program name or path */
	const char *processor;	/* of Bochs's, or NULL: its default here */
	const char *features;	/* of the processor, "+la57,-smap", or NULL */
	const char *stats;	/* file name or NULL */
	const char *log;	/* file name or NULL */
	const char *monitor;	/* file name of commands or NULL */
	const char *set[OPTIONS_SET_MAX]; /* KEY=VALUE for the hypervisor */
	unsigned int set_count;
	uint64_t memory; /* bytes */
	unsigned int cpus;
	unsigned int timeout;	   /* seconds, 0 is none */
	unsigned int roots;	   /* 0 is the hypervisor's choice */
	unsigned int table_memory; /* KiB, the same */
	unsigned int switch_every; /* milliseconds, 0 is never */
	bool guest_pv, guest_hvm;  /* named; neither: as mmu says */
	bool kvm;
	bool bochs;
	bool icount;
};

/* True when the options name the bare machine, without the hypervisor. */
bool options_bare(const struct options *options);

/* True when the guest is a paravirtual one. */
bool options_para(const struct options *options);

/* True when there is a hypervisor, which has a monitor. */
bool options_listens(const struct options *options);

/*
 * Reads a count of bytes: digits and one of K, M, G, T. 0, or what is wrong
 * in words.
 */
const char *options_size(const char *text, uint64_t *bytes);

/* Reads a whole number from lowest to highest. NULL, or what is wrong. */
const char *options_number(const char *text, unsigned int lowest,
			   unsigned int highest, unsigned int *number);

/* What they ask of one another. 0, or out's status. */
int options_check(const struct options *options, struct outcome *out);

/*
 * Parses the words after `vmmu`: argv[0] is "run". Prints help and exits 0
 * when asked for it; otherwise returns 0, or out's status.
 */
int options_parse(int argc, char **argv, struct options *options,
		  struct outcome *out);

#endif

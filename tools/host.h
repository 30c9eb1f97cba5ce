/*
 * What the machine that vmmu runs on has: QEMU, memory, a KVM that works,
 * and the hypervisor's image.
 */
#ifndef TOOLS_HOST_H
#define TOOLS_HOST_H

#include <stdint.h>

#include "outcome.h"

/* 0 when the program is found by the PATH, or out's status. */
int host_find_qemu(const char *program, struct outcome *out);

/* 0 when Bochs, its BIOS and what makes its disc are there, or out's status. */
int host_find_bochs(struct outcome *out);

/* 0 when this many bytes can be had now, or out's status. */
int host_check_memory(uint64_t bytes, struct outcome *out);

/*
 * Where the hypervisor's image is: beside this executable (a build tree) or
 * in ../libexec/vmmu (an installation). 0 and a path, or out's status.
 */
int host_find_hypervisor(char *path, unsigned int size, struct outcome *out);

/* 0 when KVM executes instructions within a second, or out's status. */
int host_probe_kvm(struct outcome *out);

#endif

/*
 * What a kernel file is, and the part of it that a hypervisor can load.
 */
#ifndef TOOLS_KERNEL_H
#define TOOLS_KERNEL_H

#include "file.h"

enum kernel_kind {
	KERNEL_NONE,
	KERNEL_BZIMAGE,	  /* Linux as distributions ship it */
	KERNEL_VMLINUX,	  /* ELF64 with a note of a PVH or PV entry */
	KERNEL_MULTIBOOT, /* ELF32 with a Multiboot 1 header */
};

/* A kernel file is at most this large; vmlinux inside it likewise. */
#define KERNEL_SIZE_MAX ((size_t)512 << 20)

/* Tells by content, never by name. Trusts nothing in it. */
enum kernel_kind kernel_kind(const struct bytes *image);

/*
 * Takes vmlinux out of the bzImage that was read from path. 0, or out's
 * status; the caller frees vmlinux.
 */
int kernel_extract(const char *path, const struct bytes *image,
		   struct bytes *vmlinux, struct outcome *out);

/* True for an ELF64 image for x86-64 whose headers lie within it. */
int kernel_is_elf64(const struct bytes *image);

/* The PVH entry address of a checked ELF64 image, or 0 when it has none. */
uint64_t kernel_pvh_entry(const struct bytes *image);

/* The same for the entry of paravirtual guests. */
uint64_t kernel_pv_entry(const struct bytes *image);

#endif

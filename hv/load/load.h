/*
 * From the files that the boot loader brought to a guest that is ready to run.
 *
 * Both kinds of guest start alike: 32-bit protected mode, paging off, flat
 * segments, and two registers that say where the information lies.
 *   linux:     an ELF kernel with the PVH entry note (Xen's PHYS32_ENTRY)
 *   multiboot: an ELF32 image with a Multiboot 1 header
 * The files are the user's, yet nothing in them is trusted.
 */
#ifndef HV_LOAD_LOAD_H
#define HV_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/gmem.h>

struct load_file {
	const uint8_t *data; /* NULL: none */
	uint64_t size;
};

/* One range of the guest's memory map; types as E820 has them. */
struct load_range {
	gpa_t gpa;
	uint64_t size;
	uint32_t type;
};

#define LOAD_RAM      1u
#define LOAD_RESERVED 2u
#define LOAD_RANGES   8

struct load_request {
	struct load_file kernel, initrd;
	const char *args;
	struct load_range map[LOAD_RANGES];
	uint32_t map_count;
	uint64_t low_ram_end; /* where RAM below 4 GiB ends */
	gpa_t rsdp;	      /* ACPI's root pointer, 0: none */
};

struct load_entry {
	const char *kind; /* "linux", "multiboot" */
	uint32_t eip, eax, ebx;
};

/* NULL, or a sentence that says why the guest cannot be loaded. */
const char *load_guest(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry);

/* The two kinds; `false` in *mine: not this kind of file. */
const char *load_linux(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry, bool *mine);
const char *load_multiboot(struct vmmu_gmem *mem,
			   const struct load_request *req,
			   struct load_entry *entry, bool *mine);

/* What an ELF file became in guest memory. */
struct load_elf {
	uint64_t entry;
	uint64_t end;	    /* gpa behind its last byte, .bss included */
	uint32_t pvh_entry; /* 0: no PHYS32_ENTRY note */
};

bool load_is_elf(const struct load_file *file);
/* Copies the loadable segments to their physical addresses. Memory of a new
 * VM is zero, so .bss needs no writing. */
const char *load_elf(struct vmmu_gmem *mem, const struct load_file *file,
		     struct load_elf *out);

/* Copies a module below `limit`, as high as it fits above `floor`. */
const char *load_module(struct vmmu_gmem *mem, const struct load_file *file,
			uint64_t floor, uint64_t limit, gpa_t *at);

/* Boot information into low memory; false: it does not fit. */
#define LOAD_ARGS_MAX 4096u
bool load_put(struct vmmu_gmem *mem, uint32_t gpa, const void *what,
	      uint64_t size);
bool load_put_args(struct vmmu_gmem *mem, uint32_t gpa, const char *args);

#endif

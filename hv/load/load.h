/*
 * From the files that the boot loader brought to a guest that is ready to run.
 *
 * Both kinds of guest start alike: 32-bit protected mode, paging off, flat
 * segments, and two registers that say where the information lies.
 *   linux:     an ELF kernel with the PVH entry note (Xen's PHYS32_ENTRY)
 *   multiboot: an ELF32 image with a Multiboot 1 header
 * A third kind, paravirtual, starts as its notes say: load_xen.
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
	const char *args; /* never NULL */
	struct load_range map[LOAD_RANGES];
	uint32_t map_count;
	uint64_t low_ram_end; /* where RAM below 4 GiB ends */
	gpa_t rsdp;	      /* ACPI's root pointer, 0: none */
};

struct load_entry {
	const char *kind; /* "linux", "multiboot" */
	uint32_t eip, eax, ebx;
};

/* NULL, or a sentence that says why the guest cannot be loaded; then *entry
 * says nothing, and memory may hold a part of it. */
const char *load_guest(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry);

/* An ELF kernel for Xen's paravirtual entry, as its notes describe it. Where
 * its segments lie is guest-physical, what else is said is virtual. */
struct load_xen {
	uint64_t entry, virt_base;
	uint64_t end;		 /* gpa behind the last segment, whole pages */
	uint64_t init_p2m;	 /* 0: with the rest */
	uint64_t hypercall_page; /* gpa, 0: none is asked for */
	bool unmapped_initrd;
};

/* Loads its segments, and fills in *xen. NULL, or a sentence. */
const char *load_xen(struct vmmu_gmem *mem, const struct load_request *req,
		     struct load_xen *xen);

/*
 * Work in progress: what lies where in the guest's memory so far. No part
 * meets another, and each lies in one RAM range of the memory map, so that
 * nothing is put where the guest has devices, tables of ACPI's, or nothing.
 */
#define LOAD_NOTES    32		  /* types of notes */
#define LOAD_SEGMENTS 64		  /* of an ELF file */
#define LOAD_PARTS    (LOAD_SEGMENTS + 2) /* and information, initrd */

struct load_part {
	uint64_t start, end;
};

struct load_work {
	struct vmmu_gmem *mem;
	const struct load_request *req;
	uint64_t entry; /* gpa: the file's own entry point */
	/* Xen's notes with a number in them, by type; bit n of `notes`: there
	 * is one of type n. */
	uint64_t note[LOAD_NOTES];
	uint32_t notes;
	unsigned count;
	struct load_part part[LOAD_PARTS];
};

/* Takes the range. False: it is not all RAM, or something lies there. */
bool load_take(struct load_work *w, uint64_t gpa, uint64_t size);
/* A guest can begin there: it is in what was loaded, below 4 GiB. */
bool load_has(const struct load_work *w, uint64_t gpa);

/* Takes `size` bytes at gpa and copies the first `given` of them. Memory of
 * a new VM is zero, so .bss needs no writing. NULL, or a sentence. */
const char *load_place(struct load_work *w, uint64_t gpa, uint64_t size,
		       const uint8_t *data, uint64_t given);

/* Copies the initrd as high as it fits below `limit`. */
const char *load_module(struct load_work *w, uint64_t limit, gpa_t *at);

/*
 * Two pages in low memory for what the guest is told: structures in the
 * first, the command line in the second. At `wish`, or as little above it as
 * the image leaves room.
 */
#define LOAD_INFO_SIZE 8192u
#define LOAD_ARGS      4096u /* the command line's offset */
#define LOAD_ARGS_MAX  4096u /* with its final 0 */
const char *load_info(struct load_work *w, uint32_t wish, uint32_t *at);
bool load_put(struct load_work *w, uint32_t gpa, const void *what,
	      uint64_t size);

/* Copies the loadable segments to their physical addresses. */
bool load_is_elf(const struct load_file *file);
const char *load_elf(struct load_work *w);

/* The two kinds; `false` in *mine: not this kind of file. */
const char *load_linux(struct load_work *w, struct load_entry *entry,
		       bool *mine);
const char *load_multiboot(struct load_work *w, struct load_entry *entry,
			   bool *mine);

#endif

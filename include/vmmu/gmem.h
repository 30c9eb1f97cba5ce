/*
 * Guest-physical memory as software reaches it: gpa -> slot -> hva -> hpa ->
 * pointer, checked at each step, with a small direct-mapped cache of frames
 * so that a warm access costs one compare.
 *
 * The cache is dropped when the slots' generation or the backing changes. It
 * never outlives them: vmmu_vm_backing_changed and vmmu_slots_set both bump
 * the generation that every look-up compares.
 *
 * Guest memory may change between two reads: callers read a value once.
 */
#ifndef VMMU_GMEM_H
#define VMMU_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmmu/host.h>
#include <vmmu/slots.h>

#define VMMU_GMEM_WAYS	 64
#define VMMU_GMEM_RECENT 4

/* 32 bytes, so that finding one needs no multiplication. */
struct vmmu_gmem_line {
	uint64_t tag;	/* the frame's gpa; see gmem.c */
	uint8_t *read;	/* the page's first byte */
	uint8_t *write; /* the same, or NULL: ask again before a write */
	uint64_t unused;
};

struct vmmu_gmem {
	const struct vmmu_slots *slots;
	const struct vmmu_host *host;
	uint64_t generation;
	struct vmmu_gmem_line line[VMMU_GMEM_WAYS];
	/* The frame last used for one purpose: the walk has one for each of
	 * its upper levels, whose tables seldom change. */
	struct vmmu_gmem_line recent[VMMU_GMEM_RECENT];
};

enum vmmu_gmem_status {
	VMMU_GMEM_OK,
	VMMU_GMEM_NO_SLOT,   /* no memory at that gpa */
	VMMU_GMEM_READ_ONLY, /* a write, and the slot is read-only */
	VMMU_GMEM_NOT_NOW,   /* the host asks to retry */
	VMMU_GMEM_NONE,	     /* the host has no memory for it */
};

void vmmu_gmem_init(struct vmmu_gmem *m, const struct vmmu_slots *slots,
		    const struct vmmu_host *host);

/* A pointer to the frame's first byte, valid until the next change of slots
 * or backing. `access` is VMMU_R or VMMU_W; VMMU_W marks the page dirty. */
enum vmmu_gmem_status vmmu_gmem_page(struct vmmu_gmem *m, gfn_t gfn,
				     unsigned access, uint8_t **page);

/* Copies; may cross pages and slots. On failure a part may have been done. */
enum vmmu_gmem_status vmmu_gmem_read(struct vmmu_gmem *m, gpa_t gpa, void *buf,
				     size_t size);
enum vmmu_gmem_status vmmu_gmem_write(struct vmmu_gmem *m, gpa_t gpa,
				      const void *buf, size_t size);

#endif

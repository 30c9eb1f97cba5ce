/*
 * A pretend machine for tests: the host of libvmmu, in one process.
 *
 * Machine memory is one flat arena. Its first part backs a range of host
 * virtual memory, page by page on demand; its last part is table memory.
 *
 *   hva:  hva_base .. +memory      each 4 KiB page -> a frame, or not yet one
 *   hpa:  hpa_base .. +memory+spare  frames for that    | table pages
 *
 * What a test can make it do: answer extents of any size, aligned well or
 * badly or in shuffled order; share pages read-only and break the sharing on
 * a write; withdraw or move pages; say "not now" or "none"; fail the n-th
 * table page. It counts what it was asked, and refuses wrong use (a page
 * freed twice, a pointer to memory that it never gave) by aborting.
 */
#ifndef LAB_HOST_H
#define LAB_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/host.h>

struct lab_host_config {
	uint64_t memory; /* bytes of host virtual memory that can be backed */
	uint64_t spare;	 /* bytes of frames beyond that, to move pages to */
	uint64_t extent; /* bytes handed out contiguously, a power of two */
	/* Bytes by which machine addresses are off from hva alignment: not a
	 * multiple of 2 MiB makes large leaves impossible. */
	uint64_t skew;
	bool shuffle; /* extents in pseudo-random order, so none adjoin */
	uint32_t table_pages;
};

/* Told to whoever models hardware beside this host. Any may be NULL. */
struct lab_host_hooks {
	/* The backing of this hva range is about to change: drop what was
	 * derived (vmmu_vm_backing_changed for each VM). */
	void (*backing_changed)(void *ctx, hva_t hva, uint64_t size);
	/* cpu NULL: all of them; gva NULL: all addresses. */
	void (*flushed)(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva);
	/* resolve was called, and has done nothing yet: what this hook takes
	 * away is taken to answer. */
	void (*resolving)(void *ctx, hva_t hva);
	void *ctx;
};

struct lab_host_counts {
	uint64_t resolves;
	uint64_t table_allocs; /* asked for, also when refused */
	uint64_t table_frees;
	uint64_t tables_out; /* given and not yet given back */
	uint64_t flush_gva, flush_cpu, flush_all;
	uint64_t shares_broken;
};

struct lab_host {
	struct lab_host_config config;
	struct lab_host_hooks hooks;
	struct lab_host_counts count;
	/* 1: the next table page asked for is refused; n: the n-th; 0: none.
	 * fail_all_after: and every one after it. */
	uint64_t fail_table_at;
	bool fail_all_after;
	/* The same for resolve: the n-th answers this instead. */
	uint64_t odd_resolve_at;
	enum vmmu_resolve odd_resolve;

	hva_t hva_base;
	hpa_t hpa_base;
	hpa_t table_base;
	uint8_t *arena; /* machine memory, arena[0] at hpa_base */
	uint64_t arena_size;
	uint64_t page_count;
	uint64_t frame_count;
	struct lab_host_page *page; /* by hva page number */
	uint8_t *frame_used;
	uint64_t frame_cursor; /* where the search for a free frame goes on */
	/* The run last answered, in pages; empty when something changed. */
	uint64_t run_first, run_end;
	uint8_t *table_used;
	uint32_t table_cursor;
};

/* Fills *h; false when the process has no memory for it. */
bool lab_host_init(struct lab_host *h, const struct lab_host_config *config);
void lab_host_fini(struct lab_host *h);
/* What to put into a vmmu_vm_config. */
struct vmmu_host lab_host_ops(struct lab_host *h);

/* The whole range is shared read-only from now on, in place. */
void lab_host_share(struct lab_host *h, hva_t hva, uint64_t size);
/* The frames are taken away; the next resolve finds others, zeroed. */
void lab_host_withdraw(struct lab_host *h, hva_t hva, uint64_t size);
/* Each page of the range goes to another frame, contents kept. */
void lab_host_move(struct lab_host *h, hva_t hva, uint64_t size);
/* resolve answers this for the range until told VMMU_RESOLVE_OK. */
void lab_host_answer(struct lab_host *h, hva_t hva, uint64_t size,
		     enum vmmu_resolve answer);

/* Where a page is now, without asking for it: false when it has no frame. */
bool lab_host_peek(const struct lab_host *h, hva_t hva, hpa_t *hpa);
/* Machine memory; aborts outside the arena. */
void *lab_host_ptr(struct lab_host *h, hpa_t hpa);

#endif

/*
 * Seam 3, the host is an instance: everything that the library asks of the
 * program that embeds it. An ops table and a cookie; never a global.
 *
 * Concurrency: the library takes no locks. The client serialises all calls
 * on one VM; hardware on other processors may walk the tables meanwhile, so
 * every entry is written by one 64-bit atomic store or compare-and-swap.
 */
#ifndef VMMU_HOST_H
#define VMMU_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>

struct vmmu_cpu;

/* A run of host virtual memory and the contiguous machine memory behind it.
 * Both ends are page-aligned; it contains the address that was asked for. */
struct vmmu_extent {
	hva_t hva;
	hpa_t hpa;
	uint64_t size;	/* bytes, a multiple of 4 KiB, at least 4 KiB */
	bool read_only; /* shared: ask again with VMMU_W to get a copy */
};

enum vmmu_resolve {
	VMMU_RESOLVE_OK,
	VMMU_RESOLVE_NOT_NOW, /* backing is on its way: let the vCPU retry */
	VMMU_RESOLVE_NONE,    /* no memory to be had: the VM cannot go on */
};

struct vmmu_host_ops {
	/* One zeroed, 4 KiB-aligned page for tables; false: none left. */
	bool (*table_alloc)(void *cookie, hpa_t *page);
	void (*table_free)(void *cookie, hpa_t page);

	/* The pointer through which the library reaches machine memory. Any
	 * hpa that table_alloc or resolve gave; valid to the page's end, and
	 * for a table page until table_free: such pointers are kept. */
	void *(*ptr)(void *cookie, hpa_t hpa);

	/* hva -> hpa. `access` is VMMU_R or VMMU_W. May allocate. May answer
	 * a larger run than the page asked for, never a wrong one. To answer
	 * it may take backing from elsewhere or break a sharing, after
	 * vmmu_vm_backing_changed; it may not change slots. */
	enum vmmu_resolve (*resolve)(void *cookie, hva_t hva, unsigned access,
				     struct vmmu_extent *out);

	/* Hardware must forget: one guest address on one vCPU; all of one
	 * vCPU; all vCPUs of this VM. May be deferred to that vCPU's next
	 * entry, but no vCPU runs with the old entry after the call. */
	void (*flush_gva)(void *cookie, struct vmmu_cpu *cpu, gva_t gva);
	void (*flush_cpu)(void *cookie, struct vmmu_cpu *cpu);
	void (*flush_all)(void *cookie);

	/* Where vmmu_hw.logs_dirty, else they may be NULL. Hardware logs which
	 * pages all vCPUs write, from now on or no longer. When log_drain
	 * returns, vmmu_vm_logged was called for each page logged so far. */
	void (*log_writes)(void *cookie, bool on);
	void (*log_drain)(void *cookie);

	/* A sentence for the log; may be NULL. Never on the exit path. */
	void (*log)(void *cookie, const char *sentence);
};

struct vmmu_host {
	const struct vmmu_host_ops *ops;
	void *cookie;
};

#endif

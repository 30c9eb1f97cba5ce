/*
 * The hypervisor's own page tables, made with libvmmu's table engine.
 *
 *  P1  no page of memory can be both written and executed, by any address:
 *      the image's text and rodata are mapped once and read-only, and the
 *      direct map leaves the image out;
 *  P2  only the image's text is executable;
 *  P3  nothing is mapped below the high half;
 *  P4  the top-level entries are those that paging_template gave out.
 */
#ifndef HV_MM_PAGING_H
#define HV_MM_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>
#include <vmmu/table.h>

#include "mm/layout.h"

/* Builds the tables and switches to them. After frames_init. */
void paging_init(void);

/* Maps read-write, no-execute, write-back, with leaves as large as alignment
 * allows. False: no memory for tables; nothing is mapped then. */
bool paging_map(hva_t hva, uint64_t size, hpa_t hpa);

/* Unmaps, and forgets on this processor. */
void paging_unmap(hva_t hva, uint64_t size);

/* Device registers, uncached; NULL: no memory for tables. */
void *paging_map_device(hpa_t hpa, uint64_t size);

/* Read-only, and for ring 3 too: what every guest whose tables have our
 * top-level entries may read. */
bool paging_map_public(hva_t hva, uint64_t size, hpa_t hpa);

/* The hypervisor's top-level entries, for tables of guests that it runs in
 * (HV_SLOTS of them). They stay as they are from now on, so each part of the
 * layout that is ever used has something mapped before: P4. */
void paging_template(uint64_t entries[]);

/* Our own tables are the processor's again. */
void paging_use(void);

/* What an address of ours maps to now; false: nothing. */
bool paging_walk(hva_t hva, struct pt_walk *out);

/* Visits the leaves of ours in a range; false as soon as the visitor says so.
 * paging_address gives the address with its sign extension. */
bool paging_visit(hva_t hva, uint64_t size,
		  bool (*visit)(void *ctx, const struct pt_visit *v),
		  void *ctx);
uint64_t paging_address(const struct pt_visit *v);

/* The number of the first invariant that does not hold, or 0. */
unsigned paging_check(void);

/* The table pages that are held: in use, or kept for the next table. */
uint32_t paging_table_pages(void);

/* Machine memory in the direct map: RAM, but not the image. */
static inline void *hpa_ptr(hpa_t hpa)
{
	return (void *)(HV_DIRECT_BASE + hpa.v);
}

/* Of a pointer that hpa_ptr made. */
static inline hpa_t ptr_hpa(const void *p)
{
	return mk_hpa((uintptr_t)p - HV_DIRECT_BASE);
}

#endif

/*
 * A paravirtual guest under the scheme `shadow`, instead of `direct`: what it
 * calls machine frames are its own, so mfn = pfn = gfn, and its tables are
 * data that the library's shadow tables follow. Everything that is otherwise
 * than under `direct` is behind these functions; pv_is_shadow asks.
 *
 *   shadow.c       memory, roots, faults
 *   shadow_call.c  hypercalls
 */
#ifndef HV_PV_SHADOW_H
#define HV_PV_SHADOW_H

#include "pv/pv.h"

static inline bool pv_is_shadow(const struct pv_cpu *c)
{
	return __builtin_expect(c->shadow, 0);
}

/* 1. Memory. The guest's own page; NULL: it has none there. */
void *pv_shadow_page(const struct pv_domain *d, uint64_t gfn);
/* NULL, or why not. */
const char *pv_shadow_memory(struct pv_domain *d, const struct config *config);
void pv_shadow_free(struct pv_domain *d);
bool pv_shadow_give(struct pv_domain *d, uint64_t gfn, hpa_t page);
/* The frame is the caller's then; its address. False: none, or needed. */
bool pv_shadow_release(struct pv_domain *d, uint64_t gfn, hpa_t *page);

/* 2. Tables. */
/* This one and all below are tables, until the guest maps one writable. */
void pv_shadow_mark(struct pv_domain *d, uint64_t gfn, unsigned level);
void pv_shadow_start(struct pv_cpu *c, uint64_t root);
/* An entry has been written: what it refers to, and the library. */
void pv_shadow_wrote(struct pv_cpu *c, uint64_t gpa, uint64_t entry);
/* Where a write to a leaf table went that the guest has mapped read-only. */
bool pv_shadow_is_trapped(struct pv_cpu *c, uint64_t gva, uint64_t *gpa);
/* An entry of a leaf table, at gva, becomes (it & keep) | value; *old is what
 * it was. False: nothing is known of that, or it is no entry. */
bool pv_shadow_trapped(struct pv_cpu *c, uint64_t gva, uint64_t keep,
		       uint64_t value, uint64_t *old);
/* `size` bytes at gpa, inside one entry; *expected is all of what that must
 * hold, and holds when it is CHANGED. NULL: whatever. */
enum vmmu_direct_status pv_shadow_store(struct pv_cpu *c, uint64_t gpa,
					unsigned size, uint64_t value,
					uint64_t *expected);

/* 3. The processor, in the guest's kernel. 0: its users have no root. */
void pv_shadow_load(struct pv_cpu *c, uint64_t root);
void pv_shadow_load_user(struct pv_cpu *c, uint64_t root);
/* True: answered. False: the guest's, with this error code but for U. */
bool pv_shadow_fault(struct pv_cpu *c, uint64_t gva, uint32_t *error);
/* The same of our own access to guest memory. */
bool pv_shadow_own_fault(struct trap_frame *f);

/* 4. Hypercalls. */
long pv_shadow_mmu_update(struct pv_cpu *c, uint64_t at);
long pv_shadow_update_va(struct pv_cpu *c, uint64_t va, uint64_t value);
void pv_shadow_flush(struct pv_cpu *c);
long pv_shadow_ext(struct pv_cpu *c, const struct mmuext_op *op);
long pv_shadow_gdt(struct pv_cpu *c, const uint64_t *mfn, unsigned count);
long pv_shadow_ldt(struct pv_cpu *c, uint64_t base, uint64_t entries);
long pv_shadow_descriptor(struct pv_cpu *c, uint64_t at, uint64_t value);

#endif

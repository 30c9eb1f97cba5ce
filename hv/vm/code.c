/*
 * The code at a vCPU's rip, for processors that do not tell where the guest
 * goes on.
 *
 * It is translated anew at every exit, because under nested paging the guest
 * changes its tables without one. But exits come from the same few pages, so
 * the last walk is remembered: the entries it used, by pointer, and what they
 * held. A walk whose entries all hold the same again ends the same, so it
 * costs one load and compare an entry instead of a descent. What else a walk
 * depends on is compared too (page, root, CPL) or forgets the memo when it
 * changes (the rest of the mode: guest.c; slots and backing: generation).
 *
 * Where the processor walks tables of ours, they say where it has just read.
 */
#include "vm/code.h"

#include <string.h>

#include "vm/vm.h"

static inline gva_t code_gva(const struct vcpu *v, unsigned offset)
{
	uint64_t at = v->rip + offset;

	return mk_gva(v->look.bits == 64 ? at
					 : (uint32_t)(at + v->look.cs_base));
}

static inline bool memo_holds(const struct vcpu *v, gva_t gva)
{
	const struct code_memo *m = &v->memo;

	if (m->page != (gva.v >> VMMU_PAGE_SHIFT) + 1 ||
	    m->root != v->mmu.mode.root || m->cpl != v->look.cpl ||
	    m->generation != v->mmu.mem.slots->generation)
		return false;
	for (unsigned i = 0; i < m->count; i++)
		if (__atomic_load_n(m->slot[i], __ATOMIC_RELAXED) !=
		    m->entry[i])
			return false;
	return true;
}

static enum guest_access page_of(struct vcpu *v, gva_t gva,
				 struct vmmu_gwalk *walk, const uint8_t **page)
{
	enum vmmu_gmem_status status;
	enum guest_access access;
	uint8_t *found = NULL;

	access = vcpu_walk(v, gva, VMMU_X, walk);
	if (access != GUEST_OK)
		return access;
	status =
		vmmu_gmem_page(&v->mmu.mem, gpa_gfn(walk->gpa), VMMU_R, &found);
	if (status == VMMU_GMEM_NOT_NOW)
		return GUEST_FAULTED;
	*page = found;
	if (status == VMMU_GMEM_OK)
		return GUEST_OK;
	vm_stop(v->vm, VM_KILLED,
		"the guest executes at gpa 0x%llx, where it has no memory",
		(unsigned long long)walk->gpa.v);
	return GUEST_STOPPED;
}

/* The entries that this walk has used, as they are now. */
static bool take_entries(struct vcpu *v, gva_t gva,
			 const struct vmmu_gwalk *walk, struct code_memo *m)
{
	const struct vmmu_mode *mode = &v->mmu.mode;

	for (unsigned level = mode->levels; level && level >= walk->level;
	     level--) {
		const struct vmmu_mode_level *l = &mode->level[level];
		gpa_t table = walk->tables[level];
		uint64_t index = gva.v >> l->shift & l->index_mask;
		uint8_t *page;

		if (vmmu_gmem_page(&v->mmu.mem, gpa_gfn(table), VMMU_R,
				   &page) != VMMU_GMEM_OK)
			return false;
		page += (table.v & VMMU_PAGE_MASK) + index * 8;
		m->slot[m->count] = (const uint64_t *)(const void *)page;
		m->entry[m->count] =
			__atomic_load_n(m->slot[m->count], __ATOMIC_RELAXED);
		m->count++;
	}
	return true;
}

/* The host may have moved the page while it was asked for others. */
static const uint8_t *current(const struct vcpu *v, const struct code_memo *m)
{
	return m->generation == v->mmu.mem.slots->generation ? m->code : NULL;
}

/* Walks between two looks at the entries: only where both are the same does
 * the memo say what that walk saw. Out of line: the caller's short way then
 * has few registers to save. */
static __attribute__((noinline)) const uint8_t *remember(struct vcpu *v,
							 gva_t gva)
{
	struct code_memo m = { .page = (gva.v >> VMMU_PAGE_SHIFT) + 1 };
	struct vmmu_gwalk walk;
	enum guest_access access;

	v->memo.page = 0;
	access = page_of(v, gva, &walk, &m.code);
	if (access != GUEST_OK ||
	    (v->mmu.mode.format &&
	     (v->mmu.mode.entry_size != 8 || v->mmu.mode.pdptes)))
		return access == GUEST_OK ? m.code : NULL;
	m.root = v->mmu.mode.root;
	m.cpl = v->look.cpl;
	m.generation = v->mmu.mem.slots->generation;
	if (!take_entries(v, gva, &walk, &m))
		return current(v, &m);
	if (page_of(v, gva, &walk, &m.code) != GUEST_OK)
		return NULL;
	v->memo = m;
	if (!memo_holds(v, gva))
		v->memo.page = 0;
	return current(v, &m);
}

static __attribute__((noinline)) const uint8_t *code_by_walk(struct vcpu *v,
							     gva_t gva)
{
	uint64_t at = gva.v & VMMU_PAGE_MASK;
	const uint8_t *page;

	if (memo_holds(v, gva))
		return v->memo.code + at;
	page = remember(v, gva);
	return page ? page + at : NULL;
}

const uint8_t *vcpu_code(struct vcpu *v)
{
	const struct vmmu_host *host;
	hpa_t hpa;
	gva_t gva;

	vcpu_sync_mode(v);
	gva = code_gva(v, 0);
	if ((gva.v & VMMU_PAGE_MASK) > VMMU_PAGE_SIZE - 4)
		return NULL;
	if (!vmmu_cpu_translate(&v->mmu, gva, &hpa))
		return code_by_walk(v, gva);
	host = &v->vm->mmu.host;
	return host->ops->ptr(host->cookie, hpa);
}

enum guest_access vcpu_fetch(struct vcpu *v, uint8_t bytes[15], unsigned *count)
{
	struct vmmu_gwalk walk;
	const uint8_t *page;
	enum guest_access access;
	unsigned at;
	gva_t gva;

	vcpu_sync_mode(v);
	gva = code_gva(v, 0);
	access = page_of(v, gva, &walk, &page);
	if (access != GUEST_OK)
		return access;
	at = (unsigned)(gva.v & VMMU_PAGE_MASK);
	*count = VMMU_PAGE_SIZE - at < 15 ? (unsigned)VMMU_PAGE_SIZE - at : 15;
	memcpy(bytes, page + at, *count);
	return GUEST_OK;
}

enum guest_access vcpu_fetch_rest(struct vcpu *v, uint8_t bytes[15],
				  unsigned *count)
{
	gva_t gva = code_gva(v, *count);
	unsigned at = (unsigned)(gva.v & VMMU_PAGE_MASK);
	unsigned n = 15 - *count;
	struct vmmu_gwalk walk;
	const uint8_t *page;
	enum guest_access access;

	if (n > VMMU_PAGE_SIZE - at)
		n = (unsigned)VMMU_PAGE_SIZE - at;
	access = page_of(v, gva, &walk, &page);
	if (access != GUEST_OK)
		return access;
	memcpy(bytes + *count, page + at, n);
	*count += n;
	return GUEST_OK;
}

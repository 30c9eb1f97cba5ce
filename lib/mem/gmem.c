/*
 * Guest-physical memory as software reaches it.
 *
 *   gpa -> line of the cache, when its tag is this frame     (gmem_line.h)
 *       -> slot -> hva -> host: hpa -> host: pointer         (here)
 *
 * The cache is direct-mapped by frame number. A line's tag is the frame's gpa;
 * an empty line has a tag that no frame has. `read` is the page's pointer;
 * `write` is the same pointer when a write needs no more questions, and NULL
 *
 *   - before the first write: a shared page may have to be copied first;
 *   - in a read-only slot;
 *   - in a slot that logs, where each write must mark the page dirty, because
 *     the log may have been taken and cleared since the last.
 *
 * All lines are dropped when the slots' generation differs from the one they
 * were filled under. The host may change the generation from inside resolve
 * (reclaiming one page to give another), so it is compared again after each
 * call to the host, before the answer is kept.
 */
#include <vmmu/access.h>

#include "mem/gmem_line.h"

/* Of no frame: not page-aligned. */
#define NO_TAG UINT64_MAX

static void drop_all(struct vmmu_gmem *m)
{
	for (unsigned i = 0; i < VMMU_GMEM_WAYS; i++)
		m->line[i] = (struct vmmu_gmem_line){ .tag = NO_TAG };
	for (unsigned i = 0; i < VMMU_GMEM_RECENT; i++)
		m->recent[i].tag = NO_TAG;
	m->generation = m->slots->generation;
}

void vmmu_gmem_init(struct vmmu_gmem *m, const struct vmmu_slots *slots,
		    const struct vmmu_host *host)
{
	m->slots = slots;
	m->host = host;
	drop_all(m);
}

/* The host's pointer to a frame that the slots have. */
static enum vmmu_gmem_status ask_host(const struct vmmu_gmem *m, hva_t hva,
				      unsigned access,
				      struct vmmu_extent *extent,
				      uint8_t **page)
{
	const struct vmmu_host *host = m->host;
	hpa_t hpa;

	switch (host->ops->resolve(host->cookie, hva, access, extent)) {
	case VMMU_RESOLVE_OK:
		break;
	case VMMU_RESOLVE_NOT_NOW:
		return VMMU_GMEM_NOT_NOW;
	default:
		return VMMU_GMEM_NONE;
	}
	hpa = mk_hpa(extent->hpa.v + (hva.v - extent->hva.v));
	*page = host->ops->ptr(host->cookie, hpa);
	return VMMU_GMEM_OK;
}

static void keep(struct vmmu_gmem *m, uint64_t gpa, uint8_t *page,
		 bool writable)
{
	struct vmmu_gmem_line *line = gmem_line(m, gpa);

	line->tag = gpa;
	line->read = page;
	line->write = writable ? page : NULL;
	/* A first write may have moved it. */
	for (unsigned i = 0; i < VMMU_GMEM_RECENT; i++)
		if (m->recent[i].tag == gpa)
			m->recent[i].tag = NO_TAG;
}

/* Asks, and keeps the answer unless slots or backing changed meanwhile: then
 * it may be the answer of before, and slot may point elsewhere. */
static enum vmmu_gmem_status miss(struct vmmu_gmem *m, gfn_t gfn,
				  unsigned access, uint8_t **page)
{
	const struct vmmu_slot *slot = vmmu_slots_find(m->slots, gfn);
	gpa_t gpa = gfn_gpa(gfn);
	struct vmmu_extent extent;
	enum vmmu_gmem_status status;
	bool writes = access & VMMU_W;

	if (!slot)
		return VMMU_GMEM_NO_SLOT;
	if (writes && (slot->flags & VMMU_SLOT_READ_ONLY))
		return VMMU_GMEM_READ_ONLY;
	status = ask_host(m, vmmu_slot_hva(slot, gpa), access, &extent, page);
	if (status != VMMU_GMEM_OK || !gmem_is_current(m))
		return status;
	if (writes)
		vmmu_slot_mark_dirty(slot, gfn);
	keep(m, gpa.v, *page, writes && !(slot->flags & VMMU_SLOT_LOG_DIRTY));
	return VMMU_GMEM_OK;
}

/* Times to ask a host that changes slots or backing while it answers. */
#define TRIES 4

enum vmmu_gmem_status vmmu_gmem_page(struct vmmu_gmem *m, gfn_t gfn,
				     unsigned access, uint8_t **page)
{
	uint64_t gpa = gfn_gpa(gfn).v;

	for (int i = 0; i < TRIES; i++) {
		struct vmmu_gmem_line *line = gmem_line(m, gpa);
		enum vmmu_gmem_status status;

		if (!gmem_is_current(m))
			drop_all(m);
		if (line->tag == gpa) {
			*page = access & VMMU_W ? line->write : line->read;
			if (*page)
				return VMMU_GMEM_OK;
		}
		status = miss(m, gfn, access, page);
		if (gmem_is_current(m))
			return status;
	}
	return VMMU_GMEM_NOT_NOW;
}

/* The part of a copy that lies in the first page. */
static size_t first_part(gpa_t gpa, size_t size)
{
	size_t left = (size_t)(VMMU_PAGE_SIZE - (gpa.v & VMMU_PAGE_MASK));

	return size < left ? size : left;
}

enum vmmu_gmem_status vmmu_gmem_read(struct vmmu_gmem *m, gpa_t gpa, void *buf,
				     size_t size)
{
	uint8_t *to = buf;

	while (size) {
		size_t part = first_part(gpa, size);
		enum vmmu_gmem_status status;
		uint8_t *page;

		status = vmmu_gmem_page(m, gpa_gfn(gpa), VMMU_R, &page);
		if (status != VMMU_GMEM_OK)
			return status;
		__builtin_memcpy(to, page + (gpa.v & VMMU_PAGE_MASK), part);
		to += part;
		gpa.v += part;
		size -= part;
	}
	return VMMU_GMEM_OK;
}

enum vmmu_gmem_status vmmu_gmem_write(struct vmmu_gmem *m, gpa_t gpa,
				      const void *buf, size_t size)
{
	const uint8_t *from = buf;

	while (size) {
		size_t part = first_part(gpa, size);
		enum vmmu_gmem_status status;
		uint8_t *page;

		status = vmmu_gmem_page(m, gpa_gfn(gpa), VMMU_W, &page);
		if (status != VMMU_GMEM_OK)
			return status;
		__builtin_memcpy(page + (gpa.v & VMMU_PAGE_MASK), from, part);
		from += part;
		gpa.v += part;
		size -= part;
	}
	return VMMU_GMEM_OK;
}

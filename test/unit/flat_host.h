/*
 * A host for unit tests: one arena of pages. Its hva space begins at
 * FLAT_HVA, its hpa space at FLAT_HPA, so that mixing them up shows.
 */
#ifndef TEST_UNIT_FLAT_HOST_H
#define TEST_UNIT_FLAT_HOST_H

#include <stdlib.h>

#include <vmmu/gmem.h>

#define FLAT_HVA   UINT64_C(0x7f0000000000)
#define FLAT_HPA   UINT64_C(0x0000000100000000)
#define FLAT_PAGES 64

struct flat_host {
	struct vmmu_host host;
	struct vmmu_host_ops ops;
	uint8_t *arena; /* FLAT_PAGES pages, aligned */
	unsigned resolves;
	enum vmmu_resolve answer;
	bool read_only; /* what a resolve for reading says */
	uint64_t moves; /* a resolve for writing answers so much further on */
	/* Called from inside resolve, if not NULL. */
	void (*during)(struct flat_host *h);
	void *ctx;
};

static inline void *flat_ptr(void *cookie, hpa_t hpa)
{
	struct flat_host *h = cookie;

	return h->arena + (hpa.v - FLAT_HPA);
}

/* One page at a time: no answer that a caller could stretch. */
static inline enum vmmu_resolve flat_resolve(void *cookie, hva_t hva,
					     unsigned access,
					     struct vmmu_extent *out)
{
	struct flat_host *h = cookie;

	h->resolves++;
	if (h->during)
		h->during(h);
	if (h->answer != VMMU_RESOLVE_OK)
		return h->answer;
	out->hva = mk_hva(hva.v & ~VMMU_PAGE_MASK);
	out->hpa = mk_hpa(out->hva.v - FLAT_HVA + FLAT_HPA);
	if (access & 2)
		out->hpa.v += h->moves;
	out->size = VMMU_PAGE_SIZE;
	out->read_only = h->read_only && !(access & 2);
	return VMMU_RESOLVE_OK;
}

static inline void flat_host_init(struct flat_host *h)
{
	*h = (struct flat_host){ .answer = VMMU_RESOLVE_OK };
	h->ops.ptr = flat_ptr;
	h->ops.resolve = flat_resolve;
	h->host = (struct vmmu_host){ .ops = &h->ops, .cookie = h };
	h->arena = aligned_alloc(VMMU_PAGE_SIZE, FLAT_PAGES * VMMU_PAGE_SIZE);
	for (size_t i = 0; i < FLAT_PAGES * VMMU_PAGE_SIZE; i++)
		h->arena[i] = 0;
}

static inline void flat_host_fini(struct flat_host *h)
{
	free(h->arena);
}

#endif

/*
 * See space.h. The mapping itself is in the hypervisor's page tables. Beside
 * them each range has a word for every 64 MiB of it, so that a warm question
 * is answered without a walk:
 *
 *   0            nothing is known: ask the page tables
 *   hpa | WHOLE  all 64 MiB lie together from hpa
 *
 * Memory is asked for in naturally aligned blocks that lie inside the range
 * and hold the address: 64 MiB first, then half of it, and so on, passing
 * over sizes where part of the block is there already or memory does not
 * have such a block left.
 */
#include "mm/space.h"

#include "cpu/print.h"
#include "mm/frames.h"
#include "mm/paging.h"

#define CHUNK_SHIFT 26 /* 64 MiB */
#define CHUNK_SIZE  (UINT64_C(1) << CHUNK_SHIFT)
#define CHUNK_ORDER (CHUNK_SHIFT - VMMU_PAGE_SHIFT)
#define WHOLE	    UINT64_C(1)
#define SPACES_MAX  16

struct space {
	uint64_t start, end; /* end 0: not in use */
	uint64_t *chunk;
	hpa_t chunk_hpa;
	unsigned chunk_order;
};

static struct space spaces[SPACES_MAX];
static uint64_t given;

static struct space *find(uint64_t hva)
{
	struct space *s;

	for (s = spaces; s < spaces + SPACES_MAX; s++) {
		if (hva >= s->start && hva < s->end)
			return s;
	}
	return NULL;
}

static uint64_t gib_up(uint64_t v)
{
	return (v + VMMU_1G - 1) & ~(VMMU_1G - 1);
}

/* The lowest start from which `size` bytes meet no other range; a GiB is
 * left free above each. */
static uint64_t find_start(uint64_t size)
{
	uint64_t start = HV_SPACE_BASE;
	const struct space *s = spaces;

	while (s < spaces + SPACES_MAX) {
		if (s->end != 0 && start < gib_up(s->end) + VMMU_1G &&
		    s->start < start + size + VMMU_1G) {
			start = gib_up(s->end) + VMMU_1G;
			s = spaces; /* anew: another may be in the way */
		} else {
			s++;
		}
	}
	return start;
}

bool space_reserve(uint64_t size, hva_t *out)
{
	struct space *s = spaces;
	uint64_t chunks = (size + CHUNK_SIZE - 1) >> CHUNK_SHIFT;

	if (size == 0 || size % VMMU_PAGE_SIZE != 0 ||
	    size > HV_SPACE_END - HV_SPACE_BASE)
		return false;
	while (s < spaces + SPACES_MAX && s->end != 0)
		s++;
	if (s == spaces + SPACES_MAX)
		return false;
	s->start = find_start(size);
	if (s->start > HV_SPACE_END - size)
		return false;
	s->chunk_order = 0;
	while (VMMU_PAGE_SIZE << s->chunk_order < chunks * sizeof(*s->chunk))
		s->chunk_order++;
	if (!frame_alloc_run(s->chunk_order, &s->chunk_hpa))
		return false;
	s->chunk = hpa_ptr(s->chunk_hpa);
	s->end = s->start + size;
	*out = mk_hva(s->start);
	return true;
}

static void answer(struct vmmu_extent *out, uint64_t hva, uint64_t hpa,
		   uint64_t size)
{
	*out = (struct vmmu_extent){
		.hva = mk_hva(hva),
		.hpa = mk_hpa(hpa),
		.size = size,
	};
}

/* What the page tables say: one leaf of ours. */
static bool resolve_mapped(uint64_t hva, struct vmmu_extent *out)
{
	struct pt_walk w;
	uint64_t span;

	if (!paging_walk(mk_hva(hva), &w))
		return false;
	span = pt_span(&pt_x86_64.level[w.level]);
	answer(out, hva & ~(span - 1), w.out & ~(span - 1), span);
	return true;
}

static bool none_mapped(void *ctx, const struct pt_visit *v)
{
	(void)ctx;
	(void)v;
	return false;
}

static bool is_empty(uint64_t start, uint64_t size)
{
	return paging_visit(mk_hva(start), size, none_mapped, NULL);
}

static bool give(const struct space *s, uint64_t hva, unsigned order,
		 struct vmmu_extent *out)
{
	uint64_t size = VMMU_PAGE_SIZE << order;
	uint64_t start = hva & ~(size - 1);
	hpa_t hpa;

	if (start + size > s->end || !is_empty(start, size) ||
	    !frame_alloc_run(order, &hpa))
		return false;
	if (!paging_map(mk_hva(start), size, hpa)) {
		frame_free(hpa, order);
		return false;
	}
	if (order == CHUNK_ORDER)
		s->chunk[(start - s->start) >> CHUNK_SHIFT] = hpa.v | WHOLE;
	given += size;
	answer(out, start, hpa.v, size);
	return true;
}

enum vmmu_resolve space_resolve(hva_t hva, unsigned access,
				struct vmmu_extent *out)
{
	struct space *s = find(hva.v);
	unsigned order = CHUNK_ORDER;
	uint64_t chunk;

	(void)access; /* all of it is writable, and nothing is shared */
	if (s == NULL)
		return VMMU_RESOLVE_NONE;
	chunk = s->chunk[(hva.v - s->start) >> CHUNK_SHIFT];
	if (chunk != 0) {
		answer(out, hva.v & ~(CHUNK_SIZE - 1), chunk & ~WHOLE,
		       CHUNK_SIZE);
		return VMMU_RESOLVE_OK;
	}
	if (resolve_mapped(hva.v, out))
		return VMMU_RESOLVE_OK;
	while (!give(s, hva.v, order, out)) {
		if (order == 0)
			return VMMU_RESOLVE_NONE;
		order--;
	}
	return VMMU_RESOLVE_OK;
}

/* Frames go back by leaves of ours; a leaf at the end of the part that is
 * released may reach beyond it, and only its share goes. */
struct release {
	uint64_t start, end;
};

static void free_run(uint64_t hpa, uint64_t size)
{
	uint64_t end = hpa + size;

	for (; hpa < end; hpa += VMMU_PAGE_SIZE)
		frame_free(mk_hpa(hpa), 0);
}

static bool release_leaf(void *ctx, const struct pt_visit *v)
{
	const struct release *r = ctx;
	const struct pt_level *row = &pt_x86_64.level[v->level];
	uint64_t hpa = pt_leaf_addr(row, v->entry);
	uint64_t start = paging_address(v), end = start + pt_span(row);
	uint64_t from = start > r->start ? start : r->start;
	uint64_t to = end < r->end ? end : r->end;

	given -= to - from;
	if (from == start && to == end)
		frame_free(mk_hpa(hpa), row->shift - VMMU_PAGE_SHIFT);
	else
		free_run(hpa + (from - start), to - from);
	return true;
}

/* Frames first: when the end of the range splits a large leaf, the page for
 * that is there. Nobody runs between the two steps. */
static void release(const struct space *s, uint64_t start, uint64_t end)
{
	struct release r = { start, end };
	uint64_t i, last = (end - 1 - s->start) >> CHUNK_SHIFT;

	for (i = (start - s->start) >> CHUNK_SHIFT; i <= last; i++)
		s->chunk[i] = 0;
	paging_visit(mk_hva(start), end - start, release_leaf, &r);
	paging_unmap(mk_hva(start), end - start);
}

void space_release(hva_t hva, uint64_t size)
{
	struct space *s = find(hva.v);

	if (size == 0)
		return;
	if (s == NULL || (hva.v | size) & VMMU_PAGE_MASK ||
	    size > s->end - hva.v)
		panic("0x%lx is released but was never reserved", hva.v);
	release(s, hva.v, hva.v + size);
}

void space_unreserve(hva_t hva)
{
	struct space *s = find(hva.v);

	if (s == NULL || s->start != hva.v)
		panic("0x%lx is no range's start", hva.v);
	release(s, s->start, s->end);
	frame_free(s->chunk_hpa, s->chunk_order);
	*s = (struct space){ 0 };
}

uint64_t space_given(void)
{
	return given;
}

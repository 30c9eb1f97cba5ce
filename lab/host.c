/*
 * The pretend machine's host side. See host.h for the picture.
 *
 * Every hva page has a record: its frame, or none yet. A first touch backs
 * the whole extent around the page with contiguous frames (its home, given
 * by the extent's place in the shuffled order); a page that was withdrawn or
 * moved gets single frames elsewhere. resolve then answers the longest run
 * of alike pages with adjoining frames inside the extent.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vmmu/access.h>

struct lab_host_page {
	uint64_t frame; /* frame number + 1; 0: none */
	bool shared;
	bool displaced; /* never goes back to its home frame */
	uint8_t answer; /* enum vmmu_resolve */
};

/* What frame_used holds. A stale frame is cleared before it is given again. */
enum { FRAME_FRESH, FRAME_USED, FRAME_STALE };

static void die(const char *sentence)
{
	fprintf(stderr, "lab host: %s\n", sentence);
	abort();
}

static uint64_t page_of(const struct lab_host *h, hva_t hva)
{
	uint64_t n = (hva.v - h->hva_base.v) >> VMMU_PAGE_SHIFT;

	if (hva.v < h->hva_base.v || n >= h->page_count)
		die("host virtual address outside the range");
	return n;
}

static hpa_t hpa_of_frame(const struct lab_host *h, uint64_t frame)
{
	return mk_hpa(h->hpa_base.v + (frame << VMMU_PAGE_SHIFT));
}

void *lab_host_ptr(struct lab_host *h, hpa_t hpa)
{
	if (hpa.v - h->hpa_base.v >= h->arena_size)
		die("machine address outside the arena");
	return h->arena + (hpa.v - h->hpa_base.v);
}

static void *op_ptr(void *cookie, hpa_t hpa)
{
	return lab_host_ptr(cookie, hpa);
}

/* 1. Frames. */

static uint64_t extent_pages(const struct lab_host *h)
{
	return h->config.extent >> VMMU_PAGE_SHIFT;
}

/* The frame that a page gets at its first touch. Extents trade places by a
 * multiplication that is odd, so a permutation of a power-of-two count; those
 * beyond the largest power of two keep theirs. */
static uint64_t home_frame(const struct lab_host *h, uint64_t page)
{
	uint64_t per = extent_pages(h);
	uint64_t extent = page / per, total = h->page_count / per;
	uint64_t pow2 = 1;

	while (pow2 * 2 <= total)
		pow2 *= 2;
	if (h->config.shuffle && extent < pow2)
		extent = (extent * 0x9e3779b1u + 7) & (pow2 - 1);
	return extent * per + page % per;
}

static void frame_give(struct lab_host *h, uint64_t frame)
{
	if (h->frame_used[frame] == FRAME_STALE)
		memset(lab_host_ptr(h, hpa_of_frame(h, frame)), 0,
		       VMMU_PAGE_SIZE);
	h->frame_used[frame] = FRAME_USED;
}

static bool frame_take(struct lab_host *h, uint64_t *frame)
{
	for (uint64_t i = 0; i < h->frame_count; i++) {
		/* Spare frames lie at the end: look there first. */
		uint64_t f = h->frame_count - 1 -
			     (h->frame_cursor + i) % h->frame_count;

		if (h->frame_used[f] == FRAME_USED)
			continue;
		frame_give(h, f);
		h->frame_cursor += i + 1;
		*frame = f;
		return true;
	}
	return false;
}

static void forget_run(struct lab_host *h)
{
	h->run_first = h->run_end = 0;
}

static bool page_back(struct lab_host *h, uint64_t n)
{
	struct lab_host_page *p = &h->page[n];
	uint64_t frame = home_frame(h, n);

	if (!p->displaced && h->frame_used[frame] != FRAME_USED)
		frame_give(h, frame);
	else if (!frame_take(h, &frame))
		return false;
	p->frame = frame + 1;
	forget_run(h);
	return true;
}

static void page_release(struct lab_host *h, struct lab_host_page *p)
{
	if (p->frame)
		h->frame_used[p->frame - 1] = FRAME_STALE;
	forget_run(h);
	p->frame = 0;
	p->displaced = true;
}

static void announce(struct lab_host *h, uint64_t first, uint64_t count)
{
	if (h->hooks.backing_changed)
		h->hooks.backing_changed(
			h->hooks.ctx,
			mk_hva(h->hva_base.v + (first << VMMU_PAGE_SHIFT)),
			count << VMMU_PAGE_SHIFT);
}

static void page_move(struct lab_host *h, uint64_t n)
{
	struct lab_host_page *p = &h->page[n];
	uint64_t from = p->frame - 1, to;

	if (!frame_take(h, &to))
		die("no frame to move a page to");
	memcpy(lab_host_ptr(h, hpa_of_frame(h, to)),
	       lab_host_ptr(h, hpa_of_frame(h, from)), VMMU_PAGE_SIZE);
	page_release(h, p);
	p->frame = to + 1;
}

/* 2. hva -> hpa. */

static bool back_extent(struct lab_host *h, uint64_t n)
{
	uint64_t first = n & ~(extent_pages(h) - 1);

	if (h->page[n].frame)
		return true;
	if (!page_back(h, n))
		return false;
	for (uint64_t i = first; i < first + extent_pages(h); i++)
		if (i < h->page_count && !h->page[i].frame &&
		    !h->page[i].displaced)
			page_back(h, i);
	return true;
}

/* Is page b, the next after a, in one run with it? */
static bool adjoin(const struct lab_host_page *a, const struct lab_host_page *b)
{
	return b->frame == a->frame + 1 && a->frame && a->shared == b->shared &&
	       b->answer == VMMU_RESOLVE_OK && a->answer == VMMU_RESOLVE_OK;
}

static void find_run(struct lab_host *h, uint64_t n)
{
	uint64_t floor = n & ~(extent_pages(h) - 1);
	uint64_t ceiling = floor + extent_pages(h);
	uint64_t lo = n, hi = n + 1;

	if (ceiling > h->page_count)
		ceiling = h->page_count;
	while (lo > floor && adjoin(&h->page[lo - 1], &h->page[lo]))
		lo--;
	while (hi < ceiling && adjoin(&h->page[hi - 1], &h->page[hi]))
		hi++;
	h->run_first = lo;
	h->run_end = hi;
}

static void answer_run(struct lab_host *h, uint64_t n, struct vmmu_extent *out)
{
	uint64_t lo;

	if (n < h->run_first || n >= h->run_end)
		find_run(h, n);
	lo = h->run_first;
	out->hva = mk_hva(h->hva_base.v + (lo << VMMU_PAGE_SHIFT));
	out->hpa = hpa_of_frame(h, h->page[lo].frame - 1);
	out->size = (h->run_end - lo) << VMMU_PAGE_SHIFT;
	out->read_only = h->page[n].shared;
}

static enum vmmu_resolve op_resolve(void *cookie, hva_t hva, unsigned access,
				    struct vmmu_extent *out)
{
	struct lab_host *h = cookie;
	uint64_t n = page_of(h, hva);
	struct lab_host_page *p = &h->page[n];

	h->count.resolves++;
	if (h->hooks.resolving)
		h->hooks.resolving(h->hooks.ctx, hva);
	if (h->odd_resolve_at && --h->odd_resolve_at == 0)
		return h->odd_resolve;
	if (p->answer != VMMU_RESOLVE_OK)
		return (enum vmmu_resolve)p->answer;
	if (!back_extent(h, n))
		return VMMU_RESOLVE_NONE;
	if (p->shared && (access & VMMU_W)) {
		announce(h, n, 1);
		page_move(h, n);
		p->shared = false;
		forget_run(h);
		h->count.shares_broken++;
	}
	answer_run(h, n, out);
	return VMMU_RESOLVE_OK;
}

/* 3. What a test makes it do. */

void lab_host_share(struct lab_host *h, hva_t hva, uint64_t size)
{
	uint64_t n = page_of(h, hva), count = size >> VMMU_PAGE_SHIFT;

	announce(h, n, count);
	for (uint64_t i = 0; i < count; i++)
		h->page[n + i].shared = true;
	forget_run(h);
}

void lab_host_withdraw(struct lab_host *h, hva_t hva, uint64_t size)
{
	uint64_t n = page_of(h, hva), count = size >> VMMU_PAGE_SHIFT;

	announce(h, n, count);
	for (uint64_t i = 0; i < count; i++)
		page_release(h, &h->page[n + i]);
}

void lab_host_move(struct lab_host *h, hva_t hva, uint64_t size)
{
	uint64_t n = page_of(h, hva), count = size >> VMMU_PAGE_SHIFT;

	announce(h, n, count);
	for (uint64_t i = 0; i < count; i++)
		if (h->page[n + i].frame)
			page_move(h, n + i);
}

void lab_host_answer(struct lab_host *h, hva_t hva, uint64_t size,
		     enum vmmu_resolve answer)
{
	uint64_t n = page_of(h, hva), count = size >> VMMU_PAGE_SHIFT;

	if (answer != VMMU_RESOLVE_OK)
		announce(h, n, count);
	for (uint64_t i = 0; i < count; i++)
		h->page[n + i].answer = (uint8_t)answer;
	forget_run(h);
}

bool lab_host_peek(const struct lab_host *h, hva_t hva, hpa_t *hpa)
{
	uint64_t frame = h->page[page_of(h, hva)].frame;

	if (!frame)
		return false;
	*hpa = mk_hpa(hpa_of_frame(h, frame - 1).v + (hva.v & VMMU_PAGE_MASK));
	return true;
}

/* 4. Table pages. */

static bool op_table_alloc(void *cookie, hpa_t *page)
{
	struct lab_host *h = cookie;

	h->count.table_allocs++;
	if (h->fail_table_at && --h->fail_table_at == 0) {
		h->fail_table_at = h->fail_all_after;
		return false;
	}
	for (uint32_t i = 0; i < h->config.table_pages; i++) {
		uint32_t n = (h->table_cursor + i) % h->config.table_pages;

		if (h->table_used[n])
			continue;
		h->table_used[n] = 1;
		h->table_cursor = n + 1;
		h->count.tables_out++;
		*page = mk_hpa(h->table_base.v + n * VMMU_PAGE_SIZE);
		memset(lab_host_ptr(h, *page), 0, VMMU_PAGE_SIZE);
		return true;
	}
	return false;
}

static void op_table_free(void *cookie, hpa_t page)
{
	struct lab_host *h = cookie;
	uint64_t n = (page.v - h->table_base.v) / VMMU_PAGE_SIZE;

	if (page.v < h->table_base.v || n >= h->config.table_pages ||
	    !h->table_used[n])
		die("a table page was freed that was not given");
	h->table_used[n] = 0;
	h->count.table_frees++;
	h->count.tables_out--;
}

/* 5. Hardware's TLB. */

static void flushed(struct lab_host *h, struct vmmu_cpu *cpu, const gva_t *gva)
{
	if (h->hooks.flushed)
		h->hooks.flushed(h->hooks.ctx, cpu, gva);
}

static void op_flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	struct lab_host *h = cookie;

	h->count.flush_gva++;
	flushed(h, cpu, &gva);
}

static void op_flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	struct lab_host *h = cookie;

	h->count.flush_cpu++;
	flushed(h, cpu, NULL);
}

static void op_flush_all(void *cookie)
{
	struct lab_host *h = cookie;

	h->count.flush_all++;
	flushed(h, NULL, NULL);
}

static const struct vmmu_host_ops ops = {
	.table_alloc = op_table_alloc,
	.table_free = op_table_free,
	.ptr = op_ptr,
	.resolve = op_resolve,
	.flush_gva = op_flush_gva,
	.flush_cpu = op_flush_cpu,
	.flush_all = op_flush_all,
};

struct vmmu_host lab_host_ops(struct lab_host *h)
{
	return (struct vmmu_host){ .ops = &ops, .cookie = h };
}

/* 6. Birth and death. */

bool lab_host_init(struct lab_host *h, const struct lab_host_config *config)
{
	void *arena;

	memset(h, 0, sizeof(*h));
	h->config = *config;
	h->page_count = config->memory >> VMMU_PAGE_SHIFT;
	h->frame_count = (config->memory + config->spare) >> VMMU_PAGE_SHIFT;
	/* Both bases are 1 GiB-aligned: nothing but `skew` spoils alignment. */
	h->hva_base = mk_hva(UINT64_C(0x4000000000));
	h->hpa_base = mk_hpa(VMMU_1G + config->skew);
	h->table_base = hpa_of_frame(h, h->frame_count);
	h->arena_size = (h->frame_count + config->table_pages) * VMMU_PAGE_SIZE;
	arena = mmap(NULL, h->arena_size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	h->arena = arena == MAP_FAILED ? NULL : arena;
	h->page = calloc(h->page_count, sizeof(*h->page));
	h->frame_used = calloc(h->frame_count, 1);
	h->table_used = calloc(config->table_pages, 1);
	if (h->arena && h->page && h->frame_used && h->table_used)
		return true;
	lab_host_fini(h);
	return false;
}

void lab_host_fini(struct lab_host *h)
{
	if (h->arena)
		munmap(h->arena, h->arena_size);
	free(h->page);
	free(h->frame_used);
	free(h->table_used);
	memset(h, 0, sizeof(*h));
}

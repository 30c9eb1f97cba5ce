/* The self-test's part for address space and memory: see promise.h. */
#include <string.h>

#include <vmmu/access.h>

#include "boot/promise.h"
#include "cpu/fixup.h"
#include "cpu/stack.h"
#include "mm/frames.h"
#include "mm/image.h"
#include "mm/paging.h"
#include "mm/space.h"

#define MIB (UINT64_C(1) << 20)

/* 1. Our own address space. */

static bool tables_keep_invariants(void)
{
	return paging_check() == 0;
}

static bool text_refuses_writes(void)
{
	uint64_t word;

	return probe_read((uintptr_t)image_text, &word) &&
	       !probe_write((uintptr_t)image_text, word);
}

static bool rodata_refuses_writes(void)
{
	return !probe_write((uintptr_t)image_text_end, 0);
}

static bool image_has_no_alias(void)
{
	uint64_t word;

	return !probe_read((uintptr_t)hpa_ptr(image_hpa(image_text)), &word);
}

static bool low_half_is_empty(void)
{
	uint64_t word;

	return !probe_read(0, &word) && !probe_read(IMAGE_LOAD, &word);
}

static bool stack_has_guard(void)
{
	uint64_t bottom = (uintptr_t)&bottom & ~(STACK_SIZE - 1);
	uint64_t word;

	return stack_is_guard(bottom - 8) && !stack_is_guard(bottom) &&
	       !probe_read(bottom - 8, &word) && probe_read(bottom, &word);
}

/* 2. Memory. */

static bool frames_keep_invariants(void)
{
	return frames_check() == NULL;
}

static bool frames_come_back_clean(void)
{
	uint64_t before = frames_free();
	hpa_t hpa;

	if (!frame_alloc_run(3, &hpa))
		return false;
	memset(hpa_ptr(hpa), 0xa5, 8 * VMMU_PAGE_SIZE);
	frame_free(mk_hpa(hpa.v + 4 * VMMU_PAGE_SIZE), 2);
	frame_free(hpa, 2);
	return frames_free() == before && frames_check() == NULL;
}

static bool space_writes_reach_memory(hva_t hva)
{
	struct vmmu_extent e;
	uint64_t word;

	if (probe_read(hva.v, &word))
		return false; /* nothing was asked for yet */
	if (space_resolve(hva, VMMU_W, &e) != VMMU_RESOLVE_OK)
		return false;
	*(volatile uint64_t *)hva.v = 0x5a;
	return *(uint64_t *)hpa_ptr(mk_hpa(e.hpa.v + (hva.v - e.hva.v))) ==
	       0x5a;
}

/* 100 MiB: a whole chunk, and an end that must do with less. */
static bool space_gives_and_takes_back(void)
{
	uint64_t frames = frames_free() + paging_table_pages();
	uint64_t held = space_given();
	hva_t hva, end;
	bool good;

	if (!space_reserve(100 * MIB, &hva))
		return false;
	end = mk_hva(hva.v + 100 * MIB - VMMU_PAGE_SIZE);
	good = space_writes_reach_memory(hva) && space_writes_reach_memory(end);
	space_release(mk_hva(hva.v + VMMU_PAGE_SIZE), VMMU_PAGE_SIZE);
	good = good &&
	       space_writes_reach_memory(mk_hva(hva.v + VMMU_PAGE_SIZE));
	space_unreserve(hva);
	return good && space_given() == held &&
	       frames_free() + paging_table_pages() == frames &&
	       frames_check() == NULL;
}

/* A whole chunk and a bit, and which of its pages bear their mark. */
#define TRAFFIC_PAGES ((72 * MIB) / VMMU_PAGE_SIZE)
#define TRAFFIC_STEPS 1500
/* Memory is used up when a page cannot be had together with its tables. */
#define TABLES_FOR_A_PAGE 3

struct traffic {
	hva_t hva;
	uint32_t random;
	uint64_t marked[TRAFFIC_PAGES / 64];
};

static uint64_t any_below(struct traffic *t, uint64_t end)
{
	t->random = t->random * 1664525 + 1013904223;
	return (t->random >> 8) % end;
}

/* Asks for a page. It bears its mark if it had one, else nothing at all. */
static bool mark_page(struct traffic *t, uint64_t page)
{
	hva_t hva = mk_hva(t->hva.v + page * VMMU_PAGE_SIZE);
	uint64_t *word, had = t->marked[page / 64] >> page % 64 & 1;
	struct vmmu_extent e;

	if (space_resolve(hva, VMMU_W, &e) != VMMU_RESOLVE_OK)
		return frames_free() <= TABLES_FOR_A_PAGE;
	word = hpa_ptr(mk_hpa(e.hpa.v + (hva.v - e.hva.v)));
	if (*word != (had ? hva.v : 0) || *(uint64_t *)hva.v != *word)
		return false;
	*word = hva.v;
	t->marked[page / 64] |= UINT64_C(1) << page % 64;
	return true;
}

static void release_pages(struct traffic *t, uint64_t page, uint64_t count)
{
	if (count > TRAFFIC_PAGES - page)
		count = TRAFFIC_PAGES - page;
	space_release(mk_hva(t->hva.v + page * VMMU_PAGE_SIZE),
		      count * VMMU_PAGE_SIZE);
	for (; count != 0; page++, count--)
		t->marked[page / 64] &= ~(UINT64_C(1) << page % 64);
}

static bool space_stands_traffic(void)
{
	struct traffic t = { .random = 1 };
	bool good = true;
	int step;

	if (!space_reserve(TRAFFIC_PAGES * VMMU_PAGE_SIZE, &t.hva))
		return false;
	for (step = 0; good && step < TRAFFIC_STEPS; step++) {
		uint64_t page = any_below(&t, TRAFFIC_PAGES);

		if (any_below(&t, 8) != 0)
			good = mark_page(&t, page);
		else
			release_pages(&t, page, 1 + any_below(&t, 600));
	}
	space_unreserve(t.hva);
	return good && frames_check() == NULL;
}

static bool space_refuses_strangers(void)
{
	struct vmmu_extent e;

	return space_resolve(mk_hva(HV_SPACE_END - VMMU_PAGE_SIZE), VMMU_R,
			     &e) == VMMU_RESOLVE_NONE &&
	       space_resolve(mk_hva(0), VMMU_R, &e) == VMMU_RESOLVE_NONE;
}

const struct promise selftest_memory[] = {
	{ "own page tables keep P1 to P3", tables_keep_invariants },
	{ "text refuses writes", text_refuses_writes },
	{ "read-only data refuses writes", rodata_refuses_writes },
	{ "the image has no second address", image_has_no_alias },
	{ "the low half is empty", low_half_is_empty },
	{ "the stack has a guard page", stack_has_guard },
	{ "free frames keep F1 and F2", frames_keep_invariants },
	{ "frames come back clean, in pieces", frames_come_back_clean },
	{ "a space gives memory and takes it back",
	  space_gives_and_takes_back },
	{ "a space keeps pages apart under traffic", space_stands_traffic },
	{ "a space refuses strangers", space_refuses_strangers },
	{ NULL, NULL },
};

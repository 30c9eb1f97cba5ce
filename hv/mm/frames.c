/* See frames.h. Which frames are free is buddy.c's; this file knows where
 * memory is, and keeps it clean. */
#include "mm/frames.h"

#include <string.h>

#include "cpu/print.h"
#include "mm/image.h"
#include "mm/paging.h"
#include "mm/ranges.h"

#define LOW_END UINT64_C(0x100000)

static struct buddy buddy;
static struct ranges ram;     /* what the direct map covers */
static struct ranges managed; /* what frame_free accepts */
static struct ranges high;    /* not reached by the boot tables */
static uint64_t total;

static uint64_t page_down(uint64_t v)
{
	return v & ~VMMU_PAGE_MASK;
}

static uint64_t page_up(uint64_t v)
{
	return page_down(v + VMMU_PAGE_MASK);
}

/* A frame that is zero already is only read: memory that nobody has touched
 * yet then costs an emulator or a hypervisor below us nothing. */
static void scrub_frame(uint64_t *word)
{
	uint64_t any = 0;
	unsigned i;

	for (i = 0; i < VMMU_PAGE_SIZE / 8; i += 8)
		any |= word[i] | word[i + 1] | word[i + 2] | word[i + 3] |
		       word[i + 4] | word[i + 5] | word[i + 6] | word[i + 7];
	if (any != 0)
		memset(word, 0, VMMU_PAGE_SIZE);
}

static void scrub(uint64_t start, uint64_t end)
{
	for (; start < end; start += VMMU_PAGE_SIZE)
		scrub_frame(hpa_ptr(mk_hpa(start)));
}

/* RAM rounded inward; whatever else the map names wins, rounded outward. */
static bool find_ram(const struct boot_info *boot)
{
	const struct boot_memory *m;
	uint64_t end;
	bool fits = true;
	unsigned i;

	for (i = 0; i < boot->memory_count; i++) {
		m = &boot->memory[i];
		end = page_down(m->start.v + m->size);
		if (end > HV_DIRECT_SIZE)
			end = HV_DIRECT_SIZE;
		if (m->type == BOOT_MEMORY_RAM)
			fits &= ranges_add(&ram, page_up(m->start.v), end);
	}
	for (i = 0; i < boot->memory_count; i++) {
		m = &boot->memory[i];
		if (m->type != BOOT_MEMORY_RAM)
			fits &= ranges_remove(&ram, page_down(m->start.v),
					      page_up(m->start.v + m->size));
	}
	return fits && ranges_remove(&ram, 0, LOW_END);
}

static bool keep_out(const struct boot_info *boot)
{
	const struct boot_module *m;
	bool fits;
	unsigned i;

	managed = ram;
	fits = ranges_remove(&managed, IMAGE_LOAD, image_hpa(image_end).v);
	for (i = 0; i < boot->module_count; i++) {
		m = &boot->module[i];
		fits &= ranges_remove(&managed, page_down(m->start.v),
				      page_up(m->start.v + m->size));
	}
	return fits;
}

static bool make_notes(void)
{
	uint64_t frame_count, bytes, at;

	if (ram.count == 0)
		return false;
	frame_count = ram.range[ram.count - 1].end / VMMU_PAGE_SIZE;
	bytes = page_up(8 * buddy_words(frame_count));
	if (!ranges_find(&managed, bytes, VMMU_PAGE_SIZE, HV_BOOT_LIMIT, &at) ||
	    !ranges_remove(&managed, at, at + bytes))
		return false;
	scrub(at, at + bytes);
	buddy_init(&buddy, frame_count, hpa_ptr(mk_hpa(at)));
	return true;
}

static void give_all(const struct ranges *r)
{
	const struct range *p;

	for (p = r->range; p < r->range + r->count; p++) {
		scrub(p->start, p->end);
		if (!buddy_give_run(&buddy, p->start / VMMU_PAGE_SIZE,
				    (p->end - p->start) / VMMU_PAGE_SIZE))
			panic("memory at 0x%lx was free twice", p->start);
		total += (p->end - p->start) / VMMU_PAGE_SIZE;
	}
}

const char *frames_init(const struct boot_info *boot)
{
	struct ranges low;

	if (!find_ram(boot) || !keep_out(boot))
		return "the memory map has too many holes";
	if (!make_notes())
		return "there is too little memory below 4 GiB";
	low = managed;
	high = managed;
	if (!ranges_remove(&low, HV_BOOT_LIMIT, UINT64_MAX) ||
	    !ranges_remove(&high, 0, HV_BOOT_LIMIT))
		return "the memory map has too many holes";
	give_all(&low);
	return NULL;
}

void frames_add_high(void)
{
	give_all(&high);
	high.count = 0;
}

const struct ranges *frames_ram(void)
{
	return &ram;
}

bool frame_alloc_run(unsigned order, hpa_t *out)
{
	uint64_t frame;

	if (!buddy_take(&buddy, order, &frame))
		return false;
	*out = mk_hpa(frame * VMMU_PAGE_SIZE);
	return true;
}

bool frame_alloc(hpa_t *out)
{
	return frame_alloc_run(0, out);
}

void frame_free(hpa_t hpa, unsigned order)
{
	uint64_t end = hpa.v + (VMMU_PAGE_SIZE << order);

	if (!ranges_contain(&managed, hpa.v, end))
		panic("0x%lx is given back but was never given", hpa.v);
	scrub(hpa.v, end);
	if (!buddy_give(&buddy, hpa.v / VMMU_PAGE_SIZE, order))
		panic("0x%lx is given back twice", hpa.v);
}

bool frames_add_region(hpa_t start, uint64_t size)
{
	struct ranges one = { .count = 1 };
	struct range *r = &one.range[0];
	unsigned i;

	r->start = page_up(start.v);
	r->end = page_down(start.v + size);
	if (start.v + size < start.v || r->start >= r->end ||
	    !ranges_contain(&ram, r->start, r->end))
		return false;
	for (i = 0; i < managed.count; i++) {
		if (managed.range[i].start < r->end &&
		    r->start < managed.range[i].end)
			return false;
	}
	if (!ranges_add(&managed, r->start, r->end))
		return false;
	give_all(&one);
	return true;
}

uint64_t frames_free(void)
{
	return buddy.free_count;
}

uint64_t frames_total(void)
{
	return total;
}

static bool block_is_zero(uint64_t frame, unsigned order)
{
	const uint64_t *word = hpa_ptr(mk_hpa(frame * VMMU_PAGE_SIZE));
	uint64_t i, any = 0;

	for (i = 0; i < (VMMU_PAGE_SIZE << order) / 8; i++)
		any |= word[i];
	return any == 0;
}

const char *frames_check(void)
{
	const struct bitset *set;
	uint64_t block;
	unsigned order;

	if (buddy_check(&buddy) != 0)
		return "the sets of free frames contradict each other";
	for (order = 0; order <= BUDDY_ORDER_MAX; order++) {
		set = &buddy.free[order];
		for (block = bitset_next(set, 0); block != BITSET_NONE;
		     block = bitset_next(set, block + 1)) {
			if (!ranges_contain(
				    &managed, (block << order) * VMMU_PAGE_SIZE,
				    ((block + 1) << order) * VMMU_PAGE_SIZE))
				return "F2: a free frame is not ours to give";
			if (!block_is_zero(block << order, order))
				return "F1: a free frame is not zero";
		}
	}
	return NULL;
}

/* See paging.h. The table engine counts addresses from 0 up, so canonical
 * addresses of the high half go to it without their sign extension. */
#include "mm/paging.h"

#include "cpu/cpu.h"
#include "cpu/print.h"
#include "mm/frames.h"
#include "mm/image.h"
#include "mm/ranges.h"

#define ADDRESS_BITS  48
#define ADDRESS_MASK  ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define HIGH_HALF     (UINT64_C(1) << (ADDRESS_BITS - 1))
#define CPUID_GB_PAGE (1u << 26) /* 0x80000001 edx */
/* 4 GiB of tables at most: more than the direct map can ask for. */
#define TABLE_PAGES (1u << 20)
/* As after reset. The formats' memory types count on it, and nested tables
 * are read by the host's: APM 2 15.25.8. */
#define PAT_RESET UINT64_C(0x0007040600070406)
/* Beyond so many pages one CR3 load is cheaper than INVLPG for each. */
#define INVLPG_MAX 32

static bool own_table_alloc(void *cookie, hpa_t *page)
{
	(void)cookie;
	return frame_alloc(page);
}

static void own_table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	frame_free(page, 0);
}

static void *own_ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return hpa_ptr(hpa);
}

/* All that the table engine calls. */
static const struct vmmu_host_ops own_ops = {
	.table_alloc = own_table_alloc,
	.table_free = own_table_free,
	.ptr = own_ptr,
};
static const struct vmmu_host own_host = { .ops = &own_ops };

static struct pt_pool pool;
static struct pt_table own;
static uint64_t device_next = HV_DEVICE_BASE;
static uint64_t template[HV_SLOTS];
static bool template_given;

static bool map(uint64_t hva, uint64_t size, hpa_t hpa, unsigned perms,
		enum vmmu_memtype type)
{
	return size == 0 || pt_map(&own, hva & ADDRESS_MASK, size, hpa, perms,
				   type) == PT_OK;
}

static bool map_part(const char *from, const char *to, unsigned perms)
{
	return map((uintptr_t)from, (uint64_t)(to - from), image_hpa(from),
		   perms, VMMU_WB);
}

static bool map_image(void)
{
	return map_part(image_text, image_text_end, VMMU_R | VMMU_X) &&
	       map_part(image_text_end, image_rodata_end, VMMU_R) &&
	       map_part(image_rodata_end, image_end, VMMU_R | VMMU_W);
}

static bool map_direct(void)
{
	struct ranges direct = *frames_ram();
	const struct range *r;

	if (!ranges_remove(&direct, IMAGE_LOAD, image_hpa(image_end).v))
		return false;
	for (r = direct.range; r < direct.range + direct.count; r++) {
		if (!map(HV_DIRECT_BASE + r->start, r->end - r->start,
			 mk_hpa(r->start), VMMU_R | VMMU_W, VMMU_WB))
			return false;
	}
	return true;
}

static uint8_t largest_leaf(void)
{
	if (cpuid(0x80000000, 0).eax < 0x80000001)
		return 2;
	return cpuid(0x80000001, 0).edx & CPUID_GB_PAGE ? 3 : 2;
}

void paging_init(void)
{
	pt_pool_init(&pool, &own_host, TABLE_PAGES);
	if (pt_table_init(&own, &pt_x86_64, &pool, largest_leaf()) != PT_OK ||
	    !map_image() || !map_direct())
		panic("no memory for the hypervisor's page tables");
	wrmsr(MSR_PAT, PAT_RESET);
	write_cr3(own.root.v);
}

bool paging_map(hva_t hva, uint64_t size, hpa_t hpa)
{
	if (map(hva.v, size, hpa, VMMU_R | VMMU_W, VMMU_WB))
		return true;
	paging_unmap(hva, size);
	return false;
}

bool paging_map_public(hva_t hva, uint64_t size, hpa_t hpa)
{
	if (map(hva.v, size, hpa, VMMU_R | VMMU_U, VMMU_WB))
		return true;
	paging_unmap(hva, size);
	return false;
}

static const uint64_t *top_entries(void)
{
	const uint64_t *top = hpa_ptr(own.root);

	return top + HV_SLOT_FIRST;
}

/* With the bit that the processor sets by itself (A) where it may. */
static uint64_t top_entry(unsigned i)
{
	uint64_t entry = top_entries()[i];

	return entry ? entry | 0x20 : 0;
}

void paging_template(uint64_t entries[])
{
	for (unsigned i = 0; i < HV_SLOTS; i++)
		entries[i] = template[i] = top_entry(i);
	template_given = true;
}

static bool template_holds(void)
{
	for (unsigned i = 0; template_given && i < HV_SLOTS; i++)
		if (template[i] != top_entry(i))
			return false;
	return true;
}

void paging_use(void)
{
	write_cr3(own.root.v);
}

static void forget(uint64_t hva, uint64_t size)
{
	uint64_t at;

	if (size / VMMU_PAGE_SIZE > INVLPG_MAX) {
		write_cr3(read_cr3());
		return;
	}
	for (at = 0; at < size; at += VMMU_PAGE_SIZE)
		invlpg(hva + at);
}

void paging_unmap(hva_t hva, uint64_t size)
{
	bool changed;

	if (pt_unmap(&own, hva.v & ADDRESS_MASK, size, &changed) != PT_OK)
		panic("0x%lx cannot be unmapped", hva.v);
	if (changed)
		forget(hva.v, size);
}

void *paging_map_device(hpa_t hpa, uint64_t size)
{
	uint64_t offset = hpa.v & VMMU_PAGE_MASK;
	uint64_t pages = (offset + size + VMMU_PAGE_MASK) & ~VMMU_PAGE_MASK;
	uint64_t at = device_next;

	if (pages > HV_END - at ||
	    !map(at, pages, mk_hpa(hpa.v - offset), VMMU_R | VMMU_W, VMMU_UC))
		return NULL;
	device_next += pages;
	return (void *)(at + offset);
}

bool paging_walk(hva_t hva, struct pt_walk *out)
{
	return pt_walk(&own, hva.v & ADDRESS_MASK, out);
}

bool paging_visit(hva_t hva, uint64_t size,
		  bool (*visit)(void *ctx, const struct pt_visit *v), void *ctx)
{
	return pt_visit(&own, hva.v & ADDRESS_MASK, size, PT_VISIT_LEAF, visit,
			ctx);
}

uint64_t paging_address(const struct pt_visit *v)
{
	return v->addr & HIGH_HALF ? v->addr | ~ADDRESS_MASK : v->addr;
}

uint32_t paging_table_pages(void)
{
	return pool.used + pool.spare;
}

/* Writable or executable memory of the image's that is seen elsewhere would
 * break P1 too: only its own mapping may lead there. */
static bool check_leaf(void *ctx, const struct pt_visit *v)
{
	const struct pt_level *row = &pt_x86_64.level[v->level];
	unsigned perms = pt_entry_perms(row, v->entry);
	uint64_t start = pt_leaf_addr(row, v->entry);
	bool in_image = start < image_hpa(image_end).v &&
			start + pt_span(row) > IMAGE_LOAD;
	bool own_address = paging_address(v) == HV_IMAGE_BASE + start;
	unsigned *broken = ctx;

	if ((perms & (VMMU_W | VMMU_X)) == (VMMU_W | VMMU_X) ||
	    (in_image && !own_address))
		*broken = 1;
	else if ((perms & VMMU_X) && !image_is_text(paging_address(v)))
		*broken = 2;
	else if (!(v->addr & HIGH_HALF))
		*broken = 3;
	return *broken == 0;
}

unsigned paging_check(void)
{
	unsigned broken = 0;

	pt_visit(&own, 0, UINT64_C(1) << ADDRESS_BITS, PT_VISIT_LEAF,
		 check_leaf, &broken);
	return broken || template_holds() ? broken : 4;
}

/*
 * The pool of table pages: bounds what a VM's tables cost its host (I4).
 *
 * Pages that tables give back are kept, so that the exit path asks the host
 * for nothing once the pool is warm:
 *
 *   used + spare <= limit, always
 *
 * A spare page is all zeroes but for its first eight bytes, which hold the
 * machine address of the next spare page. A processor that still walks the
 * page through a stale paging-structure cache (SDM 3A 4.10.3) finds only
 * absent entries: the link is page-aligned, so its low twelve bits, which
 * hold P of every x86 format and RWX of EPT, are clear.
 */
#include <string.h>

#include <vmmu/table.h>

static uint64_t *page_ptr(const struct pt_pool *p, hpa_t page)
{
	return p->host->ops->ptr(p->host->cookie, page);
}

static void spare_push(struct pt_pool *p, hpa_t page)
{
	*page_ptr(p, page) = p->spare_head;
	p->spare_head = page.v;
	p->spare++;
}

static hpa_t spare_pop(struct pt_pool *p)
{
	hpa_t page = mk_hpa(p->spare_head);
	uint64_t *link = page_ptr(p, page);

	p->spare_head = *link;
	*link = 0;
	p->spare--;
	return page;
}

void pt_pool_init(struct pt_pool *p, const struct vmmu_host *host,
		  uint32_t limit)
{
	*p = (struct pt_pool){ .host = host, .limit = limit };
}

void pt_pool_fini(struct pt_pool *p)
{
	while (p->spare)
		p->host->ops->table_free(p->host->cookie, spare_pop(p));
}

void pt_pool_set_limit(struct pt_pool *p, uint32_t limit)
{
	p->limit = limit;
	while (p->spare && p->used + p->spare > limit)
		p->host->ops->table_free(p->host->cookie, spare_pop(p));
}

bool pt_pool_reserve(struct pt_pool *p, uint32_t count)
{
	hpa_t page;

	while (p->spare < count) {
		if (p->used + p->spare >= p->limit)
			return false;
		if (!p->host->ops->table_alloc(p->host->cookie, &page))
			return false;
		spare_push(p, page);
	}
	return true;
}

bool pt_pool_get(struct pt_pool *p, hpa_t *page, uint64_t **entries)
{
	if (!pt_pool_reserve(p, 1))
		return false;
	*page = spare_pop(p);
	*entries = page_ptr(p, *page);
	if (++p->used > p->peak)
		p->peak = p->used;
	return true;
}

void pt_pool_put(struct pt_pool *p, hpa_t page)
{
	memset(page_ptr(p, page), 0, VMMU_PAGE_SIZE);
	p->used--;
	spare_push(p, page);
}

/* Memory for the VMs' own objects: a run of frames of the least order. */
#include "vm/memory.h"

#include "mm/frames.h"
#include "mm/paging.h"

static unsigned order_of(size_t size)
{
	unsigned order = 0;

	while ((VMMU_PAGE_SIZE << order) < size)
		order++;
	return order;
}

void *vm_alloc(size_t size)
{
	hpa_t at;

	if (!frame_alloc_run(order_of(size), &at))
		return NULL;
	return hpa_ptr(at);
}

void vm_free(void *object, size_t size)
{
	frame_free(ptr_hpa(object), order_of(size));
}

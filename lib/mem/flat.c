/*
 * A host whose memory is one array. See flat.h.
 */
#include <vmmu/flat.h>

static bool no_table(void *cookie, hpa_t *page)
{
	(void)cookie;
	(void)page;
	return false;
}

static void table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	(void)page;
}

static void *ptr(void *cookie, hpa_t hpa)
{
	const struct vmmu_flat *flat = cookie;

	return (uint8_t *)flat->memory + hpa.v;
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	const struct vmmu_flat *flat = cookie;
	uint64_t size = flat->size & ~VMMU_PAGE_MASK;

	(void)access;
	if (hva.v >= size)
		return VMMU_RESOLVE_NONE;
	*out = (struct vmmu_extent){ .size = size };
	return VMMU_RESOLVE_OK;
}

static void flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	(void)cookie;
	(void)cpu;
	(void)gva;
}

static void flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	(void)cookie;
	(void)cpu;
}

static void flush_all(void *cookie)
{
	(void)cookie;
}

const struct vmmu_host_ops vmmu_flat_ops = {
	.table_alloc = no_table,
	.table_free = table_free,
	.ptr = ptr,
	.resolve = resolve,
	.flush_gva = flush_gva,
	.flush_cpu = flush_cpu,
	.flush_all = flush_all,
};

/* See host.h. */
#include "port/host.h"

#include "cpu/print.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "mm/space.h"

static bool table_alloc(void *cookie, hpa_t *page)
{
	(void)cookie;
	return frame_alloc(page);
}

static void table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	frame_free(page, 0);
}

static void *ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return hpa_ptr(hpa);
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	(void)cookie;
	return space_resolve(hva, access, out);
}

static void flush_all(void *cookie)
{
	const struct hv_port *port = cookie;

	port->flush(port->ctx);
}

static void flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	const struct hv_port *port = cookie;

	port->flush_cpu(cpu);
}

static void flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	const struct hv_port *port = cookie;

	port->flush_gva(cpu, gva);
}

static void log_writes(void *cookie, bool on)
{
	const struct hv_port *port = cookie;

	port->log_writes(port->ctx, on);
}

static void log_drain(void *cookie)
{
	const struct hv_port *port = cookie;

	port->log_drain(port->ctx);
}

static void log_sentence(void *cookie, const char *sentence)
{
	(void)cookie;
	say("%s", sentence);
}

const struct vmmu_host_ops hv_host_ops = {
	.table_alloc = table_alloc,
	.table_free = table_free,
	.ptr = ptr,
	.resolve = resolve,
	.flush_gva = flush_gva,
	.flush_cpu = flush_cpu,
	.flush_all = flush_all,
	.log_writes = log_writes,
	.log_drain = log_drain,
	.log = log_sentence,
};

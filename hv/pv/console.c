/*
 * The guest's console: a page with two rings in its memory. Its indices are
 * the guest's to write: each is read once, and no more than one ring is taken
 * or given, so that nothing it writes there makes us go on for ever.
 */
#include "pv/pv.h"

#include "cpu/serial.h"

void pv_console_init(struct pv_domain *d, void *page)
{
	d->console = page;
	d->console_port = 1;
	d->port[1].state = PV_PORT_CONSOLE;
}

void pv_console_drain(struct pv_domain *d)
{
	struct xencons_interface *r = d->console;
	uint32_t from, to;

	if (!r)
		return;
	from = r->out_cons;
	to = __atomic_load_n(&r->out_prod, __ATOMIC_ACQUIRE);
	if (from == to)
		return;
	if (to - from > sizeof(r->out))
		from = to - (uint32_t)sizeof(r->out);
	for (; from != to; from++)
		host_console_write(
			(uint8_t)r->out[MASK_XENCONS_IDX(from, r->out)]);
	__atomic_store_n(&r->out_cons, to, __ATOMIC_RELEASE);
	pv_port_raise(d, d->console_port);
}

void pv_console_fill(struct pv_domain *d)
{
	struct xencons_interface *r = d->console;
	uint32_t from, to, start;

	if (!r)
		return;
	from = __atomic_load_n(&r->in_cons, __ATOMIC_ACQUIRE);
	to = start = r->in_prod;
	while (to - from < sizeof(r->in)) {
		int byte = host_console_read();

		if (byte < 0)
			break;
		r->in[MASK_XENCONS_IDX(to, r->in)] = (char)byte;
		to++;
	}
	if (to == start)
		return;
	__atomic_store_n(&r->in_prod, to, __ATOMIC_RELEASE);
	pv_port_raise(d, d->console_port);
}

/* By hypercall, from anywhere in guest memory, and as much as there is: the
 * host takes its interrupts on the way. */
void pv_console_write(struct pv_cpu *c, uint64_t va, uint64_t size)
{
	uint8_t text[256];

	while (size) {
		uint64_t n = size < sizeof(text) ? size : sizeof(text);

		if (!pv_get(text, va, n))
			return;
		for (uint64_t i = 0; i < n; i++)
			host_console_write(text[i]);
		va += n;
		size -= n;
		if (size)
			pv_breathe(c);
	}
}

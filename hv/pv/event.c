/*
 * Event channels, in the ABI's two levels of bits: a port is pending in the
 * shared page, its word is pending in the vCPU's selector, and then the vCPU
 * has an upcall to take. The guest owns the bits and may write what it likes
 * into them; which ports exist, and what for, is kept here.
 */
#include "pv/pv.h"

#include "vm/vm.h"

#define VIRQS NR_VIRQS

/* 1. Bits. Others may write them at the same time: the guest's other vCPUs. */

static bool test_and_set(xen_ulong_t *word, unsigned bit)
{
	uint64_t mask = UINT64_C(1) << bit;

	return __atomic_fetch_or(word, mask, __ATOMIC_SEQ_CST) & mask;
}

static void clear(xen_ulong_t *word, unsigned bit)
{
	__atomic_fetch_and(word, ~(UINT64_C(1) << bit), __ATOMIC_SEQ_CST);
}

static bool test(const xen_ulong_t *word, unsigned bit)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST) >> bit & 1;
}

bool pv_event_pending(const struct pv_cpu *c)
{
	return c->info->evtchn_upcall_pending;
}

static void notify(struct pv_domain *d, uint32_t port)
{
	struct pv_cpu *c = d->cpu;

	if (test(&d->shared->evtchn_mask[port / 64], port % 64) ||
	    test_and_set(&c->info->evtchn_pending_sel, port / 64))
		return;
	c->info->evtchn_upcall_pending = 1;
	if (!c->info->evtchn_upcall_mask)
		c->blocked = false;
}

void pv_port_raise(struct pv_domain *d, uint32_t port)
{
	if (port == PV_PORT_NONE ||
	    test_and_set(&d->shared->evtchn_pending[port / 64], port % 64))
		return;
	notify(d, port);
}

static void unmask(struct pv_domain *d, uint32_t port)
{
	clear(&d->shared->evtchn_mask[port / 64], port % 64);
	if (test(&d->shared->evtchn_pending[port / 64], port % 64))
		notify(d, port);
}

/* 2. Ports. */

static uint32_t find_free(const struct pv_domain *d)
{
	for (uint32_t i = 1; i < PV_PORTS; i++)
		if (d->port[i].state == PV_PORT_FREE)
			return i;
	return PV_PORT_NONE;
}

static uint32_t take(struct pv_domain *d, enum pv_port_state state)
{
	uint32_t port = find_free(d);

	if (port != PV_PORT_NONE)
		d->port[port] = (struct pv_port){ .state = (uint8_t)state };
	return port;
}

static bool exists(const struct pv_domain *d, uint32_t port)
{
	return port && port < PV_PORTS && d->port[port].state != PV_PORT_FREE;
}

static long bind_virq(struct pv_domain *d, uint64_t arg)
{
	struct evtchn_bind_virq b;

	if (!pv_get(&b, arg, sizeof(b)))
		return -XEN_EFAULT;
	if (b.virq >= VIRQS)
		return -XEN_EINVAL;
	if (b.vcpu != 0)
		return -XEN_ENOENT;
	for (uint32_t i = 1; i < PV_PORTS; i++)
		if (d->port[i].state == PV_PORT_VIRQ &&
		    d->port[i].virq == b.virq)
			return -XEN_EEXIST;
	b.port = take(d, PV_PORT_VIRQ);
	if (b.port == PV_PORT_NONE)
		return -XEN_ENOSPC;
	d->port[b.port].virq = (uint8_t)b.virq;
	if (b.virq == VIRQ_TIMER)
		d->timer_port = b.port;
	return pv_put(arg, &b, sizeof(b)) ? 0 : -XEN_EFAULT;
}

static long bind_ipi(struct pv_domain *d, uint64_t arg)
{
	struct evtchn_bind_ipi b;

	if (!pv_get(&b, arg, sizeof(b)))
		return -XEN_EFAULT;
	if (b.vcpu != 0)
		return -XEN_ENOENT;
	b.port = take(d, PV_PORT_IPI);
	if (b.port == PV_PORT_NONE)
		return -XEN_ENOSPC;
	return pv_put(arg, &b, sizeof(b)) ? 0 : -XEN_EFAULT;
}

/* One that nobody will ever bind: there is no other domain. */
static long alloc_unbound(struct pv_domain *d, uint64_t arg)
{
	struct evtchn_alloc_unbound a;

	if (!pv_get(&a, arg, sizeof(a)))
		return -XEN_EFAULT;
	if (a.dom != DOMID_SELF)
		return -XEN_EPERM;
	a.port = take(d, PV_PORT_UNBOUND);
	if (a.port == PV_PORT_NONE)
		return -XEN_ENOSPC;
	return pv_put(arg, &a, sizeof(a)) ? 0 : -XEN_EFAULT;
}

/* 3. Operations on a port, which all begin with its number. */

static long close_port(struct pv_domain *d, uint32_t port)
{
	if (d->port[port].state == PV_PORT_CONSOLE)
		return -XEN_EINVAL;
	if (d->timer_port == port)
		d->timer_port = PV_PORT_NONE;
	d->port[port].state = PV_PORT_FREE;
	clear(&d->shared->evtchn_pending[port / 64], port % 64);
	return 0;
}

static long send(struct pv_domain *d, uint32_t port)
{
	switch (d->port[port].state) {
	case PV_PORT_CONSOLE:
		pv_console_drain(d);
		return 0;
	case PV_PORT_IPI:
		pv_port_raise(d, port);
		return 0;
	case PV_PORT_UNBOUND:
		return 0;
	default:
		return -XEN_EINVAL;
	}
}

static long status(const struct pv_domain *d, uint64_t arg)
{
	static const uint8_t names[] = {
		[PV_PORT_FREE] = EVTCHNSTAT_closed,
		[PV_PORT_CONSOLE] = EVTCHNSTAT_interdomain,
		[PV_PORT_UNBOUND] = EVTCHNSTAT_unbound,
		[PV_PORT_VIRQ] = EVTCHNSTAT_virq,
		[PV_PORT_IPI] = EVTCHNSTAT_ipi,
	};
	struct evtchn_status s;

	if (!pv_get(&s, arg, sizeof(s)))
		return -XEN_EFAULT;
	if (s.dom != DOMID_SELF)
		return -XEN_EPERM;
	if (s.port >= PV_PORTS)
		return -XEN_EINVAL;
	s.status = names[d->port[s.port].state];
	s.vcpu = 0;
	s.u.virq = d->port[s.port].virq;
	return pv_put(arg, &s, sizeof(s)) ? 0 : -XEN_EFAULT;
}

static long on_port(struct pv_domain *d, uint64_t cmd, uint64_t arg)
{
	struct evtchn_bind_vcpu b; /* the longest that begins with a port */
	uint32_t port;

	if (!pv_get(&port, arg, sizeof(port)))
		return -XEN_EFAULT;
	if (!exists(d, port))
		return -XEN_EINVAL;
	switch (cmd) {
	case EVTCHNOP_close:
		return close_port(d, port);
	case EVTCHNOP_send:
		return send(d, port);
	case EVTCHNOP_unmask:
		unmask(d, port);
		return 0;
	default: /* bind_vcpu */
		if (!pv_get(&b, arg, sizeof(b)))
			return -XEN_EFAULT;
		return b.vcpu == 0 ? 0 : -XEN_ENOENT;
	}
}

long pv_event_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
		 uint64_t a5, struct pv_cpu *c)
{
	struct pv_domain *d = c->domain;

	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.event_op, cmd);
	switch (cmd) {
	case EVTCHNOP_bind_virq:
		return bind_virq(d, arg);
	case EVTCHNOP_bind_ipi:
		return bind_ipi(d, arg);
	case EVTCHNOP_alloc_unbound:
		return alloc_unbound(d, arg);
	case EVTCHNOP_status:
		return status(d, arg);
	case EVTCHNOP_close:
	case EVTCHNOP_send:
	case EVTCHNOP_unmask:
	case EVTCHNOP_bind_vcpu:
		return on_port(d, cmd, arg);
	default: /* the FIFO ABI among them: the guest takes the bits */
		return -XEN_ENOSYS;
	}
}

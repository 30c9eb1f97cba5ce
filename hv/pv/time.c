/*
 * The guest's clock and its timer. The clock is the processor's TSC and one
 * rate, told once and true for good (the page says that all agree on it); the
 * timer is the host's alarm at the TSC that belongs to the guest's ns.
 */
#include "pv/pv.h"

#include "cpu/cpu.h"
#include "cpu/timer.h"
#include "cpu/wallclock.h"
#include "dev/kvmclock.h"
#include "dev/tsc.h"
#include "vm/vm.h"

#define NS_PER_MS UINT64_C(1000000)

uint64_t pv_time_now(const struct pv_domain *d)
{
	const struct kvmclock_rate rate = kvmclock_rate(host_tsc_khz);

	return kvmclock_ns(&rate, rdtsc() - d->started);
}

/* An odd version says that it is being written. */
void pv_time_tell(struct pv_cpu *c)
{
	const struct kvmclock_rate rate = kvmclock_rate(host_tsc_khz);
	struct vcpu_time_info *t = &c->info->time;
	uint32_t version = (t->version | 1) + 1;

	__atomic_store_n(&t->version, version - 1, __ATOMIC_SEQ_CST);
	t->tsc_timestamp = c->domain->started;
	t->system_time = 0;
	t->tsc_to_system_mul = rate.mul;
	t->tsc_shift = rate.shift;
	t->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
	__atomic_store_n(&t->version, version, __ATOMIC_SEQ_CST);
}

void pv_time_init(struct pv_cpu *c)
{
	struct pv_domain *d = c->domain;
	uint64_t now = wallclock_read();

	d->started = rdtsc();
	d->shared->wc_version = 2;
	d->shared->wc_sec = (uint32_t)now;
	d->shared->wc_sec_hi = (uint32_t)(now >> 32);
	c->timer = UINT64_MAX;
	pv_time_tell(c);
}

/* ns of the guest -> TSC of the host, late rather than early. */
static uint64_t deadline(const struct pv_domain *d, uint64_t ns)
{
	if (ns >= UINT64_MAX / host_tsc_khz / 2)
		return UINT64_MAX;
	return d->started + tsc_muldiv(ns, host_tsc_khz, NS_PER_MS) + 1;
}

static void arm(struct pv_cpu *c)
{
	uint64_t tsc = UINT64_MAX;

	if (c->timer != UINT64_MAX)
		tsc = deadline(c->domain, c->timer);
	if (tsc == UINT64_MAX)
		host_timer_stop();
	else
		host_timer_arm(tsc);
}

void pv_timer_set(struct pv_cpu *c, uint64_t ns)
{
	c->timer = ns;
	arm(c);
}

void pv_timer_check(struct pv_cpu *c)
{
	if (c->timer == UINT64_MAX)
		return;
	if (pv_time_now(c->domain) < c->timer) {
		arm(c);
		return;
	}
	c->timer = UINT64_MAX;
	pv_port_raise(c->domain, c->domain->timer_port);
}

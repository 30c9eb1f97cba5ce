/*
 * hv/pv/event.c, console.c, time.c, call_vcpu.c: ports, the console's rings,
 * the clock and the timer, where a vCPU's words lie, and what it does when it
 * has nothing to do.
 */
#include "pv_rig.h"

#define SHARED (rig.d->shared)

/* 1. Ports. */

static long on(unsigned cmd, uint32_t port)
{
	struct evtchn_bind_vcpu *b = rig_spare(0);

	*b = (struct evtchn_bind_vcpu){ .port = port };
	return call(event_channel_op, cmd, b);
}

static uint32_t bind_ipi(void)
{
	struct evtchn_bind_ipi *b = rig_spare(0);

	*b = (struct evtchn_bind_ipi){ .vcpu = 0 };
	if (call(event_channel_op, EVTCHNOP_bind_ipi, b))
		return 0;
	return b->port;
}

static long bind_virq(uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_virq *b = rig_spare(0);
	long result;

	*b = (struct evtchn_bind_virq){ .virq = virq, .vcpu = vcpu };
	result = call(event_channel_op, EVTCHNOP_bind_virq, b);
	*port = b->port;
	return result;
}

static bool pending(uint32_t port)
{
	return SHARED->evtchn_pending[port / 64] >> (port % 64) & 1;
}

static bool upcall(uint32_t port)
{
	return rig.c->info->evtchn_upcall_pending &&
	       (rig.c->info->evtchn_pending_sel >> (port / 64) & 1);
}

static void a_port_to_itself(void **state)
{
	uint32_t port = bind_ipi();

	(void)state;
	assert_int_equal(port, 2); /* 1 is the console's */
	rig.c->blocked = true;
	assert_int_equal(on(EVTCHNOP_send, port), 0);
	assert_true(pending(port) && upcall(port));
	assert_true(rig.c->blocked); /* events are held off */
	rig.c->info->evtchn_upcall_pending = 0;
	assert_int_equal(on(EVTCHNOP_send, port), 0);
	assert_false(upcall(port)); /* it is pending already */
	rig.c->info->evtchn_pending_sel = 0;
	SHARED->evtchn_pending[0] = 0;
	rig.c->info->evtchn_upcall_mask = 0;
	on(EVTCHNOP_send, port);
	assert_true(upcall(port));
	assert_false(rig.c->blocked);
}

static void a_masked_port_waits(void **state)
{
	uint32_t port = bind_ipi();

	(void)state;
	SHARED->evtchn_mask[0] = UINT64_C(1) << port;
	on(EVTCHNOP_send, port);
	assert_true(pending(port));
	assert_false(upcall(port));
	assert_int_equal(on(EVTCHNOP_unmask, port), 0);
	assert_true(upcall(port));
	assert_int_equal(SHARED->evtchn_mask[0], 0);
	rig.c->info->evtchn_upcall_pending = 0;
	rig.c->info->evtchn_pending_sel = 0;
	SHARED->evtchn_pending[0] = 0;
	assert_int_equal(on(EVTCHNOP_unmask, port), 0);
	assert_false(upcall(port));
}

static void ports_that_there_are_not(void **state)
{
	static const uint32_t none[] = { 0, 2, 4095, 4096, 70000, UINT32_MAX };
	static const unsigned cmds[] = { EVTCHNOP_close, EVTCHNOP_send,
					 EVTCHNOP_unmask, EVTCHNOP_bind_vcpu };

	(void)state;
	for (size_t i = 0; i < 6; i++)
		for (size_t n = 0; n < 4; n++)
			assert_int_equal(on(cmds[n], none[i]), -XEN_EINVAL);
	for (unsigned cmd = 0; cmd < 100; cmd++) {
		bool known = cmd == EVTCHNOP_bind_virq ||
			     (cmd >= EVTCHNOP_close && cmd <= EVTCHNOP_unmask);

		if (!known)
			assert_int_equal(on(cmd, 1), -XEN_ENOSYS);
	}
	assert_int_equal(on(EVTCHNOP_close, 1), -XEN_EINVAL); /* console */
}

static void a_port_is_closed(void **state)
{
	uint32_t port = bind_ipi();

	(void)state;
	on(EVTCHNOP_send, port);
	assert_int_equal(on(EVTCHNOP_close, port), 0);
	assert_false(pending(port));
	assert_int_equal(on(EVTCHNOP_send, port), -XEN_EINVAL);
	assert_int_equal(bind_ipi(), port);
}

static void all_ports_are_taken(void **state)
{
	struct evtchn_alloc_unbound *a = rig_spare(0);
	uint32_t port, count = 0;

	(void)state;
	while (bind_ipi())
		count++;
	assert_int_equal(count, PV_PORTS - 2);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0, &port), -XEN_ENOSPC);
	*a = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF };
	assert_int_equal(call(event_channel_op, EVTCHNOP_alloc_unbound, a),
			 -XEN_ENOSPC);
	assert_int_equal(on(EVTCHNOP_send, PV_PORTS - 1), 0);
	assert_true(pending(PV_PORTS - 1) && upcall(PV_PORTS - 1));
	assert_int_equal(on(EVTCHNOP_close, 77), 0);
	assert_int_equal(bind_ipi(), 77);
}

static void interrupts_of_the_machine(void **state)
{
	uint32_t port, other;

	(void)state;
	assert_int_equal(bind_virq(NR_VIRQS, 0, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(UINT32_MAX, 0, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(VIRQ_TIMER, 1, &port), -XEN_ENOENT);
	assert_int_equal(bind_virq(VIRQ_DEBUG, 0, &other), 0);
	assert_int_equal(rig.d->timer_port, 0);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0, &port), 0);
	assert_int_equal(rig.d->timer_port, port);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0, &other), -XEN_EEXIST);
	assert_int_equal(on(EVTCHNOP_send, port), -XEN_EINVAL);
	assert_int_equal(on(EVTCHNOP_close, port), 0);
	assert_int_equal(rig.d->timer_port, 0);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0, &port), 0);
}

static void other_vcpus_and_domains(void **state)
{
	struct evtchn_bind_ipi *ipi = rig_spare(1);
	struct evtchn_bind_vcpu *vcpu = rig_spare(2);
	struct evtchn_alloc_unbound *a = rig_spare(3);
	struct evtchn_status *s = rig_spare(4);

	(void)state;
	*ipi = (struct evtchn_bind_ipi){ .vcpu = 1 };
	assert_int_equal(call(event_channel_op, EVTCHNOP_bind_ipi, ipi),
			 -XEN_ENOENT);
	*vcpu = (struct evtchn_bind_vcpu){ .port = bind_ipi(), .vcpu = 1 };
	assert_int_equal(call(event_channel_op, EVTCHNOP_bind_vcpu, vcpu),
			 -XEN_ENOENT);
	vcpu->vcpu = 0;
	assert_int_equal(call(event_channel_op, EVTCHNOP_bind_vcpu, vcpu), 0);
	*a = (struct evtchn_alloc_unbound){ .dom = 3 };
	assert_int_equal(call(event_channel_op, EVTCHNOP_alloc_unbound, a),
			 -XEN_EPERM);
	a->dom = DOMID_SELF;
	assert_int_equal(call(event_channel_op, EVTCHNOP_alloc_unbound, a), 0);
	assert_int_equal(on(EVTCHNOP_send, a->port), 0);
	assert_false(pending(a->port));
	*s = (struct evtchn_status){ .dom = DOMID_SELF, .port = a->port };
	assert_int_equal(call(event_channel_op, EVTCHNOP_status, s), 0);
	assert_int_equal(s->status, EVTCHNSTAT_unbound);
	s->port = 1;
	assert_int_equal(call(event_channel_op, EVTCHNOP_status, s), 0);
	assert_int_equal(s->status, EVTCHNSTAT_interdomain);
	s->port = 4000;
	assert_int_equal(call(event_channel_op, EVTCHNOP_status, s), 0);
	assert_int_equal(s->status, EVTCHNSTAT_closed);
	s->port = PV_PORTS;
	assert_int_equal(call(event_channel_op, EVTCHNOP_status, s),
			 -XEN_EINVAL);
	*s = (struct evtchn_status){ .dom = 1, .port = 1 };
	assert_int_equal(call(event_channel_op, EVTCHNOP_status, s),
			 -XEN_EPERM);
}

static void requests_that_are_not_there(void **state)
{
	(void)state;
	for (unsigned cmd = 0; cmd < 16; cmd++)
		for (size_t i = 0; i < RIG_BAD; i++)
			assert_true(call(event_channel_op, cmd, rig_bad[i]) <
				    0);
	/* Read where it may be, and answered where it may not. */
	call(update_va_mapping, rig_spare(1),
	     rig_mfn_of(rig_spare(1)) << 12 | P_RO, UVMF_INVLPG);
	rig_see((uintptr_t)rig_spare(1));
	assert_int_equal(
		call(event_channel_op, EVTCHNOP_bind_ipi, rig_spare(1)),
		-XEN_EFAULT);
}

/* 2. The console. */

static struct xencons_interface *ring(void)
{
	return pv_page(hfn_hpa(mk_hfn(rig.si->console.domU.mfn)));
}

static void text_goes_out(void **state)
{
	struct xencons_interface *r = ring();

	(void)state;
	assert_ptr_equal(rig.d->console, r);
	memcpy(r->out, "hello", 5);
	r->out_prod = 5;
	assert_int_equal(on(EVTCHNOP_send, 1), 0);
	assert_int_equal(rig.console_size, 5);
	assert_string_equal(rig.console, "hello");
	assert_int_equal(r->out_cons, 5);
	assert_true(pending(1)); /* there is room again */
	SHARED->evtchn_pending[0] = 0;
	assert_int_equal(on(EVTCHNOP_send, 1), 0);
	assert_int_equal(rig.console_size, 5);
	assert_false(pending(1));
	/* Across the ring's end, and that of all numbers. */
	r->out_cons = UINT32_MAX - 1;
	r->out_prod = 2;
	memcpy(&r->out[sizeof(r->out) - 2], "ab", 2);
	memcpy(r->out, "cd", 2);
	on(EVTCHNOP_send, 1);
	assert_string_equal(rig.console, "helloabcd");
}

/* No more than the ring has, whatever the guest writes there. */
static void indices_are_wild(void **state)
{
	struct xencons_interface *r = ring();

	(void)state;
	r->out_prod = 0x80000000;
	on(EVTCHNOP_send, 1);
	assert_int_equal(rig.console_size, sizeof(r->out));
	assert_int_equal(r->out_cons, 0x80000000);
	r->out_cons = 5;
	r->out_prod = 4;
	on(EVTCHNOP_send, 1);
	assert_int_equal(rig.console_size, 2 * sizeof(r->out));
	assert_int_equal(r->out_cons, 4);
}

static void text_comes_in(void **state)
{
	struct xencons_interface *r = ring();
	char many[2000];

	(void)state;
	rig.typed = "typed";
	pv_console_fill(rig.d);
	assert_int_equal(r->in_prod, 5);
	assert_memory_equal(r->in, "typed", 5);
	assert_true(pending(1));
	memset(many, 'm', sizeof(many) - 1);
	many[sizeof(many) - 1] = 0;
	rig.typed = many;
	pv_console_fill(rig.d);
	assert_int_equal(r->in_prod, sizeof(r->in)); /* it is full */
	SHARED->evtchn_pending[0] = 0;
	pv_console_fill(rig.d);
	assert_false(pending(1));
	r->in_cons = 10;
	pv_console_fill(rig.d);
	assert_int_equal(r->in_prod, sizeof(r->in) + 10);
	r->in_cons = 0x80000000; /* nothing of the kind is free */
	pv_console_fill(rig.d);
	assert_int_equal(r->in_prod, sizeof(r->in) + 10);
}

/* 3. Time. */

static void the_clock_is_told(void **state)
{
	const struct vcpu_time_info *t = &rig.c->info->time;

	(void)state;
	assert_int_equal(t->version % 2, 0);
	assert_true(t->version > 0);
	assert_true(t->tsc_to_system_mul != 0);
	assert_int_equal(t->tsc_timestamp, rig.d->started);
	assert_int_equal(t->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
	assert_int_equal(SHARED->wc_sec, 0x34567890);
	assert_int_equal(SHARED->wc_sec_hi, 0x12);
}

static long singleshot(uint64_t ns, uint32_t flags)
{
	struct vcpu_set_singleshot_timer *t = rig_spare(0);

	*t = (struct vcpu_set_singleshot_timer){ ns, flags };
	return call(vcpu_op, VCPUOP_set_singleshot_timer, 0, t);
}

static void the_timer(void **state)
{
	uint64_t now = pv_time_now(rig.d), hour = UINT64_C(3600000000000);
	uint32_t port;

	(void)state;
	bind_virq(VIRQ_TIMER, 0, &port);
	assert_int_equal(singleshot(now + hour, 0), 0);
	assert_true(rig.armed > rig.d->started);
	pv_timer_check(rig.c);
	assert_false(pending(port));
	assert_int_equal(call(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0);
	assert_int_equal(rig.armed, 0);
	pv_timer_check(rig.c);
	assert_false(pending(port));
	assert_int_equal(singleshot(now, 0), 0);
	rig.timer_fired = true;
	pv_breathe(rig.c);
	assert_true(pending(port));
	assert_int_equal(rig.c->timer, UINT64_MAX);
	assert_int_equal(singleshot(1, VCPU_SSHOTTMR_future), -XEN_ETIME);
	assert_int_equal(singleshot(now + hour, VCPU_SSHOTTMR_future), 0);
	/* Times that no counter reaches. */
	assert_int_equal(singleshot(UINT64_MAX, 0), 0);
	assert_int_equal(singleshot(UINT64_MAX - 1, 0), 0);
	assert_int_equal(rig.armed, 0);
	for (unsigned shift = 0; shift < 64; shift++)
		assert_int_equal(singleshot(UINT64_C(1) << shift, 0), 0);
	assert_int_equal(call(set_timer_op, now + hour), 0);
	assert_int_equal(rig.c->timer, now + hour);
	assert_int_equal(call(set_timer_op, 0), 0);
	assert_int_equal(rig.c->timer, UINT64_MAX);
}

/* 4. vcpu_op. */

static long register_info(uint64_t mfn, uint32_t offset)
{
	struct vcpu_register_vcpu_info *r = rig_spare(0);

	*r = (struct vcpu_register_vcpu_info){ .mfn = mfn, .offset = offset };
	return call(vcpu_op, VCPUOP_register_vcpu_info, 0, r);
}

static void words_move(void **state)
{
	uint8_t *page = rig_spare(3);
	uint64_t mfn = rig_mfn_of(page);
	const struct vcpu_info *info = (const void *)(page + 64);

	(void)state;
	assert_int_equal(register_info(mfn, 4096 - 63), -XEN_EINVAL);
	assert_int_equal(register_info(mfn, 4096 - 56), -XEN_EINVAL);
	assert_int_equal(register_info(mfn, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(register_info(mfn, UINT32_MAX & ~7u), -XEN_EINVAL);
	assert_int_equal(register_info(mfn, 4), -XEN_EINVAL);
	assert_int_equal(register_info(7, 0), -XEN_EPERM);
	assert_int_equal(register_info(~UINT64_C(0), 0), -XEN_EPERM);
	assert_int_equal(register_info(rig_mfn_of((void *)rig.si->pt_base), 0),
			 -XEN_EINVAL);
	rig.c->info->arch.cr2 = 0x1234;
	assert_int_equal(register_info(mfn, 64), 0);
	assert_int_equal(info->arch.cr2, 0x1234);
	assert_int_equal(info->evtchn_upcall_mask, 1);
	assert_int_equal(info->evtchn_upcall_pending, 1);
	assert_true(info->time.tsc_to_system_mul != 0);
	assert_int_equal(register_info(mfn, 64), -XEN_EINVAL); /* for good */
	/* Held: it stays the guest's, and writable. */
	assert_int_equal(call(update_va_mapping, page, 0, UVMF_INVLPG), 0);
	assert_int_equal(rig.frame[mfn].type_count, 1);
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_true(call(vcpu_op, VCPUOP_register_vcpu_info, 0,
				 rig_bad[i]) < 0);
	rig.c->info->arch.cr2 = 0x5678;
	call(update_va_mapping, page, mfn << 12 | P_RW, UVMF_INVLPG);
	assert_int_equal(info->arch.cr2, 0x5678);
}

static void the_last_place_of_a_page(void **state)
{
	(void)state;
	assert_int_equal(register_info(rig_mfn_of(rig_spare(3)), 4096 - 64), 0);
}

static void vcpus(void **state)
{
	struct vcpu_runstate_info *info = rig_spare(1);
	struct vcpu_register_time_memory_area *area = rig_spare(2);
	struct vcpu_register_runstate_memory_area *run = rig_spare(3);
	uint64_t bad;

	(void)state;
	assert_int_equal(call(vcpu_op, VCPUOP_is_up, 0, 0), 1);
	assert_int_equal(call(vcpu_op, VCPUOP_up, 0, 0), 0);
	assert_int_equal(call(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), 0);
	assert_int_equal(call(vcpu_op, VCPUOP_send_nmi, 0, 0), -XEN_ENOSYS);
	assert_int_equal(call(vcpu_op, ~UINT64_C(0), 0, 0), -XEN_ENOSYS);
	for (unsigned cmd = 0; cmd < 16; cmd++) {
		assert_int_equal(call(vcpu_op, cmd, 1, info), -XEN_ENOENT);
		assert_int_equal(call(vcpu_op, cmd, ~UINT64_C(0), info),
				 -XEN_ENOENT);
	}
	info->state = 77;
	assert_int_equal(call(vcpu_op, VCPUOP_get_runstate_info, 0, info), 0);
	assert_int_equal(info->state, RUNSTATE_running);
	run->addr.p = (uintptr_t)info;
	info->state = 77;
	assert_int_equal(
		call(vcpu_op, VCPUOP_register_runstate_memory_area, 0, run), 0);
	assert_int_equal(info->state, RUNSTATE_running);
	area->addr.p = (uintptr_t)info;
	assert_int_equal(
		call(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, area),
		0);
	assert_memory_equal(info, &rig.c->info->time,
			    sizeof(rig.c->info->time));
	area->addr.p = 0;
	assert_int_equal(
		call(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, area),
		0);
	for (size_t i = 0; i < RIG_BAD; i++) {
		bad = rig_bad[i];
		area->addr.p = bad;
		assert_true(call(vcpu_op, VCPUOP_register_vcpu_time_memory_area,
				 0, area) < 0);
		assert_true(call(vcpu_op, VCPUOP_register_vcpu_time_memory_area,
				 0, bad) < 0);
		assert_true(call(vcpu_op, VCPUOP_get_runstate_info, 0, bad) <
			    0);
		assert_true(call(vcpu_op, VCPUOP_register_runstate_memory_area,
				 0, bad) < 0);
		assert_true(call(vcpu_op, VCPUOP_set_singleshot_timer, 0, bad) <
			    0);
		assert_true(call(vcpu_op, VCPUOP_get_physid, 0, bad) < 0);
	}
	assert_int_equal(call(vcpu_op, VCPUOP_get_physid, 0, info), 0);
}

/* 5. sched_op. */

static void it_waits(void **state)
{
	(void)state;
	rig.c->info->evtchn_upcall_pending = 1;
	assert_int_equal(call(sched_op, SCHEDOP_block, 0), 0);
	assert_false(rig.c->blocked || rig.c->leave);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 0);
	rig.c->info->evtchn_upcall_pending = 0;
	rig.c->info->evtchn_upcall_mask = 1;
	assert_int_equal(call(sched_op, SCHEDOP_block, 0), 0);
	assert_true(rig.c->blocked && rig.c->leave);
	assert_int_equal(call(sched_op, SCHEDOP_yield, 0), 0);
	assert_int_equal(call(sched_op, SCHEDOP_poll, 0), 0);
	assert_int_equal(rig.takes, 2);
	assert_int_equal(call(sched_op, SCHEDOP_watchdog, 0), -XEN_ENOSYS);
	assert_int_equal(call(sched_op, ~UINT64_C(0), 0), -XEN_ENOSYS);
}

static void its_end(void **state)
{
	static const struct {
		unsigned reason;
		enum vm_end end;
	} ends[] = {
		{ SHUTDOWN_poweroff, VM_POWEROFF },
		{ SHUTDOWN_reboot, VM_RESET },
		{ SHUTDOWN_crash, VM_KILLED },
	};
	struct sched_shutdown *s = rig_spare(0);

	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_int_equal(call(sched_op, SCHEDOP_shutdown, rig_bad[i]),
				 -XEN_EFAULT);
	s->reason = SHUTDOWN_suspend;
	assert_int_equal(call(sched_op, SCHEDOP_shutdown, s), -XEN_EINVAL);
	s->reason = 99;
	assert_int_equal(call(sched_op, SCHEDOP_shutdown, s), -XEN_EINVAL);
	assert_int_equal(rig.vm.end, VM_RUNNING);
	for (size_t i = 0; i < 3; i++) {
		rig.vm.end = VM_RUNNING;
		rig.c->leave = false;
		s->reason = ends[i].reason;
		assert_int_equal(call(sched_op, SCHEDOP_shutdown, s), 0);
		assert_int_equal(rig.vm.end, ends[i].end);
		assert_true(rig.c->leave);
	}
}

#define T(f) RIG_TEST(f, rig_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_port_to_itself),
		T(a_masked_port_waits),
		T(ports_that_there_are_not),
		T(a_port_is_closed),
		T(all_ports_are_taken),
		T(interrupts_of_the_machine),
		T(other_vcpus_and_domains),
		T(requests_that_are_not_there),
		T(text_goes_out),
		T(indices_are_wild),
		T(text_comes_in),
		T(the_clock_is_told),
		T(the_timer),
		T(words_move),
		T(the_last_place_of_a_page),
		T(vcpus),
		T(it_waits),
		T(its_end),
	};

	return cmocka_run_group_tests_name("pv_event", tests, NULL, NULL);
}

/*
 * vcpu_op and sched_op: where a vCPU's shared words lie, its timer, and what
 * it does when it has nothing to do.
 */
#include "pv/shadow.h"

#include <string.h>

#include "vm/vm.h"

/* 1. vcpu_info moves into the guest's own memory: 64 bytes in one page, held
 * writable. What it holds goes along; for good. */

/* NULL: *error says why. */
static void *hold_page(struct pv_cpu *c, uint64_t mfn, long *error)
{
	enum vmmu_direct_status status;

	*error = -XEN_EPERM;
	if (pv_is_shadow(c))
		return mfn < c->domain->pages ? pv_shadow_page(c->domain, mfn)
					      : NULL;
	status = pv_hold(c, mk_hfn(mfn), VMMU_FRAME_WRITABLE);
	*error = pv_errno(status);
	return status == VMMU_DIRECT_OK
		       ? vmmu_frame_ptr(&pv_frames, mk_hfn(mfn))
		       : NULL;
}

static long register_info(struct pv_cpu *c, uint64_t arg)
{
	struct vcpu_register_vcpu_info r;
	struct vcpu_info *info;
	uint8_t *page;
	long error;

	if (!pv_get(&r, arg, sizeof(r)))
		return -XEN_EFAULT;
	if (r.offset > VMMU_PAGE_SIZE - sizeof(*info) ||
	    r.offset % sizeof(uint64_t))
		return -XEN_EINVAL;
	if (c->info_frame.v)
		return -XEN_EINVAL;
	page = hold_page(c, r.mfn, &error);
	if (!page)
		return error;
	c->info_frame = mk_hfn(r.mfn);
	info = (void *)(page + r.offset);
	memcpy(info, c->info, sizeof(*info));
	c->info = info;
	pv_time_tell(c);
	/* As after any change of place: look again. */
	info->evtchn_pending_sel = ~UINT64_C(0);
	info->evtchn_upcall_pending = 1;
	return 0;
}

/* 2. Times. There is no host under us that takes the processor away: a guest
 * runs, or it is blocked. */

static long runstate(struct pv_cpu *c, uint64_t arg, bool keep)
{
	struct vcpu_runstate_info info = { .state = RUNSTATE_running };
	uint64_t at = arg;

	if (keep && !pv_get(&at, arg, sizeof(at)))
		return -XEN_EFAULT;
	info.time[RUNSTATE_running] = pv_time_now(c->domain);
	if (at && !pv_put(at, &info, sizeof(info)))
		return keep ? 0 : -XEN_EFAULT;
	return 0;
}

/* A copy of the time for the guest's users. It is told once, like the clock
 * itself: see time.c. */
static long time_area(struct pv_cpu *c, uint64_t arg)
{
	uint64_t at;

	if (!pv_get(&at, arg, sizeof(at)))
		return -XEN_EFAULT;
	if (at && !pv_put(at, &c->info->time, sizeof(c->info->time)))
		return -XEN_EFAULT;
	return 0;
}

static long singleshot(struct pv_cpu *c, uint64_t arg)
{
	struct vcpu_set_singleshot_timer t;

	if (!pv_get(&t, arg, sizeof(t)))
		return -XEN_EFAULT;
	if (t.flags & VCPU_SSHOTTMR_future &&
	    t.timeout_abs_ns < pv_time_now(c->domain))
		return -XEN_ETIME;
	pv_timer_set(c, t.timeout_abs_ns);
	return 0;
}

static long physid(uint64_t arg)
{
	const struct vcpu_get_physid id = { 0 };

	return pv_put(arg, &id, sizeof(id)) ? 0 : -XEN_EFAULT;
}

long pv_vcpu_op(uint64_t cmd, uint64_t id, uint64_t arg, uint64_t a4,
		uint64_t a5, struct pv_cpu *c)
{
	(void)a4, (void)a5;
	pv_count_sub(c->stats.vcpu_op, cmd);
	if (id != c->vcpu->id)
		return -XEN_ENOENT;
	switch (cmd) {
	case VCPUOP_is_up:
		return 1;
	case VCPUOP_up:
		return 0;
	case VCPUOP_register_vcpu_info:
		return register_info(c, arg);
	case VCPUOP_register_runstate_memory_area:
		return runstate(c, arg, true);
	case VCPUOP_get_runstate_info:
		return runstate(c, arg, false);
	case VCPUOP_register_vcpu_time_memory_area:
		return time_area(c, arg);
	case VCPUOP_stop_periodic_timer:
		return 0;
	case VCPUOP_set_singleshot_timer:
		return singleshot(c, arg);
	case VCPUOP_stop_singleshot_timer:
		pv_timer_set(c, UINT64_MAX);
		return 0;
	case VCPUOP_get_physid:
		return physid(arg);
	default:
		return -XEN_ENOSYS;
	}
}

long pv_set_timer_op(uint64_t ns, uint64_t a2, uint64_t a3, uint64_t a4,
		     uint64_t a5, struct pv_cpu *c)
{
	(void)a2, (void)a3, (void)a4, (void)a5;
	pv_timer_set(c, ns ? ns : UINT64_MAX);
	return 0;
}

/* 3. sched_op. */

static long block(struct pv_cpu *c)
{
	c->info->evtchn_upcall_mask = 0;
	if (!pv_event_pending(c)) {
		c->blocked = true;
		c->leave = true;
	}
	return 0;
}

static long shutdown(struct pv_cpu *c, uint64_t arg)
{
	struct sched_shutdown s;
	struct vm *vm = c->vcpu->vm;

	if (!pv_get(&s, arg, sizeof(s)))
		return -XEN_EFAULT;
	pv_console_drain(c->domain);
	switch (s.reason) {
	case SHUTDOWN_poweroff:
		vm_stop(vm, VM_POWEROFF, "the guest powered off");
		break;
	case SHUTDOWN_reboot:
		vm_stop(vm, VM_RESET, "the guest reset its machine");
		break;
	case SHUTDOWN_crash:
		vm_stop(vm, VM_KILLED, "the guest says that it has crashed");
		break;
	default:
		return -XEN_EINVAL;
	}
	c->leave = true;
	return 0;
}

long pv_sched_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
		 uint64_t a5, struct pv_cpu *c)
{
	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.sched_op, cmd);
	switch (cmd) {
	case SCHEDOP_yield:
		pv_console_drain(c->domain);
		pv_breathe(c);
		return 0;
	case SCHEDOP_block:
		return block(c);
	case SCHEDOP_shutdown:
		return shutdown(c, arg);
	case SCHEDOP_poll: /* it may return before what it waits for */
		pv_breathe(c);
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}

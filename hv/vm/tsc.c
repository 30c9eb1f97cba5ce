/*
 * The guest's time-stamp counter, which it may write.
 *
 *   board time            host's TSC + vm->tsc_offset: what devices go by
 *   a vCPU's own TSC      board time + v->tsc_adjust
 *
 * tsc_adjust is IA32_TSC_ADJUST: 0 at reset, and whichever of the two MSRs is
 * written, both move by the same (SDM 3B 17.17.3). The board's time never
 * moves: no timer of it fires early or late, and kvmclock is told where its
 * origin is now. The one device that is set in the guest's own TSC is the
 * local APIC's deadline, which is translated, and again when the TSC moves:
 * it fires when TSC >= deadline (SDM 3A 11.5.4.1).
 */
#include "cpu/cpu.h"
#include "vm/vm.h"

static uint64_t board_time(const struct vcpu *v)
{
	const struct board_host *host = &v->vm->board.host;

	return host->now(host->ctx);
}

uint64_t vcpu_tsc(const struct vcpu *v)
{
	return board_time(v) + v->tsc_adjust;
}

/* When the vCPU's TSC gets to `target`; now, if it has. Never 0, which would
 * disarm. */
static uint64_t board_time_of(const struct vcpu *v, uint64_t target)
{
	uint64_t now = board_time(v), tsc = now + v->tsc_adjust, left;

	left = target > tsc ? target - tsc : 0;
	if (left > UINT64_MAX - now)
		return UINT64_MAX;
	return now + left ? now + left : 1;
}

uint64_t vcpu_deadline_in(struct vcpu *v, uint64_t value)
{
	v->deadline = value;
	return value ? board_time_of(v, value) : 0;
}

uint64_t vcpu_deadline_out(const struct vcpu *v, uint64_t value)
{
	return value && v->tsc_adjust ? v->deadline : value;
}

void vcpu_set_tsc_adjust(struct vcpu *v, uint64_t adjust)
{
	struct vm *vm = v->vm;
	uint64_t armed;

	board_rdmsr(&vm->board, v->id, MSR_TSC_DEADLINE, &armed);
	armed = vcpu_deadline_out(v, armed);
	v->tsc_adjust = adjust;
	vm->engine->set_tsc_offset(v, vm->tsc_offset + adjust);
	board_set_tsc_adjust(&vm->board, v->id, adjust);
	if (armed)
		board_wrmsr(&vm->board, v->id, MSR_TSC_DEADLINE,
			    vcpu_deadline_in(v, armed));
}

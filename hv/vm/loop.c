/*
 * The loop of a VM: what is due goes in, the guest runs, what it did comes
 * out.
 *
 *   1. the host's interrupts: the alarm, input of console and monitor
 *   2. an interrupt for the guest, or a window for it
 *   3. a guest that waits in HLT
 *   4. the loop
 */
#include "cpu/cpu.h"
#include "cpu/serial.h"
#include "cpu/timer.h"
#include "cpu/trap.h"
#include "vm/vm.h"

#define RFLAGS_IF (UINT64_C(1) << 9)
#define SOON	  4096 /* TSC ticks: an entry and some instructions */

/* 1. The host's interrupts. */

void vm_pump_console(struct vm *vm)
{
	for (;;) {
		if (vm->console_byte < 0)
			vm->console_byte = host_console_read();
		if (vm->console_byte < 0 ||
		    !board_console_in(&vm->board, (uint8_t)vm->console_byte))
			return;
		vm->console_byte = -1;
	}
}

static void host_events(struct vm *vm)
{
	if (host_timer_fired()) {
		uint64_t now = vm_now(vm, rdtsc());

		board_tick(&vm->board, now);
		vm_switch_schemes(vm, now);
		vm->timer_armed = UINT64_MAX;
	}
	vm_pump_console(vm);
	monitor_poll(vm);
}

/* A deadline so far away that the host's clock has no number for it never
 * comes: wrapped around it would be due at every entry. */
static inline void arm_timer(struct vm *vm)
{
	uint64_t due = board_deadline(&vm->board), host;

	if (due > vm->switch_at)
		due = vm->switch_at;
	if (due == vm->timer_armed)
		return;
	vm->timer_armed = due;
	host = due - vm->tsc_offset;
	if (due == UINT64_MAX || host < due)
		host_timer_stop();
	else
		host_timer_arm(host);
}

/* 2. An interrupt for the guest, or a window for it. */

static bool can_interrupt(const struct vcpu *v)
{
	return (v->rflags & RFLAGS_IF) && !v->shadow &&
	       v->event.type == EVENT_NONE;
}

static inline void want_window(struct vcpu *v, bool wanted)
{
	if (v->window == wanted)
		return;
	v->window = wanted;
	v->vm->engine->want_window(v, wanted);
}

/* Nothing says when an NMI can be taken, so the host's timer makes an exit in
 * a few thousand cycles, and then it is seen. */
static void exit_soon(struct vm *vm)
{
	host_timer_arm(rdtsc() + SOON);
	vm->timer_armed = 0; /* not what the devices asked for */
}

/* NMIs are delivered one at a time: SDM 3A 6.7.1. One that waits for the end
 * of a handler is looked at again when its IRET is next. */
static void deliver_nmi(struct vcpu *v)
{
	if (v->nmi_masked && !v->in_iret)
		return;
	if (v->nmi_masked || v->shadow || v->event.type != EVENT_NONE) {
		exit_soon(v->vm);
		return;
	}
	board_nmi_take(&v->vm->board, v->id);
	v->event = (struct event){ .type = EVENT_NMI, .vector = 2 };
	v->nmi_masked = true;
	v->halted = false;
	v->vm->engine->want_iret(v, true);
}

static void end_nmi(struct vcpu *v)
{
	if (v->rip == v->iret_rip)
		return; /* the IRET itself has faulted */
	v->in_iret = false;
	v->nmi_masked = false;
}

/* It has been taken from its controller already, so it comes first. */
static void deliver_held(struct vcpu *v)
{
	if (can_interrupt(v)) {
		v->event = v->held;
		v->held.type = EVENT_NONE;
		v->halted = false;
	}
	want_window(v, true);
}

static void deliver_pending(struct vcpu *v)
{
	struct board *board = &v->vm->board;

	if (v->held.type != EVENT_NONE) {
		deliver_held(v);
		return;
	}
	if (board_nmi(board, v->id))
		deliver_nmi(v);
	if (board_pending(board, v->id) < 0) {
		want_window(v, false);
		return;
	}
	if (can_interrupt(v)) {
		v->event.vector = (uint8_t)board_ack(board, v->id);
		v->event.has_error = false;
		v->event.type = EVENT_INTERRUPT;
		v->halted = false;
	}
	want_window(v, board_pending(board, v->id) >= 0);
}

static inline void deliver(struct vcpu *v)
{
	if (v->window || v->held.type != EVENT_NONE ||
	    !board_quiet(&v->vm->board, v->id))
		deliver_pending(v);
}

/* 3. A guest that waits in HLT. */

static void wait(struct vcpu *v)
{
	struct vm *vm = v->vm;

	if (!(v->rflags & RFLAGS_IF) &&
	    (v->nmi_masked || !board_nmi(&vm->board, v->id))) {
		vm_stop(vm, VM_HALTED,
			"the guest halted with interrupts off, so that "
			"nothing can wake it");
		return;
	}
	host_idle();
	host_events(vm);
}

/* 4. The loop. */

static void step(struct vcpu *v)
{
	struct vm *vm = v->vm;

	arm_timer(vm);
	deliver(v);
	if (v->halted && v->event.type == EVENT_NONE) {
		wait(v);
		return;
	}
	v->raised = false;
	v->looked = false;
	vm->engine->run(v);
	v->exits[v->exit.kind]++;
	if (v->in_iret)
		end_nmi(v);
	if (v->exit.kind == EXIT_INTERRUPT) {
		host_take_interrupts();
		host_events(vm);
		return;
	}
	vcpu_exit_handlers[v->exit.kind](v);
}

void vm_run(struct vm *vm)
{
	struct vcpu *v = vm->vcpu[0];

	while (vm->end == VM_RUNNING)
		step(v);
	host_timer_stop();
}

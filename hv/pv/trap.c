/*
 * Exceptions and interrupts out of ring 3.
 *
 * Nearly all exceptions are the guest's own and go to the handler in its trap
 * table as they are. Looked at first:
 *
 *   #PF   ptwr.c: a write of the kernel's to a leaf table
 *   #GP   INT n of the guest; a privileged instruction of its kernel
 *   #UD   CPUID behind the prefix that asks for the guest's own answer
 *   #NM   CR0.TS, which the guest set, is cleared first
 */
#include "pv/shadow.h"

#include "cpu/cpu.h"
#include "cpu/serial.h"
#include "cpu/timer.h"
#include "vm/vm.h"

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_GP 13
#define VECTOR_PF 14
#define ERROR_IDT 2u /* of #GP: the selector is an IDT entry's */
#define INT_N	  0xcd

void pv_host_events(struct pv_cpu *c)
{
	if (host_timer_fired())
		pv_timer_check(c);
	pv_console_fill(c->domain);
}

/* All that a guest's request may keep waiting, as often as it takes long. */
void pv_breathe(struct pv_cpu *c)
{
	host_take_interrupts();
	pv_host_events(c);
	monitor_poll(c->vcpu->vm);
}

/* A user's, where quick.S does not take it; its kernel's go to ptwr.c. */
static void page_fault(struct pv_cpu *c, uint32_t error)
{
	uint64_t gva = read_cr2();

	if (c->kernel) {
		pv_kernel_fault(c);
		return;
	}
	if (pv_is_shadow(c)) {
		if (pv_shadow_fault(c, gva, &error))
			return;
		error |= VMMU_PF_U;
	}
	c->info->arch.cr2 = gva;
	pv_bounce_exception(c, VECTOR_PF, error);
}

/* INT n makes #GP unless the gate's DPL is 3; the guest's own table says
 * whether it is for users too. The vector is the instruction's: QEMU 7.2 has
 * another number in the error code, which the guest gets as the manuals have
 * it. */
static bool software_interrupt(struct pv_cpu *c, uint32_t *error)
{
	const struct pv_trap_entry *t;
	uint8_t code[2];

	if (!(*error & ERROR_IDT) || !pv_get(code, c->frame->rip, 2) ||
	    code[0] != INT_N)
		return false;
	*error = code[1] * 8u + ERROR_IDT;
	t = &c->trap[code[1]];
	if (!t->address || t->dpl < (c->kernel ? 1 : 3))
		return false;
	c->frame->rip += 2;
	pv_bounce_soft(c, code[1]);
	return true;
}

static void protection_fault(struct pv_cpu *c, uint32_t error)
{
	if (error ? software_interrupt(c, &error)
		  : c->kernel && pv_emulate_privileged(c))
		return;
	pv_bounce_exception(c, VECTOR_GP, error);
}

static void no_device(struct pv_cpu *c)
{
	if (c->ts) {
		c->ts = false;
		write_cr0(read_cr0() & ~CR0_TS);
	}
	pv_bounce_exception(c, VECTOR_NM, 0);
}

static void exception(struct pv_cpu *c, unsigned vector, uint32_t error)
{
	switch (vector) {
	case VECTOR_GP:
		protection_fault(c, error);
		return;
	case VECTOR_UD:
		if (!pv_emulate_forced(c))
			pv_bounce_exception(c, VECTOR_UD, 0);
		return;
	case VECTOR_NM:
		no_device(c);
		return;
	default:
		pv_bounce_exception(c, vector, error);
	}
}

/* The gate is open to ring 3, so that a system call by it costs no more; the
 * guest's own table may say otherwise. */
static void int_80(struct pv_cpu *c)
{
	const struct pv_trap_entry *t = &c->trap[0x80];

	if (t->address && t->dpl >= (c->kernel ? 1 : 3)) {
		pv_bounce_soft(c, 0x80);
		return;
	}
	c->frame->rip -= 2;
	pv_bounce_exception(c, VECTOR_GP, 0x80 * 8 + ERROR_IDT);
}

static void interrupt(struct pv_cpu *c)
{
	c->stats.interrupts++;
	trap_take(c->frame);
	pv_host_events(c);
	monitor_poll(c->vcpu->vm);
	if (c->vcpu->vm->end != VM_RUNNING)
		c->leave = true;
}

void pv_trap(struct trap_frame *f)
{
	struct pv_cpu *c = pv_current;

	if (f->vector == VECTOR_PF)
		page_fault(c, (uint32_t)f->error_code);
	else if (f->vector < 32)
		exception(c, (unsigned)f->vector, (uint32_t)f->error_code);
	else if (f->vector == 0x80)
		int_80(c);
	else
		interrupt(c);
}

/*
 * What the guest's kernel finds on its stack when it is entered, lowest
 * address first:
 *
 *   rcx r11 [ds es fs gs] [error] rip cs|mask<<32 rflags rsp ss
 *
 * The stack is the one that the guest set for its kernel, or, when it was in
 * its kernel already, the one in use; 16-byte aligned below either. The guest
 * sees its own kernel as ring 0 (RPL 0 in cs), and in the mask's byte and in
 * IF whether its events were held off. The segments are there for the
 * failsafe callback alone: an IRET of ours to what the guest asked for failed.
 */
#include "pv/pv.h"

#include <assert.h>

#include "vm/vm.h"

#define DROPPED                                                                \
	(PV_RFLAGS_AC | PV_RFLAGS_VM | PV_RFLAGS_RF | PV_RFLAGS_NT |           \
	 PV_RFLAGS_TF | PV_RFLAGS_IOPL | PV_RFLAGS_DF)

static_assert(!(DROPPED & PV_RFLAGS_KEPT), "quick.S enters no otherwise");

/* One word on the guest's stack, or to the label. */
#define PUT(at, word, failed)                                                  \
	__asm__ goto("1: movq %0, %1\n\t"                                      \
		     ".pushsection .fixup_table, \"a\"\n\t"                    \
		     ".quad 1b, %l[" #failed "]\n\t"                           \
		     ".popsection"                                             \
		     :                                                         \
		     : "r"(word), "m"(*(at))                                   \
		     : "memory"                                                \
		     : failed)

static __attribute__((noinline, cold)) void lost(struct pv_cpu *c, uint64_t at)
{
	vm_stop(c->vcpu->vm, VM_KILLED,
		"the guest's kernel stack at 0x%llx cannot be written (it was "
		"at rip 0x%llx)",
		(unsigned long long)at, (unsigned long long)c->frame->rip);
	c->leave = true;
}

/* What quick.S could not write. */
void pv_stack_lost(struct pv_cpu *c)
{
	lost(c, c->quick_sp);
}

/* What entry.S could not say any more. */
void pv_debug_lost(struct pv_cpu *c)
{
	vm_stop(c->vcpu->vm, VM_KILLED,
		"the guest has made two debug exceptions at once");
	c->leave = true;
}

/* The stack below which the frame goes, and the mode is the kernel's. */
static inline uint64_t kernel_stack(struct pv_cpu *c)
{
	if (c->kernel)
		return c->frame->rsp;
	pv_to_kernel(c);
	return c->kernel_sp;
}

/* The frame, with `count` words between r11 and rip, and off to the handler.
 * It takes rcx and r11 from the frame, so they may hold what makes SYSRET the
 * way back. In line, because it is nearly all that a fault or a system call
 * of the guest's users costs. */
static inline __attribute__((always_inline)) void enter(struct pv_cpu *c,
							unsigned count,
							const uint64_t *extra,
							uint64_t address,
							bool masks)
{
	struct trap_frame *f = c->frame;
	struct vcpu_info *info = c->info;
	uint64_t rflags = f->rflags & ~(PV_RFLAGS_IF | PV_RFLAGS_IOPL);
	uint64_t cs = f->cs & (c->kernel ? 0xfffc : 0xffff);
	uint8_t mask = info->evtchn_upcall_mask;
	uint64_t size = 56 + 8 * count;
	uint64_t sp = (kernel_stack(c) & ~UINT64_C(15)) - size;
	uint64_t *to = (uint64_t *)sp;

	if (!pv_range_ok(sp, size))
		goto failed;
	PUT(&to[0], f->rcx, failed);
	PUT(&to[1], f->r11, failed);
	for (unsigned i = 0; i < count; i++)
		PUT(&to[2 + i], extra[i], failed);
	to += count;
	PUT(&to[2], f->rip, failed);
	PUT(&to[3], cs | (uint64_t)mask << 32, failed);
	PUT(&to[4], rflags | (mask ? 0 : PV_RFLAGS_IF), failed);
	PUT(&to[5], f->rsp, failed);
	PUT(&to[6], f->ss & 0xffff, failed);
	if (masks)
		info->evtchn_upcall_mask = 1;
	f->rip = f->rcx = address;
	f->cs = PV_GUEST_CS;
	f->rsp = sp;
	f->ss = PV_GUEST_SS;
	f->rflags &= ~DROPPED;
	f->r11 = f->rflags;
	return;
failed:
	lost(c, sp);
}

/* Those with an error code: APM 2 table 8-1. */
static inline bool has_error(unsigned vector)
{
	return vector < 32 && (0x60227d00u >> vector & 1);
}

static __attribute__((noinline, cold)) void no_handler(struct pv_cpu *c,
						       unsigned vector)
{
	vm_stop(c->vcpu->vm, VM_KILLED,
		"the guest has no handler for exception %u, which it caused "
		"at rip 0x%llx",
		vector, (unsigned long long)c->frame->rip);
	c->leave = true;
}

void pv_bounce_exception(struct pv_cpu *c, unsigned vector, uint32_t error)
{
	const struct pv_trap_entry *t = &c->trap[vector];
	const uint64_t word = error;

	c->stats.bounced[vector]++;
	if (!t->address)
		no_handler(c, vector);
	else if (has_error(vector))
		enter(c, 1, &word, t->address, t->masks);
	else
		enter(c, 0, NULL, t->address, t->masks);
}

/* INT n: an interrupt without an error code, whatever the vector. */
void pv_bounce_soft(struct pv_cpu *c, unsigned vector)
{
	const struct pv_trap_entry *t = &c->trap[vector];

	c->stats.soft++;
	if (!t->address)
		no_handler(c, vector);
	else
		enter(c, 0, NULL, t->address, t->masks);
}

void pv_user_syscall(struct pv_cpu *c)
{
	const struct pv_callback *b = &c->callback[CALLBACKTYPE_syscall];

	if (!b->address) {
		vm_stop(c->vcpu->vm, VM_KILLED,
			"the guest's user made a system call, and its kernel "
			"has no callback for that");
		c->leave = true;
		return;
	}
	c->stats.syscalls++;
	enter(c, 0, NULL, b->address, b->masks);
}

void pv_deliver_events(struct pv_cpu *c)
{
	const struct pv_callback *b = &c->callback[CALLBACKTYPE_event];

	if (!b->address)
		return;
	c->stats.events++;
	enter(c, 0, NULL, b->address, true);
}

static uint64_t selector(unsigned which)
{
	uint16_t value = 0;

	switch (which) {
	case 0:
		__asm__ volatile("movw %%ds, %0" : "=r"(value));
		break;
	case 1:
		__asm__ volatile("movw %%es, %0" : "=r"(value));
		break;
	case 2:
		__asm__ volatile("movw %%fs, %0" : "=r"(value));
		break;
	default:
		__asm__ volatile("movw %%gs, %0" : "=r"(value));
		break;
	}
	return value;
}

/* The guest had us return to what the processor would not take: selectors, or
 * an rip that is not canonical. */
void pv_iret_failed(struct pv_cpu *c)
{
	const struct pv_callback *b = &c->callback[CALLBACKTYPE_failsafe];
	uint64_t segment[4];

	c->stats.iret_failed++;
	if (!b->address) {
		vm_stop(c->vcpu->vm, VM_KILLED,
			"the guest returns to cs 0x%llx, rip 0x%llx, where "
			"nobody can go",
			(unsigned long long)c->frame->cs,
			(unsigned long long)c->frame->rip);
		c->leave = true;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		segment[i] = selector(i);
	enter(c, 4, segment, b->address, b->masks);
}

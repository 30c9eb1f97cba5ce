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

#include "vm/vm.h"

#define WORDS_MAX 12
#define DROPPED                                                                \
	(PV_RFLAGS_AC | PV_RFLAGS_VM | PV_RFLAGS_RF | PV_RFLAGS_NT |           \
	 PV_RFLAGS_TF | PV_RFLAGS_IOPL)

struct frame_words {
	uint64_t word[WORDS_MAX];
	unsigned count;
};

static inline void add(struct frame_words *w, uint64_t word)
{
	w->word[w->count++] = word;
}

static void lost(struct pv_cpu *c, uint64_t at)
{
	vm_stop(c->vcpu->vm, VM_KILLED,
		"the guest's kernel stack at 0x%llx cannot be written (it was "
		"at rip 0x%llx)",
		(unsigned long long)at, (unsigned long long)c->frame->rip);
	c->leave = true;
}

/* The rest of the frame, and off to the handler. */
static inline void enter(struct pv_cpu *c, struct frame_words *w,
			 uint64_t address, bool masks)
{
	struct trap_frame *f = c->frame;
	struct vcpu_info *info = c->info;
	uint8_t mask = info->evtchn_upcall_mask;
	uint64_t cs = f->cs & 0xffff, sp;

	if (c->kernel) {
		sp = f->rsp;
		cs &= ~UINT64_C(3);
	} else {
		pv_to_kernel(c);
		sp = c->kernel_sp;
	}
	add(w, f->rip);
	add(w, cs | (uint64_t)mask << 32);
	add(w, (f->rflags & ~(PV_RFLAGS_IF | PV_RFLAGS_IOPL)) |
		       (mask ? 0 : PV_RFLAGS_IF));
	add(w, f->rsp);
	add(w, f->ss & 0xffff);
	sp = (sp & ~UINT64_C(15)) - 8 * w->count;
	if (!pv_put(sp, w->word, 8 * w->count)) {
		lost(c, sp);
		return;
	}
	if (masks)
		info->evtchn_upcall_mask = 1;
	f->rip = address;
	f->cs = PV_GUEST_CS;
	f->rsp = sp;
	f->ss = PV_GUEST_SS;
	f->rflags &= ~DROPPED;
}

static inline void begin(struct frame_words *w, const struct trap_frame *f)
{
	w->count = 0;
	add(w, f->rcx);
	add(w, f->r11);
}

/* Those with an error code: APM 2 table 8-1. */
static inline bool has_error(unsigned vector)
{
	return vector < 32 && (0x60227d00u >> vector & 1);
}

static void to_handler(struct pv_cpu *c, unsigned vector, bool error_pushed,
		       uint32_t error)
{
	const struct pv_trap_entry *t = &c->trap[vector];
	struct frame_words w;

	if (!t->address) {
		vm_stop(c->vcpu->vm, VM_KILLED,
			"the guest has no handler for exception %u, which it "
			"caused at rip 0x%llx",
			vector, (unsigned long long)c->frame->rip);
		c->leave = true;
		return;
	}
	begin(&w, c->frame);
	if (error_pushed)
		add(&w, error);
	enter(c, &w, t->address, t->masks);
}

void pv_bounce_exception(struct pv_cpu *c, unsigned vector, uint32_t error)
{
	c->stats.bounced[vector]++;
	to_handler(c, vector, has_error(vector), error);
}

/* INT n: an interrupt without an error code, whatever the vector. */
void pv_bounce_soft(struct pv_cpu *c, unsigned vector)
{
	to_handler(c, vector, false, 0);
}

void pv_user_syscall(struct pv_cpu *c)
{
	const struct pv_callback *b = &c->callback[CALLBACKTYPE_syscall];
	struct frame_words w;

	if (!b->address) {
		vm_stop(c->vcpu->vm, VM_KILLED,
			"the guest's user made a system call, and its kernel "
			"has no callback for that");
		c->leave = true;
		return;
	}
	c->stats.syscalls++;
	begin(&w, c->frame);
	enter(c, &w, b->address, b->masks);
}

void pv_deliver_events(struct pv_cpu *c)
{
	const struct pv_callback *b = &c->callback[CALLBACKTYPE_event];
	struct frame_words w;

	if (!b->address)
		return;
	c->stats.events++;
	begin(&w, c->frame);
	enter(c, &w, b->address, true);
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
	struct frame_words w;

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
	begin(&w, c->frame);
	for (unsigned i = 0; i < 4; i++)
		add(&w, selector(i));
	enter(c, &w, b->address, b->masks);
}

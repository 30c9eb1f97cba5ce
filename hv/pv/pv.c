/*
 * The engine `pv`, as the VM sees it: a paravirtual guest lives in its own
 * loop (engine.h, struct engine_para), which is left for two reasons only: the
 * guest has ended, or it has nothing to do.
 */
#include "pv/bystander.h"
#include "pv/shadow.h"

#include <assert.h>

#include "cpu/cpu.h"
#include "cpu/print.h"
#include "cpu/serial.h"
#include "cpu/timer.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/memory.h"
#include "vm/vm.h"

static_assert(offsetof(struct pv_cpu, info) == PV_CPU_INFO, "entry.S");
static_assert(offsetof(struct pv_cpu, kernel) == PV_CPU_KERNEL, "entry.S");
static_assert(offsetof(struct pv_cpu, leave) == PV_CPU_LEAVE, "entry.S");
static_assert(offsetof(struct pv_cpu, calls) == PV_CPU_CALLS, "entry.S");
#define QUICK(name, offset)                                                    \
	static_assert(offsetof(struct pv_cpu, name) == (offset), "quick.S")
QUICK(cr3_kernel, PV_CPU_CR3_KERNEL);
QUICK(cr3_user, PV_CPU_CR3_USER);
QUICK(quick_sp, PV_CPU_QUICK_SP);
QUICK(quick_syscall, PV_CPU_QUICK_SYSCALL);
QUICK(quick_fault, PV_CPU_QUICK_FAULT);
QUICK(kernel_sp, PV_CPU_KERNEL_SP);
QUICK(quick_vm, PV_CPU_QUICK_VM);
QUICK(quick_ready, PV_CPU_QUICK_READY);
QUICK(stats.syscalls, PV_CPU_SYSCALLS);
QUICK(stats.bounced[TRAP_PF], PV_CPU_FAULTS);
QUICK(stats.mmuext[MMUEXT_INVLPG_LOCAL], PV_CPU_INVLPG);
QUICK(stats.segment_op[SEGBASE_FS], PV_CPU_SET_BASE);
QUICK(stats.segment_op[SEGBASE_GS_USER], PV_CPU_SET_BASE + 8);
static_assert(offsetof(struct vcpu_info, arch.cr2) == PV_INFO_CR2, "quick.S");
static_assert(HV_END == PV_HYPERVISOR_END, "quick.S");
static_assert(PV_RFLAGS_EVENTS == PV_RFLAGS_IF &&
		      !(PV_RFLAGS_USER & (PV_RFLAGS_IOPL | PV_RFLAGS_VM)),
	      "quick.S");
#define FRAME(name, offset)                                                    \
	static_assert(offsetof(struct trap_frame, name) == (offset), "entry.S")
FRAME(r15, PV_FRAME_R15);
FRAME(r14, PV_FRAME_R14);
FRAME(r13, PV_FRAME_R13);
FRAME(r12, PV_FRAME_R12);
FRAME(r11, PV_FRAME_R11);
FRAME(r10, PV_FRAME_R10);
FRAME(r9, PV_FRAME_R9);
FRAME(r8, PV_FRAME_R8);
FRAME(rdi, PV_FRAME_RDI);
FRAME(rsi, PV_FRAME_RSI);
FRAME(rbp, PV_FRAME_RBP);
FRAME(rbx, PV_FRAME_RBX);
FRAME(rdx, PV_FRAME_RDX);
FRAME(rcx, PV_FRAME_RCX);
FRAME(rax, PV_FRAME_RAX);
FRAME(rip, PV_FRAME_RIP);
FRAME(cs, PV_FRAME_CS);
FRAME(rflags, PV_FRAME_RFLAGS);
FRAME(rsp, PV_FRAME_RSP);
FRAME(ss, PV_FRAME_SS);
static_assert(sizeof(struct trap_frame) == PV_FRAME_SIZE, "entry.S");
static_assert(PV_CALL_IRET == __HYPERVISOR_iret, "entry.S");
static_assert(PV_CALL_MMU_UPDATE == __HYPERVISOR_mmu_update &&
		      PV_CALL_STACK == __HYPERVISOR_stack_switch &&
		      PV_CALL_SEGMENT == __HYPERVISOR_set_segment_base &&
		      PV_CALL_MMUEXT == __HYPERVISOR_mmuext_op,
	      "quick_call.S");
static_assert(PV_EXT_ROOT == MMUEXT_NEW_BASEPTR &&
		      PV_EXT_INVLPG == MMUEXT_INVLPG_LOCAL &&
		      PV_EXT_USER_ROOT == MMUEXT_NEW_USER_BASEPTR,
	      "quick_call.S");
static_assert(SEGBASE_FS == 0 && SEGBASE_GS_USER == 1 &&
		      PV_DOMID_SELF == DOMID_SELF,
	      "quick_call.S");
static_assert((MMU_NORMAL_PT_UPDATE & PV_UPDATE_OTHER) == 0 &&
		      MMU_PT_UPDATE_PRESERVE_AD == 1 << PV_UPDATE_KEEP_SHIFT &&
		      (MMU_MACHPHYS_UPDATE & PV_UPDATE_OTHER),
	      "quick_call.S");
/* Upcall pending and mask are read as one word. */
static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == 0 &&
		      offsetof(struct vcpu_info, evtchn_upcall_mask) == 1,
	      "entry.S");

static const char *pv_probe(void)
{
	return NULL; /* whatever has long mode has SYSCALL */
}

static const char *pv_start(void)
{
	if (!pv_frames_init() || !pv_switch_init())
		return "there is no memory to start the engine";
	return NULL;
}

static const char *pv_cannot(uint32_t needs)
{
	(void)needs; /* of direct, which is made for it */
	return NULL;
}

static void pv_hardware(struct vmmu_hw *hw)
{
	*hw = (struct vmmu_hw){ .host_max_leaf = 1 };
}

static bool pv_vcpu_init(struct vcpu *v)
{
	struct pv_domain *d = pv_domain_of(v->vm);
	struct pv_cpu *c = vm_alloc(sizeof(*c));

	if (!c)
		return false;
	v->engine_state = c;
	d->cpu = c;
	c->vcpu = v;
	c->domain = d;
	c->shadow = !d->direct.vm;
	c->frame = pv_frame;
	c->cr4 = read_cr4() & ~PV_CR4_RING_3;
	c->info = &d->shared->vcpu_info[v->id];
	c->info->evtchn_upcall_mask = 1;
	pv_time_init(c);
	return true;
}

static void pv_vcpu_fini(struct vcpu *v)
{
	struct pv_cpu *c = v->engine_state;

	for (unsigned i = 0; i < PV_GDT_PAGES; i++)
		if (c->gdt_copy[i].v)
			frame_free(c->gdt_copy[i], 0);
	for (unsigned i = 0; i < PV_LDT_PAGES; i++)
		if (c->ldt_copy[i].v)
			frame_free(c->ldt_copy[i], 0);
	vm_free(c, sizeof(*c));
	v->engine_state = NULL;
}

static void pv_flush(struct vcpu *v)
{
	struct pv_cpu *c = v->engine_state;

	if (pv_current == c)
		write_cr3(read_cr3());
}

static void pv_use_scheme(struct vcpu *v)
{
	(void)v;
}

static const char *pv_load(struct vm *vm, struct load_request *req)
{
	const char *wrong = pv_build(vm, req);

	if (wrong)
		return wrong;
	say("a paravirtual guest starts at 0x%llx under %s on %s",
	    (unsigned long long)pv_frame->rip, vm->scheme[0]->name,
	    vm->engine->name);
	return vm->config->bystander ? pv_bystander_make(vm, req) : NULL;
}

/* A guest that waits, for an event or for the host. */
static void wait(struct pv_cpu *c)
{
	host_idle();
	pv_host_events(c);
	monitor_poll(c->vcpu->vm);
}

/* In the words that all engines have. */
static void pv_count(const struct vm *vm)
{
	const struct pv_cpu *c = vm->vcpu[0]->engine_state;
	uint64_t *exits = vm->vcpu[0]->exits, hypercalls = 0, exceptions = 0;
	const struct pv_stats *s = &c->stats;

	for (unsigned i = 0; i < PV_CALLS; i++)
		hypercalls += c->calls[i];
	for (unsigned i = 0; i < 32; i++)
		exceptions += s->bounced[i];
	exits[EXIT_HYPERCALL] = hypercalls;
	exits[EXIT_PAGE_FAULT] = s->bounced[14] + s->trapped;
	exits[EXIT_EXCEPTION] = exceptions - s->bounced[14];
	exits[EXIT_INTERRUPT] = s->interrupts;
	exits[EXIT_CPUID] = s->cpuid;
	exits[EXIT_RDMSR] = s->rdmsr;
	exits[EXIT_WRMSR] = s->wrmsr;
	exits[EXIT_CR] = s->cr;
	exits[EXIT_IO] = s->io;
	exits[EXIT_UNDEFINED] = s->other;
}

static void pv_loop(struct vm *vm)
{
	struct pv_cpu *c = vm->vcpu[0]->engine_state;

	pv_switch_on(c);
	while (vm->end == VM_RUNNING) {
		if (c->blocked)
			wait(c);
		else
			pv_enter();
	}
	pv_console_drain(c->domain);
	pv_switch_off();
	host_timer_stop();
}

static const struct engine_para para = {
	.hides = CPUID_HIDE_PAGING | CPUID_HIDE_PKU | CPUID_HIDE_LA57 |
		 CPUID_HIDE_PSE | CPUID_HIDE_PGE | CPUID_HIDE_SMEP |
		 CPUID_HIDE_SMAP | CPUID_HIDE_MTRR | CPUID_HIDE_X2APIC |
		 CPUID_HIDE_TSC_ADJUST | CPUID_HIDE_FSGSBASE,
	.memory = pv_domain_memory,
	.memory_free = pv_domain_free,
	.load = pv_load,
	.loop = pv_loop,
	.count = pv_count,
	.report = pv_report,
};

const struct engine engine_pv = {
	.name = "pv",
	.probe = pv_probe,
	.start = pv_start,
	.cannot = pv_cannot,
	.hardware = pv_hardware,
	.vcpu_init = pv_vcpu_init,
	.vcpu_fini = pv_vcpu_fini,
	.flush = pv_flush,
	.use_scheme = pv_use_scheme,
	.para = &para,
};

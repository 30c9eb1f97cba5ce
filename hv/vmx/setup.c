/*
 * VMX turned on, and a VMCS made ready: SDM 3C 23.7, 23.8, chapter 24.
 *
 * What makes an exit is what the guest must not have (ports, and MSRs that are
 * not its own), and two exceptions that a guest can make recur for ever inside
 * one instruction, #DB and #AC: they are taken and given back, so that the
 * processor always comes up for air. #MC tells of the machine, not of the
 * guest.
 *
 * STAR, LSTAR, CSTAR, SFMASK and KERNEL_GS_BASE are the guest's throughout:
 * the hypervisor executes neither SYSCALL nor SWAPGS, so nothing switches them.
 */
#include "vmx/vmx.h"

#include <string.h>

#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/timer.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/vm.h"
#include "vmx/insn.h"
#include "vmx/pml.h"
#include "vmx/state.h"

#define TIMER_MS 50

#define VECTOR_DB 1u
#define VECTOR_PF 14u
#define VECTOR_AC 17u
#define VECTOR_MC 18u

#define CR4_VMXE	   (UINT64_C(1) << 13)
#define BASIC_REVISION	   0x7fffffffu
#define BASIC_TRUE_MSRS	   (UINT64_C(1) << 55)
#define MSR_FEATURES	   0x3au
#define FEATURES_LOCK	   UINT64_C(1)
#define FEATURES_VMX	   UINT64_C(4)
#define MSR_STAR	   0xc0000081u
#define MSR_SFMASK	   0xc0000084u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* 1. The processor. */

static void read_proc2(struct vmx_caps *caps)
{
	if (!(caps->proc >> 32 & VMX_PROC_SECONDARY))
		return;
	caps->proc2 = rdmsr(MSR_VMX_PROC2);
	if (caps->proc2 >> 32 & (VMX_PROC2_EPT | VMX_PROC2_VPID))
		caps->ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
}

void vmx_caps_read(struct vmx_caps *caps)
{
	bool exact;

	*caps = (struct vmx_caps){ .basic = rdmsr(MSR_VMX_BASIC) };
	exact = caps->basic & BASIC_TRUE_MSRS;
	caps->pin = rdmsr(exact ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN);
	caps->proc = rdmsr(exact ? MSR_VMX_TRUE_PROC : MSR_VMX_PROC);
	caps->exit = rdmsr(exact ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
	caps->entry = rdmsr(exact ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
	caps->misc = rdmsr(MSR_VMX_MISC);
	caps->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	read_proc2(caps);
}

/* Read at 0 and 0x400, write at 0x800 and 0xc00, for low and high MSRs; a
 * clear bit lets the guest: SDM 3C 24.6.9. */
static void msr_pass(uint8_t *map, uint32_t msr)
{
	uint32_t base = msr >= 0xc0000000u ? 0x400u : 0;
	uint32_t bit = msr & 0x1fffu;

	map[base + bit / 8] &= (uint8_t) ~(1u << bit % 8);
	map[base + 0x800 + bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

static void msr_bitmap_fill(uint8_t *map)
{
	memset(map, 0xff, VMMU_PAGE_SIZE);
	for (unsigned i = 0; i < MSR_OWN; i++)
		msr_pass(map, msr_own[i]);
}

/* The region's first word is the revision: SDM 3C 24.2. */
static bool region_make(const struct vmx_cpu *cpu, hpa_t *region)
{
	if (!frame_alloc(region))
		return false;
	*(uint32_t *)hpa_ptr(*region) = (uint32_t)cpu->caps.basic &
					BASIC_REVISION;
	return true;
}

const char *vmx_cpu_start(struct vmx_cpu *cpu)
{
	uint64_t features = rdmsr(MSR_FEATURES);
	const char *wrong;

	vmx_caps_read(&cpu->caps);
	wrong = vmx_controls_choose(&cpu->caps, &cpu->controls);
	if (wrong)
		return wrong;
	if (!region_make(cpu, &cpu->vmxon) || !frame_alloc(&cpu->msr_bitmap))
		return "there is no memory to start the engine";
	msr_bitmap_fill(hpa_ptr(cpu->msr_bitmap));
	if (!(features & FEATURES_LOCK))
		wrmsr(MSR_FEATURES, features | FEATURES_LOCK | FEATURES_VMX);
	write_cr0(read_cr0() | cpu->controls.cr0_ones);
	write_cr4(read_cr4() | cpu->controls.cr4_ones | CR4_VMXE);
	if (!vmxon(cpu->vmxon.v))
		return "the processor refuses VMXON";
	/* Someone may have used them before us. */
	if (cpu->controls.vpid)
		invvpid(INVVPID_ALL, 0, 0);
	if (!cpu->controls.no_nested)
		invept(INVEPT_ALL, 0);
	return NULL;
}

/* 2. A VMCS. */

/* What an exit comes back to: SDM 3C 24.5. */
static void host_fill(void)
{
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_ES, SEL_DATA);
	vmwrite(VMCS_HOST_CS, SEL_CODE);
	vmwrite(VMCS_HOST_SS, SEL_DATA);
	vmwrite(VMCS_HOST_DS, SEL_DATA);
	vmwrite(VMCS_HOST_FS, 0);
	vmwrite(VMCS_HOST_GS, 0);
	vmwrite(VMCS_HOST_TR, SEL_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, 0);
	vmwrite(VMCS_HOST_TR_BASE, desc_tss_base());
	vmwrite(VMCS_HOST_GDTR_BASE, desc_gdt_base());
	vmwrite(VMCS_HOST_IDTR_BASE, desc_idt_base());
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit);
}

/* External interrupts make exits whatever the guest's RFLAGS.IF is, so nothing
 * more should be needed. But Bochs 2.7 keeps them masked after an entry with IF
 * clear until the guest changes IF: a guest that polls would never hear of its
 * console, nor the monitor of its user. So now and then it is stopped, be it
 * busy with exits or not. SDM 3C 25.5.1. */
void vmx_wind_timer(const struct vmx_vcpu *s)
{
	const struct vmx_controls *c = &s->cpu->controls;
	uint64_t ticks = host_tsc_khz * TIMER_MS >> c->timer_shift;

	if (c->timer)
		vmwrite(VMCS_GUEST_TIMER,
			ticks < UINT32_MAX ? ticks : UINT32_MAX);
}

static void controls_fill(const struct vmx_vcpu *s, const struct vcpu *v)
{
	const struct vmx_controls *c = &s->cpu->controls;

	vmwrite(VMCS_PIN_CONTROLS, c->pin);
	vmwrite(VMCS_EXIT_CONTROLS, c->exit);
	vmwrite(VMCS_ENTRY_CONTROLS, c->entry);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_CR3_TARGETS, 0);
	vmwrite(VMCS_PF_MASK, 0);
	vmwrite(VMCS_PF_MATCH, 0);
	vmwrite(VMCS_MSR_BITMAP, s->cpu->msr_bitmap.v);
	vmwrite(VMCS_TSC_OFFSET, v->vm->tsc_offset);
	vmx_wind_timer(s);
	if (c->vpid)
		vmwrite(VMCS_VPID, s->vpid);
	if (c->pml) {
		vmwrite(VMCS_PML_ADDRESS, s->pml.v);
		vmwrite(VMCS_PML_INDEX, PML_EMPTY);
	}
	if (c->proc2_nested & VMX_PROC2_ENCLS)
		vmwrite(VMCS_ENCLS_BITMAP, UINT64_MAX);
}

static void guest_fill(struct vmx_vcpu *s)
{
	vmwrite(VMCS_LINK, UINT64_MAX);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_RIP, 0);
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RFLAGS, 2);
	s->rflags = 2;
	for (uint32_t msr = MSR_STAR; msr <= MSR_SFMASK; msr++)
		wrmsr(msr, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

bool vmx_vmcs_init(struct vmx_vcpu *s, struct vcpu *v)
{
	if (!region_make(s->cpu, &s->vmcs) ||
	    (s->cpu->controls.pml && !frame_alloc(&s->pml)))
		return false;
	s->vpid = ++s->cpu->vpid_last;
	if (!vmclear(s->vmcs.v) || !vmptrld(s->vmcs.v))
		return false;
	s->cpu->current = s;
	host_fill();
	controls_fill(s, v);
	guest_fill(s);
	return true;
}

/* 3. Another scheme. */

/* Logging is for slots that log: otherwise full logs would be exits for
 * nothing. */
static void write_proc2(const struct vmx_vcpu *s)
{
	const struct vmx_controls *c = &s->cpu->controls;
	uint32_t proc2 = s->software ? c->proc2_software : c->proc2_nested;

	if (s->logs && !s->software)
		proc2 |= VMX_PROC2_PML;
	if (s->proc & VMX_PROC_SECONDARY)
		vmwrite(VMCS_PROC2_CONTROLS, proc2);
}

void vmx_log_writes(struct vcpu *v, bool on)
{
	struct vmx_vcpu *s = v->engine_state;

	vmx_make_current(s);
	s->logs = on;
	write_proc2(s);
}

static void intercept(struct vcpu *v, struct vmx_vcpu *s)
{
	const struct vmx_controls *c = &s->cpu->controls;
	const uint32_t windows = VMX_PROC_WINDOW | VMX_PROC_NMI_WINDOW;
	uint32_t exceptions = 1u << VECTOR_DB | 1u << VECTOR_AC |
			      1u << VECTOR_MC;

	if (s->software)
		exceptions |= 1u << VECTOR_PF;
	s->proc = (s->software ? c->proc_software : c->proc_nested) |
		  (s->proc & windows);
	vmwrite(VMCS_PROC_CONTROLS, s->proc);
	write_proc2(s);
	vmwrite(VMCS_EXCEPTIONS, exceptions);
	vmwrite(VMCS_CR0_MASK, ~vmx_cr0_owned(s));
	vmwrite(VMCS_CR4_MASK, ~vmx_cr4_owned(v, s));
}

void vmx_use_scheme(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;
	struct vmmu_regs r = { .cr0 = 0 };

	vmx_make_current(s);
	vmx_guest_paging(s, &r);
	s->software = !(v->mmu.scheme->needs & VMMU_NEEDS_SECOND);
	intercept(v, s);
	s->stale = VMX_STALE_LINEAR | VMX_STALE_SECOND | VMX_STALE_REGS;
	if (s->software) {
		s->guest = r;
		vmx_show(&r);
	} else {
		vmx_load_nested(v, &r);
	}
}

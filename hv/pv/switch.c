/*
 * The processor as paravirtual guests need it.
 *
 * The GDT is the guest's, up to the page that is ours: 14 pages that are
 * frames of the guest, checked by the library, or a page of zeros, then ours
 * with the segments that a guest may use, our own, and TSS and LDT. So the
 * hypervisor runs on selectors of that page as long as a guest is about.
 * Every gate leads to entry.S, which hands what is not the guest's on. IST 4
 * is #DB's.
 *
 * GS and FS hold the guest's bases, and KERNEL_GS_BASE that of GS in the mode
 * that does not run: SWAPGS changes it.
 *
 * What CR4 gives to ring 3 is as the guest's kernel has it. Without FSGSBASE it
 * relies on its users not to change their bases (XSA-293); a user's PKRU would
 * bind its kernel, and our stores for it, as all its pages are ring 3's.
 */
#include "pv/shadow.h"

#include <assert.h>

#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/fixup.h"
#include "cpu/stack.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/vm.h"

#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define MSR_CSTAR	0xc0000083u
#define MSR_FMASK	0xc0000084u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_OTHER_GS	0xc0000102u /* KERNEL_GS_BASE */
#define MSR_SYSENTER_CS 0x174u
#define EFER_SCE	UINT64_C(1)
#define FMASK		0x57700u /* all but the arithmetic flags */
#define IST_DB		4

#define GDT_AT	  HV_PV_BASE
#define LDT_AT	  (HV_PV_BASE + UINT64_C(0x10000))
#define GDT_LIMIT ((PV_GDT_OUR_PAGE + 1) * 4096u - 1)

#define CODE_64	  UINT64_C(0x00af9b000000ffff)
#define DATA	  UINT64_C(0x00cf93000000ffff)
#define USER_32	  UINT64_C(0x00cffb000000ffff)
#define USER_DATA UINT64_C(0x00cff3000000ffff)
#define USER_64	  UINT64_C(0x00affb000000ffff)
#define TYPE_TSS  (UINT64_C(0x89) << 40)
#define TYPE_LDT  (UINT64_C(0x82) << 40)
#define TSS_SIZE  104u

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct pseudo_descriptor {
	uint16_t pad[3];
	uint16_t limit;
	uint64_t base;
};

static struct gate idt[256];
static uint64_t *our_page; /* of the GDT */
static hpa_t zero_page;
static uint64_t host_cr4;

/* 1. Once, at the engine's start. */

static void set_gate(unsigned vector, uint64_t entry, uint8_t ist, uint8_t dpl)
{
	idt[vector] = (struct gate){
		.offset0 = (uint16_t)entry,
		.selector = PV_OUR_CODE,
		.ist = ist,
		.type = (uint8_t)(0x8e | dpl << 5),
		.offset1 = (uint16_t)(entry >> 16),
		.offset2 = (uint32_t)(entry >> 32),
	};
}

/* INT3, INTO and INT 0x80 are for anyone, as on a bare machine: the guest's
 * table says what becomes of them. NMI, #DF and #MC are the host's. */
static void fill_idt(void)
{
	for (unsigned i = 0; i < 256; i++)
		set_gate(i, (uintptr_t)pv_stubs + 32 * i, 0, 0);
	set_gate(1, (uintptr_t)pv_debug_stub, IST_DB, 0);
	set_gate(3, (uintptr_t)pv_stubs + 32 * 3, 0, 3);
	set_gate(4, (uintptr_t)pv_stubs + 32 * 4, 0, 3);
	set_gate(0x80, (uintptr_t)pv_stubs + 32 * 0x80, 0, 3);
	set_gate(TRAP_NMI, (uintptr_t)trap_stubs + 16 * TRAP_NMI, IST_NMI, 0);
	set_gate(TRAP_DF, (uintptr_t)trap_stubs + 16 * TRAP_DF, IST_DF, 0);
	set_gate(TRAP_MC, (uintptr_t)trap_stubs + 16 * TRAP_MC, IST_MC, 0);
}

static uint64_t *our_entry(unsigned selector)
{
	return &our_page[(selector - PV_GDT_OUR_PAGE * 4096u) / 8];
}

/* Of 16 bytes: SDM 3A 7.2.3. */
static void set_system(unsigned selector, uint64_t type, uint64_t base,
		       uint32_t limit)
{
	uint64_t *entry = our_entry(selector);

	entry[0] = type | (limit & 0xffff) |
		   (uint64_t)(limit >> 16 & 0xf) << 48 |
		   (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

static void fill_our_page(void)
{
	*our_entry(PV_OUR_CODE) = CODE_64;
	*our_entry(PV_OUR_DATA) = DATA;
	*our_entry(PV_GUEST_CS32) = USER_32;
	*our_entry(PV_GUEST_SS) = USER_DATA;
	*our_entry(PV_GUEST_CS) = USER_64;
	set_system(PV_SEL_TSS, TYPE_TSS, desc_tss_base(), TSS_SIZE - 1);
}

static bool map_page(uint64_t at, hpa_t page)
{
	paging_unmap(mk_hva(at), VMMU_PAGE_SIZE);
	return paging_map(mk_hva(at), VMMU_PAGE_SIZE, page);
}

bool pv_switch_init(void)
{
	uint64_t stack, debug_stack;
	hpa_t page;

	if (!stack_make(&stack) || !stack_make(&debug_stack) ||
	    !frame_alloc(&page) || !frame_alloc(&zero_page))
		return false;
	pv_stack_top = stack;
	pv_frame = (struct trap_frame *)(stack - PV_FRAME_SIZE);
	desc_set_ist(IST_DB, debug_stack);
	our_page = pv_page(page);
	fill_our_page();
	fill_idt();
	for (unsigned i = 0; i < PV_GDT_PAGES; i++)
		if (!map_page(GDT_AT + i * VMMU_PAGE_SIZE, zero_page))
			return false;
	for (unsigned i = 0; i < PV_LDT_PAGES; i++)
		if (!map_page(LDT_AT + i * VMMU_PAGE_SIZE, zero_page))
			return false;
	return map_page(GDT_AT + PV_GDT_OUR_PAGE * VMMU_PAGE_SIZE, page);
}

/* 2. For a guest, and back. */

static void load_tables(void)
{
	const struct pseudo_descriptor g = { .limit = GDT_LIMIT,
					     .base = GDT_AT };
	const struct pseudo_descriptor i = { .limit = sizeof(idt) - 1,
					     .base = (uintptr_t)idt };

	pv_load_gdt(&g.limit);
	__asm__ volatile("lidt %0" : : "m"(i.limit) : "memory");
	set_system(PV_SEL_TSS, TYPE_TSS, desc_tss_base(), TSS_SIZE - 1);
	__asm__ volatile("ltr %w0" : : "r"(PV_SEL_TSS) : "memory");
	pv_ldt_load(0);
}

static void set_rsp0(uint64_t top)
{
	/* At offset 4 of the TSS: SDM 3A figure 7-11. */
	__builtin_memcpy((void *)(desc_tss_base() + 4), &top, sizeof(top));
}

/* Under shadow quick.S may have those alone that are the guest's own. */
static uintptr_t fault_entry(const struct pv_cpu *c)
{
	if (!pv_is_shadow(c))
		return (uintptr_t)pv_fault_stub;
	if (vmmu_cpu_direct_faults(&c->vcpu->mmu))
		return (uintptr_t)pv_shadow_fault_stub;
	return (uintptr_t)pv_stubs + 32 * TRAP_PF;
}

void pv_switch_on(struct pv_cpu *c)
{
	uint64_t star = (uint64_t)PV_GUEST_CS32 << 48 | (uint64_t)PV_OUR_CODE
								<< 32;

	set_rsp0(pv_stack_top);
	load_tables();
	host_cr4 = read_cr4();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, star);
	wrmsr(MSR_LSTAR, (uintptr_t)pv_syscall);
	wrmsr(MSR_CSTAR, (uintptr_t)pv_syscall32);
	wrmsr(MSR_FMASK, FMASK);
	wrmsr_safe(MSR_SYSENTER_CS, 0);
	wrmsr(MSR_PAT, PV_PAT);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_OTHER_GS, 0);
	pv_follow_cr4(c);
	pv_current = c;
	trap_own_fault = pv_is_shadow(c) ? pv_shadow_own_fault : NULL;
	set_gate(TRAP_PF, fault_entry(c), 0, 0);
	pv_quick(c);
	pv_quick_roots(c);
	write_cr3(c->vcpu->mmu.root.v);
}

void pv_switch_off(void)
{
	paging_use();
	__asm__ volatile("movq %0, %%dr7" : : "r"(UINT64_C(0x400)));
	write_cr0(read_cr0() & ~CR0_TS);
	write_cr4(host_cr4);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
	pv_current = NULL;
	trap_own_fault = NULL;
	desc_init();
}

/* 3. Tables of the guest. */

bool pv_gdt_map(unsigned page, hfn_t frame)
{
	return map_page(GDT_AT + page * VMMU_PAGE_SIZE, hfn_hpa(frame));
}

void pv_gdt_unmap(unsigned page)
{
	map_page(GDT_AT + page * VMMU_PAGE_SIZE, zero_page);
}

bool pv_ldt_map(unsigned page, hfn_t frame)
{
	return map_page(LDT_AT + page * VMMU_PAGE_SIZE, hfn_hpa(frame));
}

void pv_ldt_load(unsigned entries)
{
	uint16_t selector = 0;

	if (entries) {
		set_system(PV_SEL_LDT, TYPE_LDT, LDT_AT, entries * 8 - 1);
		selector = PV_SEL_LDT;
	}
	__asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

/* 4. Bases, and the two modes of the guest. */

uint64_t pv_fs_base(void)
{
	return rdmsr(MSR_FS_BASE);
}

uint64_t pv_gs_base(void)
{
	return rdmsr(MSR_GS_BASE);
}

uint64_t pv_other_gs_base(void)
{
	return rdmsr(MSR_OTHER_GS);
}

void pv_set_fs_base(uint64_t base)
{
	wrmsr(MSR_FS_BASE, base);
}

void pv_set_gs_base(uint64_t base)
{
	wrmsr(MSR_GS_BASE, base);
}

void pv_set_other_gs_base(uint64_t base)
{
	wrmsr(MSR_OTHER_GS, base);
}

void pv_follow_cr4(const struct pv_cpu *c)
{
	write_cr4((read_cr4() & ~PV_CR4_RING_3) | (c->cr4 & PV_CR4_RING_3));
}

static inline void swapgs(void)
{
	__asm__ volatile("swapgs");
}

/* What CR3 holds while the guest's users run; 0: they have no table. */
static uint64_t user_root(const struct pv_cpu *c)
{
	if (pv_is_shadow(c))
		return c->user_root ? c->vcpu->mmu.other.root.v : 0;
	return vmmu_direct_cpu(&c->vcpu->mmu)->user_root.v;
}

void pv_quick_roots(struct pv_cpu *c)
{
	c->cr3_kernel = c->vcpu->mmu.root.v;
	c->cr3_user = user_root(c);
}

void pv_quick(struct pv_cpu *c)
{
	const struct pv_callback *syscall = &c->callback[CALLBACKTYPE_syscall];
	const struct pv_trap_entry *fault = &c->trap[TRAP_PF];
	uint64_t sp = c->kernel_sp & ~UINT64_C(15);

	pv_quick_roots(c);
	c->quick_syscall = syscall->address;
	c->quick_fault = fault->address;
	c->quick_vm = pv_is_shadow(c) ? NULL : &c->vcpu->vm->mmu;
	c->quick_ready = syscall->address && syscall->masks && fault->address &&
			 fault->masks;
	c->quick_sp =
		c->quick_ready && pv_range_ok(sp - PV_FRAME_MOST, PV_FRAME_MOST)
			? sp
			: 0;
}

void pv_to_kernel(struct pv_cpu *c)
{
	swapgs();
	write_cr3(c->vcpu->mmu.root.v);
	c->kernel = true;
}

void pv_to_user(struct pv_cpu *c)
{
	swapgs();
	write_cr3(user_root(c));
	c->kernel = false;
}

/*
 * A guest's system registers in its VMCS.
 *
 * CR0 and CR4 have two faces: a bit that the guest owns is the real one, any
 * other is what the read shadow shows it, and a write that would change that
 * makes an exit (SDM 3C 24.6.6).
 *
 *   nested    the guest owns all but CD, NW and what VMX fixes: it pages as
 *             it likes, and the TLB is the processor's affair
 *   software  it owns what has nothing to do with paging; the real registers
 *             are those that make the processor walk the scheme's table
 *
 * CD and NW never reach the hardware: an exit would leave them to the host
 * (SDM 3C 27.5.1). CR2, DR0 to DR3 and DR6 are the processor's own registers,
 * which the hypervisor does not use while a guest lives.
 */
#include "vmx/state.h"

#include "cpu/cpu.h"
#include "vm/cr.h"
#include "vm/vm.h"
#include "vmx/insn.h"
#include "vmx/qual.h"

#define CR0_ET (UINT64_C(1) << 4)
#define CR0_AM (UINT64_C(1) << 18)

/* Of no meaning for paging: VME PVI TSD DE OSFXSR OSXMMEXCPT UMIP FSGSBASE
 * OSXSAVE. */
#define CR4_PLAIN UINT64_C(0x50e0f)

#define PAT_RESET UINT64_C(0x0007040600070406)

/* A neutral segment's place among fields that follow one another. */
static const uint8_t place[SEGMENTS] = {
	[SEG_ES] = 0, [SEG_CS] = 1, [SEG_SS] = 2,   [SEG_DS] = 3,
	[SEG_FS] = 4, [SEG_GS] = 5, [SEG_LDTR] = 6, [SEG_TR] = 7,
};

static struct vmx_vcpu *current_of(struct vcpu *v)
{
	struct vmx_vcpu *s = v->engine_state;

	vmx_make_current(s);
	return s;
}

/* Paging registers. */

uint64_t vmx_cr0_owned(const struct vmx_vcpu *s)
{
	uint64_t plain = CR0_MP | CR0_EM | CR0_TS | CR0_AM;

	return s->software ? plain : plain | CR0_PE | CR0_WP | VMMU_CR0_PG;
}

uint64_t vmx_cr4_owned(const struct vcpu *v, const struct vmx_vcpu *s)
{
	uint64_t offered = v->vm->cpuid.cr4 & s->cpu->controls.cr4_may &
			   ~(s->cpu->controls.cr4_ones | CR4_MCE);

	return s->software ? offered & CR4_PLAIN : offered;
}

static uint64_t seen(enum vmcs_field real, enum vmcs_field mask,
		     enum vmcs_field shadow)
{
	uint64_t hidden = vmread(mask);

	return (vmread(real) & ~hidden) | (vmread(shadow) & hidden);
}

void vmx_guest_paging(struct vmx_vcpu *s, struct vmmu_regs *r)
{
	r->cr0 = seen(VMCS_GUEST_CR0, VMCS_CR0_MASK, VMCS_CR0_SHADOW);
	r->cr4 = seen(VMCS_GUEST_CR4, VMCS_CR4_MASK, VMCS_CR4_SHADOW);
	if (s->software) {
		r->cr3 = s->guest.cr3;
		r->efer = s->guest.efer;
		r->pat = s->guest.pat;
		for (unsigned i = 0; i < 4; i++)
			r->pdpte[i] = s->guest.pdpte[i];
		return;
	}
	r->cr3 = vmread(VMCS_GUEST_CR3);
	r->efer = vmread(VMCS_GUEST_EFER);
	r->pat = vmread(VMCS_GUEST_PAT);
	if (!cr_uses_pdptes(r->cr0, r->cr4, r->efer))
		return;
	for (unsigned i = 0; i < 4; i++)
		r->pdpte[i] = vmread(vmcs_nth(VMCS_GUEST_PDPTE0, i));
}

static void load_efer(struct vmx_vcpu *s, uint64_t efer)
{
	uint32_t entry = s->cpu->controls.entry;

	if (efer & VMMU_EFER_LMA)
		entry |= VMX_ENTRY_GUEST_64;
	vmwrite(VMCS_ENTRY_CONTROLS, entry);
	vmwrite(VMCS_GUEST_EFER, efer);
}

static uint64_t real_cr4(const struct vmx_vcpu *s, uint64_t cr4)
{
	return cr4 | s->cpu->controls.cr4_ones | CR4_MCE;
}

void vmx_show(const struct vmmu_regs *r)
{
	vmwrite(VMCS_CR0_SHADOW, r->cr0);
	vmwrite(VMCS_CR4_SHADOW, r->cr4);
}

void vmx_load_nested(struct vcpu *v, const struct vmmu_regs *r)
{
	struct vmx_vcpu *s = current_of(v);
	const uint64_t free = VMMU_CR0_PE | VMMU_CR0_PG;

	vmx_show(r);
	vmwrite(VMCS_GUEST_CR0, (r->cr0 & ~(VMMU_CR0_CD | VMMU_CR0_NW)) |
					(s->cpu->controls.cr0_ones & ~free) |
					CR0_ET);
	vmwrite(VMCS_GUEST_CR3, r->cr3);
	vmwrite(VMCS_GUEST_CR4, real_cr4(s, r->cr4));
	vmwrite(VMCS_GUEST_PAT, r->pat);
	load_efer(s, r->efer);
	if (!cr_uses_pdptes(r->cr0, r->cr4, r->efer))
		return;
	for (unsigned i = 0; i < 4; i++)
		vmwrite(vmcs_nth(VMCS_GUEST_PDPTE0, i), r->pdpte[i]);
}

/* All but the bits of `keep`. */
static void write_real(enum vmcs_field field, uint64_t value, uint64_t keep)
{
	vmwrite(field, (value & ~keep) | (vmread(field) & keep));
}

/* A #PF makes an exit where its error code under the mask is what must match:
 * SDM 3C 25.2. Those without P stay with the guest, if the scheme says so. */
static void filter_faults(const struct vcpu *v)
{
	uint32_t filter = vmmu_cpu_direct_faults(&v->mmu) ? VMMU_PF_P : 0;

	vmwrite(VMCS_PF_MASK, filter);
	vmwrite(VMCS_PF_MATCH, filter);
}

bool vmx_load_software(struct vcpu *v, struct vmx_vcpu *s)
{
	struct vmmu_regs real;

	if (!(s->guest.cr0 & VMMU_CR0_PE)) {
		vm_stop(v->vm, VM_KILLED,
			"the guest is in real mode at rip 0x%llx, which this "
			"processor runs under mmu=nested alone",
			(unsigned long long)v->rip);
		return false;
	}
	vmmu_cpu_real_regs(&v->mmu, &real);
	write_real(VMCS_GUEST_CR0,
		   (real.cr0 & ~(VMMU_CR0_CD | VMMU_CR0_NW)) |
			   s->cpu->controls.cr0_ones | CR0_ET,
		   vmx_cr0_owned(s));
	write_real(VMCS_GUEST_CR4, real_cr4(s, real.cr4), vmx_cr4_owned(v, s));
	vmwrite(VMCS_GUEST_CR3, real.cr3);
	/* The scheme's tables are write-back by entry 0 of this. */
	vmwrite(VMCS_GUEST_PAT, PAT_RESET);
	load_efer(s, real.efer);
	filter_faults(v);
	return true;
}

void vmx_set_paging(struct vcpu *v, const struct vmmu_regs *regs)
{
	struct vmx_vcpu *s = current_of(v);

	s->stale |= VMX_STALE_LINEAR;
	if (!s->software) {
		vmx_load_nested(v, regs);
		return;
	}
	s->stale |= VMX_STALE_REGS;
	s->guest = *regs;
	vmx_show(regs);
	write_real(VMCS_GUEST_CR0, regs->cr0, ~vmx_cr0_owned(s));
	write_real(VMCS_GUEST_CR4, regs->cr4, ~vmx_cr4_owned(v, s));
}

void vmx_set_cr3(struct vcpu *v, uint64_t cr3)
{
	struct vmx_vcpu *s = current_of(v);

	s->stale |= VMX_STALE_LINEAR;
	if (s->software) {
		s->stale |= VMX_STALE_REGS;
		s->guest.cr3 = cr3;
	} else {
		vmwrite(VMCS_GUEST_CR3, cr3);
	}
}

/* All of them. */

static void seg_get(enum segment_name name, struct segment *s)
{
	unsigned n = place[name];

	s->selector = (uint16_t)vmread(vmcs_nth(VMCS_GUEST_ES, n));
	s->attrib =
		vmx_attrib((uint32_t)vmread(vmcs_nth(VMCS_GUEST_ES_RIGHTS, n)));
	s->limit = (uint32_t)vmread(vmcs_nth(VMCS_GUEST_ES_LIMIT, n));
	s->base = vmread(vmcs_nth(VMCS_GUEST_ES_BASE, n));
}

static void seg_set(enum segment_name name, const struct segment *s)
{
	unsigned n = place[name];

	vmwrite(vmcs_nth(VMCS_GUEST_ES, n), s->selector);
	vmwrite(vmcs_nth(VMCS_GUEST_ES_RIGHTS, n), vmx_rights(s->attrib));
	vmwrite(vmcs_nth(VMCS_GUEST_ES_LIMIT, n), s->limit);
	vmwrite(vmcs_nth(VMCS_GUEST_ES_BASE, n), s->base);
}

/* The privilege level is that of SS, usable or not: SDM 3C 24.4.1. */
uint8_t vmx_cpl(void)
{
	return vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3;
}

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("movq %%dr6, %0" : "=r"(value));
	return value;
}

static void write_dr6(uint64_t value)
{
	__asm__ volatile("movq %0, %%dr6" : : "r"(value & UINT32_MAX));
}

void vmx_get_sregs(struct vcpu *v, struct sregs *s)
{
	struct vmmu_regs r;

	vmx_guest_paging(current_of(v), &r);
	for (unsigned i = 0; i < SEGMENTS; i++)
		seg_get((enum segment_name)i, &s->seg[i]);
	s->gdt = (struct segment){
		.limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT),
		.base = vmread(VMCS_GUEST_GDTR_BASE),
	};
	s->idt = (struct segment){
		.limit = (uint32_t)vmread(VMCS_GUEST_IDTR_LIMIT),
		.base = vmread(VMCS_GUEST_IDTR_BASE),
	};
	s->cr0 = r.cr0;
	s->cr2 = read_cr2();
	s->cr3 = r.cr3;
	s->cr4 = r.cr4;
	s->efer = r.efer;
	s->pat = r.pat;
	s->dr6 = read_dr6();
	s->dr7 = vmread(VMCS_GUEST_DR7);
	s->cpl = vmx_cpl();
}

void vmx_get_segment(struct vcpu *v, enum segment_name name, struct segment *s)
{
	current_of(v);
	seg_get(name, s);
}

/* The PDPTEs stay: only MOV to a control register loads them. */
static void set_paging_of(struct vcpu *v, struct vmx_vcpu *state,
			  const struct sregs *s)
{
	struct vmmu_regs r;

	vmx_guest_paging(state, &r);
	r.cr0 = s->cr0;
	r.cr3 = s->cr3;
	r.cr4 = s->cr4;
	r.efer = s->efer;
	r.pat = s->pat;
	vmx_set_paging(v, &r);
}

void vmx_set_sregs(struct vcpu *v, const struct sregs *s)
{
	struct vmx_vcpu *state = current_of(v);

	for (unsigned i = 0; i < SEGMENTS; i++)
		seg_set((enum segment_name)i, &s->seg[i]);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, s->gdt.limit & 0xffff);
	vmwrite(VMCS_GUEST_GDTR_BASE, s->gdt.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, s->idt.limit & 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, s->idt.base);
	set_paging_of(v, state, s);
	write_cr2(s->cr2);
	write_dr6(s->dr6);
	vmwrite(VMCS_GUEST_DR7, s->dr7);
}

/* The little that nearly every handler asks. */

static uint8_t code_bits(uint32_t rights, uint64_t efer)
{
	uint16_t attrib = vmx_attrib(rights);

	if ((efer & VMMU_EFER_LMA) && (attrib & SEG_ATTRIB_L))
		return 64;
	return attrib & SEG_ATTRIB_DB ? 32 : 16;
}

static bool differ(const struct vmmu_regs *a, const struct vmmu_regs *b)
{
	uint64_t changed = (a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) |
			   (a->cr4 ^ b->cr4) | (a->efer ^ b->efer) |
			   (a->pat ^ b->pat);

	for (unsigned i = 0; i < 4; i++)
		changed |= a->pdpte[i] ^ b->pdpte[i];
	return changed;
}

bool vmx_look(struct vcpu *v, struct look *look)
{
	struct vmmu_regs r = look->regs;
	bool changed;

	vmx_guest_paging(current_of(v), &r);
	look->cs_base = vmread(VMCS_GUEST_CS_BASE);
	look->bits = code_bits((uint32_t)vmread(VMCS_GUEST_CS_RIGHTS), r.efer);
	look->cpl = vmx_cpl();
	changed = differ(&look->regs, &r);
	look->regs = r;
	return changed;
}

void vmx_set_cr2(struct vcpu *v, uint64_t cr2)
{
	(void)v;
	write_cr2(cr2);
}

/* Only under EPT: a scheme of software is told of the whole set. */
void vmx_set_efer(struct vcpu *v, uint64_t efer)
{
	struct vmx_vcpu *s = current_of(v);

	load_efer(s, efer);
	s->stale |= VMX_STALE_LINEAR; /* NXE: what translations mean */
}

void vmx_set_pat(struct vcpu *v, uint64_t pat)
{
	struct vmx_vcpu *s = current_of(v);

	s->guest.pat = pat;
	if (!s->software)
		vmwrite(VMCS_GUEST_PAT, pat);
	s->stale |= VMX_STALE_LINEAR;
}

void vmx_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	(void)v;
	vmwrite(VMCS_TSC_OFFSET, offset);
}

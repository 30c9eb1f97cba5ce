/*
 * The privileged instructions that a paravirtual kernel still executes: in
 * ring 3 each is a #GP, and CPUID, which is none, is asked for behind the
 * bytes 0f 0b "xen", which are a #UD.
 *
 *   MOV to and from CR0, CR2, CR3, CR4   as the guest has them
 *   RDMSR, WRMSR                         the policy of vm/msr.c and below
 *   XSETBV, CLTS, WBINVD, HLT            done
 *   CLI, STI                             nothing: events have a mask instead
 *   IN, OUT                              ports of the PIT, the exit port
 *
 * The bytes are read once and what they say is done, whatever has become of
 * them since.
 */
#include "pv/pv.h"

#include <string.h>

#include "cpu/cpu.h"
#include "insn/emulate.h"
#include "vm/vm.h"

#define MSR_FS_BASE	   0xc0000100u
#define MSR_GS_BASE	   0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define EXIT_PORT	   0xf4
#define RDMSR		   0x320f /* as the bytes lie */
#define XEN_LEAVES	   0x40000000u
#define XEN_MAJOR	   4u
#define XEN_MINOR	   17u

/* 1. The instruction. */

/* Fewer than 15 where the rest is on a page that is not there. */
unsigned pv_fetch(const struct pv_cpu *c, uint8_t bytes[15])
{
	uint64_t rip = c->frame->rip;
	unsigned here = (unsigned)(VMMU_PAGE_SIZE - (rip & VMMU_PAGE_MASK));

	if (pv_get(bytes, rip, 15))
		return 15;
	if (here >= 15 || !pv_get(bytes, rip, here))
		return 0;
	return here;
}

static uint64_t edx_eax(const struct trap_frame *f)
{
	return f->rdx << 32 | (uint32_t)f->rax;
}

static void set_edx_eax(struct trap_frame *f, uint64_t value)
{
	f->rax = (uint32_t)value;
	f->rdx = value >> 32;
}

/* 2. MSRs. The guest's kernel is running, so KERNEL_GS_BASE, as it knows it,
 * is its user's. */

static bool read_msr(struct pv_cpu *c, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_FS_BASE:
		*value = pv_fs_base();
		return true;
	case MSR_GS_BASE:
		*value = pv_gs_base();
		return true;
	case MSR_KERNEL_GS_BASE:
		*value = pv_other_gs_base();
		return true;
	case MSR_EFER:
		*value = rdmsr(MSR_EFER);
		return true;
	case MSR_PAT:
		*value = PV_PAT;
		return true;
	case MSR_TSC:
		*value = rdtsc();
		return true;
	case MSR_APIC_BASE: /* on, and never moved; it is not used */
		*value = 0xfee00900;
		return true;
	default:
		return msr_read(&c->vcpu->msrs, msr, value) == MSR_OK;
	}
}

static bool write_msr(struct pv_cpu *c, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		if (!pv_canonical(value))
			return false;
		break;
	case MSR_PAT:
	case MSR_EFER:
	case MSR_APIC_BASE:
		return false;
	default:
		break;
	}
	if (msr == MSR_FS_BASE)
		pv_set_fs_base(value);
	else if (msr == MSR_GS_BASE)
		pv_set_gs_base(value);
	else if (msr == MSR_KERNEL_GS_BASE)
		pv_set_other_gs_base(value);
	else if (msr_write(&c->vcpu->msrs, msr, value) != MSR_OK)
		return false;
	if (msr == MSR_TSC_AUX) /* RDTSCP reads the register itself */
		wrmsr(MSR_TSC_AUX, value);
	return true;
}

/* 3. CPUID. */

static void xen_leaf(struct pv_cpu *c, uint32_t leaf, uint32_t r[4])
{
	(void)c;
	memset(r, 0, 16);
	switch (leaf - XEN_LEAVES) {
	case 0:
		r[0] = XEN_LEAVES + 2;
		memcpy(&r[1], "XenVMMXenVMM", 12);
		break;
	case 1:
		r[0] = XEN_MAJOR << 16 | XEN_MINOR;
		break;
	case 2:
		r[0] = 1; /* hypercall pages; their MSR is none of ours */
		break;
	}
}

static void emulate_cpuid(struct pv_cpu *c)
{
	struct trap_frame *f = c->frame;
	const struct cpuid_table *t = &c->vcpu->vm->cpuid;
	const struct cpuid_dynamic now = {
		.cr4 = CR4_OSXSAVE,
		.xcr0 = t->xcr0 ? xgetbv(0) : 0,
		.apic_enabled = true,
	};
	uint32_t leaf = (uint32_t)f->rax, r[4];

	c->stats.cpuid++;
	if (leaf - XEN_LEAVES < 0x10000)
		xen_leaf(c, leaf, r);
	else
		cpuid_query(t, leaf, (uint32_t)f->rcx, &now, r);
	f->rax = r[0];
	f->rbx = r[1];
	f->rcx = r[2];
	f->rdx = r[3];
}

bool pv_emulate_forced(struct pv_cpu *c)
{
	static const uint8_t code[7] = {
		0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2
	};
	uint8_t bytes[sizeof(code)];

	if (!pv_get(bytes, c->frame->rip, sizeof(bytes)) ||
	    memcmp(bytes, code, sizeof(code)) != 0)
		return false;
	emulate_cpuid(c);
	c->frame->rip += sizeof(code);
	return true;
}

/* 4. Control registers. What the guest writes to CR4 is kept for it to read;
 * the processor's own stays as the hypervisor needs it, but for what is of
 * use in ring 3. */

static bool read_cr(const struct pv_cpu *c, unsigned n, uint64_t *value)
{
	switch (n) {
	case 0:
		*value = (read_cr0() & ~CR0_TS) | (c->ts ? CR0_TS : 0);
		return true;
	case 2:
		*value = c->info->arch.cr2;
		return true;
	case 3:
		*value = c->vcpu->mmu.root.v;
		return true;
	case 4:
		*value = c->cr4;
		return true;
	default:
		return false;
	}
}

static bool write_cr(struct pv_cpu *c, unsigned n, uint64_t value)
{
	uint64_t cr0 = read_cr0();

	switch (n) {
	case 0:
		if ((value ^ cr0) & ~CR0_TS & UINT32_MAX)
			return false;
		c->ts = value & CR0_TS;
		write_cr0((cr0 & ~CR0_TS) | (c->ts ? CR0_TS : 0));
		return true;
	case 2:
		c->info->arch.cr2 = value;
		return true;
	case 4:
		if (value & ~c->vcpu->vm->cpuid.cr4)
			return false;
		c->cr4 = value;
		pv_follow_cr4(c);
		return true;
	default: /* CR3 by hypercall alone */
		return false;
	}
}

static bool emulate_cr(struct pv_cpu *c, const struct insn *in)
{
	struct insn_cr cr;

	if (!insn_cr(in, &cr))
		return false;
	c->stats.cr++;
	if (cr.write)
		return write_cr(c, cr.number, *pv_register(c->frame, cr.gpr));
	return read_cr(c, cr.number, pv_register(c->frame, cr.gpr));
}

/* 5. The rest. */

static bool emulate_xsetbv(struct pv_cpu *c)
{
	const struct trap_frame *f = c->frame;

	if ((uint32_t)f->rcx != 0 ||
	    !cpuid_xcr0_valid(&c->vcpu->vm->cpuid, edx_eax(f)))
		return false;
	xsetbv(0, edx_eax(f));
	return true;
}

static bool emulate_msr(struct pv_cpu *c, bool write)
{
	struct trap_frame *f = c->frame;
	uint64_t value;

	if (write) {
		c->stats.wrmsr++;
		return write_msr(c, (uint32_t)f->rcx, edx_eax(f));
	}
	c->stats.rdmsr++;
	if (!read_msr(c, (uint32_t)f->rcx, &value))
		return false;
	set_edx_eax(f, value);
	return true;
}

/* The board's timer is there because a kernel that has been told the rate of
 * the TSC measures it by that still; read as ones it takes 100,000 reads to
 * give up. */
static bool is_port(uint16_t port)
{
	return (port >= 0x40 && port <= 0x43) || port == 0x61 ||
	       port == EXIT_PORT;
}

/* IN leaves what it does not write: SDM 2, IN. */
static void in(struct trap_frame *f, unsigned size, uint32_t value)
{
	if (size == 4)
		f->rax = value;
	else if (size == 2)
		f->rax = (f->rax & ~UINT64_C(0xffff)) | (value & 0xffff);
	else
		f->rax = (f->rax & ~UINT64_C(0xff)) | (value & 0xff);
}

static bool emulate_io(struct pv_cpu *c, const struct insn *insn)
{
	struct insn_regs regs = { .gpr = { [INSN_RDX] = c->frame->rdx } };
	struct vm *vm = c->vcpu->vm;
	struct insn_io io;

	if (!insn_io(insn, &regs, &io) || io.string)
		return false;
	c->stats.io++;
	if (io.in) {
		in(c->frame, io.size,
		   is_port(io.port) ? board_in(&vm->board, 0, io.port, io.size)
				    : UINT32_MAX);
	} else if (is_port(io.port)) {
		board_out(&vm->board, 0, io.port, io.size,
			  (uint32_t)c->frame->rax);
		vm_check_board(vm);
		c->leave = vm->end != VM_RUNNING;
	}
	return true;
}

static bool emulate_0f(struct pv_cpu *c, const struct insn *insn)
{
	switch (insn->opcode) {
	case 0x01: /* XSETBV: 0f 01 d1 */
		return insn->has_modrm && !insn->has_mem &&
		       (insn->reg & 7) == 2 && (insn->rm & 7) == 1 &&
		       emulate_xsetbv(c);
	case 0x06: /* CLTS */
		c->ts = false;
		write_cr0(read_cr0() & ~CR0_TS);
		return true;
	case 0x08: /* INVD */
	case 0x09: /* WBINVD */
		return true;
	case 0x20:
	case 0x22:
		return emulate_cr(c, insn);
	default:
		return false;
	}
}

static bool emulate(struct pv_cpu *c, const struct insn *insn)
{
	if (emulate_io(c, insn))
		return true;
	c->stats.other++;
	if (insn->map == INSN_MAP_0F)
		return emulate_0f(c, insn);
	if (insn->map != INSN_MAP_ONE)
		return false;
	switch (insn->opcode) {
	case 0xf4: /* HLT */
		c->info->evtchn_upcall_mask = 0;
		c->blocked = !pv_event_pending(c);
		c->leave = c->blocked;
		return true;
	case 0xfa: /* CLI */
	case 0xfb: /* STI */
		return true;
	default:
		return false;
	}
}

bool pv_emulate_privileged(struct pv_cpu *c)
{
	struct insn insn;
	uint64_t pair[2];
	uint8_t bytes[15];
	unsigned count;

	/* A process switch saves its user's GS base. */
	if (pv_get_pair(pair, c->frame->rip) && (uint16_t)pair[0] == RDMSR &&
	    (uint32_t)c->frame->rcx == MSR_KERNEL_GS_BASE) {
		set_edx_eax(c->frame, pv_other_gs_base());
		c->frame->rip += 2;
		c->stats.rdmsr++;
		return true;
	}
	count = pv_fetch(c, bytes);
	if (count >= 2 && bytes[0] == 0x0f &&
	    (bytes[1] == 0x30 || bytes[1] == 0x32)) {
		if (!emulate_msr(c, bytes[1] == 0x30))
			return false;
		c->frame->rip += 2;
		return true;
	}
	if (insn_decode(&insn, bytes, count, INSN_64) != INSN_OK ||
	    !emulate(c, &insn))
		return false;
	c->frame->rip += insn.length;
	return true;
}

/*
 * What a guest does to its paging, where a scheme of software must know of it:
 * page faults, control registers, INVLPG. The engine keeps the guest's own
 * registers apart from those that the hardware runs with; here the guest's
 * are checked, changed, and told to the scheme.
 *
 *   CR3                  set_regs, then flush: the scheme finds its root
 *   CR0, CR4, EFER       set_regs: the scheme recomputes what depends on them
 *   INVLPG               invalidate
 *   #PF                  fault: a verdict, as for a violation
 */
#include "insn/emulate.h"
#include "vm/cr.h"
#include "vm/insn_glue.h"
#include "vm/vm.h"

#define VECTOR_GP 13
#define CR0_TS	  (UINT64_C(1) << 3)
#define RFLAGS_AC (UINT64_C(1) << 18)
#define PDPTE_A	  (UINT64_C(1) << 5)

/* Page faults. */

static unsigned access_of(const struct vcpu *v, uint32_t error)
{
	unsigned access = error & VMMU_PF_I   ? VMMU_X
			  : error & VMMU_PF_W ? VMMU_W
					      : VMMU_R;

	if (error & VMMU_PF_U)
		return access | VMMU_U;
	/* A supervisor's access from user mode is the processor's own. */
	if (v->exit.page_fault.cpl == 3)
		return access | VMMU_IMPLICIT;
	return v->rflags & RFLAGS_AC ? access | VMMU_AC : access;
}

void vcpu_handle_page_fault(struct vcpu *v)
{
	const struct exit_page_fault *x = &v->exit.page_fault;
	struct vmmu_fault fault = { .gva = x->gva, .error_code = x->error };
	struct vmmu_answer answer;

	/* The registers of paging are what they were told to be; the keys
	 * change untold. */
	if (v->mode_stale || v->look.regs.cr4 & VMMU_CR4_PKE)
		vcpu_sync_mode(v);
	fault.access = access_of(v, x->error);
	vmmu_cpu_fault(&v->mmu, &fault, &answer);
	if (answer.verdict == VMMU_INJECT)
		vcpu_raise_pf(v, answer.gva, answer.error_code);
	else if (answer.verdict != VMMU_RESUME)
		vcpu_obey(v, &answer);
}

/* Control registers. */

static struct cr_state state_of(struct vcpu *v)
{
	const struct look *look = vcpu_look(v);

	return (struct cr_state){
		.cr0 = look->regs.cr0,
		.cr4 = look->regs.cr4,
		.efer = look->regs.efer,
		.code_64 = look->bits == 64,
		.cr4_offered = v->vm->cpuid.cr4,
	};
}

/* SDM 3A 4.4.1: loaded with CR3, and refused when a reserved bit is set. QEMU
 * 7.2's emulation of nested paging sets one of them, A: the guest that has run
 * so finds it in its PDPTEs and has not put it there. */
static bool load_pdptes(struct vcpu *v, struct vmmu_regs *r)
{
	uint64_t pdpte[4];
	gpa_t at = mk_gpa(r->cr3 & UINT64_C(0xffffffe0));

	if (!cr_uses_pdptes(r->cr0, r->cr4, r->efer))
		return true;
	if (vmmu_gmem_read(&v->mmu.mem, at, pdpte, sizeof(pdpte)) !=
	    VMMU_GMEM_OK)
		return false;
	for (unsigned i = 0; i < 4 && v->vm->pdptes_walked; i++)
		pdpte[i] &= ~PDPTE_A;
	if (!vmmu_pdptes_valid(&v->features, pdpte))
		return false;
	for (unsigned i = 0; i < 4; i++)
		r->pdpte[i] = pdpte[i];
	return true;
}

/* The guest's registers become these. */
static void commit(struct vcpu *v, const struct vmmu_regs *r)
{
	v->look.regs = *r;
	v->memo.page = 0;
	v->vm->engine->set_paging(v, r);
	vmmu_cpu_set_regs(&v->mmu, r, &v->features);
}

bool vcpu_tell_paging(struct vcpu *v)
{
	struct vmmu_regs r;

	v->looked = false;
	r = vcpu_look(v)->regs;
	if (!v->features.pdptes_in_memory && !load_pdptes(v, &r))
		return false;
	v->look.regs = r;
	v->memo.page = 0;
	vmmu_cpu_set_regs(&v->mmu, &r, &v->features);
	v->mode_stale = false;
	return true;
}

static bool write_cr0(struct vcpu *v, uint64_t value)
{
	const struct cr_state s = state_of(v);
	struct vmmu_regs r = v->look.regs;

	if (!cr0_valid(&s, value))
		return false;
	r.cr0 = cr0_written(value);
	r.efer = cr_efer_after(r.efer, r.cr0);
	if (cr0_flushes(s.cr0, r.cr0) && !load_pdptes(v, &r))
		return false;
	commit(v, &r);
	return true;
}

static __attribute__((noinline)) bool load_cr3_of_pae(struct vcpu *v,
						      uint64_t value)
{
	struct vmmu_regs r = v->look.regs;

	r.cr3 = value;
	if (!load_pdptes(v, &r))
		return false;
	commit(v, &r);
	vmmu_cpu_flush(&v->mmu, VMMU_FLUSH_NON_GLOBAL);
	return true;
}

bool vcpu_load_cr3(struct vcpu *v, uint64_t value)
{
	const struct vmmu_regs *now = &vcpu_look(v)->regs;

	if (!cr3_valid(now, v->features.maxphyaddr, value))
		return false;
	if (cr_uses_pdptes(now->cr0, now->cr4, now->efer))
		return load_cr3_of_pae(v, value);
	v->look.regs.cr3 = value;
	v->vm->engine->set_cr3(v, value);
	vmmu_cpu_load_root(&v->mmu, value);
	return true;
}

static bool write_cr4(struct vcpu *v, uint64_t value)
{
	const struct cr_state s = state_of(v);
	struct vmmu_regs r = v->look.regs;
	bool flushes = cr4_flushes(s.cr4, value);

	if (!cr4_valid(&s, value))
		return false;
	r.cr4 = value;
	if (flushes && !load_pdptes(v, &r))
		return false;
	commit(v, &r);
	if (flushes)
		vmmu_cpu_flush(&v->mmu, VMMU_FLUSH_ALL);
	return true;
}

bool vcpu_write_cr(struct vcpu *v, unsigned number, uint64_t value)
{
	switch (number) {
	case 0:
		return write_cr0(v, value);
	case 3:
		return vcpu_load_cr3(v, value);
	case 4:
		return write_cr4(v, value);
	default:
		return false;
	}
}

void vcpu_write_efer(struct vcpu *v, uint64_t value)
{
	struct vmmu_regs r = vcpu_look(v)->regs;

	r.efer = value;
	commit(v, &r);
}

/* CLTS, LMSW and SMSW are older ways to CR0, the last two also from and to
 * memory, 16 bits. False: the operand could not be reached, and the guest is
 * told. */

#define CLTS	   0x06 /* 0F 06; the others are 0F 01 */
#define GROUP_SMSW 4
#define GROUP_LMSW 6

static gva_t operand_of(struct vcpu *v, const struct insn *in)
{
	struct insn_regs regs;

	vcpu_insn_regs(v, &regs);
	return mk_gva(insn_address(in, &regs));
}

static bool store_msw(struct vcpu *v, const struct insn *in, uint64_t cr0)
{
	uint64_t *gpr = &v->gpr[in->rm];

	if (in->has_mem)
		return vcpu_write(v, operand_of(v, in), 2, cr0 & 0xffff) ==
		       GUEST_OK;
	if (in->op_bytes == 2)
		*gpr = (*gpr & ~UINT64_C(0xffff)) | (cr0 & 0xffff);
	else
		*gpr = cr0;
	return true;
}

/* SDM 2: LMSW sets the low four bits and cannot clear PE. */
static bool load_msw(struct vcpu *v, const struct insn *in, uint64_t *cr0)
{
	uint64_t value;

	if (!in->has_mem)
		value = v->gpr[in->rm];
	else if (vcpu_read(v, operand_of(v, in), 2, VMMU_R, &value) != GUEST_OK)
		return false;
	*cr0 = (*cr0 & ~UINT64_C(0xe)) | (value & 0xf);
	return true;
}

void vcpu_handle_msw(struct vcpu *v, const struct insn *in)
{
	uint64_t cr0 = vcpu_look(v)->regs.cr0;
	unsigned group = in->reg & 7;
	bool stores = in->opcode == 0x01 && group == GROUP_SMSW;

	if (in->map != INSN_MAP_0F)
		return;
	if (in->opcode == CLTS)
		cr0 &= ~CR0_TS;
	else if (in->opcode != 0x01 || (!stores && group != GROUP_LMSW))
		return; /* the guest has changed its code: run what is there */
	else if (stores ? !store_msw(v, in, cr0) : !load_msw(v, in, &cr0))
		return;
	if (!stores && !write_cr0(v, cr0))
		vcpu_raise_error(v, VECTOR_GP, 0);
	else
		vcpu_advance(v, vcpu_wrap(v, v->rip + in->length));
}

uint64_t vcpu_read_cr(struct vcpu *v, unsigned number)
{
	const struct vmmu_regs *r = &vcpu_look(v)->regs;

	return number == 0 ? r->cr0 : number == 3 ? r->cr3 : r->cr4;
}

static void invalidate(struct vcpu *v, gva_t gva)
{
	if (vmmu_mode_canonical(&v->mmu.mode, gva))
		vmmu_cpu_invalidate(&v->mmu, gva);
}

static __attribute__((noinline)) unsigned decode_invlpg(struct vcpu *v,
							uint64_t *linear)
{
	struct insn_regs regs;
	struct insn in;

	if (vcpu_decode(v, &in) != GUEST_OK)
		return 0;
	vcpu_insn_regs(v, &regs);
	/* 0: the guest has changed its code; it runs what is there. */
	return insn_invlpg(&in, &regs, linear) ? in.length : 0;
}

void vcpu_handle_invlpg(struct vcpu *v)
{
	const uint8_t *code;
	unsigned length = 0;
	uint64_t linear;

	if (v->exit.invlpg.told) {
		vcpu_sync_mode(v);
		invalidate(v, v->exit.invlpg.gva);
		vcpu_advance(v, vcpu_wrap(v, v->exit.next_rip));
		return;
	}
	code = vcpu_code(v);
	if (code && v->look.bits == 64)
		length = insn_brief_invlpg(code, v->gpr, &linear);
	if (!length && v->event.type == EVENT_NONE)
		length = decode_invlpg(v, &linear);
	if (!length)
		return;
	invalidate(v, mk_gva(linear));
	vcpu_advance(v, vcpu_wrap(v, v->rip + length));
}

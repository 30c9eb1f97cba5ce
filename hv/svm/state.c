/* Reading and writing a guest's system registers in its VMCB. */
#include "svm/state.h"

#include "svm/svm.h"
#include "vm/vm.h"

#define EFER_LMA (UINT64_C(1) << 10)

static struct vmcb *vmcb_of(struct vcpu *v)
{
	struct svm_vcpu *s = v->engine_state;

	return s->vmcb;
}

static struct vmcb_segment *vmcb_seg(struct vmcb *c, enum segment_name seg)
{
	struct vmcb_segment *by_name[SEGMENTS] = {
		[SEG_ES] = &c->es, [SEG_CS] = &c->cs,	  [SEG_SS] = &c->ss,
		[SEG_DS] = &c->ds, [SEG_FS] = &c->fs,	  [SEG_GS] = &c->gs,
		[SEG_TR] = &c->tr, [SEG_LDTR] = &c->ldtr,
	};

	return by_name[seg];
}

static struct segment seg_get(const struct vmcb_segment *s)
{
	return (struct segment){ s->selector, s->attrib, s->limit, s->base };
}

static void seg_set(struct vmcb_segment *to, const struct segment *s)
{
	to->selector = s->selector;
	to->attrib = s->attrib;
	to->limit = s->limit;
	to->base = s->base;
}

/* CR0, CR3, CR4, EFER and PAT as the guest sees them. */
void svm_guest_paging(struct vcpu *v, struct vmmu_regs *r)
{
	const struct svm_vcpu *s = v->engine_state;
	const struct vmcb *c = s->vmcb;

	r->cr0 = s->software ? s->guest.cr0 : c->cr0;
	r->cr3 = s->software ? s->guest.cr3 : c->cr3;
	r->cr4 = s->software ? s->guest.cr4 : c->cr4;
	r->efer = s->software ? s->guest.efer : c->efer & ~EFER_SVME;
	r->pat = c->g_pat;
}

void svm_set_paging(struct vcpu *v, const struct vmmu_regs *regs)
{
	struct svm_vcpu *s = v->engine_state;
	const struct vmmu_regs *was = &s->guest;

	if ((was->cr0 ^ regs->cr0) | (was->cr4 ^ regs->cr4) |
	    (was->efer ^ regs->efer))
		s->reload = true;
	s->guest.cr0 = regs->cr0;
	s->guest.cr3 = regs->cr3;
	s->guest.cr4 = regs->cr4;
	s->guest.efer = regs->efer;
	s->stale = true;
}

void svm_set_cr3(struct vcpu *v, uint64_t cr3)
{
	struct svm_vcpu *s = v->engine_state;

	s->guest.cr3 = cr3;
	s->stale = true;
}

void svm_get_segment(struct vcpu *v, enum segment_name name, struct segment *s)
{
	*s = seg_get(vmcb_seg(vmcb_of(v), name));
}

void svm_get_sregs(struct vcpu *v, struct sregs *s)
{
	struct vmcb *c = vmcb_of(v);
	struct vmmu_regs r;

	for (unsigned i = 0; i < SEGMENTS; i++)
		s->seg[i] = seg_get(vmcb_seg(c, (enum segment_name)i));
	s->gdt = seg_get(&c->gdtr);
	s->idt = seg_get(&c->idtr);
	svm_guest_paging(v, &r);
	s->cr0 = r.cr0;
	s->cr2 = c->cr2;
	s->cr3 = r.cr3;
	s->cr4 = r.cr4;
	s->efer = r.efer;
	s->dr6 = c->dr6;
	s->dr7 = c->dr7;
	s->pat = c->g_pat;
	s->cpl = c->cpl;
}

void svm_set_sregs(struct vcpu *v, const struct sregs *s)
{
	struct svm_vcpu *state = v->engine_state;
	struct vmcb *c = vmcb_of(v);

	for (unsigned i = 0; i < SEGMENTS; i++)
		seg_set(vmcb_seg(c, (enum segment_name)i), &s->seg[i]);
	seg_set(&c->gdtr, &s->gdt);
	seg_set(&c->idtr, &s->idt);
	c->cr2 = s->cr2;
	if (state->software) {
		state->guest.cr0 = s->cr0;
		state->guest.cr3 = s->cr3;
		state->guest.cr4 = s->cr4;
		state->guest.efer = s->efer;
	} else {
		c->cr0 = s->cr0;
		c->cr3 = s->cr3;
		c->cr4 = s->cr4;
		c->efer = s->efer | EFER_SVME;
	}
	c->dr6 = s->dr6;
	c->dr7 = s->dr7;
	c->g_pat = s->pat;
	c->cpl = s->cpl;
	state->stale = true;
	state->reload = true;
	state->relook = true;
}

static uint8_t code_bits(const struct vmcb *c)
{
	if ((c->efer & EFER_LMA) && (c->cs.attrib & SEG_ATTRIB_L))
		return 64;
	return c->cs.attrib & SEG_ATTRIB_DB ? 32 : 16;
}

/* They change by exits, whose handlers have changed *r too. */
static bool look_software(struct svm_vcpu *s, struct vmmu_regs *r)
{
	const struct vmmu_regs *g = &s->guest;

	if (!s->relook)
		return false;
	s->relook = false;
	r->cr0 = g->cr0;
	r->cr3 = g->cr3;
	r->cr4 = g->cr4;
	r->efer = g->efer;
	r->pat = s->vmcb->g_pat;
	return true;
}

bool svm_look(struct vcpu *v, struct look *look)
{
	struct svm_vcpu *s = v->engine_state;
	const struct vmcb *c = s->vmcb;
	struct vmmu_regs *r = &look->regs;
	uint64_t efer = c->efer & ~EFER_SVME;

	look->cs_base = c->cs.base;
	look->bits = code_bits(c);
	look->cpl = c->cpl;
	if (s->software)
		return look_software(s, r);
	if (!((c->cr0 ^ r->cr0) | (c->cr3 ^ r->cr3) | (c->cr4 ^ r->cr4) |
	      (efer ^ r->efer)))
		return false;
	r->cr0 = c->cr0;
	r->cr3 = c->cr3;
	r->cr4 = c->cr4;
	r->efer = efer;
	r->pat = c->g_pat;
	return true;
}

void svm_set_cr2(struct vcpu *v, uint64_t cr2)
{
	vmcb_of(v)->cr2 = cr2;
}

void svm_set_efer(struct vcpu *v, uint64_t efer)
{
	struct svm_vcpu *s = v->engine_state;

	s->vmcb->efer = efer | EFER_SVME;
	s->stale = true; /* NXE changes what cached translations mean */
}

void svm_set_pat(struct vcpu *v, uint64_t pat)
{
	struct svm_vcpu *s = v->engine_state;

	s->vmcb->g_pat = pat;
	s->stale = true;
}

void svm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	vmcb_of(v)->tsc_offset = offset;
}

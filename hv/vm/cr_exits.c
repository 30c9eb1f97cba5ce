/*
 * Exits at an access to a control register. Intel's processor has decoded the
 * instruction; AMD's says which register it is, and some emulations of it not
 * even that: the instruction does. What a write means is in paging_exits.c.
 */
#include "cpu/cpu.h"

#include "insn/emulate.h"
#include "vm/insn_glue.h"
#include "vm/vm.h"

#define VECTOR_GP 13

/* CR8 is the task priority of the local APIC: SDM 3A 10.8.6.1. */
static bool write_cr(struct vcpu *v, unsigned number, uint64_t value)
{
	if (number == 2)
		v->vm->engine->set_cr2(v, value);
	if (number != 8)
		return number == 2 || vcpu_write_cr(v, number, value);
	if (value > 15)
		return false;
	board_set_cr8(&v->vm->board, v->id, (uint8_t)value);
	return true;
}

static __attribute__((noinline)) uint64_t guest_cr2(struct vcpu *v)
{
	struct sregs s;

	v->vm->engine->get_sregs(v, &s);
	return s.cr2;
}

static uint64_t read_cr(struct vcpu *v, unsigned number)
{
	if (number == 2)
		return guest_cr2(v);
	return number == 8 ? board_cr8(&v->vm->board, v->id)
			   : vcpu_read_cr(v, number);
}

/* SDM 2: LMSW sets the low four bits and cannot clear PE. */
static uint64_t msw_value(const struct vcpu *v, const struct exit_cr *cr)
{
	uint64_t cr0 = v->look.regs.cr0;

	if (cr->access == CR_CLTS)
		return cr0 & ~CR0_TS;
	return (cr0 & ~UINT64_C(0xe)) | (cr->source & 0xf);
}

/* The processor has decoded it. */
static __attribute__((noinline)) void told(struct vcpu *v)
{
	const struct exit_cr cr = v->exit.cr;
	uint64_t all = vcpu_look(v)->bits == 64 ? UINT64_MAX : UINT32_MAX;
	uint64_t next = vcpu_wrap(v, v->exit.next_rip), value;

	if (cr.access == CR_READ) {
		v->gpr[cr.gpr] = read_cr(v, cr.number) & all;
		vcpu_advance(v, next);
		return;
	}
	value = cr.access == CR_WRITE ? v->gpr[cr.gpr] & all
				      : msw_value(v, &cr);
	if (write_cr(v, cr.number, value))
		vcpu_advance(v, next);
	else
		vcpu_raise_error(v, VECTOR_GP, 0);
}

/* Behind prefixes, outside 64-bit code, or another way to CR0. Answers the
 * length; 0: it is done, or is not to be. */
static __attribute__((noinline)) unsigned decode(struct vcpu *v,
						 struct insn_cr *cr)
{
	struct insn in;

	if (vcpu_decode(v, &in) != GUEST_OK)
		return 0;
	if (insn_cr(&in, cr))
		return in.length;
	vcpu_handle_msw(v, &in);
	return 0;
}

/* QEMU 10 reports all of them as CR0, and so CR2 too, which nobody has asked
 * for. */
#define CRS (1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 8)

static __attribute__((noinline)) void decoded(struct vcpu *v,
					      const uint8_t *code)
{
	struct insn_cr cr;
	unsigned length = 0;

	if (code && v->look.bits == 64)
		length = insn_brief_cr(code, &cr);
	if (!length && v->event.type == EVENT_NONE)
		length = decode(v, &cr);
	if (!length)
		return;
	if (!(CRS >> cr.number & 1))
		return; /* the guest has changed its code: run what is there */
	if (!cr.write) {
		uint64_t value = read_cr(v, cr.number);

		v->gpr[cr.gpr] = v->look.bits == 64 ? value : (uint32_t)value;
	} else if (!write_cr(v, cr.number,
			     v->look.bits == 64 ? v->gpr[cr.gpr]
						: (uint32_t)v->gpr[cr.gpr])) {
		vcpu_raise_error(v, VECTOR_GP, 0);
		return;
	}
	vcpu_advance(v, vcpu_wrap(v, v->rip + length));
}

/* A process switch is one instruction in 64-bit code. */
void vcpu_handle_cr(struct vcpu *v)
{
	const uint8_t *code;
	unsigned gpr, length;

	if (v->exit.cr.told) {
		told(v);
		return;
	}
	code = vcpu_code(v);
	if (!code || v->look.bits != 64)
		length = 0;
	else
		length = insn_brief_load_cr3(code, &gpr);
	if (length && vcpu_load_cr3(v, v->gpr[gpr]))
		vcpu_advance(v, v->rip + length);
	else
		decoded(v, code);
}

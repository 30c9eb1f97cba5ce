/*
 * The instruction at a vCPU's rip. Its bytes come with the exit where the
 * processor has decode assists, and from guest memory elsewhere; the next
 * page is looked at only when the instruction reaches there.
 */
#include "vm/insn_glue.h"

#include <string.h>

#define VECTOR_UD 6
#define VECTOR_GP 13

static enum guest_access bytes_of(struct vcpu *v, uint8_t bytes[15],
				  unsigned *count)
{
	if (!v->exit.insn_count)
		return vcpu_fetch(v, bytes, count);
	memcpy(bytes, v->exit.insn, 15);
	*count = v->exit.insn_count;
	return GUEST_OK;
}

enum guest_access vcpu_decode(struct vcpu *v, struct insn *in)
{
	enum insn_bits bits = (enum insn_bits)vcpu_look(v)->bits;
	enum guest_access done;
	enum insn_status status;
	uint8_t bytes[15];
	unsigned count;

	done = bytes_of(v, bytes, &count);
	if (done != GUEST_OK)
		return done;
	status = insn_decode(in, bytes, count, bits);
	if (status == INSN_NEED_MORE && count < 15) {
		done = vcpu_fetch_rest(v, bytes, &count);
		if (done != GUEST_OK)
			return done;
		status = insn_decode(in, bytes, count, bits);
	}
	if (status == INSN_OK)
		return GUEST_OK;
	if (status == INSN_TOO_LONG)
		vcpu_raise_error(v, VECTOR_GP, 0);
	else
		vcpu_raise(v, VECTOR_UD);
	return GUEST_FAULTED;
}

void vcpu_insn_regs(struct vcpu *v, struct insn_regs *regs)
{
	const struct engine *engine = v->vm->engine;
	bool long_mode = vcpu_look(v)->bits == 64;
	struct segment s;

	__builtin_memcpy(regs->gpr, v->gpr, sizeof(regs->gpr));
	regs->rip = v->rip;
	regs->rflags = v->rflags;
	regs->stack_bytes = 8;
	/* In 64-bit code only FS and GS have bases: SDM 1 3.4.4. */
	for (unsigned i = 0; i < 6; i++) {
		regs->segment_base[i] = 0;
		if (long_mode && i != SEG_FS && i != SEG_GS)
			continue;
		engine->get_segment(v, (enum segment_name)i, &s);
		regs->segment_base[i] = s.base;
		if (!long_mode && i == SEG_SS)
			regs->stack_bytes = s.attrib & SEG_ATTRIB_DB ? 4 : 2;
	}
}

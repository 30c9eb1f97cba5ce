/*
 * See qual.h. Exit qualifications: SDM 3C 27.2.1, tables 27-3 (control
 * registers), 27-5 (I/O), 27-7 (EPT violations). Events: tables 24-16 and
 * 24-19. Access rights: table 24-2, which has bits 0 to 7 and 12 to 15 where
 * the neutral attributes have 0 to 11.
 */
#include "vmx/qual.h"

#define IO_IN	  (1u << 3)
#define IO_STRING (1u << 4)

#define CR_TYPE_SHIFT	4
#define CR_GPR_SHIFT	8
#define CR_SOURCE_SHIFT 16

#define EPT_WRITE	 (1u << 1)
#define EPT_FETCH	 (1u << 2)
#define EPT_LINEAR_VALID (1u << 7)
#define EPT_TRANSLATED	 (1u << 8)

#define ATTRIB_LOW  0x00ffu
#define ATTRIB_HIGH 0x0f00u
#define ATTRIB_P    0x0080u

#define EVENT(kind) ((kind) | VMX_SAYS_ALL)
#define INSN(kind)  ((kind) | VMX_SAYS_ALL | VMX_SAYS_INSTRUCTION)

_Static_assert(EXIT_KINDS <= VMX_SAYS_KIND, "a kind has six bits");

const uint8_t vmx_reason_says[VMX_REASONS] = {
	[VMX_REASON_INTERRUPT] = EVENT(EXIT_INTERRUPT),
	[VMX_REASON_TRIPLE_FAULT] = EVENT(EXIT_SHUTDOWN),
	[VMX_REASON_INIT] = EVENT(EXIT_INIT),
	[VMX_REASON_SIPI] = EVENT(EXIT_INIT),
	[VMX_REASON_IO_SMI] = EVENT(EXIT_INIT),
	[VMX_REASON_SMI] = EVENT(EXIT_INIT),
	[VMX_REASON_WINDOW] = EVENT(EXIT_WINDOW),
	[VMX_REASON_NMI_WINDOW] = EVENT(EXIT_NMI_OVER),
	[VMX_REASON_TASK_SWITCH] = EVENT(EXIT_TASK_SWITCH),
	[VMX_REASON_CPUID] = INSN(EXIT_CPUID),
	[VMX_REASON_HLT] = INSN(EXIT_HLT),
	[VMX_REASON_INVD] = INSN(EXIT_CACHE),
	[VMX_REASON_RDPMC] = INSN(EXIT_PMC),
	[VMX_REASON_VMCALL] = INSN(EXIT_HYPERCALL),
	[VMX_REASON_RDMSR] = INSN(EXIT_RDMSR),
	[VMX_REASON_WRMSR] = INSN(EXIT_WRMSR),
	[VMX_REASON_STATE] = EVENT(EXIT_INVALID),
	[VMX_REASON_MSRS] = EVENT(EXIT_INVALID),
	[VMX_REASON_MACHINE_CHECK] = EVENT(EXIT_INVALID),
	[VMX_REASON_EPT_MISCONFIG] = EVENT(EXIT_INVALID),
	[VMX_REASON_WBINVD] = INSN(EXIT_CACHE),
	[VMX_REASON_XSETBV] = INSN(EXIT_XSETBV),
};

void vmx_qual_io(uint64_t qual, struct exit_io *io)
{
	io->port = (uint16_t)(qual >> 16);
	io->size = (uint8_t)((qual & 7) + 1);
	io->in = qual & IO_IN;
	io->string = qual & IO_STRING;
}

void vmx_qual_cr(uint64_t qual, struct exit_cr *cr)
{
	static const enum cr_access types[] = { CR_WRITE, CR_READ, CR_CLTS,
						CR_LMSW };

	cr->number = qual & 0xf;
	cr->told = true;
	cr->access = types[qual >> CR_TYPE_SHIFT & 3];
	cr->write = cr->access != CR_READ;
	cr->gpr = qual >> CR_GPR_SHIFT & 0xf;
	cr->source = (uint16_t)(qual >> CR_SOURCE_SHIFT);
}

void vmx_qual_violation(uint64_t qual, uint64_t gpa, struct exit_violation *x)
{
	x->gpa = mk_gpa(gpa);
	x->access = qual & EPT_FETCH   ? VMMU_X
		    : qual & EPT_WRITE ? VMMU_W
				       : VMMU_R;
	x->during_walk = (qual & EPT_LINEAR_VALID) && !(qual & EPT_TRANSLATED);
}

uint32_t vmx_event_word(const struct event *e)
{
	static const uint32_t type[] = {
		[EVENT_INTERRUPT] = VMX_EVENT_INTERRUPT,
		[EVENT_NMI] = VMX_EVENT_NMI,
		[EVENT_EXCEPTION] = VMX_EVENT_EXCEPTION,
	};

	return e->vector | type[e->type] | VMX_EVENT_VALID |
	       (e->has_error ? VMX_EVENT_ERROR : 0);
}

bool vmx_event_back(uint32_t word, uint32_t error, struct event *e)
{
	switch (word & VMX_EVENT_TYPE) {
	case VMX_EVENT_INTERRUPT:
		e->type = EVENT_INTERRUPT;
		break;
	case VMX_EVENT_NMI:
		e->type = EVENT_NMI;
		break;
	case VMX_EVENT_EXCEPTION:
		e->type = EVENT_EXCEPTION;
		break;
	default:
		return false;
	}
	e->vector = (uint8_t)word;
	e->has_error = word & VMX_EVENT_ERROR;
	e->error = error;
	return true;
}

uint32_t vmx_rights(uint16_t attrib)
{
	uint32_t rights = (attrib & ATTRIB_LOW) |
			  (uint32_t)(attrib & ATTRIB_HIGH) << 4;

	return attrib & ATTRIB_P ? rights : rights | VMX_RIGHTS_UNUSABLE;
}

uint16_t vmx_attrib(uint32_t rights)
{
	uint16_t attrib =
		(uint16_t)((rights & ATTRIB_LOW) | (rights >> 4 & ATTRIB_HIGH));

	if (rights & VMX_RIGHTS_UNUSABLE)
		attrib &= (uint16_t)~ATTRIB_P;
	return attrib;
}

/*
 * Between the processor's words and the neutral ones of vm/engine.h: exit
 * qualifications, events, segments. Pure C.
 */
#ifndef HV_VMX_QUAL_H
#define HV_VMX_QUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/engine.h"
#include "vmx/vmcs.h"

/*
 * What a basic exit reason alone says, by its number: a kind of exit, and
 * whether it is of an instruction, whose length is told. 0: there is more to
 * be read, or nobody offers it to a guest.
 */
#define VMX_SAYS_KIND	     0x3fu
#define VMX_SAYS_ALL	     0x40u
#define VMX_SAYS_INSTRUCTION 0x80u
extern const uint8_t vmx_reason_says[VMX_REASONS];

/* Exits that say all by their reason; EXIT_KINDS: not among them. */
static inline enum exit_kind vmx_plain_exit(uint32_t reason)
{
	uint8_t says = 0;

	if ((reason & 0xffff) < VMX_REASONS)
		says = vmx_reason_says[reason & 0xffff];
	return says & VMX_SAYS_ALL ? (enum exit_kind)(says & VMX_SAYS_KIND)
				   : EXIT_KINDS;
}

void vmx_qual_io(uint64_t qual, struct exit_io *io);
void vmx_qual_cr(uint64_t qual, struct exit_cr *cr);
void vmx_qual_violation(uint64_t qual, uint64_t gpa, struct exit_violation *x);

/* An event as VM entry takes it. */
uint32_t vmx_event_word(const struct event *e);
/* One that an exit interrupted; false: it was an instruction's, which the
 * guest executes again. */
bool vmx_event_back(uint32_t word, uint32_t error, struct event *e);

/* A descriptor's attributes (APM 2 15.5.1) as access rights, and back. Only a
 * segment that was loaded is present, so one that is not is unusable. */
uint32_t vmx_rights(uint16_t attrib);
uint16_t vmx_attrib(uint32_t rights);

#endif

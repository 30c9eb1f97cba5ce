/*
 * See check.h. What VM entry checks before it looks at the guest is what the
 * hypervisor itself has written; the sections are those of SDM 3C 26.2:
 *
 *   1. control words against the capability MSRs          26.2.1
 *   2. what one control asks of another, and of fields     26.2.1.1, .2
 *   3. the event to be delivered                           26.2.1.3
 *   4. the host's state                                    26.2.2 to 26.2.4
 */
#include "vmx/check.h"

#include <stdbool.h>
#include <stddef.h>

#define CR4_PAE	  (UINT64_C(1) << 5)
#define EFER_BITS UINT64_C(0xd01) /* SCE LME LMA NXE */
#define EFER_LONG UINT64_C(0x500) /* LME LMA */

#define EPTP_TYPE	UINT64_C(0x7)
#define EPTP_LEVELS	UINT64_C(0x38)
#define EPTP_RESERVED	UINT64_C(0xf80)
#define CR3_TARGETS_MAX 4
#define SELECTOR_LOW	7u /* TI and RPL */
#define EVENT_RESERVED	0x7ffff000u

struct own {
	const struct vmx_check *check;
	unsigned count;
	uint32_t pin, proc, proc2, exit, entry;
};

static uint64_t read(const struct own *o, enum vmcs_field field)
{
	return o->check->read(o->check->ctx, field);
}

static void must(struct own *o, bool holds, const char *what)
{
	if (holds)
		return;
	o->count++;
	o->check->failed(o->check->ctx, what);
}

/* 1. Control words. */

static bool fits(uint32_t word, uint64_t cap)
{
	return !((uint32_t)cap & ~word) && !(word & ~(uint32_t)(cap >> 32));
}

static void check_words(struct own *o)
{
	const struct vmx_caps *caps = o->check->caps;

	must(o, fits(o->pin, caps->pin),
	     "pin-based controls that the processor does not allow");
	must(o, fits(o->proc, caps->proc),
	     "processor-based controls that the processor does not allow");
	must(o, !o->proc2 || fits(o->proc2, caps->proc2),
	     "secondary controls that the processor does not allow");
	must(o, fits(o->exit, caps->exit),
	     "exit controls that the processor does not allow");
	must(o, fits(o->entry, caps->entry),
	     "entry controls that the processor does not allow");
}

/* 2. What one asks of another. */

static bool is_page(const struct own *o, uint64_t hpa)
{
	return !(hpa & 0xfff) && !(hpa >> o->check->maxphyaddr);
}

static void check_ept(struct own *o)
{
	uint64_t eptp = read(o, VMCS_EPT_POINTER);
	uint64_t may = o->check->controls->eptp;

	must(o, (eptp & EPTP_TYPE) == VMX_EPTP_WB,
	     "the EPT pointer's memory type is not write-back");
	must(o, (eptp & EPTP_LEVELS) == VMX_EPTP_4_LEVELS,
	     "the EPT pointer says other than 4 levels");
	must(o, !(eptp & VMX_EPTP_DIRTY & ~may),
	     "the EPT pointer asks for A and D bits, which are not offered");
	must(o, !(eptp & EPTP_RESERVED) && !(eptp >> o->check->maxphyaddr),
	     "the EPT pointer has reserved bits");
}

static void check_proc2(struct own *o)
{
	bool ept = o->proc2 & VMX_PROC2_EPT;

	must(o, !(o->proc2 & VMX_PROC2_VPID) || read(o, VMCS_VPID),
	     "the VPID is 0");
	must(o, ept || !(o->proc2 & VMX_PROC2_UNRESTRICTED),
	     "an unrestricted guest without EPT");
	must(o, ept || !(o->proc2 & VMX_PROC2_PML),
	     "page-modification logging without EPT");
	must(o,
	     !(o->proc2 & VMX_PROC2_PML) ||
		     is_page(o, read(o, VMCS_PML_ADDRESS)),
	     "the page-modification log is no page");
	if (ept)
		check_ept(o);
}

static void check_controls(struct own *o)
{
	must(o, read(o, VMCS_CR3_TARGETS) <= CR3_TARGETS_MAX,
	     "there are too many CR3 targets");
	must(o,
	     !(o->proc & VMX_PROC_MSR_BITMAP) ||
		     is_page(o, read(o, VMCS_MSR_BITMAP)),
	     "the MSR bitmap is no page");
	must(o, (o->pin & VMX_PIN_NMI) || !(o->pin & VMX_PIN_VIRTUAL_NMI),
	     "virtual NMIs without NMI exiting");
	must(o,
	     (o->pin & VMX_PIN_VIRTUAL_NMI) || !(o->proc & VMX_PROC_NMI_WINDOW),
	     "NMI-window exiting without virtual NMIs");
	must(o, (o->pin & VMX_PIN_TIMER) || !(o->exit & VMX_EXIT_SAVE_TIMER),
	     "the preemption timer is saved and not used");
	check_proc2(o);
}

/* 3. The event. */

static bool has_error_code(unsigned vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static bool vector_fits(uint32_t type, unsigned vector)
{
	if (type == VMX_EVENT_NMI)
		return vector == 2;
	return type != VMX_EVENT_EXCEPTION || vector < 32;
}

/* Of an instruction that makes an event. */
static bool length_fits(const struct own *o)
{
	uint64_t length = read(o, VMCS_ENTRY_LENGTH);

	return length >= 1 && length <= 15;
}

/* In real mode no vector has an error code, and only an unrestricted guest is
 * ever there. */
static void check_event(struct own *o)
{
	uint32_t event = (uint32_t)read(o, VMCS_ENTRY_EVENT);
	uint32_t type = event & VMX_EVENT_TYPE;
	bool real = (o->proc2 & VMX_PROC2_UNRESTRICTED) &&
		    !(read(o, VMCS_GUEST_CR0) & 1);
	bool wants = type == VMX_EVENT_EXCEPTION &&
		     has_error_code((uint8_t)event) && !real;

	if (!(event & VMX_EVENT_VALID))
		return;
	must(o, type != VMX_EVENT_RESERVED, "the event's type is reserved");
	must(o, vector_fits(type, (uint8_t)event),
	     "the event's vector is none of its type");
	must(o, !(event & VMX_EVENT_ERROR) == !wants,
	     "the event has an error code, or should have one");
	must(o, !(event & EVENT_RESERVED), "the event has reserved bits");
	must(o,
	     !(event & VMX_EVENT_ERROR) || !(read(o, VMCS_ENTRY_ERROR) >> 16),
	     "the event's error code has more than 16 bits");
	must(o,
	     type < VMX_EVENT_SOFT || type > VMX_EVENT_SOFT_EXC ||
		     length_fits(o),
	     "the event's instruction has no length");
}

/* 4. The host. */

static void check_host_registers(struct own *o)
{
	const struct vmx_controls *c = o->check->controls;
	uint64_t cr0 = read(o, VMCS_HOST_CR0), cr4 = read(o, VMCS_HOST_CR4);
	uint64_t efer = read(o, VMCS_HOST_EFER);

	must(o, !(c->cr0_ones & ~cr0) && !(cr0 & ~c->cr0_may),
	     "the host's CR0 has a bit that VMX fixes otherwise");
	must(o, !(c->cr4_ones & ~cr4) && !(cr4 & ~c->cr4_may),
	     "the host's CR4 has a bit that VMX fixes otherwise");
	must(o, !(read(o, VMCS_HOST_CR3) >> o->check->maxphyaddr),
	     "the host's CR3 has bits above the processor's addresses");
	must(o, vmx_pat_valid(read(o, VMCS_HOST_PAT)),
	     "the host's PAT has a type that there is not");
	must(o, !(efer & ~EFER_BITS) && (efer & EFER_LONG) == EFER_LONG,
	     "the host's EFER is not that of long mode");
	must(o, (o->exit & VMX_EXIT_HOST_64) && (cr4 & CR4_PAE),
	     "the host is not in long mode");
}

static void check_host_segments(struct own *o)
{
	uint64_t low = 0;

	for (unsigned i = 0; i < 7; i++)
		low |= read(o, (enum vmcs_field)(VMCS_HOST_ES + 2 * i));
	must(o, !(low & SELECTOR_LOW),
	     "a selector of the host's has TI or RPL set");
	must(o, read(o, VMCS_HOST_CS) && read(o, VMCS_HOST_TR),
	     "the host's CS or TR is null");
}

static void check_host_addresses(struct own *o)
{
	static const enum vmcs_field fields[] = {
		VMCS_HOST_FS_BASE,	VMCS_HOST_GS_BASE,
		VMCS_HOST_TR_BASE,	VMCS_HOST_GDTR_BASE,
		VMCS_HOST_IDTR_BASE,	VMCS_HOST_SYSENTER_ESP,
		VMCS_HOST_SYSENTER_EIP, VMCS_HOST_RIP,
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		must(o, vmx_canonical(o->check, read(o, fields[i])),
		     "an address of the host's is not canonical");
}

unsigned vmx_check_own(const struct vmx_check *check)
{
	struct own o = { .check = check };

	o.pin = (uint32_t)read(&o, VMCS_PIN_CONTROLS);
	o.proc = (uint32_t)read(&o, VMCS_PROC_CONTROLS);
	if (o.proc & VMX_PROC_SECONDARY)
		o.proc2 = (uint32_t)read(&o, VMCS_PROC2_CONTROLS);
	o.exit = (uint32_t)read(&o, VMCS_EXIT_CONTROLS);
	o.entry = (uint32_t)read(&o, VMCS_ENTRY_CONTROLS);
	check_words(&o);
	check_controls(&o);
	check_event(&o);
	check_host_registers(&o);
	check_host_segments(&o);
	check_host_addresses(&o);
	return o.count;
}

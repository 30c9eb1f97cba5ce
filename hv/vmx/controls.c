/*
 * The controls from the capability MSRs: SDM 3C 24.6 to 24.8, SDM 3D appendix
 * A.2 to A.10.
 *
 *   1. A control word is what is wanted, and what the processor insists on.
 *      What it does not allow is taken away; if that was needed, the answer is
 *      a sentence that names it.
 *   2. Without EPT, or without unrestricted guests, no guest is nested: it
 *      starts with paging off, which only that combination can run. The
 *      schemes of software are not touched by it.
 *   3. VPID, PML, A and D bits, larger pages, the preemption timer are used
 *      where they are offered.
 */
#include "vmx/controls.h"

#include <stddef.h>

#include "vmx/vmcs.h"

/* IA32_VMX_BASIC */
#define BASIC_MEMTYPE	 (UINT64_C(15) << 50)
#define BASIC_MEMTYPE_WB (UINT64_C(6) << 50)

/* IA32_VMX_MISC */
#define MISC_TIMER	UINT64_C(0x1f)
#define MISC_STORES_LMA (UINT64_C(1) << 5)

/* IA32_VMX_EPT_VPID_CAP */
#define EPT_4_LEVELS (UINT64_C(1) << 6)
#define EPT_WB	     (UINT64_C(1) << 14)
#define EPT_2M	     (UINT64_C(1) << 16)
#define EPT_1G	     (UINT64_C(1) << 17)
#define EPT_INVEPT   (UINT64_C(1) << 20)
#define EPT_DIRTY    (UINT64_C(1) << 21)
#define EPT_ONE	     (UINT64_C(1) << 25)
#define EPT_ALL	     (UINT64_C(1) << 26)
#define VPID_INVVPID (UINT64_C(1) << 32)
#define VPID_ADDR    (UINT64_C(1) << 40)
#define VPID_ONE     (UINT64_C(1) << 41)
#define VPID_ALL     (UINT64_C(1) << 42)

/* 1. Words. */

static uint32_t ones(uint64_t cap)
{
	return (uint32_t)cap;
}

static uint32_t may(uint64_t cap)
{
	return (uint32_t)(cap >> 32);
}

static uint32_t word(uint64_t cap, uint32_t wanted)
{
	return (wanted | ones(cap)) & may(cap);
}

struct need {
	uint32_t bit;
	const char *sentence;
};

#define NEED(bit, name)                                                        \
	{                                                                      \
		(bit), "the processor's VMX lacks " name                       \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct need pin_needs[] = {
	NEED(VMX_PIN_INTERRUPT, "external-interrupt exiting"),
	NEED(VMX_PIN_NMI, "NMI exiting"),
	NEED(VMX_PIN_VIRTUAL_NMI, "virtual NMIs"),
};

static const struct need proc_needs[] = {
	NEED(VMX_PROC_WINDOW, "interrupt-window exiting"),
	NEED(VMX_PROC_TSC_OFFSET, "TSC offsetting"),
	NEED(VMX_PROC_HLT, "HLT exiting"),
	NEED(VMX_PROC_MWAIT, "MWAIT exiting"),
	NEED(VMX_PROC_RDPMC, "RDPMC exiting"),
	NEED(VMX_PROC_CR8_LOAD, "CR8-load exiting"),
	NEED(VMX_PROC_CR8_STORE, "CR8-store exiting"),
	NEED(VMX_PROC_IO, "unconditional I/O exiting"),
	NEED(VMX_PROC_MSR_BITMAP, "MSR bitmaps"),
	NEED(VMX_PROC_MONITOR, "MONITOR exiting"),
};

static const struct need software_needs[] = {
	NEED(VMX_PROC_INVLPG, "INVLPG exiting"),
	NEED(VMX_PROC_CR3_LOAD, "CR3-load exiting"),
	NEED(VMX_PROC_CR3_STORE, "CR3-store exiting"),
};

static const struct need exit_needs[] = {
	NEED(VMX_EXIT_SAVE_DEBUG, "saving of debug controls"),
	NEED(VMX_EXIT_HOST_64, "64-bit hosts"),
	NEED(VMX_EXIT_LOAD_PAT, "loading of IA32_PAT at exits"),
	NEED(VMX_EXIT_SAVE_EFER, "saving of IA32_EFER"),
	NEED(VMX_EXIT_LOAD_EFER, "loading of IA32_EFER at exits"),
};

static const struct need entry_needs[] = {
	NEED(VMX_ENTRY_LOAD_DEBUG, "loading of debug controls"),
	NEED(VMX_ENTRY_GUEST_64, "64-bit guests"),
	NEED(VMX_ENTRY_LOAD_PAT, "loading of IA32_PAT"),
	NEED(VMX_ENTRY_LOAD_EFER, "loading of IA32_EFER"),
};

/* The first that the processor does not allow. */
static const char *lacks(uint64_t cap, const struct need *needs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!(may(cap) & needs[i].bit))
			return needs[i].sentence;
	return NULL;
}

static uint32_t all(const struct need *needs, size_t count)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < count; i++)
		bits |= needs[i].bit;
	return bits;
}

/* 2. EPT. */

static const char *why_no_ept(const struct vmx_caps *caps)
{
	const uint64_t walk = EPT_4_LEVELS | EPT_WB;

	if (!(may(caps->proc2) & VMX_PROC2_EPT))
		return "the processor's VMX has no EPT";
	if ((caps->ept_vpid & walk) != walk)
		return "the processor's EPT has no write-back tables of 4 "
		       "levels";
	if (!(caps->ept_vpid & EPT_INVEPT) ||
	    !(caps->ept_vpid & (EPT_ONE | EPT_ALL)))
		return "the processor's EPT has no INVEPT";
	if (!(may(caps->proc2) & VMX_PROC2_UNRESTRICTED) ||
	    !(caps->misc & MISC_STORES_LMA))
		return "the processor's VMX has no unrestricted guests, which "
		       "a guest under mmu=nested needs while its paging is "
		       "off";
	return NULL;
}

static void choose_ept(const struct vmx_caps *caps, struct vmx_controls *c)
{
	uint64_t e = caps->ept_vpid;

	c->no_nested = why_no_ept(caps);
	if (c->no_nested)
		return;
	c->eptp = VMX_EPTP_WB | VMX_EPTP_4_LEVELS;
	if (e & EPT_DIRTY)
		c->eptp |= VMX_EPTP_DIRTY;
	c->max_leaf = e & EPT_1G ? 3 : e & EPT_2M ? 2 : 1;
	c->ept_one = e & EPT_ONE;
	c->pml = (e & EPT_DIRTY) && (may(caps->proc2) & VMX_PROC2_PML);
}

/* 3. VPID. */

/* One VPID's translations must be droppable, by themselves or with all. */
static void choose_vpid(const struct vmx_caps *caps, struct vmx_controls *c)
{
	uint64_t e = caps->ept_vpid;

	c->vpid = (may(caps->proc2) & VMX_PROC2_VPID) && (e & VPID_INVVPID) &&
		  (e & (VPID_ONE | VPID_ALL));
	c->vpid_one = c->vpid && (e & VPID_ONE);
	c->vpid_addr = c->vpid && (e & VPID_ADDR);
}

static void choose_timer(const struct vmx_caps *caps, struct vmx_controls *c)
{
	c->timer = (may(caps->pin) & VMX_PIN_TIMER) &&
		   (may(caps->exit) & VMX_EXIT_SAVE_TIMER);
	c->timer_shift = caps->misc & MISC_TIMER;
	if (c->timer) {
		c->pin |= VMX_PIN_TIMER;
		c->exit |= VMX_EXIT_SAVE_TIMER;
	}
}

static void choose_proc(const struct vmx_caps *caps, struct vmx_controls *c)
{
	const uint32_t proc = all(proc_needs, COUNT(proc_needs)) &
			      ~VMX_PROC_WINDOW;
	const uint32_t software = all(software_needs, COUNT(software_needs));
	/* SGX is not offered, and ENCLS is not #UD by that alone. */
	const uint32_t proc2 = VMX_PROC2_RDTSCP | VMX_PROC2_WBINVD |
			       VMX_PROC2_ENCLS | (c->vpid ? VMX_PROC2_VPID : 0);
	uint32_t secondary = may(caps->proc) & VMX_PROC_SECONDARY;

	/* TRUE capabilities insist on no exits of CR3; the old ones do, and
	 * then a nested guest's moves of CR3 come to us for nothing. */
	c->proc_nested = word(caps->proc, proc | secondary);
	c->proc_software = word(caps->proc, proc | software | secondary);
	c->proc2_nested =
		word(caps->proc2, proc2 | VMX_PROC2_INVPCID | VMX_PROC2_EPT |
					  VMX_PROC2_UNRESTRICTED);
	c->proc2_software = word(caps->proc2, proc2);
}

static const char *find_lack(const struct vmx_caps *caps)
{
	const char *wrong;

	if ((caps->basic & BASIC_MEMTYPE) != BASIC_MEMTYPE_WB)
		return "the processor wants its VMCS in memory that is not "
		       "write-back";
	wrong = lacks(caps->pin, pin_needs, COUNT(pin_needs));
	if (!wrong)
		wrong = lacks(caps->proc, proc_needs, COUNT(proc_needs));
	if (!wrong)
		wrong = lacks(caps->proc, software_needs,
			      COUNT(software_needs));
	if (!wrong)
		wrong = lacks(caps->exit, exit_needs, COUNT(exit_needs));
	if (!wrong)
		wrong = lacks(caps->entry, entry_needs, COUNT(entry_needs));
	return wrong;
}

const char *vmx_controls_choose(const struct vmx_caps *caps,
				struct vmx_controls *c)
{
	const char *wrong = find_lack(caps);

	*c = (struct vmx_controls){ .max_leaf = 0 };
	if (wrong)
		return wrong;
	choose_ept(caps, c);
	choose_vpid(caps, c);
	choose_proc(caps, c);
	c->pin = word(caps->pin, all(pin_needs, COUNT(pin_needs)));
	c->exit = word(caps->exit, all(exit_needs, COUNT(exit_needs)));
	choose_timer(caps, c);
	/* Whether the guest is in 64-bit mode changes from entry to entry. */
	c->entry = word(caps->entry, all(entry_needs, COUNT(entry_needs)) &
					     ~VMX_ENTRY_GUEST_64);
	c->cr0_ones = caps->cr0_fixed0;
	c->cr0_may = caps->cr0_fixed1;
	c->cr4_ones = caps->cr4_fixed0;
	c->cr4_may = caps->cr4_fixed1;
	return NULL;
}

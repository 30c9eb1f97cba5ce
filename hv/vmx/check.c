/*
 * See check.h. The sections are those of SDM 3C 26.3.1:
 *
 *   1. control registers, debug registers, MSRs
 *   2. segments
 *   3. descriptor tables
 *   4. rip and rflags
 *   5. what is not a register: activity, interruptibility, pending debug
 *   6. PDPTEs
 */
#include "vmx/check.h"

#include <stdbool.h>
#include <stddef.h>

#define BIT(n)	  (UINT64_C(1) << (n))
#define CR0_PE	  BIT(0)
#define CR0_PG	  BIT(31)
#define CR4_PAE	  BIT(5)
#define CR4_PCIDE BIT(17)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_BITS UINT64_C(0xd01) /* SCE LME LMA NXE */

/* LBR BTF, TR to FREEZE_WHILE_SMM, RTM: SDM 3B 17.4.1. */
#define DEBUGCTL_BITS UINT64_C(0xffc3)

#define VECTOR_DB 1u
#define VECTOR_MC 18u

#define RFLAGS_FIXED	UINT64_C(2)
#define RFLAGS_RESERVED (~UINT64_C(0x3f7fd7))
#define RFLAGS_TF	BIT(8)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_VM	BIT(17)

#define RIGHTS_S	0x10u
#define RIGHTS_P	0x80u
#define RIGHTS_L	0x2000u
#define RIGHTS_DB	0x4000u
#define RIGHTS_G	0x8000u
#define RIGHTS_RESERVED 0xfffe0f00u
#define RIGHTS_V86	0xf3u

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

struct seg {
	uint16_t selector;
	uint32_t limit, rights;
	uint64_t base;
	bool usable;
};

struct state {
	const struct vmx_check *check;
	unsigned count;
	bool nested; /* EPT, and unrestricted with it */
	bool long_mode, v86;
	uint64_t cr0, cr4, rflags;
	uint32_t event; /* that the entry was to deliver */
	struct seg seg[8];
};

static uint64_t read(const struct state *s, enum vmcs_field field)
{
	return s->check->read(s->check->ctx, field);
}

static uint64_t read_nth(const struct state *s, enum vmcs_field first,
			 unsigned n)
{
	return read(s, (enum vmcs_field)((unsigned)first + 2 * n));
}

static void must(struct state *s, bool holds, const char *what)
{
	if (holds)
		return;
	s->count++;
	s->check->failed(s->check->ctx, what);
}

static bool canonical(const struct state *s, uint64_t address)
{
	return vmx_canonical(s->check, address);
}

/* 1. Control registers, debug registers, MSRs. */

static void check_cr(struct state *s)
{
	const struct vmx_controls *c = s->check->controls;
	uint64_t free = s->nested ? CR0_PE | CR0_PG : 0;
	uint64_t cr3 = read(s, VMCS_GUEST_CR3);

	must(s, !(c->cr0_ones & ~free & ~s->cr0) && !(s->cr0 & ~c->cr0_may),
	     "CR0 has a bit that VMX fixes otherwise");
	must(s, !(s->cr0 & CR0_PG) || (s->cr0 & CR0_PE),
	     "CR0.PG is set without PE");
	must(s, !(c->cr4_ones & ~s->cr4) && !(s->cr4 & ~c->cr4_may),
	     "CR4 has a bit that VMX fixes otherwise");
	must(s, !s->long_mode || ((s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE)),
	     "a 64-bit guest without CR0.PG and CR4.PAE");
	must(s, s->long_mode || !(s->cr4 & CR4_PCIDE),
	     "CR4.PCIDE is set outside long mode");
	must(s, !(cr3 >> s->check->maxphyaddr),
	     "CR3 has bits above the processor's addresses");
}

bool vmx_pat_valid(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

static void check_msrs(struct state *s)
{
	uint64_t efer = read(s, VMCS_GUEST_EFER);

	must(s, !(read(s, VMCS_GUEST_DEBUGCTL) & ~DEBUGCTL_BITS),
	     "DEBUGCTL has a reserved bit");
	must(s, !(read(s, VMCS_GUEST_DR7) >> 32), "DR7 has high bits");
	must(s, canonical(s, read(s, VMCS_GUEST_SYSENTER_ESP)),
	     "SYSENTER_ESP is not canonical");
	must(s, canonical(s, read(s, VMCS_GUEST_SYSENTER_EIP)),
	     "SYSENTER_EIP is not canonical");
	must(s, vmx_pat_valid(read(s, VMCS_GUEST_PAT)),
	     "PAT has a type that there is not");
	must(s, !(efer & ~EFER_BITS), "EFER has a reserved bit");
	must(s, !(efer & EFER_LMA) == !s->long_mode,
	     "EFER.LMA and the entry's mode differ");
	must(s, !(s->cr0 & CR0_PG) || !(efer & EFER_LMA) == !(efer & EFER_LME),
	     "EFER.LMA and LME differ while paging is on");
}

/* 2. Segments. */

static unsigned type_of(const struct seg *g)
{
	return g->rights & 0xf;
}

static unsigned dpl_of(const struct seg *g)
{
	return g->rights >> 5 & 3;
}

static bool limit_fits(const struct seg *g)
{
	if (g->rights & RIGHTS_G)
		return (g->limit & 0xfff) == 0xfff;
	return !(g->limit >> 20);
}

static void check_bases(struct state *s)
{
	static const char *const high[] = {
		[ES] = "ES has a base above 4 GiB",
		[CS] = "CS has a base above 4 GiB",
		[SS] = "SS has a base above 4 GiB",
		[DS] = "DS has a base above 4 GiB",
	};

	must(s, canonical(s, s->seg[TR].base), "TR's base is not canonical");
	must(s, canonical(s, s->seg[FS].base), "FS's base is not canonical");
	must(s, canonical(s, s->seg[GS].base), "GS's base is not canonical");
	must(s, !s->seg[LDTR].usable || canonical(s, s->seg[LDTR].base),
	     "LDTR's base is not canonical");
	for (unsigned i = ES; i <= DS; i++)
		must(s,
		     (i != CS && !s->seg[i].usable) || !(s->seg[i].base >> 32),
		     high[i]);
}

static void check_v86(struct state *s)
{
	for (unsigned i = ES; i <= GS; i++) {
		const struct seg *g = &s->seg[i];

		must(s,
		     g->base == (uint64_t)g->selector << 4 &&
			     g->limit == 0xffff && g->rights == RIGHTS_V86,
		     "a segment is not as in virtual-8086 mode");
	}
}

static bool code_dpl_fits(const struct seg *cs, const struct seg *ss)
{
	switch (type_of(cs)) {
	case 3:
		return dpl_of(cs) == 0;
	case 9:
	case 11:
		return dpl_of(cs) == dpl_of(ss);
	default:
		return dpl_of(cs) <= dpl_of(ss);
	}
}

static void check_code(struct state *s)
{
	const struct seg *cs = &s->seg[CS], *ss = &s->seg[SS];
	unsigned type = type_of(cs);

	must(s,
	     type == 9 || type == 11 || type == 13 || type == 15 ||
		     (type == 3 && s->nested),
	     "CS is no accessed code segment");
	must(s, (cs->rights & RIGHTS_S) && (cs->rights & RIGHTS_P),
	     "CS is not present, or a system segment");
	must(s, code_dpl_fits(cs, ss), "CS's and SS's DPL do not agree");
	must(s,
	     !s->long_mode || !(cs->rights & RIGHTS_L) ||
		     !(cs->rights & RIGHTS_DB),
	     "CS has both L and D");
	must(s, limit_fits(cs), "CS's limit and granularity differ");
	must(s, !(cs->rights & RIGHTS_RESERVED), "CS has reserved rights");
}

static void check_stack(struct state *s)
{
	const struct seg *cs = &s->seg[CS], *ss = &s->seg[SS];

	must(s, s->nested || (ss->selector & 3) == (cs->selector & 3),
	     "SS's and CS's RPL differ");
	must(s, s->nested || dpl_of(ss) == (ss->selector & 3u),
	     "SS's DPL and RPL differ");
	must(s, dpl_of(ss) == 0 || (type_of(cs) != 3 && (s->cr0 & CR0_PE)),
	     "SS's DPL is not 0 in real mode");
	if (!ss->usable)
		return;
	must(s, type_of(ss) == 3 || type_of(ss) == 7,
	     "SS is no accessed writable data segment");
	must(s,
	     (ss->rights & RIGHTS_S) && (ss->rights & RIGHTS_P) &&
		     !(ss->rights & RIGHTS_RESERVED) && limit_fits(ss),
	     "SS has wrong rights or limit");
}

static bool data_fits(const struct state *s, const struct seg *g)
{
	unsigned type = type_of(g);

	if (!(type & 1) || ((type & 8) && !(type & 2)))
		return false;
	if (!s->nested && type < 12 && dpl_of(g) < (g->selector & 3u))
		return false;
	return (g->rights & RIGHTS_S) && (g->rights & RIGHTS_P) &&
	       !(g->rights & RIGHTS_RESERVED) && limit_fits(g);
}

static void check_data(struct state *s)
{
	static const struct {
		uint8_t seg;
		const char *what;
	} rows[] = {
		{ ES, "ES has wrong rights or limit" },
		{ DS, "DS has wrong rights or limit" },
		{ FS, "FS has wrong rights or limit" },
		{ GS, "GS has wrong rights or limit" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct seg *g = &s->seg[rows[i].seg];

		must(s, !g->usable || data_fits(s, g), rows[i].what);
	}
}

static bool system_fits(const struct seg *g)
{
	return !(g->rights & RIGHTS_S) && (g->rights & RIGHTS_P) &&
	       !(g->rights & RIGHTS_RESERVED) && limit_fits(g) &&
	       !(g->selector & 4);
}

static void check_system(struct state *s)
{
	const struct seg *tr = &s->seg[TR], *ldtr = &s->seg[LDTR];
	bool busy = type_of(tr) == 11 || (type_of(tr) == 3 && !s->long_mode);

	must(s, tr->usable && busy, "TR is no busy TSS of this mode");
	must(s, system_fits(tr), "TR has a wrong selector, rights or limit");
	must(s, !ldtr->usable || (type_of(ldtr) == 2 && system_fits(ldtr)),
	     "LDTR has a wrong selector, rights or limit");
}

static void check_segments(struct state *s)
{
	check_bases(s);
	check_system(s);
	if (s->v86) {
		check_v86(s);
		return;
	}
	check_code(s);
	check_stack(s);
	check_data(s);
}

/* 3. Descriptor tables. */

static void check_tables(struct state *s)
{
	must(s,
	     canonical(s, read(s, VMCS_GUEST_GDTR_BASE)) &&
		     !(read(s, VMCS_GUEST_GDTR_LIMIT) >> 16),
	     "GDTR has a wrong base or limit");
	must(s,
	     canonical(s, read(s, VMCS_GUEST_IDTR_BASE)) &&
		     !(read(s, VMCS_GUEST_IDTR_LIMIT) >> 16),
	     "IDTR has a wrong base or limit");
}

/* 4. rip and rflags. */

static void check_flow(struct state *s)
{
	bool code_64 = s->long_mode && (s->seg[CS].rights & RIGHTS_L);
	uint64_t rip = read(s, VMCS_GUEST_RIP);
	/* The last byte below the hole may be the last executed: the highest
	 * bit of those that count is not looked at. */
	uint64_t high = (uint64_t)((int64_t)rip >> s->check->linear_bits);
	bool interrupt = (s->event & VMX_EVENT_VALID) &&
			 (s->event & VMX_EVENT_TYPE) == VMX_EVENT_INTERRUPT;

	must(s, code_64 ? !high || !~high : !(rip >> 32),
	     "rip does not fit the mode");
	must(s, (s->rflags & RFLAGS_FIXED) && !(s->rflags & RFLAGS_RESERVED),
	     "rflags has reserved bits");
	must(s, !s->v86 || (!s->long_mode && (s->cr0 & CR0_PE)),
	     "rflags.VM is set outside protected mode");
	must(s, !interrupt || (s->rflags & RFLAGS_IF),
	     "an interrupt is delivered with rflags.IF clear");
}

/* 5. What is not a register. */

static void check_blocking(struct state *s, uint32_t blocked)
{
	uint32_t type = s->event & VMX_EVENT_TYPE;
	bool delivers = s->event & VMX_EVENT_VALID;
	bool nmi = delivers && type == VMX_EVENT_NMI;

	must(s, (blocked & VMX_BLOCK_SHADOW) != VMX_BLOCK_SHADOW,
	     "both STI and MOV SS block");
	must(s, !(blocked & VMX_BLOCK_STI) || (s->rflags & RFLAGS_IF),
	     "STI blocks with rflags.IF clear");
	must(s,
	     !(delivers && type == VMX_EVENT_INTERRUPT) ||
		     !(blocked & VMX_BLOCK_SHADOW),
	     "an interrupt is delivered while STI or MOV SS blocks");
	must(s, !nmi || !(blocked & (VMX_BLOCK_MOV_SS | VMX_BLOCK_NMI)),
	     "an NMI is delivered while NMIs are blocked");
}

/* What is delivered wakes a processor, or must be what does. */
static bool activity_takes(const struct state *s, uint64_t activity)
{
	uint32_t type = s->event & VMX_EVENT_TYPE;
	uint8_t vector = (uint8_t)s->event;

	if (!(s->event & VMX_EVENT_VALID) || activity == VMX_ACTIVE)
		return true;
	if (activity == VMX_WAITS_SIPI)
		return false;
	if (type == VMX_EVENT_NMI ||
	    (type == VMX_EVENT_EXCEPTION && vector == VECTOR_MC))
		return true;
	return activity == VMX_HALTED &&
	       (type == VMX_EVENT_INTERRUPT ||
		(type == VMX_EVENT_EXCEPTION && vector == VECTOR_DB));
}

static void check_activity(struct state *s, uint64_t activity, uint32_t blocked)
{
	must(s, activity <= VMX_WAITS_SIPI,
	     "the activity is none that there is");
	must(s, activity != VMX_HALTED || !dpl_of(&s->seg[SS]),
	     "it is halted with SS's DPL not 0");
	must(s, activity == VMX_ACTIVE || !(blocked & VMX_BLOCK_SHADOW),
	     "it is not active while STI or MOV SS blocks");
	must(s, activity_takes(s, activity),
	     "an event is delivered that its activity does not take");
}

static void check_rest(struct state *s)
{
	uint32_t blocked = (uint32_t)read(s, VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t pending = read(s, VMCS_GUEST_PENDING_DEBUG);
	uint64_t activity = read(s, VMCS_GUEST_ACTIVITY);
	const uint64_t defined = UINT64_C(0x1500f);
	bool held = (blocked & VMX_BLOCK_SHADOW) || activity == VMX_HALTED;

	check_activity(s, activity, blocked);
	must(s, !(blocked >> 5), "interruptibility has reserved bits");
	must(s, !(blocked & VMX_BLOCK_SMI), "SMIs are blocked outside SMM");
	check_blocking(s, blocked);
	must(s, !(pending & ~defined),
	     "pending debug exceptions have reserved bits");
	must(s,
	     !held || !(pending & VMX_PENDING_STEP) == !(s->rflags & RFLAGS_TF),
	     "a single step and rflags.TF do not agree");
	must(s, read(s, VMCS_LINK) == UINT64_MAX, "the link pointer is set");
}

/* 6. PDPTEs. */

static void check_pdptes(struct state *s)
{
	uint64_t reserved = (~UINT64_C(0) << s->check->maxphyaddr) | 0x1e6;

	if (!s->nested || s->long_mode || !(s->cr0 & CR0_PG) ||
	    !(s->cr4 & CR4_PAE))
		return;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t e = read_nth(s, VMCS_GUEST_PDPTE0, i);

		must(s, !(e & 1) || !(e & reserved),
		     "a PDPTE has reserved bits");
	}
}

static void read_state(struct state *s)
{
	s->nested = (uint32_t)read(s, VMCS_PROC2_CONTROLS) & VMX_PROC2_EPT;
	s->long_mode = read(s, VMCS_ENTRY_CONTROLS) & VMX_ENTRY_GUEST_64;
	s->cr0 = read(s, VMCS_GUEST_CR0);
	s->cr4 = read(s, VMCS_GUEST_CR4);
	s->rflags = read(s, VMCS_GUEST_RFLAGS);
	s->v86 = s->rflags & RFLAGS_VM;
	s->event = (uint32_t)read(s, VMCS_ENTRY_EVENT);
	for (unsigned i = ES; i <= TR; i++) {
		struct seg *g = &s->seg[i];

		g->selector = (uint16_t)read_nth(s, VMCS_GUEST_ES, i);
		g->limit = (uint32_t)read_nth(s, VMCS_GUEST_ES_LIMIT, i);
		g->rights = (uint32_t)read_nth(s, VMCS_GUEST_ES_RIGHTS, i);
		g->base = read_nth(s, VMCS_GUEST_ES_BASE, i);
		g->usable = !(g->rights & VMX_RIGHTS_UNUSABLE);
	}
}

unsigned vmx_check_guest(const struct vmx_check *check)
{
	struct state s = { .check = check };

	read_state(&s);
	check_cr(&s);
	check_msrs(&s);
	check_segments(&s);
	check_tables(&s);
	check_flow(&s);
	check_rest(&s);
	check_pdptes(&s);
	return s.count;
}

const char *vmx_error_name(uint32_t error)
{
	switch (error) {
	case 4:
		return "VMLAUNCH with a VMCS that is not clear";
	case 5:
		return "VMRESUME with a VMCS that was not launched";
	case 7:
		return "invalid control fields";
	case 8:
		return "invalid host state";
	case 26:
		return "events blocked by MOV SS";
	default:
		return "an error that has no name here";
	}
}

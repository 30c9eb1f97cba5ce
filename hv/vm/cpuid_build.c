/*
 * Building the CPUID table, leaf by leaf: the host's row, masked by the bits
 * of cpuid_bits.h, then those that the configuration and the vCPUs decide.
 * Numbers that describe the host's topology are written anew for the guest's.
 */
#include "vm/cpuid.h"

#include <string.h>

#include "vm/cpuid_bits.h"
#include "vm/cpuid_table.h"

/* Everything that building looks at. */
struct build {
	struct cpuid_table *t;
	const struct cpuid_config *cfg;
	const struct cpuid_leaf *host;
	unsigned host_count;
	uint32_t max_basic, max_extended; /* the host's */
};

static void host_row(const struct build *b, uint32_t leaf, uint32_t subleaf,
		     uint32_t row[4])
{
	memset(row, 0, 16);
	if (leaf >
	    (leaf < CPUID_EXTENDED_BASE ? b->max_basic : b->max_extended))
		return;
	for (unsigned i = 0; i < b->host_count; i++) {
		const struct cpuid_leaf *h = &b->host[i];

		if (h->leaf != leaf || h->subleaf != subleaf)
			continue;
		row[EAX] = h->eax;
		row[EBX] = h->ebx;
		row[ECX] = h->ecx;
		row[EDX] = h->edx;
		return;
	}
}

static struct cpuid_slot *slot_of(struct cpuid_table *t, uint32_t leaf)
{
	if (leaf >= CPUID_EXTENDED_BASE)
		return &t->extended[leaf - CPUID_EXTENDED_BASE];
	if (leaf >= CPUID_HYPERVISOR_BASE)
		return &t->hypervisor[leaf - CPUID_HYPERVISOR_BASE];
	return &t->basic[leaf];
}

/* Appends a row to the leaf; a leaf's rows are added one after another. */
static void add(struct build *b, uint32_t leaf, enum cpuid_dynamic_kind dynamic,
		const uint32_t row[4])
{
	struct cpuid_table *t = b->t;
	struct cpuid_slot *s = slot_of(t, leaf);

	if (t->row_count == CPUID_ROWS)
		return;
	if (!s->count)
		s->first = (uint8_t)t->row_count;
	s->count++;
	s->dynamic = (uint8_t)dynamic;
	memcpy(t->row[t->row_count++], row, 16);
}

/* The same, where the subleaf selects. */
static void add_indexed(struct build *b, uint32_t leaf,
			enum cpuid_dynamic_kind dynamic, const uint32_t row[4])
{
	slot_of(b->t, leaf)->indexed = UINT32_MAX;
	add(b, leaf, dynamic, row);
}

static bool hidden(const struct build *b, uint32_t what)
{
	return b->cfg->hide & what;
}

/* `bits`, or none of them when the scheme hides `what`. */
static uint32_t unless(const struct build *b, uint32_t what, uint32_t bits)
{
	return hidden(b, what) ? 0 : bits;
}

/* Bits that need state: shown when the guest may enable all of it. */
static uint32_t with_state(const struct build *b, uint64_t state, uint32_t bits)
{
	return (b->t->xcr0 & state) == state ? bits : 0;
}

/* The x2APIC id's width: enough for cpus - 1. */
static uint32_t id_bits(const struct build *b)
{
	uint32_t bits = 0;

	while (1u << bits < b->cfg->cpus)
		bits++;
	return bits;
}

/* The states that this guest may enable, and where XSAVE puts them. */
static void build_states(struct build *b)
{
	const uint64_t usual = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU;
	struct cpuid_table *t = b->t;
	uint32_t row[4];

	host_row(b, 1, 0, row);
	if (!(row[ECX] & ID1C_XSAVE))
		return;
	host_row(b, 0xd, 0, row);
	t->xcr0 = (b->cfg->xcr0 ? b->cfg->xcr0 : usual) & row[EAX] &
		  ((1u << CPUID_STATES) - 1);
	if (hidden(b, CPUID_HIDE_PKU))
		t->xcr0 &= ~(uint64_t)XCR0_PKRU;
	for (unsigned i = 2; i < CPUID_STATES; i++) {
		if (!(t->xcr0 >> i & 1))
			continue;
		host_row(b, 0xd, i, row);
		t->state_size[i] = row[EAX];
		t->state_offset[i] = row[EBX];
	}
}

static void build_0(struct build *b)
{
	uint32_t row[4];

	host_row(b, 0, 0, row);
	row[EAX] = CPUID_BASIC_LAST;
	add(b, 0, STATIC, row);
}

static uint32_t leaf_1_ecx(const struct build *b, uint32_t host)
{
	uint32_t mask = ID1C_SHOWN | with_state(b, XCR0_AVX, ID1C_OF_AVX);

	mask &= ~(hidden(b, CPUID_HIDE_PCID) ? ID1C_PCID : 0);
	mask &= ~(b->t->xcr0 ? 0 : ID1C_XSAVE);
	return (host & mask) | ID1C_HYPERVISOR | ID1C_DEADLINE |
	       unless(b, CPUID_HIDE_X2APIC, ID1C_X2APIC);
}

/* MCA with no banks, the APIC and the MTRRs are ours, the host's or not. */
static uint32_t leaf_1_edx(const struct build *b, uint32_t host, uint32_t shown)
{
	uint32_t ours = ID1D_APIC | ID1D_MCE | ID1D_MCA |
			unless(b, CPUID_HIDE_MTRR, ID1D_MTRR);
	uint32_t mask = shown & ~ID1D_MTRR;

	if (hidden(b, CPUID_HIDE_PSE))
		mask &= ~(ID1D_PSE | ID1D_PSE36);
	if (hidden(b, CPUID_HIDE_PGE))
		mask &= ~ID1D_PGE;
	return (host & mask) | ours;
}

static void build_1(struct build *b)
{
	uint32_t row[4];

	host_row(b, 1, 0, row);
	row[EBX] = (row[EBX] & 0xff00) | b->cfg->cpus << 16; /* CLFLUSH size */
	row[ECX] = leaf_1_ecx(b, row[ECX]);
	row[EDX] = leaf_1_edx(b, row[EDX], ID1D_SHOWN) |
		   (b->cfg->cpus > 1 ? ID1D_HTT : 0);
	b->t->paging.pse36 = row[EDX] & ID1D_PSE36;
	add(b, 1, DYNAMIC_1, row);
}

/* Leaf 4 and 8000_001Dh: caches. Those of level 3 are shared by all vCPUs,
 * the others by none. */
static void build_caches(struct build *b, uint32_t leaf)
{
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t row[4], level, shared;

		host_row(b, leaf, i, row);
		if (!(row[EAX] & 0x1f))
			break;
		level = row[EAX] >> 5 & 7;
		shared = level >= 3 ? b->cfg->cpus - 1 : 0;
		row[EAX] = (row[EAX] & 0x3fff) | shared << 14;
		if (leaf == 4)
			row[EAX] |= ((1u << id_bits(b)) - 1) << 26;
		add_indexed(b, leaf, STATIC, row);
	}
}

static void build_7(struct build *b)
{
	uint32_t row[4], row1[4] = { 0 }, mask;

	host_row(b, 7, 0, row);
	if (row[EAX])
		host_row(b, 7, 1, row1);
	row1[EAX] &= ID71A_SHOWN | with_state(b, XCR0_AVX, ID71A_AVX_VNNI) |
		     with_state(b, XCR0_AVX512, ID71A_AVX512_BF16);
	row1[EBX] = row1[ECX] = row1[EDX] = 0;
	row[EAX] = row1[EAX] ? 1 : 0;
	mask = ID7B_SHOWN | with_state(b, XCR0_AVX, ID7B_OF_AVX) |
	       with_state(b, XCR0_AVX512, ID7B_OF_AVX512);
	mask &= ~(hidden(b, CPUID_HIDE_SMEP) ? ID7B_SMEP : 0);
	mask &= ~(hidden(b, CPUID_HIDE_SMAP) ? ID7B_SMAP : 0);
	mask &= ~(hidden(b, CPUID_HIDE_PCID) ? ID7B_INVPCID : 0);
	mask &= ~(hidden(b, CPUID_HIDE_TSC_ADJUST) ? ID7B_TSC_ADJUST : 0);
	mask &= ~(hidden(b, CPUID_HIDE_FAST_STRINGS) ? ID7B_ERMS : 0);
	mask &= ~(hidden(b, CPUID_HIDE_FSGSBASE) ? ID7B_FSGSBASE : 0);
	row[EBX] &= mask;
	mask = ID7C_SHOWN | with_state(b, XCR0_AVX, ID7C_OF_AVX) |
	       with_state(b, XCR0_AVX512, ID7C_OF_AVX512) |
	       with_state(b, XCR0_PKRU, ID7C_PKU);
	mask &= ~(hidden(b, CPUID_HIDE_LA57) ? ID7C_LA57 : 0);
	row[ECX] &= mask;
	row[EDX] &= (ID7D_SHOWN & ~ID7D_FSRM) |
		    unless(b, CPUID_HIDE_FAST_STRINGS, ID7D_FSRM);
	add_indexed(b, 7, DYNAMIC_7, row);
	if (row1[EAX])
		add_indexed(b, 7, DYNAMIC_7, row1);
}

/* SDM 3A 9.9.3.1: a thread a core, all cores in one package. */
static void build_topology(struct build *b)
{
	const uint32_t threads[4] = { 0, 1, 0x100, 0 };
	const uint32_t cores[4] = { id_bits(b), b->cfg->cpus, 0x201, 0 };

	add_indexed(b, 0xb, DYNAMIC_TOPOLOGY, threads);
	add_indexed(b, 0xb, DYNAMIC_TOPOLOGY, cores);
}

static void build_d(struct build *b)
{
	struct cpuid_table *t = b->t;
	uint32_t row[4] = { (uint32_t)t->xcr0, 0, cpuid_xsave_size(t, t->xcr0),
			    (uint32_t)(t->xcr0 >> 32) };

	if (!t->xcr0)
		return;
	add_indexed(b, 0xd, DYNAMIC_XSAVE, row);
	host_row(b, 0xd, 1, row);
	row[EAX] &= IDD1A_SHOWN;
	row[EBX] = row[ECX] = row[EDX] = 0;
	add_indexed(b, 0xd, DYNAMIC_XSAVE, row);
	for (uint32_t i = 2; i < CPUID_STATES; i++) {
		host_row(b, 0xd, i, row);
		row[ECX] &= 2; /* of XCR0, aligned or not */
		row[EDX] = 0;
		if (!(t->xcr0 >> i & 1))
			memset(row, 0, sizeof(row));
		add_indexed(b, 0xd, DYNAMIC_XSAVE, row);
	}
}

/* The KVM interface: MSRs 4b56_4d00h and 01h, the clock. */
static void build_hypervisor(struct build *b)
{
	static const uint32_t signature[4] = { CPUID_HYPERVISOR_BASE + 1,
					       0x4b4d564b, 0x564b4d56, 0x4d };
	static const uint32_t features[4] = { KVM_SHOWN, 0, 0, 0 };

	add(b, CPUID_HYPERVISOR_BASE, STATIC, signature);
	add(b, CPUID_HYPERVISOR_BASE + 1, STATIC, features);
}

static uint32_t extended_last(const struct build *b)
{
	uint32_t most = b->t->intel ? CPUID_EXTENDED_BASE + 8
				    : CPUID_EXTENDED_BASE + 0x21;

	if (b->cfg->null_clears_base)
		return most;
	return b->max_extended < CPUID_EXTENDED_BASE + 8
		       ? CPUID_EXTENDED_BASE + 8
	       : b->max_extended < most ? b->max_extended
					: most;
}

static void build_extended_1(struct build *b)
{
	struct cpuid_table *t = b->t;
	uint32_t row[4], mask = IDX1D_SHOWN;

	host_row(b, CPUID_EXTENDED_BASE + 1, 0, row);
	row[EBX] &= 0xf0000000; /* package type */
	row[ECX] &= IDX1C_SHOWN | with_state(b, XCR0_AVX, IDX1C_OF_AVX);
	if (t->intel)
		mask &= ~ID1D_BOTH_VENDORS;
	else if (b->cfg->cpus > 1)
		row[ECX] |= IDX1C_CMP_LEGACY;
	if (hidden(b, CPUID_HIDE_GIB_PAGES))
		mask &= ~IDX1D_PDPE1GB;
	if (hidden(b, CPUID_HIDE_NX))
		mask &= ~IDX1D_NX;
	row[EDX] = t->intel ? row[EDX] & mask : leaf_1_edx(b, row[EDX], mask);
	t->paging.nx = row[EDX] & IDX1D_NX;
	t->paging.gib_pages = row[EDX] & IDX1D_PDPE1GB;
	t->efer = (row[EDX] & IDX1D_SYSCALL ? 1u : 0) |
		  (row[EDX] & IDX1D_LM ? VMMU_EFER_LME | VMMU_EFER_LMA : 0) |
		  (row[EDX] & IDX1D_NX ? VMMU_EFER_NXE : 0) |
		  (row[EDX] & IDX1D_FFXSR ? 1u << 14 : 0);
	add(b, CPUID_EXTENDED_BASE + 1, t->intel ? STATIC : DYNAMIC_X1, row);
}

static void build_extended_8(struct build *b)
{
	uint32_t row[4], physical, linear, leaf_7[4];

	host_row(b, CPUID_EXTENDED_BASE + 8, 0, row);
	host_row(b, 7, 0, leaf_7);
	physical = b->cfg->maxphyaddr ? b->cfg->maxphyaddr : row[EAX] & 0xff;
	if (physical < 36 || physical > 52)
		physical = 36; /* a host without the leaf: SDM 3A 4.1.4 */
	linear = leaf_7[ECX] & unless(b, CPUID_HIDE_LA57, ID7C_LA57) ? 57 : 48;
	row[EAX] = physical | linear << 8;
	row[EBX] &= IDX8B_SHOWN;
	row[ECX] = b->t->intel ? 0 : (b->cfg->cpus - 1) | id_bits(b) << 12;
	row[EDX] = 0;
	b->t->paging.maxphyaddr = (uint8_t)physical;
	add(b, CPUID_EXTENDED_BASE + 8, STATIC, row);
}

/* A leaf that only describes: as the host has it, masked. */
static void build_as_is(struct build *b, uint32_t leaf, uint32_t eax,
			uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	uint32_t row[4];

	host_row(b, leaf, 0, row);
	row[EAX] &= eax;
	row[EBX] &= ebx;
	row[ECX] &= ecx;
	row[EDX] &= edx;
	add(b, leaf, STATIC, row);
}

static void build_extended_21(struct build *b)
{
	uint32_t row[4];

	host_row(b, CPUID_EXTENDED_BASE + 0x21, 0, row);
	row[EAX] = (row[EAX] & IDX21A_SHOWN) |
		   (b->cfg->null_clears_base ? IDX21A_NULL_SEL : 0);
	row[EBX] = row[ECX] = row[EDX] = 0;
	add(b, CPUID_EXTENDED_BASE + 0x21, STATIC, row);
}

static void build_extended_amd(struct build *b, uint32_t last)
{
	/* A core of its own each, all on node 0; the query sets the ids. */
	static const uint32_t node[4] = { 0 };
	const uint32_t all = UINT32_MAX;

	if (last >= CPUID_EXTENDED_BASE + 0x19)
		build_as_is(b, CPUID_EXTENDED_BASE + 0x19, all, all, 0,
			    0); /* 1G TLB */
	if (last >= CPUID_EXTENDED_BASE + 0x1a)
		build_as_is(b, CPUID_EXTENDED_BASE + 0x1a, 7, 0, 0,
			    0); /* FP width */
	if (last >= CPUID_EXTENDED_BASE + 0x1d)
		build_caches(b, CPUID_EXTENDED_BASE + 0x1d);
	if (last >= CPUID_EXTENDED_BASE + 0x1e)
		add(b, CPUID_EXTENDED_BASE + 0x1e, DYNAMIC_X1E, node);
	if (last >= CPUID_EXTENDED_BASE + 0x21)
		build_extended_21(b);
}

static void build_extended(struct build *b)
{
	const uint32_t all = UINT32_MAX;
	uint32_t last = extended_last(b);
	uint32_t row[4];

	host_row(b, CPUID_EXTENDED_BASE, 0, row);
	row[EAX] = last;
	add(b, CPUID_EXTENDED_BASE, STATIC, row);
	build_extended_1(b);
	for (uint32_t i = 2; i <= 6; i++) /* brand, L1 and L2 caches, TLBs */
		build_as_is(b, CPUID_EXTENDED_BASE + i, all, all, all, all);
	build_as_is(b, CPUID_EXTENDED_BASE + 7, 0, 0, 0, IDX7D_INVARIANT_TSC);
	build_extended_8(b);
	if (!b->t->intel)
		build_extended_amd(b, last);
}

static void build_basic(struct build *b)
{
	static const uint32_t arat[4] = { ID6A_ARAT, 0, 0, 0 };
	const uint32_t all = UINT32_MAX;

	build_0(b);
	build_1(b);
	build_as_is(b, 2, all, all, all, all); /* cache descriptors */
	build_caches(b, 4);
	add(b, 6, STATIC, arat);
	build_7(b);
	build_topology(b);
	build_d(b);
}

/* CR4's bits, each with the feature that offers it: SDM 3A 2.5. */
static uint64_t cr4_of(const struct cpuid_table *t)
{
	static const struct {
		uint8_t leaf, reg;
		uint32_t feature, bits;
	} rows[] = {
		{ 1, EDX, ID1D_VME, 0x3 },	    /* VME, PVI */
		{ 1, EDX, ID1D_TSC, 0x4 },	    /* TSD */
		{ 1, EDX, ID1D_DE, 0x8 },	    /* DE */
		{ 1, EDX, ID1D_PSE, 0x10 },	    /* PSE */
		{ 1, EDX, ID1D_PAE, 0x20 },	    /* PAE */
		{ 1, EDX, ID1D_MCE, 0x40 },	    /* MCE */
		{ 1, EDX, ID1D_PGE, 0x80 },	    /* PGE */
		{ 1, EDX, ID1D_FXSR, 0x200 },	    /* OSFXSR */
		{ 1, EDX, ID1D_SSE, 0x400 },	    /* OSXMMEXCPT */
		{ 7, ECX, ID7C_UMIP, 0x800 },	    /* UMIP */
		{ 7, ECX, ID7C_LA57, 0x1000 },	    /* LA57 */
		{ 7, EBX, ID7B_FSGSBASE, 0x10000 }, /* FSGSBASE */
		{ 1, ECX, ID1C_PCID, 0x20000 },	    /* PCIDE */
		{ 1, ECX, ID1C_XSAVE, 0x40000 },    /* OSXSAVE */
		{ 7, EBX, ID7B_SMEP, 0x100000 },    /* SMEP */
		{ 7, EBX, ID7B_SMAP, 0x200000 },    /* SMAP */
		{ 7, ECX, ID7C_PKU, 0x400000 },	    /* PKE */
	};
	uint64_t cr4 = 0;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t regs[4];

		cpuid_look_up(t, rows[i].leaf, 0, regs);
		if (regs[rows[i].reg] & rows[i].feature)
			cr4 |= rows[i].bits;
	}
	return cr4;
}

void cpuid_build(struct cpuid_table *t, const struct cpuid_config *cfg,
		 const struct cpuid_leaf *host, unsigned host_count)
{
	struct build b = { .t = t,
			   .cfg = cfg,
			   .host = host,
			   .host_count = host_count,
			   .max_extended = CPUID_EXTENDED_BASE };
	uint32_t row[4];

	memset(t, 0, sizeof(*t));
	t->row_count = 1; /* row 0 is what everything not said reads as */
	host_row(&b, 0, 0, row);
	b.max_basic = row[EAX];
	t->intel = row[EBX] == 0x756e6547; /* "Genu" */
	t->beyond = t->intel ? CPUID_BASIC_LAST : CPUID_BASIC - 1;
	host_row(&b, CPUID_EXTENDED_BASE, 0, row);
	b.max_extended = row[EAX];
	build_states(&b);
	build_basic(&b);
	build_hypervisor(&b);
	build_extended(&b);
	t->cr4 = cr4_of(t);
}

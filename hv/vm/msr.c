/*
 * The MSR policy.
 *
 * 1. A table of MSRs that are only kept: a row says who has it, what it holds
 *    after reset, which bits a guest may change, and whether a write of other
 *    bits is #GP or has no effect.
 * 2. MTRRs and PAT, which have rules of their own: SDM 3A 11.11, 11.12.
 * 3. EFER's rules, for the engine that keeps it.
 *
 * LS_CFG (C001_1020h) is absent on purpose: a guest that can write it believes
 * to have turned speculative store bypass off.
 */
#include "vm/msr.h"

#include <assert.h>
#include <string.h>

#include "vm/cpuid_bits.h"
#include "vm/cpuid_table.h"

const uint32_t msr_own[MSR_OWN] = {
	0x174,	    0x175,	0x176,	    /* SYSENTER_* */
	0xc0000081, 0xc0000082, 0xc0000083, /* STAR LSTAR CSTAR */
	0xc0000084, 0xc0000100, 0xc0000101, /* SFMASK FS GS base */
	0xc0000102,			    /* KERNEL_GS_BASE */
};

enum maker { BOTH, INTEL, AMD };

/* A write that changes a bit outside `writable`. */
enum other { GP, DROP };

struct kept {
	uint32_t msr;
	uint8_t maker, other;
	uint64_t reset, writable;
};

static const struct kept kept[] = {
	/* Branch tracing and single-stepping: none, but gdb's BTF is tried. */
	{ 0x1d9, BOTH, GP, 0, 0x3 }, /* DEBUGCTL: LBR, BTF */
	{ 0x1db, BOTH, GP, 0, 0 },   /* last branch from */
	{ 0x1dc, BOTH, GP, 0, 0 },   /* last branch to */
	{ 0x1dd, BOTH, GP, 0, 0 },   /* last exception from */
	{ 0x1de, BOTH, GP, 0, 0 },   /* last exception to */
	{ 0x179, BOTH, GP, 0, 0 },   /* MCG_CAP: no banks */
	{ 0x17a, BOTH, GP, 0, 0x7 }, /* MCG_STATUS */
	{ MSR_TSC_AUX, BOTH, GP, 0, 0xffffffff },
	/* The microcode's revision: guests write 0 first, Intel says so. */
	{ 0x8b, AMD, DROP, 0x01000065, 0 },
	{ 0x8b, INTEL, DROP, UINT64_C(1) << 32, 0 },
	{ 0x17, INTEL, GP, 0, 0 },   /* PLATFORM_ID */
	{ 0x2a, INTEL, DROP, 0, 0 }, /* EBL_CR_POWERON */
	{ 0x34, INTEL, GP, 0, 0 },   /* SMI_COUNT */
	{ 0x3a, INTEL, GP, 1, 0 },   /* FEATURE_CONTROL: locked */
	{ 0xce, INTEL, GP, 0, 0 },   /* PLATFORM_INFO */
	{ 0x140, INTEL, GP, 0, 0 },  /* MISC_FEATURES_ENABLES */
	/* MISC_ENABLE: fast strings; no branch trace store, no PEBS. */
	{ 0x1a0, INTEL, DROP, 0x1801, 0x1 },
	/* SYSCFG: MtrrFixDramEn, MtrrVarDramEn, Tom2En, Tom2ForceMemTypeWB.
	 * MtrrFixDramModEn stays 0: fixed MTRRs have no RdMem and WrMem. */
	{ 0xc0010010, AMD, DROP, 0, 0x740000 },
	/* HWCR: TscFreqSel, since the TSC does not change its pace (kernels
	 * look for it); HLT, INVD, FERR, MCi_STATUS, IRPERF switches. */
	{ 0xc0010015, AMD, DROP, 1u << 24, 0x40040158 },
	{ 0xc001001a, AMD, DROP, MSR_MMIO_BASE, 0 }, /* TOP_MEM */
	{ 0xc001001d, AMD, DROP, 0, 0 },	     /* TOP_MEM2: Tom2En */
	{ 0xc001001f, AMD, GP, 0, UINT64_MAX },	     /* NB_CFG */
	{ 0xc0010055, AMD, DROP, 0, 0 },	     /* INT_PENDING */
	{ 0xc0010058, AMD, DROP, 0, 0 },    /* MMIO_CONF_BASE: no window */
	{ 0xc0010114, AMD, DROP, 0x18, 0 }, /* VM_CR: SVM disabled, locked */
	/* The four old counters, always there on AMD: they never count. */
	{ 0xc0010000, AMD, DROP, 0, 0 },
	{ 0xc0010001, AMD, DROP, 0, 0 },
	{ 0xc0010002, AMD, DROP, 0, 0 },
	{ 0xc0010003, AMD, DROP, 0, 0 },
	{ 0xc0010004, AMD, DROP, 0, 0 },
	{ 0xc0010005, AMD, DROP, 0, 0 },
	{ 0xc0010006, AMD, DROP, 0, 0 },
	{ 0xc0010007, AMD, DROP, 0, 0 },
	/* Switches of the core's parts, written to work around errata. */
	{ 0xc0011021, AMD, DROP, 0, 0 }, /* IC_CFG */
	{ 0xc0011022, AMD, DROP, 0, 0 }, /* DC_CFG */
	{ 0xc0011023, AMD, DROP, 0, 0 }, /* TW_CFG */
	{ 0xc001102a, AMD, DROP, 0, 0 }, /* BU_CFG2 */
	/* DE_CFG: LFENCE serializes, and cannot be made not to. */
	{ 0xc0011029, AMD, DROP, 0x2, 0 },
};

#define KEPT_COUNT (sizeof(kept) / sizeof(kept[0]))
static_assert(KEPT_COUNT <= MSR_KEPT, "struct guest_msrs has a place for each");

static bool shown(const struct guest_msrs *m, const struct cpuid_slot *leaf,
		  unsigned reg, uint32_t bit)
{
	return leaf->count && m->cpuid->row[leaf->first][reg] & bit;
}

static bool shown_1_edx(const struct guest_msrs *m, uint32_t bit)
{
	return shown(m, &m->cpuid->basic[1], EDX, bit);
}

/* TSC_AUX exists for RDTSCP and RDPID, and where the host has neither it must
 * not be written. */
static bool has_kept(const struct guest_msrs *m, const struct kept *k)
{
	enum maker maker = m->cpuid->intel ? INTEL : AMD;

	if (k->msr == MSR_TSC_AUX)
		return shown(m, &m->cpuid->extended[1], EDX, IDX1D_RDTSCP) ||
		       shown(m, &m->cpuid->basic[7], ECX, ID7C_RDPID);
	return k->maker == BOTH || k->maker == maker;
}

/* KEPT_COUNT: none. */
static unsigned kept_find(const struct guest_msrs *m, uint32_t msr)
{
	for (unsigned i = 0; i < KEPT_COUNT; i++)
		if (kept[i].msr == msr && has_kept(m, &kept[i]))
			return i;
	return KEPT_COUNT;
}

static enum msr_answer kept_write(struct guest_msrs *m, unsigned i,
				  uint64_t value)
{
	const struct kept *k = &kept[i];

	if (k->other == GP && (value ^ k->reset) & ~k->writable)
		return MSR_GP;
	m->kept[i] = (k->reset & ~k->writable) | (value & k->writable);
	return MSR_OK;
}

/* MTRRs. */

#define MTRR_CAP	0xfeu
#define MTRR_VARIABLE	0x200u
#define MTRR_DEF_TYPE	0x2ffu
#define MTRR_COUNT	8
#define MTRR_CAP_VALUE	(MTRR_COUNT | 1u << 8 | 1u << 10) /* fixed, WC */
#define MTRR_VALID	(UINT64_C(1) << 11)
#define MTRR_ENABLE	(1u << 11)
#define MTRR_FIX_ENABLE (1u << 10)
#define ALL_BYTES	UINT64_C(0x0101010101010101)

/* The index in fixed[] of a fixed-range MTRR, or -1. */
static int fixed_index(uint32_t msr)
{
	if (msr == 0x250)
		return 0;
	if (msr == 0x258 || msr == 0x259)
		return (int)(msr - 0x258 + 1);
	if (msr >= 0x268 && msr <= 0x26f)
		return (int)(msr - 0x268 + 3);
	return -1;
}

/* Where an MTRR's value is kept, or NULL: no such MTRR. */
static uint64_t *mtrr_place(struct vmmu_mtrrs *t, uint32_t msr)
{
	uint32_t n = msr - MTRR_VARIABLE;

	if (msr == MTRR_DEF_TYPE)
		return &t->def_type;
	if (n < 2 * MTRR_COUNT)
		return n & 1 ? &t->mask[n / 2] : &t->base[n / 2];
	return fixed_index(msr) < 0 ? NULL : &t->fixed[fixed_index(msr)];
}

/* UC, WC, WT, WP, WB; and UC- where a PAT entry is meant. */
static bool type_valid(uint64_t type, bool pat)
{
	return type < 8 && (pat ? 0xf3u : 0x73u) >> type & 1;
}

static bool types_valid(uint64_t value, bool pat)
{
	for (unsigned i = 0; i < 64; i += 8)
		if (!type_valid(value >> i & 0xff, pat))
			return false;
	return true;
}

static bool mtrr_valid(const struct vmmu_mtrrs *t, uint32_t msr, uint64_t value)
{
	uint64_t addr = (UINT64_C(1) << t->maxphyaddr) - VMMU_PAGE_SIZE;

	if (fixed_index(msr) >= 0)
		return types_valid(value, false);
	if (msr == MTRR_DEF_TYPE)
		return !(value & ~UINT64_C(0xcff)) &&
		       type_valid(value & 0xff, false);
	if (msr & 1)
		return !(value & ~(addr | MTRR_VALID));
	return !(value & ~(addr | 0xff)) && type_valid(value & 0xff, false);
}

/* As a PC's firmware leaves them: memory is write-back, the legacy video
 * range and the devices below 4 GiB are uncached, ROMs write-protected. */
static void mtrr_reset(struct vmmu_mtrrs *t, uint8_t maxphyaddr)
{
	uint64_t addr = (UINT64_C(1) << maxphyaddr) - VMMU_PAGE_SIZE;
	uint64_t size = (UINT64_C(1) << 32) - MSR_MMIO_BASE;

	memset(t, 0, sizeof(*t));
	t->variable_count = MTRR_COUNT;
	t->maxphyaddr = maxphyaddr;
	t->def_type = VMMU_WB | MTRR_ENABLE | MTRR_FIX_ENABLE;
	t->base[0] = MSR_MMIO_BASE | VMMU_UC;
	t->mask[0] = (addr & ~(size - 1)) | MTRR_VALID;
	t->fixed[0] = ALL_BYTES * VMMU_WB; /* 0 - 7ffff */
	t->fixed[1] = ALL_BYTES * VMMU_WB; /* 80000 - 9ffff */
	t->fixed[2] = ALL_BYTES * VMMU_UC; /* a0000 - bffff */
	for (unsigned i = 3; i < 11; i++)
		t->fixed[i] = ALL_BYTES * VMMU_WP;
}

static enum msr_answer mtrr_read(const struct guest_msrs *m, uint32_t msr,
				 uint64_t *value)
{
	struct vmmu_mtrrs copy = m->mtrrs;
	uint64_t *place = mtrr_place(&copy, msr);

	if (!shown_1_edx(m, ID1D_MTRR))
		return MSR_GP;
	*value = msr == MTRR_CAP ? MTRR_CAP_VALUE : place ? *place : 0;
	return place || msr == MTRR_CAP ? MSR_OK : MSR_GP;
}

static enum msr_answer mtrr_write(struct guest_msrs *m, uint32_t msr,
				  uint64_t value)
{
	uint64_t *place = mtrr_place(&m->mtrrs, msr);

	if (!shown_1_edx(m, ID1D_MTRR) || !place ||
	    !mtrr_valid(&m->mtrrs, msr, value))
		return MSR_GP;
	*place = value;
	return MSR_OK;
}

void msr_init(struct guest_msrs *m, const struct cpuid_table *cpuid)
{
	m->cpuid = cpuid;
	m->pat = UINT64_C(0x0007040600070406); /* SDM 3A 11.12.4 */
	mtrr_reset(&m->mtrrs, cpuid->paging.maxphyaddr);
	for (unsigned i = 0; i < KEPT_COUNT; i++)
		m->kept[i] = kept[i].reset;
}

enum msr_answer msr_read(const struct guest_msrs *m, uint32_t msr,
			 uint64_t *value)
{
	unsigned i = kept_find(m, msr);

	if (i < KEPT_COUNT) {
		*value = m->kept[i];
		return MSR_OK;
	}
	if (msr == MSR_PAT) {
		*value = m->pat;
		return shown_1_edx(m, ID1D_PAT) ? MSR_OK : MSR_GP;
	}
	return mtrr_read(m, msr, value);
}

enum msr_answer msr_write(struct guest_msrs *m, uint32_t msr, uint64_t value)
{
	unsigned i = kept_find(m, msr);

	if (i < KEPT_COUNT)
		return kept_write(m, i, value);
	if (msr == MSR_PAT) {
		if (!shown_1_edx(m, ID1D_PAT) || !types_valid(value, true))
			return MSR_GP;
		m->pat = value;
		return MSR_OK;
	}
	return mtrr_write(m, msr, value);
}

bool msr_has_tsc_adjust(const struct guest_msrs *m)
{
	return shown(m, &m->cpuid->basic[7], EBX, ID7B_TSC_ADJUST);
}

bool msr_efer_valid(uint64_t old, uint64_t value, uint64_t cr0,
		    const struct cpuid_table *cpuid)
{
	if (value & ~cpuid->efer)
		return false;
	return !(cr0 & VMMU_CR0_PG) || !((old ^ value) & VMMU_EFER_LME);
}

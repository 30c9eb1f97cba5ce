/*
 * Access rights: SDM 3A 4.6.1 and 4.6.2, said as the manual says them, and
 * the error code of 4.7.
 *
 * An address is a user-mode address when U/S is set in every entry that
 * controls it, else a supervisor-mode address. Each sentence of 4.6.1 is one
 * condition below; a protection key may forbid a data access besides, and
 * sets PK also where something else forbids too.
 */
#include "smmu_walk.h"

#include "smmu_regs.h"

static bool by_user(unsigned access)
{
	return (access & VMMU_U) && !(access & VMMU_IMPLICIT);
}

uint32_t smmu_error_of_access(const struct smmu_regs *regs, unsigned access)
{
	bool smep = regs->cr4 & SMMU_CR4_SMEP;
	bool pae_nx = (regs->cr4 & SMMU_CR4_PAE) && smmu_nx(regs);
	uint32_t error = 0;

	if (access & VMMU_W)
		error |= VMMU_PF_W;
	if (by_user(access))
		error |= VMMU_PF_U;
	if ((access & VMMU_X) && (smep || pae_nx))
		error |= VMMU_PF_I;
	return error;
}

static bool user_may(const struct smmu_result *page, unsigned access)
{
	if (!page->user)
		return false;
	if (access & VMMU_X)
		return page->exec;
	return !(access & VMMU_W) || page->write;
}

/* CR4.SMAP: user-mode addresses only explicitly, and with EFLAGS.AC. */
static bool smap_forbids(const struct smmu_regs *regs, unsigned access)
{
	if (!(regs->cr4 & SMMU_CR4_SMAP))
		return false;
	return !(access & VMMU_AC) || (access & VMMU_IMPLICIT);
}

static bool supervisor_may(const struct smmu_regs *regs,
			   const struct smmu_result *page, unsigned access)
{
	if (access & VMMU_X) {
		if (page->user && (regs->cr4 & SMMU_CR4_SMEP))
			return false;
		return page->exec;
	}
	if (page->user && smap_forbids(regs, access))
		return false;
	if (access & VMMU_W)
		return page->write || !(regs->cr0 & SMMU_CR0_WP);
	return true;
}

/* 4.6.2: PKRU rules user-mode addresses, IA32_PKRS supervisor-mode ones. AD
 * forbids data accesses; WD forbids writes, of a supervisor only when CR0.WP
 * is set. */
static bool key_forbids(const struct smmu_regs *regs,
			const struct smmu_result *page, unsigned access)
{
	uint64_t enable = page->user ? SMMU_CR4_PKE : SMMU_CR4_PKS;
	uint32_t rights = page->user ? regs->pkru : regs->pkrs;
	unsigned pair = rights >> (2 * page->key) & 3;

	if (!(regs->efer & SMMU_EFER_LMA) || !(regs->cr4 & enable))
		return false;
	if (access & VMMU_X)
		return false;
	if (pair & 1)
		return true;
	return (pair & 2) && (access & VMMU_W) &&
	       (by_user(access) || (regs->cr0 & SMMU_CR0_WP));
}

uint32_t smmu_rights(const struct smmu_regs *regs,
		     const struct smmu_result *page, unsigned access)
{
	bool may = by_user(access) ? user_may(page, access)
				   : supervisor_may(regs, page, access);
	bool key = key_forbids(regs, page, access);

	if (may && !key)
		return 0;
	return VMMU_PF_P | smmu_error_of_access(regs, access) |
	       (key ? VMMU_PF_PK : 0);
}

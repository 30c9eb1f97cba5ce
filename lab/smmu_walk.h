/* What the parts of the software MMU tell each other; see smmu.h. */
#ifndef LAB_SMMU_WALK_H
#define LAB_SMMU_WALK_H

#include "smmu.h"

/* One walk on its way down. */
struct smmu_walk {
	const struct smmu_regs *regs;
	const struct smmu_mem *mem;
	uint64_t va;
	unsigned access;
	bool update; /* set flags */
	struct smmu_result *out;
};

/* Bits hi..lo, both included: the manual's notation. None when hi < lo. */
static inline uint64_t smmu_bits(unsigned hi, unsigned lo)
{
	if (hi < lo)
		return 0;
	return (~UINT64_C(0) >> (63 - hi)) & (~UINT64_C(0) << lo);
}

/* Reads one entry into the trail. False: memory said no. */
bool smmu_use(struct smmu_walk *w, uint64_t gpa, unsigned size, bool has_flags,
	      uint64_t *entry);

/* The two ways in which a structure itself ends a walk: SDM 3A 4.7. */
void smmu_not_present(struct smmu_walk *w);
void smmu_reserved(struct smmu_walk *w);

/* True when no-execute is in force: IA32_EFER.NXE, SDM 3A 4.6. */
bool smmu_nx(const struct smmu_regs *regs);

/* Bits 1, 2 and 63 of an entry joined to what came before. */
void smmu_join(struct smmu_walk *w, uint64_t entry);

/* The page is found: its address, size, and the leaf's flags. */
void smmu_map(struct smmu_walk *w, uint64_t leaf, uint64_t page,
	      unsigned shift);

/* The W, U and I bits of an error code, which tell of the access alone. */
uint32_t smmu_error_of_access(const struct smmu_regs *regs, unsigned access);

/* The modes. Each fills out->outcome. */
void smmu_legacy(struct smmu_walk *w);
void smmu_pae(struct smmu_walk *w);
void smmu_long(struct smmu_walk *w);

#endif

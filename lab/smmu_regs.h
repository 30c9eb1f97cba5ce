/* Register bits by the names of SDM 3A 2.5, for the lab alone. */
#ifndef LAB_SMMU_REGS_H
#define LAB_SMMU_REGS_H

#include <stdint.h>

#define SMMU_CR0_WP    (UINT64_C(1) << 16)
#define SMMU_CR0_PG    (UINT64_C(1) << 31)
#define SMMU_CR4_PSE   (UINT64_C(1) << 4)
#define SMMU_CR4_PAE   (UINT64_C(1) << 5)
#define SMMU_CR4_PGE   (UINT64_C(1) << 7)
#define SMMU_CR4_LA57  (UINT64_C(1) << 12)
#define SMMU_CR4_PCIDE (UINT64_C(1) << 17)
#define SMMU_CR4_SMEP  (UINT64_C(1) << 20)
#define SMMU_CR4_SMAP  (UINT64_C(1) << 21)
#define SMMU_CR4_PKE   (UINT64_C(1) << 22)
#define SMMU_CR4_PKS   (UINT64_C(1) << 24)
#define SMMU_EFER_LMA  (UINT64_C(1) << 10)
#define SMMU_EFER_NXE  (UINT64_C(1) << 11)

/* Entry bits that all modes have in one place: SDM 3A tables 4-5 to 4-20. */
#define SMMU_P	(UINT64_C(1) << 0)
#define SMMU_RW (UINT64_C(1) << 1)
#define SMMU_US (UINT64_C(1) << 2)
#define SMMU_A	(UINT64_C(1) << 5)
#define SMMU_D	(UINT64_C(1) << 6)
#define SMMU_PS (UINT64_C(1) << 7)
#define SMMU_G	(UINT64_C(1) << 8)
#define SMMU_XD (UINT64_C(1) << 63)

#endif

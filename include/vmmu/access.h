/*
 * The neutral permission word: what an access needs and what an entry grants.
 *
 * A translation grants any set of R, W, X, U. An access asks for exactly one
 * of R, W, X (a read-modify-write asks for W) with U when it is made at
 * CPL 3, and carries the two facts that SMAP looks at.
 */
#ifndef VMMU_ACCESS_H
#define VMMU_ACCESS_H

#define VMMU_R	  0x01u
#define VMMU_W	  0x02u
#define VMMU_X	  0x04u
#define VMMU_U	  0x08u
#define VMMU_RWX  (VMMU_R | VMMU_W | VMMU_X)
#define VMMU_RWXU (VMMU_RWX | VMMU_U)

/* Of an access only. SDM 3A 4.6.1: implicit supervisor-mode accesses (GDT,
 * LDT, IDT, TSS) are supervisor accesses at any CPL, and ignore EFLAGS.AC. */
#define VMMU_IMPLICIT 0x10u
/* Of an access only: EFLAGS.AC was set when it was made. */
#define VMMU_AC 0x20u

/* The x86 #PF error code: SDM 3A 4.7, APM 2 8.4.2. */
#define VMMU_PF_P    0x01u /* 1: protection; 0: not present */
#define VMMU_PF_W    0x02u
#define VMMU_PF_U    0x04u
#define VMMU_PF_RSVD 0x08u
#define VMMU_PF_I    0x10u
#define VMMU_PF_PK   0x20u

#endif

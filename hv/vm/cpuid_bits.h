/*
 * The CPUID bits that a guest may see, by name. What is not here is hidden.
 *
 * SDM 2, CPUID; APM 3 appendix E. A bit is listed when one of these holds:
 *   - the processor does it for the guest without our help, and no state that
 *     we would have to switch belongs to it;
 *   - we virtualize it (APIC, MTRR, MCA, x2APIC, TSC deadline, TSC_ADJUST,
 * ARAT). Bits that need more state than the guest may have (AVX, AVX-512, PKU)
 * are grouped by that state. Hidden, for one: SVM, VMX, MONITOR, performance
 * counters, thermal and power management, debug store, SGX, TSX, CET, PKS,
 * XSAVES, extended APIC space, IBS, OSVW, memory encryption.
 */
#ifndef HV_VM_CPUID_BITS_H
#define HV_VM_CPUID_BITS_H

#define CPUID_BIT(n) (1u << (n))

/* Leaf 1, EDX; and 8000_0001h, EDX on AMD, where most are repeated. */
#define ID1D_FPU   CPUID_BIT(0)
#define ID1D_VME   CPUID_BIT(1)
#define ID1D_DE	   CPUID_BIT(2)
#define ID1D_PSE   CPUID_BIT(3)
#define ID1D_TSC   CPUID_BIT(4)
#define ID1D_MSR   CPUID_BIT(5)
#define ID1D_PAE   CPUID_BIT(6)
#define ID1D_MCE   CPUID_BIT(7)
#define ID1D_CX8   CPUID_BIT(8)
#define ID1D_APIC  CPUID_BIT(9) /* off while APIC_BASE.EN is clear */
#define ID1D_SEP   CPUID_BIT(11)
#define ID1D_MTRR  CPUID_BIT(12)
#define ID1D_PGE   CPUID_BIT(13)
#define ID1D_MCA   CPUID_BIT(14)
#define ID1D_CMOV  CPUID_BIT(15)
#define ID1D_PAT   CPUID_BIT(16)
#define ID1D_PSE36 CPUID_BIT(17)
#define ID1D_CLFSH CPUID_BIT(19)
#define ID1D_MMX   CPUID_BIT(23)
#define ID1D_FXSR  CPUID_BIT(24)
#define ID1D_SSE   CPUID_BIT(25)
#define ID1D_SSE2  CPUID_BIT(26)
#define ID1D_HTT   CPUID_BIT(28) /* several logical processors: ours to say */

#define ID1D_BOTH_VENDORS                                                      \
	(ID1D_FPU | ID1D_VME | ID1D_DE | ID1D_PSE | ID1D_TSC | ID1D_MSR |      \
	 ID1D_PAE | ID1D_MCE | ID1D_CX8 | ID1D_APIC | ID1D_MTRR | ID1D_PGE |   \
	 ID1D_MCA | ID1D_CMOV | ID1D_PAT | ID1D_PSE36 | ID1D_MMX | ID1D_FXSR)
#define ID1D_SHOWN                                                             \
	(ID1D_BOTH_VENDORS | ID1D_SEP | ID1D_CLFSH | ID1D_SSE | ID1D_SSE2)

/* Leaf 1, ECX. */
#define ID1C_SSE3	CPUID_BIT(0)
#define ID1C_PCLMULQDQ	CPUID_BIT(1)
#define ID1C_SSSE3	CPUID_BIT(9)
#define ID1C_FMA	CPUID_BIT(12)
#define ID1C_CX16	CPUID_BIT(13)
#define ID1C_PCID	CPUID_BIT(17)
#define ID1C_SSE41	CPUID_BIT(19)
#define ID1C_SSE42	CPUID_BIT(20)
#define ID1C_X2APIC	CPUID_BIT(21) /* the board's */
#define ID1C_MOVBE	CPUID_BIT(22)
#define ID1C_POPCNT	CPUID_BIT(23)
#define ID1C_DEADLINE	CPUID_BIT(24) /* the board's TSC deadline timer */
#define ID1C_AES	CPUID_BIT(25)
#define ID1C_XSAVE	CPUID_BIT(26)
#define ID1C_OSXSAVE	CPUID_BIT(27) /* CR4.OSXSAVE */
#define ID1C_AVX	CPUID_BIT(28)
#define ID1C_F16C	CPUID_BIT(29)
#define ID1C_RDRAND	CPUID_BIT(30)
#define ID1C_HYPERVISOR CPUID_BIT(31)

#define ID1C_SHOWN                                                             \
	(ID1C_SSE3 | ID1C_PCLMULQDQ | ID1C_SSSE3 | ID1C_CX16 | ID1C_PCID |     \
	 ID1C_SSE41 | ID1C_SSE42 | ID1C_MOVBE | ID1C_POPCNT | ID1C_AES |       \
	 ID1C_XSAVE | ID1C_RDRAND)
#define ID1C_OF_AVX (ID1C_FMA | ID1C_AVX | ID1C_F16C)

/* Leaf 6, EAX. */
#define ID6A_ARAT CPUID_BIT(2) /* our timer runs in every idle state */

/* Leaf 7, subleaf 0, EBX. */
#define ID7B_FSGSBASE	CPUID_BIT(0)
#define ID7B_TSC_ADJUST CPUID_BIT(1)
#define ID7B_BMI1	CPUID_BIT(3)
#define ID7B_AVX2	CPUID_BIT(5)
#define ID7B_FDP_EXCPTN CPUID_BIT(6) /* says what the FPU does not save */
#define ID7B_SMEP	CPUID_BIT(7)
#define ID7B_BMI2	CPUID_BIT(8)
#define ID7B_ERMS	CPUID_BIT(9)
#define ID7B_INVPCID	CPUID_BIT(10)
#define ID7B_ZERO_FCS	CPUID_BIT(13) /* the same of FCS and FDS */
#define ID7B_AVX512F	CPUID_BIT(16)
#define ID7B_AVX512DQ	CPUID_BIT(17)
#define ID7B_RDSEED	CPUID_BIT(18)
#define ID7B_ADX	CPUID_BIT(19)
#define ID7B_SMAP	CPUID_BIT(20)
#define ID7B_AVX512IFMA CPUID_BIT(21)
#define ID7B_CLFLUSHOPT CPUID_BIT(23)
#define ID7B_CLWB	CPUID_BIT(24)
#define ID7B_AVX512CD	CPUID_BIT(28)
#define ID7B_SHA	CPUID_BIT(29)
#define ID7B_AVX512BW	CPUID_BIT(30)
#define ID7B_AVX512VL	CPUID_BIT(31)

#define ID7B_SHOWN                                                             \
	(ID7B_FSGSBASE | ID7B_TSC_ADJUST | ID7B_BMI1 | ID7B_FDP_EXCPTN |       \
	 ID7B_SMEP | ID7B_BMI2 | ID7B_ERMS | ID7B_INVPCID | ID7B_ZERO_FCS |    \
	 ID7B_RDSEED | ID7B_ADX | ID7B_SMAP | ID7B_CLFLUSHOPT | ID7B_CLWB |    \
	 ID7B_SHA)
#define ID7B_OF_AVX ID7B_AVX2
#define ID7B_OF_AVX512                                                         \
	(ID7B_AVX512F | ID7B_AVX512DQ | ID7B_AVX512IFMA | ID7B_AVX512CD |      \
	 ID7B_AVX512BW | ID7B_AVX512VL)

/* Leaf 7, subleaf 0, ECX. */
#define ID7C_PREFETCHWT1 CPUID_BIT(0)
#define ID7C_AVX512VBMI	 CPUID_BIT(1)
#define ID7C_UMIP	 CPUID_BIT(2)
#define ID7C_PKU	 CPUID_BIT(3)
#define ID7C_OSPKE	 CPUID_BIT(4) /* CR4.PKE */
#define ID7C_AVX512VBMI2 CPUID_BIT(6)
#define ID7C_GFNI	 CPUID_BIT(8)
#define ID7C_VAES	 CPUID_BIT(9)
#define ID7C_VPCLMULQDQ	 CPUID_BIT(10)
#define ID7C_AVX512VNNI	 CPUID_BIT(11)
#define ID7C_BITALG	 CPUID_BIT(12)
#define ID7C_VPOPCNTDQ	 CPUID_BIT(14)
#define ID7C_LA57	 CPUID_BIT(16)
#define ID7C_RDPID	 CPUID_BIT(22) /* TSC_AUX is the guest's */
#define ID7C_MOVDIRI	 CPUID_BIT(27)
#define ID7C_MOVDIR64B	 CPUID_BIT(28)

#define ID7C_SHOWN                                                             \
	(ID7C_PREFETCHWT1 | ID7C_UMIP | ID7C_GFNI | ID7C_LA57 | ID7C_RDPID |   \
	 ID7C_MOVDIRI | ID7C_MOVDIR64B)
#define ID7C_OF_AVX (ID7C_VAES | ID7C_VPCLMULQDQ)
#define ID7C_OF_AVX512                                                         \
	(ID7C_AVX512VBMI | ID7C_AVX512VBMI2 | ID7C_AVX512VNNI | ID7C_BITALG |  \
	 ID7C_VPOPCNTDQ)

/* Leaf 7, subleaf 0, EDX. The speculation controls have MSRs that we do not
 * switch, so they are hidden; these have none. */
#define ID7D_FSRM      CPUID_BIT(4)
#define ID7D_MD_CLEAR  CPUID_BIT(10) /* VERW clears buffers */
#define ID7D_SERIALIZE CPUID_BIT(14)
#define ID7D_SHOWN     (ID7D_FSRM | ID7D_MD_CLEAR | ID7D_SERIALIZE)

/* Leaf 7, subleaf 1, EAX. */
#define ID71A_AVX_VNNI	  CPUID_BIT(4)
#define ID71A_AVX512_BF16 CPUID_BIT(5)
#define ID71A_FZRM	  CPUID_BIT(10)
#define ID71A_FSRS	  CPUID_BIT(11)
#define ID71A_FSRC	  CPUID_BIT(12)
#define ID71A_SHOWN	  (ID71A_FZRM | ID71A_FSRS | ID71A_FSRC)

/* Leaf 0Dh, subleaf 1, EAX. */
#define IDD1A_XSAVEOPT CPUID_BIT(0)
#define IDD1A_XGETBV1  CPUID_BIT(2)
/* Not XSAVEC: no processor has it without XSAVES, which is not offered. */
#define IDD1A_SHOWN (IDD1A_XSAVEOPT | IDD1A_XGETBV1)

/* 8000_0001h, EDX. */
#define IDX1D_SYSCALL  CPUID_BIT(11)
#define IDX1D_NX       CPUID_BIT(20)
#define IDX1D_MMXEXT   CPUID_BIT(22)
#define IDX1D_FFXSR    CPUID_BIT(25)
#define IDX1D_PDPE1GB  CPUID_BIT(26)
#define IDX1D_RDTSCP   CPUID_BIT(27) /* TSC_AUX is the guest's */
#define IDX1D_LM       CPUID_BIT(29)
#define IDX1D_3DNOWEXT CPUID_BIT(30)
#define IDX1D_3DNOW    CPUID_BIT(31)

#define IDX1D_SHOWN                                                            \
	(ID1D_BOTH_VENDORS | IDX1D_SYSCALL | IDX1D_NX | IDX1D_MMXEXT |         \
	 IDX1D_FFXSR | IDX1D_PDPE1GB | IDX1D_RDTSCP | IDX1D_LM |               \
	 IDX1D_3DNOWEXT | IDX1D_3DNOW)

/* 8000_0001h, ECX. */
#define IDX1C_LAHF	  CPUID_BIT(0)
#define IDX1C_CMP_LEGACY  CPUID_BIT(1) /* cores, not threads: ours to say */
#define IDX1C_CR8_LEGACY  CPUID_BIT(4)
#define IDX1C_ABM	  CPUID_BIT(5)
#define IDX1C_SSE4A	  CPUID_BIT(6)
#define IDX1C_MISALIGNSSE CPUID_BIT(7)
#define IDX1C_3DNOWPREF	  CPUID_BIT(8)
#define IDX1C_XOP	  CPUID_BIT(11)
#define IDX1C_FMA4	  CPUID_BIT(16)
#define IDX1C_TBM	  CPUID_BIT(21)
#define IDX1C_TOPOEXT	  CPUID_BIT(22)

#define IDX1C_SHOWN                                                            \
	(IDX1C_LAHF | IDX1C_CR8_LEGACY | IDX1C_ABM | IDX1C_SSE4A |             \
	 IDX1C_MISALIGNSSE | IDX1C_3DNOWPREF | IDX1C_TBM | IDX1C_TOPOEXT)
#define IDX1C_OF_AVX (IDX1C_XOP | IDX1C_FMA4)

/* 8000_0007h, EDX. */
#define IDX7D_INVARIANT_TSC CPUID_BIT(8)

/* 8000_0008h, EBX. */
#define IDX8B_CLZERO	 CPUID_BIT(0)
#define IDX8B_XSAVEERPTR CPUID_BIT(2)
#define IDX8B_WBNOINVD	 CPUID_BIT(9)
#define IDX8B_SHOWN	 (IDX8B_CLZERO | IDX8B_XSAVEERPTR | IDX8B_WBNOINVD)

/* 8000_0021h, EAX. */
#define IDX21A_NO_NESTED_BP CPUID_BIT(0)
#define IDX21A_LFENCE_RDTSC CPUID_BIT(2) /* LFENCE always serializes */
#define IDX21A_NULL_SEL	    CPUID_BIT(6) /* a null selector clears the base */
#define IDX21A_SHOWN                                                           \
	(IDX21A_NO_NESTED_BP | IDX21A_LFENCE_RDTSC | IDX21A_NULL_SEL)

/* 4000_0001h, EAX: KVM's. */
#define KVM_CLOCKSOURCE	       CPUID_BIT(0)
#define KVM_NOP_IO_DELAY       CPUID_BIT(1)
#define KVM_CLOCKSOURCE2       CPUID_BIT(3)
#define KVM_CLOCKSOURCE_STABLE CPUID_BIT(24)
#define KVM_SHOWN	       (KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_CLOCKSOURCE_STABLE)

/* XCR0, and with it the subleaves of leaf 0Dh. */
#define XCR0_X87    0x001u
#define XCR0_SSE    0x002u
#define XCR0_AVX    0x004u
#define XCR0_AVX512 0x0e0u
#define XCR0_PKRU   0x200u

#define CR4_OSXSAVE (1u << 18)
#define CR4_PKE	    (1u << 22)

#endif

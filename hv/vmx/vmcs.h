/*
 * The virtual-machine control structure: the encodings of its fields (Intel
 * SDM 3D, appendix B), the bits of its controls (SDM 3C 24.6 to 24.8) and the
 * basic exit reasons (SDM 3D, appendix C). No more than is used.
 */
#ifndef HV_VMX_VMCS_H
#define HV_VMX_VMCS_H

#include <stdint.h>

enum vmcs_field {
	/* 16 bits */
	VMCS_VPID = 0x0000,
	VMCS_GUEST_ES = 0x0800, /* then CS SS DS FS GS LDTR TR, 2 apart */
	VMCS_HOST_ES = 0x0c00,	/* then CS SS DS FS GS, TR */
	VMCS_HOST_CS = 0x0c02,
	VMCS_HOST_SS = 0x0c04,
	VMCS_HOST_DS = 0x0c06,
	VMCS_HOST_FS = 0x0c08,
	VMCS_HOST_GS = 0x0c0a,
	VMCS_HOST_TR = 0x0c0c,
	VMCS_PML_INDEX = 0x0812,

	/* 64 bits */
	VMCS_MSR_BITMAP = 0x2004,
	VMCS_PML_ADDRESS = 0x200e,
	VMCS_TSC_OFFSET = 0x2010,
	VMCS_EPT_POINTER = 0x201a,
	VMCS_ENCLS_BITMAP = 0x202e,
	VMCS_GUEST_PHYSICAL = 0x2400,
	VMCS_LINK = 0x2800,
	VMCS_GUEST_DEBUGCTL = 0x2802,
	VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806,
	VMCS_GUEST_PDPTE0 = 0x280a, /* then 1, 2, 3, 2 apart */
	VMCS_HOST_PAT = 0x2c00,
	VMCS_HOST_EFER = 0x2c02,

	/* 32 bits */
	VMCS_PIN_CONTROLS = 0x4000,
	VMCS_PROC_CONTROLS = 0x4002,
	VMCS_EXCEPTIONS = 0x4004,
	VMCS_PF_MASK = 0x4006,
	VMCS_PF_MATCH = 0x4008,
	VMCS_CR3_TARGETS = 0x400a,
	VMCS_EXIT_CONTROLS = 0x400c,
	VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
	VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
	VMCS_ENTRY_CONTROLS = 0x4012,
	VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
	VMCS_ENTRY_EVENT = 0x4016,
	VMCS_ENTRY_ERROR = 0x4018,
	VMCS_ENTRY_LENGTH = 0x401a,
	VMCS_PROC2_CONTROLS = 0x401e,
	VMCS_INSTRUCTION_ERROR = 0x4400,
	VMCS_EXIT_REASON = 0x4402,
	VMCS_EXIT_EVENT = 0x4404,
	VMCS_EXIT_EVENT_ERROR = 0x4406,
	VMCS_VECTORING = 0x4408,
	VMCS_VECTORING_ERROR = 0x440a,
	VMCS_EXIT_LENGTH = 0x440c,
	VMCS_GUEST_ES_LIMIT = 0x4800, /* as GUEST_ES */
	VMCS_GUEST_GDTR_LIMIT = 0x4810,
	VMCS_GUEST_IDTR_LIMIT = 0x4812,
	VMCS_GUEST_ES_RIGHTS = 0x4814, /* as GUEST_ES */
	VMCS_GUEST_CS_RIGHTS = 0x4816,
	VMCS_GUEST_SS_RIGHTS = 0x4818,
	VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
	VMCS_GUEST_ACTIVITY = 0x4826,
	VMCS_GUEST_SYSENTER_CS = 0x482a,
	VMCS_GUEST_TIMER = 0x482e,
	VMCS_HOST_SYSENTER_CS = 0x4c00,

	/* natural width */
	VMCS_CR0_MASK = 0x6000,
	VMCS_CR4_MASK = 0x6002,
	VMCS_CR0_SHADOW = 0x6004,
	VMCS_CR4_SHADOW = 0x6006,
	VMCS_QUALIFICATION = 0x6400,
	VMCS_GUEST_LINEAR = 0x640a,
	VMCS_GUEST_CR0 = 0x6800,
	VMCS_GUEST_CR3 = 0x6802,
	VMCS_GUEST_CR4 = 0x6804,
	VMCS_GUEST_ES_BASE = 0x6806, /* as GUEST_ES */
	VMCS_GUEST_CS_BASE = 0x6808,
	VMCS_GUEST_GDTR_BASE = 0x6816,
	VMCS_GUEST_IDTR_BASE = 0x6818,
	VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c,
	VMCS_GUEST_RIP = 0x681e,
	VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING_DEBUG = 0x6822,
	VMCS_GUEST_SYSENTER_ESP = 0x6824,
	VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_HOST_CR0 = 0x6c00,
	VMCS_HOST_CR3 = 0x6c02,
	VMCS_HOST_CR4 = 0x6c04,
	VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08,
	VMCS_HOST_TR_BASE = 0x6c0a,
	VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP = 0x6c10,
	VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RSP = 0x6c14, /* enter.S has the number too */
	VMCS_HOST_RIP = 0x6c16,
};

/* Pin-based controls: SDM 3C table 24-5. */
#define VMX_PIN_INTERRUPT   (1u << 0)
#define VMX_PIN_NMI	    (1u << 3)
#define VMX_PIN_VIRTUAL_NMI (1u << 5)
#define VMX_PIN_TIMER	    (1u << 6) /* for preemption */

/* Primary processor-based controls: SDM 3C table 24-6. */
#define VMX_PROC_WINDOW	    (1u << 2)
#define VMX_PROC_TSC_OFFSET (1u << 3)
#define VMX_PROC_HLT	    (1u << 7)
#define VMX_PROC_INVLPG	    (1u << 9)
#define VMX_PROC_MWAIT	    (1u << 10)
#define VMX_PROC_RDPMC	    (1u << 11)
#define VMX_PROC_CR3_LOAD   (1u << 15)
#define VMX_PROC_CR3_STORE  (1u << 16)
#define VMX_PROC_CR8_LOAD   (1u << 19)
#define VMX_PROC_CR8_STORE  (1u << 20)
#define VMX_PROC_NMI_WINDOW (1u << 22)
#define VMX_PROC_IO	    (1u << 24) /* every port */
#define VMX_PROC_MSR_BITMAP (1u << 28)
#define VMX_PROC_MONITOR    (1u << 29)
#define VMX_PROC_SECONDARY  (1u << 31)

/* Secondary: SDM 3C table 24-7. */
#define VMX_PROC2_EPT	       (1u << 1)
#define VMX_PROC2_RDTSCP       (1u << 3)
#define VMX_PROC2_VPID	       (1u << 5)
#define VMX_PROC2_WBINVD       (1u << 6)
#define VMX_PROC2_UNRESTRICTED (1u << 7)
#define VMX_PROC2_INVPCID      (1u << 12)
#define VMX_PROC2_ENCLS	       (1u << 15) /* by the bitmap */
#define VMX_PROC2_PML	       (1u << 17)

/* Exit controls: SDM 3C table 24-13. */
#define VMX_EXIT_SAVE_DEBUG (1u << 2)
#define VMX_EXIT_HOST_64    (1u << 9)
#define VMX_EXIT_LOAD_PAT   (1u << 19)
#define VMX_EXIT_SAVE_EFER  (1u << 20)
#define VMX_EXIT_LOAD_EFER  (1u << 21)
#define VMX_EXIT_SAVE_TIMER (1u << 22) /* for preemption */

/* Entry controls: SDM 3C table 24-15. */
#define VMX_ENTRY_LOAD_DEBUG (1u << 2)
#define VMX_ENTRY_GUEST_64   (1u << 9)
#define VMX_ENTRY_LOAD_PAT   (1u << 14)
#define VMX_ENTRY_LOAD_EFER  (1u << 15)

/* Interruptibility: SDM 3C table 24-3. */
#define VMX_BLOCK_STI	 (1u << 0)
#define VMX_BLOCK_MOV_SS (1u << 1)
#define VMX_BLOCK_SHADOW (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)
#define VMX_BLOCK_SMI	 (1u << 2)
#define VMX_BLOCK_NMI	 (1u << 3)

/* Activity: SDM 3C 24.4.2. Pending debug exceptions: table 24-4. */
#define VMX_ACTIVE	 0u
#define VMX_HALTED	 1u
#define VMX_SHUTDOWN	 2u
#define VMX_WAITS_SIPI	 3u
#define VMX_PENDING_STEP (UINT64_C(1) << 14)

/* An event, on entry, on exit, or that an exit interrupted: SDM 3C tables
 * 24-16, 24-18, 24-19. */
#define VMX_EVENT_TYPE	     (7u << 8)
#define VMX_EVENT_INTERRUPT  (0u << 8)
#define VMX_EVENT_RESERVED   (1u << 8)
#define VMX_EVENT_NMI	     (2u << 8)
#define VMX_EVENT_EXCEPTION  (3u << 8)
#define VMX_EVENT_SOFT	     (4u << 8) /* INT n */
#define VMX_EVENT_PRIVILEGED (5u << 8) /* INT1 */
#define VMX_EVENT_SOFT_EXC   (6u << 8) /* INT3, INTO */
#define VMX_EVENT_ERROR	     (1u << 11)
#define VMX_EVENT_UNBLOCKED  (1u << 12) /* by IRET: NMIs, on exit */
#define VMX_EVENT_VALID	     (1u << 31)

/* A segment's access rights: SDM 3C table 24-2. */
#define VMX_RIGHTS_UNUSABLE (1u << 16)

/* EPTP: SDM 3C table 24-9. */
#define VMX_EPTP_WB	  UINT64_C(6)
#define VMX_EPTP_4_LEVELS (UINT64_C(3) << 3)
#define VMX_EPTP_DIRTY	  (UINT64_C(1) << 6)

/* Basic exit reasons. */
enum vmx_reason {
	VMX_REASON_EXCEPTION = 0, /* or an NMI */
	VMX_REASON_INTERRUPT = 1,
	VMX_REASON_TRIPLE_FAULT = 2,
	VMX_REASON_INIT = 3,
	VMX_REASON_SIPI = 4,
	VMX_REASON_IO_SMI = 5,
	VMX_REASON_SMI = 6,
	VMX_REASON_WINDOW = 7,
	VMX_REASON_NMI_WINDOW = 8,
	VMX_REASON_TASK_SWITCH = 9,
	VMX_REASON_CPUID = 10,
	VMX_REASON_HLT = 12,
	VMX_REASON_INVD = 13,
	VMX_REASON_INVLPG = 14,
	VMX_REASON_RDPMC = 15,
	VMX_REASON_RSM = 17,
	VMX_REASON_VMCALL = 18,
	VMX_REASON_CR = 28,
	VMX_REASON_IO = 30,
	VMX_REASON_RDMSR = 31,
	VMX_REASON_WRMSR = 32,
	VMX_REASON_STATE = 33, /* the entry failed: guest state */
	VMX_REASON_MSRS = 34,  /* the entry failed: loading MSRs */
	VMX_REASON_MACHINE_CHECK = 41,
	VMX_REASON_EPT_VIOLATION = 48,
	VMX_REASON_EPT_MISCONFIG = 49,
	VMX_REASON_TIMER = 52,
	VMX_REASON_WBINVD = 54,
	VMX_REASON_XSETBV = 55,
	VMX_REASON_PML_FULL = 62,
	VMX_REASONS = 64
};

#define VMX_REASON_ENTRY_FAILED (1u << 31)

#endif

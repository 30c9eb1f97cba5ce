/*
 * The virtual machine control block: AMD APM volume 2, appendix B.
 */
#ifndef HV_SVM_VMCB_H
#define HV_SVM_VMCB_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* intercept_misc1, offset 0x00c */
#define SVM_I_INTR	  (1u << 0)
#define SVM_I_NMI	  (1u << 1)
#define SVM_I_SMI	  (1u << 2)
#define SVM_I_INIT	  (1u << 3)
#define SVM_I_VINTR	  (1u << 4)
#define SVM_I_RDPMC	  (1u << 15)
#define SVM_I_CPUID	  (1u << 18)
#define SVM_I_RSM	  (1u << 19)
#define SVM_I_IRET	  (1u << 20)
#define SVM_I_INVD	  (1u << 22)
#define SVM_I_HLT	  (1u << 24)
#define SVM_I_INVLPG	  (1u << 25)
#define SVM_I_INVLPGA	  (1u << 26)
#define SVM_I_IOIO	  (1u << 27)
#define SVM_I_MSR	  (1u << 28)
#define SVM_I_TASK_SWITCH (1u << 29)
#define SVM_I_SHUTDOWN	  (1u << 31)

/* intercept_misc2, offset 0x010 */
#define SVM_I_VMRUN	  (1u << 0)
#define SVM_I_VMMCALL	  (1u << 1)
#define SVM_I_VMLOAD	  (1u << 2)
#define SVM_I_VMSAVE	  (1u << 3)
#define SVM_I_STGI	  (1u << 4)
#define SVM_I_CLGI	  (1u << 5)
#define SVM_I_SKINIT	  (1u << 6)
#define SVM_I_WBINVD	  (1u << 9)
#define SVM_I_MONITOR	  (1u << 10)
#define SVM_I_MWAIT	  (1u << 11)
#define SVM_I_MWAIT_ARMED (1u << 12)
#define SVM_I_XSETBV	  (1u << 13)
#define SVM_I_RDPRU	  (1u << 14)

#define EFER_SVME (UINT64_C(1) << 12)

#define SVM_TLB_FLUSH_ALL 1u

/* int_ctl */
#define SVM_V_IRQ	   (1u << 8)
#define SVM_V_PRIO_MAX	   (15u << 16)
#define SVM_V_IGNORE_TPR   (1u << 20)
#define SVM_V_INTR_MASKING (1u << 24)

#define SVM_INT_SHADOW 1u

/* event_inj and exit_int_info */
#define SVM_EVENT_TYPE_MASK (7u << 8)
#define SVM_EVENT_INTR	    (0u << 8)
#define SVM_EVENT_NMI	    (2u << 8)
#define SVM_EVENT_EXCEPTION (3u << 8)
#define SVM_EVENT_SOFT	    (4u << 8)
#define SVM_EVENT_ERROR	    (1u << 11)
#define SVM_EVENT_VALID	    (1u << 31)

/* exit_code: APM 2 appendix C */
enum svm_exit_code {
	SVM_EXIT_CR_READ = 0x00,
	SVM_EXIT_CR_WRITE = 0x10,
	SVM_EXIT_EXCEPTION = 0x40,
	SVM_EXIT_INTR = 0x60,
	SVM_EXIT_NMI = 0x61,
	SVM_EXIT_SMI = 0x62,
	SVM_EXIT_INIT = 0x63,
	SVM_EXIT_VINTR = 0x64,
	SVM_EXIT_RDPMC = 0x6f,
	SVM_EXIT_CPUID = 0x72,
	SVM_EXIT_IRET = 0x74,
	SVM_EXIT_INVD = 0x76,
	SVM_EXIT_HLT = 0x78,
	SVM_EXIT_INVLPG = 0x79,
	SVM_EXIT_TASK_SWITCH = 0x7d,
	SVM_EXIT_IOIO = 0x7b,
	SVM_EXIT_MSR = 0x7c,
	SVM_EXIT_SHUTDOWN = 0x7f,
	SVM_EXIT_VMMCALL = 0x81,
	SVM_EXIT_WBINVD = 0x89,
	SVM_EXIT_XSETBV = 0x8d,
	SVM_EXIT_NPF = 0x400,
};

/* exit_info_1 of an I/O intercept: APM 2 15.10.2 */
#define SVM_IO_IN	  (1u << 0)
#define SVM_IO_STRING	  (1u << 2)
#define SVM_IO_SIZE_SHIFT 4

/* exit_info_1 of a nested page fault: APM 2 15.25.6 */
#define SVM_NPF_WRITE	(UINT64_C(1) << 1)
#define SVM_NPF_FETCH	(UINT64_C(1) << 4)
#define SVM_NPF_IN_WALK (UINT64_C(1) << 33)

struct vmcb_segment {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* control area */
	uint32_t intercept_cr; /* low half reads, high half writes */
	uint32_t intercept_dr;
	uint32_t intercept_exceptions;
	uint32_t intercept_misc1;
	uint32_t intercept_misc2;
	uint8_t reserved_014[0x3c - 0x14];
	uint16_t pause_threshold;
	uint16_t pause_count;
	uint64_t iopm_pa;
	uint64_t msrpm_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint32_t int_ctl;
	uint32_t int_vector;
	uint64_t int_state;
	uint64_t exit_code;
	uint64_t exit_info_1;
	uint64_t exit_info_2;
	uint32_t exit_int_info;
	uint32_t exit_int_error;
	uint64_t nested_ctl;
	uint8_t reserved_098[0xa8 - 0x98];
	uint32_t event_inj;
	uint32_t event_error;
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint32_t clean;
	uint32_t reserved_0c4;
	uint64_t next_rip;
	uint8_t insn_count;
	uint8_t insn[15];
	uint8_t reserved_0e0[0x400 - 0xe0];

	/* state save area, offset 0x400 */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat, dbgctl;
	uint8_t reserved_678[0x1000 - 0x678];
};

static_assert(offsetof(struct vmcb, iopm_pa) == 0x040, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, asid) == 0x058, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, exit_code) == 0x070, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, nested_ctl) == 0x090, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, event_inj) == 0x0a8, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, next_rip) == 0x0c8, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, insn) == 0x0d1, "APM 2 table B-1");
static_assert(offsetof(struct vmcb, es) == 0x400, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM 2 table B-2");
static_assert(offsetof(struct vmcb, g_pat) == 0x668, "APM 2 table B-2");
static_assert(sizeof(struct vmcb) == 0x1000, "one page");

#endif

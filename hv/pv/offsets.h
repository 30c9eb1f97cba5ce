/* What entry.S must know of structures; pv.c compares it with them. */
#ifndef HV_PV_OFFSETS_H
#define HV_PV_OFFSETS_H

/* struct pv_cpu. */
#define PV_CPU_INFO   0
#define PV_CPU_KERNEL 8
#define PV_CPU_LEAVE  9
#define PV_CPU_CALLS  16

/* What quick.S has for itself there. */
#define PV_CPU_CR3_KERNEL    528
#define PV_CPU_CR3_USER	     536
#define PV_CPU_QUICK_SP	     544
#define PV_CPU_QUICK_SYSCALL 552
#define PV_CPU_QUICK_FAULT   560
#define PV_CPU_KERNEL_SP     568
#define PV_CPU_QUICK_VM	     576
#define PV_CPU_QUICK_READY   584
#define PV_CPU_SYSCALLS	     592
#define PV_CPU_FAULTS	     712
#define PV_CPU_INVLPG	     1424
#define PV_CPU_SET_BASE	     3216 /* FS's; then of the user's GS */

#define PV_INFO_CR2 16 /* struct vcpu_info, arch.cr2 */

/* HV_END, for which the assembler has no type. */
#define PV_HYPERVISOR_END 0xffff880000000000

#define PV_CALLS 64 /* hypercall numbers, with those that nobody has */

/* struct trap_frame. */
#define PV_FRAME_R15	0
#define PV_FRAME_R14	8
#define PV_FRAME_R13	16
#define PV_FRAME_R12	24
#define PV_FRAME_R11	32
#define PV_FRAME_R10	40
#define PV_FRAME_R9	48
#define PV_FRAME_R8	56
#define PV_FRAME_RDI	64
#define PV_FRAME_RSI	72
#define PV_FRAME_RBP	80
#define PV_FRAME_RBX	88
#define PV_FRAME_RDX	96
#define PV_FRAME_RCX	104
#define PV_FRAME_RAX	112
#define PV_FRAME_RIP	136
#define PV_FRAME_CS	144
#define PV_FRAME_RFLAGS 152
#define PV_FRAME_RSP	160
#define PV_FRAME_SS	168
#define PV_FRAME_SIZE	176

#define PV_CALL_IRET 23 /* __HYPERVISOR_iret */

/* What quick_call.S has of the ABI. */
#define PV_CALL_MMU_UPDATE   1
#define PV_CALL_STACK	     3
#define PV_CALL_SEGMENT	     25
#define PV_CALL_MMUEXT	     26
#define PV_EXT_ROOT	     5
#define PV_EXT_INVLPG	     7
#define PV_EXT_USER_ROOT     15
#define PV_DOMID_SELF	     0x7ff0
#define PV_UPDATE_OTHER	     5 /* of an update's low bits: neither of the two */
#define PV_UPDATE_KEEP_SHIFT 1
#define PV_FRAME_MOST	     64 /* of bytes for the guest's stack */

/* Selectors: abi.h has them too, but not for the assembler. */
#define PV_OUR_CODE   0xe008
#define PV_OUR_DATA   0xe010
#define PV_GUEST_CS32 0xe023
#define PV_GUEST_SS   0xe02b
#define PV_GUEST_CS   0xe033

/* TF, RF: what SYSRET would not do as IRET does. */
#define PV_RFLAGS_NO_SYSRET 0x10100

/* IF, in what the guest's kernel returns to: events are let in. */
#define PV_RFLAGS_EVENTS 0x200
/* What a user may have in rflags: neither IOPL nor VM. */
#define PV_RFLAGS_USER 0x254fd5
/* What a handler is entered with: no AC, VM, RF, NT, TF, IOPL, nor DF, which a
 * kernel that is entered by SYSCALL takes to be clear. */
#define PV_RFLAGS_KEPT 0x200ad7

#endif

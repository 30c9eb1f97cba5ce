/* What entry.S must know of structures; pv.c compares it with them. */
#ifndef HV_PV_OFFSETS_H
#define HV_PV_OFFSETS_H

/* struct pv_cpu. */
#define PV_CPU_INFO   0
#define PV_CPU_KERNEL 8
#define PV_CPU_LEAVE  9
#define PV_CPU_CALLS  16

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

/* Selectors: abi.h has them too, but not for the assembler. */
#define PV_OUR_CODE   0xe008
#define PV_OUR_DATA   0xe010
#define PV_GUEST_CS32 0xe023
#define PV_GUEST_SS   0xe02b
#define PV_GUEST_CS   0xe033

/* TF, RF: what SYSRET would not do as IRET does. */
#define PV_RFLAGS_NO_SYSRET 0x10100

#endif

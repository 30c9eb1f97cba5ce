/* Exceptions and interrupts of the hypervisor itself. */
#ifndef HV_CPU_TRAP_H
#define HV_CPU_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* As entry.S pushes it, lowest address first. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define TRAP_NMI 2
#define TRAP_DF	 8
#define TRAP_TS	 10 /* with #NP and #SS, to which segments may lead */
#define TRAP_GP	 13
#define TRAP_PF	 14
#define TRAP_MC	 18

/* Interrupt vectors. The PIC's sixteen come first. */
#define VECTOR_PIC	0x20
#define VECTOR_COM2	(VECTOR_PIC + 3)
#define VECTOR_COM1	(VECTOR_PIC + 4)
#define VECTOR_TIMER	0x30
#define VECTOR_SPURIOUS 0xff

/* The 256 entry points, 16 bytes apart. */
extern const uint8_t trap_stubs[];

/* Asked first when an instruction of ours that has a fixup meets a #PF. True:
 * execute it again. NULL: the fixup is taken at once. */
extern bool (*trap_own_fault)(struct trap_frame *f);

/* Called by entry.S. */
void trap_take(struct trap_frame *f);

/* Interrupts are off in the hypervisor but for these two. */
void host_idle(void);		 /* until one has come: sti, hlt, cli */
void host_take_interrupts(void); /* those that wait now */

#endif

/* The chain of callers, by frame pointers, on the report channel. */
#ifndef HV_CPU_BACKTRACE_H
#define HV_CPU_BACKTRACE_H

#include <stdint.h>

/* Prints one line: "  at 0x... name+0x..". */
void backtrace_line(const char *mark, uintptr_t address);

/* From the frame whose saved %rbp is at `frame`. libvmmu is built without
 * frame pointers, so its functions are passed over. */
void backtrace_print(uintptr_t frame);

#endif

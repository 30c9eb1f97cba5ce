/* How a run ends: the code becomes the status of the emulator's process. */
#ifndef HV_CPU_END_H
#define HV_CPU_END_H

#include <stdint.h>
#include <stdnoreturn.h>

#define MACHINE_END_CRASH     0x35u /* the hypervisor's own fault */
#define MACHINE_END_SELF_TEST 0x36u /* the self-test found something wrong */

/* Writes `code` to QEMU's isa-debug-exit device: its process ends with
 * status (code << 1) | 1. Where there is none the processor halts for good;
 * a reset would hide the last report and start it all again. */
noreturn void machine_end(uint32_t code);

#endif

/*
 * Where everything lies in the hypervisor's half of the address space: all
 * inside 0xffff800000000000 .. 0xffff87ffffffffff, the range that x86-64
 * paravirtual guests leave to their hypervisor. Also read by the assembler
 * and the linker script, hence bare numbers.
 *
 *   0xffff800000000000  image: base + its machine address
 *   0xffff808000000000  M2P, which paravirtual guests read
 *   0xffff810000000000  direct map of memory: base + machine address, 1 TiB
 *   0xffff820000000000  host virtual ranges that back guests, 4 TiB
 *   0xffff860000000000  stacks, each with a guard page below
 *   0xffff868000000000  descriptor tables of the paravirtual guest that runs
 *   0xffff870000000000  device registers, uncached
 */
#ifndef HV_MM_LAYOUT_H
#define HV_MM_LAYOUT_H

#define HV_IMAGE_BASE  0xffff800000000000
#define HV_M2P_BASE    0xffff808000000000
#define HV_DIRECT_BASE 0xffff810000000000
#define HV_DIRECT_SIZE 0x0000010000000000
#define HV_SPACE_BASE  0xffff820000000000
#define HV_SPACE_END   0xffff860000000000
#define HV_STACK_BASE  0xffff860000000000
#define HV_PV_BASE     0xffff868000000000
#define HV_DEVICE_BASE 0xffff870000000000
#define HV_END	       0xffff880000000000

/* The entries of a top-level table that all this is. */
#define HV_SLOT_FIRST 256
#define HV_SLOTS      16

/* What the boot tables reach, at all three bases: machine addresses below
 * 4 GiB. Everything that Multiboot hands over lies there. */
#define HV_BOOT_LIMIT 0x0000000100000000

#endif

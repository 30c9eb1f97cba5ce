/* Descriptor tables: GDT, TSS, IDT. */
#ifndef HV_CPU_DESC_H
#define HV_CPU_DESC_H

#include <stdint.h>

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS	 0x18

/* Interrupt stacks, by their index in the TSS. */
#define IST_DF	  1
#define IST_NMI	  2
#define IST_MC	  3
#define IST_COUNT 3

/* Loads all three, and lets machine checks come as exceptions. Until
 * desc_set_ist the interrupt stacks are none: a double fault then is a triple
 * fault. */
void desc_init(void);

/* The top of interrupt stack `ist`, 1 .. IST_COUNT. */
void desc_set_ist(unsigned ist, uint64_t top);

/* Host state that an engine must put back after a guest has run: the TSS is
 * marked busy by LTR, and must be marked available before it is loaded
 * again (AMD APM 2 4.8.3). */
void desc_reload_tss(void);
uint64_t desc_gdt_base(void);
uint64_t desc_idt_base(void);
uint64_t desc_tss_base(void);

#endif

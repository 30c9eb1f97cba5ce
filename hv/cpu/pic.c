/*
 * See pic.h. Intel 8259A data sheet: ICW1-4 set the vector base and how the
 * two are joined, OCW1 is the mask, OCW2 0x20 the non-specific EOI.
 */
#include "cpu/pic.h"

#include "cpu/cpu.h"
#include "cpu/trap.h"

#define PIC1	     0x20
#define PIC2	     0xa0
#define ICW1_INIT    0x11 /* edge, cascade, ICW4 follows */
#define ICW4_8086    0x01
#define CASCADE_LINE 2
#define COM2_LINE    3
#define COM1_LINE    4
#define OCW2_EOI     0x20

void host_pic_init(void)
{
	outb(PIC1, ICW1_INIT);
	outb(PIC2, ICW1_INIT);
	outb(PIC1 + 1, VECTOR_PIC);
	outb(PIC2 + 1, VECTOR_PIC + 8);
	outb(PIC1 + 1, 1 << CASCADE_LINE);
	outb(PIC2 + 1, CASCADE_LINE);
	outb(PIC1 + 1, ICW4_8086);
	outb(PIC2 + 1, ICW4_8086);
	outb(PIC1 + 1, (uint8_t) ~(1 << COM1_LINE | 1 << COM2_LINE));
	outb(PIC2 + 1, 0xff);
}

void host_pic_eoi(void)
{
	outb(PIC1, OCW2_EOI);
}

/* The two 8259A interrupt controllers, with only COM1's line open. */
#ifndef HV_CPU_PIC_H
#define HV_CPU_PIC_H

void pic_init(void);
void pic_eoi(void);

#endif

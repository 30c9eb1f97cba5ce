/* The two 8259A interrupt controllers, with only COM1's line open. */
#ifndef HV_CPU_PIC_H
#define HV_CPU_PIC_H

void host_pic_init(void);
void host_pic_eoi(void);

#endif

/*
 * Two 16550 UARTs (115200 8N1): COM1 is the guest's console, COM2 the report
 * channel, on which the monitor's commands come in.
 */
#ifndef HV_CPU_SERIAL_H
#define HV_CPU_SERIAL_H

#include <stddef.h>
#include <stdint.h>

void serial_init(void);

/* Writes to COM1. Waits for the transmitter, boundedly: a line that nobody
 * takes loses bytes, never the machine. */
void host_console_write(uint8_t byte);

/* The next byte that came in on COM1, or -1. Filled by interrupt; where the
 * ring is full the newest bytes are dropped. */
int host_console_read(void);

/* Writes to COM2 as it is. */
void report_write(const char *text, size_t n);

/* Waits, as boundedly, until nothing is left in the transmitters. */
void serial_drain(void);

/* The next byte that came in on COM2, or -1, as above. */
int report_read(void);

/* The interrupts of COM1 and COM2: drain the receiver into its ring. */
void serial_take_console(void);
void serial_take_report(void);

#endif

/*
 * See end.h. QEMU's isa-debug-exit ends the machine with a status. Bochs has a
 * port that ends it for the word "Shutdown" (its iodev/unmapped.cc); where
 * neither listens the processor halts for good.
 */
#include "cpu/end.h"

#include "cpu/cpu.h"
#include "cpu/serial.h"

#define DEBUG_EXIT_PORT 0xf4
#define SHUTDOWN_PORT	0x8900

noreturn void machine_end(uint32_t code)
{
	static const char word[] = "Shutdown";
	unsigned i;

	serial_drain(); /* the last report is in there */
	outl(DEBUG_EXIT_PORT, code);
	for (i = 0; i < sizeof(word) - 1; i++)
		outb(SHUTDOWN_PORT, (uint8_t)word[i]);
	cli();
	for (;;)
		hlt();
}

/* See end.h. */
#include "cpu/end.h"

#include "cpu/cpu.h"

#define DEBUG_EXIT_PORT 0xf4

noreturn void machine_end(uint32_t code)
{
	outl(DEBUG_EXIT_PORT, code);
	cli();
	for (;;)
		hlt();
}

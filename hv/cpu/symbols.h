/* The image's own function names, put in by the second link: mk/hv.mk. */
#ifndef HV_CPU_SYMBOLS_H
#define HV_CPU_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

/* The function that holds this address and the offset in it; false when the
 * address is not in the image's text. */
bool symbol_find(uintptr_t address, const char **name, uint64_t *offset);

#endif

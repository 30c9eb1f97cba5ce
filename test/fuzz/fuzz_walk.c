/* Fuzz target: the guest walk. Registers, memory and accesses from bytes; the
 * library's walker must agree with the software MMU. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_bytes(data, size, true);
}

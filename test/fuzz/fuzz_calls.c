/* Fuzz target: sequences of library calls. Slots, violations, backing, dirty
 * log and flushes from bytes; hardware must reach what the oracle allows, and
 * the audit stay clean. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_bytes(data, size, false);
}

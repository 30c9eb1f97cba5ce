/*
 * Fuzz target: two VMs under direct paging, any operation after any other. The
 * audit, a model of hardware and a TLB with perfect memory judge after each.
 */
#include "fuzz.h"

#include "test/unit/direct_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *wrong = direct_play(data, size);

	if (wrong) {
		fprintf(stderr, "# %s\n", wrong);
		abort();
	}
	return 0;
}

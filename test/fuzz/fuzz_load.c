/* Fuzz target: the loaders. The input is the kernel's file; its length says
 * which initrd comes with it. It must be refused or loaded right. */
#include "fuzz.h"

#include "test/unit/load_rig.h"

static const uint8_t initrd[RIG_MIB] = { 1, 2, 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load_rig r;
	static const size_t sizes[] = { 0, 4097, sizeof(initrd) };
	const char *wrong;

	if (!r.lab.arena)
		load_rig_init(&r);
	r.req.initrd =
		(struct load_file){ size % 3 ? initrd : NULL, sizes[size % 3] };
	if (load_rig_load(&r, data, size))
		return 0;
	wrong = load_rig_check(&r);
	if (wrong) {
		fprintf(stderr, "loaded, but not right: %s\n", wrong);
		abort();
	}
	return 0;
}

/*
 * Writes the fuzzer's first inputs: short traces of the differential test's
 * generator, some in each guest mode, so that fuzzing begins with guests that
 * have page tables.
 *
 *   seeds DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/diff/gen.h"

#include "pack.h"

#define SEEDS_A_MODE 8
#define STEPS	     40

static void write_seed(const char *directory, enum guest_mode mode,
		       unsigned seed)
{
	static uint8_t data[16384];
	struct gen_choice choice = { .mode = mode, .steps = STEPS };
	struct trace t;
	char name[512];
	size_t size;
	FILE *f;

	trace_init(&t);
	gen_trace(&t, seed, &choice);
	size = pack_trace(&t, data, sizeof(data));
	trace_fini(&t);
	snprintf(name, sizeof(name), "%s/%s-%u", directory, mode_names[mode],
		 seed);
	f = fopen(name, "wb");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
		perror(name);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	for (unsigned mode = 0; mode < MODE_COUNT; mode++)
		for (unsigned i = 0; i < SEEDS_A_MODE; i++)
			write_seed(argv[1], (enum guest_mode)mode, i);
	return 0;
}

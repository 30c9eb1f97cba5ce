/*
 * Writes the fuzzer's first inputs: short traces of the differential test's
 * generator, some in each guest mode, so that fuzzing begins with guests that
 * have page tables; and one image of each kind for the loaders.
 *
 *   seeds DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/diff/gen.h"
#include "test/unit/load_image.h"

#include "pack.h"

#define SEEDS_A_MODE 8
#define STEPS	     40

static void write_file(const char *directory, const char *kind, unsigned n,
		       const void *data, size_t size)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s-%u", directory, kind, n);
	f = fopen(name, "wb");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
		perror(name);
		exit(1);
	}
}

static void write_trace(const char *directory, enum guest_mode mode,
			unsigned seed)
{
	static uint8_t data[16384];
	struct gen_choice choice = { .mode = mode,
				     .steps = STEPS,
				     .scheme = seed % SCHEME_COUNT };
	struct trace t;
	size_t size;

	trace_init(&t);
	gen_trace(&t, seed, &choice);
	size = pack_trace(&t, data, sizeof(data));
	trace_fini(&t);
	write_file(directory, mode_names[mode], seed, data, size);
}

static void write_images(const char *directory)
{
	static struct image m;

	for (unsigned kind = 0; kind < 4; kind++) {
		if (kind == 3)
			image_flat(&m, 64, IMAGE_END);
		else if (kind == 2)
			image_multiboot(&m);
		else
			image_linux(&m, kind);
		write_file(directory, "image", kind, m.byte, m.size);
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
			write_trace(argv[1], (enum guest_mode)mode, i);
	write_images(argv[1]);
	return 0;
}

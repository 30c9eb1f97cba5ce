/*
 * gfn -> hva: the slot's search and the sum, for random frames over all slots
 * of a set of 1, 32 or 512. The loop without the look-up is an operation of
 * its own, for callgrind.py to subtract.
 */
#include <string.h>

#include <vmmu/slots.h>

#include "bench.h"

#define SLOTS_MAX  512
#define SLOT_PAGES 16
#define PROBES	   4096

static struct vmmu_slot storage[SLOTS_MAX];
static uint64_t probe[PROBES];
static volatile uint64_t sink;

static void fill(struct vmmu_slots *slots, uint32_t count)
{
	uint64_t state = 88172645463325252;

	vmmu_slots_init(slots, storage, SLOTS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct vmmu_slot slot = {
			.id = i,
			.gpa = mk_gpa(i * SLOT_PAGES * 2 * VMMU_PAGE_SIZE),
			.size = SLOT_PAGES * VMMU_PAGE_SIZE,
			.hva = mk_hva((i + 1) * VMMU_1G),
		};

		if (vmmu_slots_set(slots, &slot) != VMMU_SLOT_OK)
			abort();
	}
	for (uint32_t i = 0; i < PROBES; i++) {
		uint64_t r = bench_random(&state);

		probe[i] = r % count * SLOT_PAGES * 2 + (r >> 40) % SLOT_PAGES;
	}
}

static void look_up(const struct vmmu_slots *slots, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		gfn_t gfn = mk_gfn(probe[i % PROBES]);
		const struct vmmu_slot *slot = vmmu_slots_find(slots, gfn);

		if (slot)
			sum += vmmu_slot_hva(slot, gfn_gpa(gfn)).v;
	}
	sink = sum;
}

static void loop_alone(uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += probe[i % PROBES];
	sink = sum;
}

int main(int argc, char **argv)
{
	uint64_t count = bench_count(argc, argv);
	const char *op = argc > 1 ? argv[1] : "";
	struct vmmu_slots slots;

	if (!strcmp(op, "1") || !strcmp(op, "32") || !strcmp(op, "512")) {
		fill(&slots, (uint32_t)atoi(op));
		look_up(&slots, count);
	} else if (!strcmp(op, "loop")) {
		fill(&slots, 1);
		loop_alone(count);
	} else {
		return bench_usage(argv[0], "1|32|512|loop");
	}
	return bench_done(op, count);
}

/*
 * Permutations of paging, on the machine itself: see permute.h.
 *
 * levels=2 (32-bit), 3 (PAE), 4 or 5 of the command line; part=1: sweeps, 2:
 * changes and flushes, 3: odd writes; all without it. Expected: 0.
 */
#include "permute.h"

static bool begin(unsigned levels)
{
	if (levels < 2 || levels > 5 || !paging_begin(levels)) {
		print("permute: %u levels are not offered\n", levels);
		return false;
	}
	if (!case_calibrate()) {
		print("permute: not even a fault is right: vector %u, error %x\n",
		      probe.vector, probe.error);
		return false;
	}
	print("permute: %u levels, MAXPHYADDR %u; error code of a reserved "
	      "bit: %s\n",
	      levels, machine.has.maxphyaddr,
	      machine.rsvd_with_p ? "with P" : "without P");
	if (machine.gib_sets_a)
		print("permute: A of a 1 GiB page is set too early\n");
	if (machine.a_is_late)
		print("permute: A is set too late\n");
	if (machine.own_minds_ac)
		print("permute: AC suspends SMAP for the processor too\n");
	return true;
}

uint32_t test_main(const struct multiboot_info *info)
{
	unsigned part = option(info, "part", 0);
	struct count count = { 0 };

	if (!begin(option(info, "levels", 0)))
		return 2;
	if (!part || part == 1)
		sweep_all(&count);
	if (!part || part == 2)
		flush_all(&count);
	if (!part || part == 3)
		odd_all(&count);
	print("permute: %u cases, %u wrong\n", count.cases, count.wrong);
	return count.wrong != 0;
}

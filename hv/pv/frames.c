/*
 * The machine's frames as the library counts them, and the table from hfn to
 * gfn that guests read (M2P): both for all frames up to the highest, made when
 * the engine starts and there for good.
 */
#include "pv/pv.h"

#include <string.h>

#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/memory.h"

struct vmmu_frames pv_frames;

static uint64_t highest(void)
{
	const struct ranges *ram = frames_ram();
	uint64_t end = 0;

	for (unsigned i = 0; i < ram->count; i++)
		if (ram->range[i].end > end)
			end = ram->range[i].end;
	return end / VMMU_PAGE_SIZE;
}

bool pv_frames_init(void)
{
	uint64_t count = highest();
	uint64_t m2p_size = (count * 8 + VMMU_PAGE_MASK) & ~VMMU_PAGE_MASK;

	pv_frames = (struct vmmu_frames){
		.frame = vm_alloc(count * sizeof(struct vmmu_frame)),
		.m2p = vm_alloc(m2p_size),
		.map = hpa_ptr(mk_hpa(0)),
		.count = count,
		.count_limit = VMMU_FRAME_COUNT_MAX,
	};
	if (!pv_frames.frame || !pv_frames.m2p)
		return false;
	/* Beyond the last frame, as for one that nobody has. */
	memset(pv_frames.m2p, 0xff, m2p_size);
	vmmu_frames_init(&pv_frames);
	return paging_map_public(mk_hva(HV_M2P_BASE), m2p_size,
				 ptr_hpa(pv_frames.m2p));
}

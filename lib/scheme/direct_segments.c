/*
 * Segment descriptors: what a guest may have in a page of its GDT or LDT.
 *
 *   63..56  55 54 53 52  51..48  47 46-45 44 43..40   39..16  15..0
 *   base     G  D  L AVL  limit   P  DPL   S  type     base    limit
 *
 * The guest's kernel runs in ring 3, in a 64-bit address space where bases and
 * limits of code and data do not confine anything. So what remains to be
 * refused is what would lead out of ring 3: system descriptors (S = 0: gates,
 * TSS, LDT), whatever their DPL, and code that is 64-bit and 32-bit at once,
 * which is reserved (SDM 3A 5.2.1). A DPL below 3 becomes 3, as a stock kernel
 * hands in the table that it uses on the bare machine. A descriptor that is
 * not present faults whenever it is loaded: anything goes.
 */
#include "scheme/direct.h"

#define SEGMENT_CODE (UINT64_C(1) << 43)
#define SEGMENT_S    (UINT64_C(1) << 44)
#define SEGMENT_DPL  (UINT64_C(3) << 45)
#define SEGMENT_P    (UINT64_C(1) << 47)
#define SEGMENT_L    (UINT64_C(1) << 53)
#define SEGMENT_D    (UINT64_C(1) << 54)

bool vmmu_direct_segment_ok(uint64_t *value)
{
	const uint64_t both = SEGMENT_L | SEGMENT_D;

	if (!(*value & SEGMENT_P))
		return true;
	if (!(*value & SEGMENT_S))
		return false;
	if (*value & SEGMENT_CODE && (*value & both) == both)
		return false;
	*value |= SEGMENT_DPL;
	return true;
}

/* In two goes, so that a refused page stays as it was. */
enum vmmu_direct_status direct_segments_check(uint64_t *page)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t value = entry_load(&page[i]);

		if (!vmmu_direct_segment_ok(&value))
			return VMMU_DIRECT_BITS;
	}
	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t was = entry_load(&page[i]), value = was;

		if (vmmu_direct_segment_ok(&value) && value != was)
			entry_store(&page[i], value);
	}
	return VMMU_DIRECT_OK;
}

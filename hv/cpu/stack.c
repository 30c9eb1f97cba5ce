/*
 * See stack.h. Stack n takes the slice of STACK_SLICE bytes that begins at
 * HV_STACK_BASE + n * STACK_SLICE: guards below, its pages at the top end.
 *
 *   | guard ....................... | STACK_SIZE bytes |
 *   slice                                              top = next slice
 */
#include "cpu/stack.h"

#include "mm/frames.h"
#include "mm/layout.h"
#include "mm/paging.h"

#define STACK_SLICE UINT64_C(0x10000)
#define STACKS_MAX  64
#define STACK_ORDER 3 /* 2^3 frames are STACK_SIZE bytes */

static uint32_t stack_count;

bool stack_make(uint64_t *top)
{
	uint64_t end = HV_STACK_BASE + (stack_count + 1) * STACK_SLICE;
	hpa_t hpa;

	if (stack_count == STACKS_MAX || !frame_alloc_run(STACK_ORDER, &hpa))
		return false;
	if (!paging_map(mk_hva(end - STACK_SIZE), STACK_SIZE, hpa)) {
		frame_free(hpa, STACK_ORDER);
		return false;
	}
	stack_count++;
	*top = end;
	return true;
}

bool stack_is_guard(uint64_t address)
{
	uint64_t at = address - HV_STACK_BASE;

	return at < stack_count * STACK_SLICE &&
	       at % STACK_SLICE < STACK_SLICE - STACK_SIZE;
}

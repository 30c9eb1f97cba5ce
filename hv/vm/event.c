/*
 * An exception while another event is being delivered.
 *
 *   first \ second   benign   contributory   #PF
 *   interrupt, NMI   second   second         second
 *   benign           second   second         second
 *   contributory     second   #DF            second
 *   #PF              second   #DF            #DF
 *   #DF              second   shutdown       shutdown
 *
 * Where the second is taken alone the first is lost, as on a processor: a
 * fault comes again when its instruction does. SDM 3A 6.15, interrupt 8, table
 * 6-5; APM 2 8.2.9, table 8-5.
 */
#include "vm/event.h"

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

/* #DE, #TS, #NP, #SS, #GP, #CP. */
#define CONTRIBUTORY_VECTORS                                                   \
	(1u << 0 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 21)

static enum class class_of(uint8_t vector) {
	if (vector == VECTOR_DF) return DOUBLE_FAULT;
	if (vector == 14) return PAGE_FAULT;
	return vector < 32 && CONTRIBUTORY_VECTORS >> vector & 1 ? CONTRIBUTORY
								 : BENIGN;
}

enum event_outcome event_outcome(const struct event *first, uint8_t second)
{
	enum class b = class_of(second);

	if (first->type != EVENT_EXCEPTION || b == BENIGN)
		return EVENT_SECOND;
	switch (class_of(first->vector)) {
	case BENIGN:
		return EVENT_SECOND;
	case CONTRIBUTORY:
		return b == PAGE_FAULT ? EVENT_SECOND : EVENT_DOUBLE;
	case PAGE_FAULT:
		return EVENT_DOUBLE;
	case DOUBLE_FAULT:
		break;
	}
	return EVENT_SHUTDOWN;
}

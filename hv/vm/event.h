/* What becomes of an exception while another event is being delivered. */
#ifndef HV_VM_EVENT_H
#define HV_VM_EVENT_H

#include "vm/engine.h"

#define VECTOR_DF 8

enum event_outcome {
	EVENT_SECOND,	/* the later one is delivered */
	EVENT_DOUBLE,	/* #DF is, with an error code of 0 */
	EVENT_SHUTDOWN, /* a triple fault */
};

enum event_outcome event_outcome(const struct event *first, uint8_t second);

#endif

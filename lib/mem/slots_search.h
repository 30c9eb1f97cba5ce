/* The search for the slot of a frame; slots_search.c has the algorithm. */
#ifndef VMMU_MEM_SLOTS_SEARCH_H
#define VMMU_MEM_SLOTS_SEARCH_H

#include <vmmu/slots.h>

/* The largest number of slots that an array of `capacity` serves. */
uint32_t slots_search_capacity(uint32_t capacity);

/* After any change of s->slot or s->count: pads, and sets s->nearest. */
void slots_search_prepare(struct vmmu_slots *s);

#endif

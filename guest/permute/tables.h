/* Tables in memory: setup.c makes this program's, chain.c those under test. */
#ifndef GUEST_PERMUTE_TABLES_H
#define GUEST_PERMUTE_TABLES_H

#include <stdint.h>

/* An entry of the mode's size. */
void entry_store(void *at, uint64_t entry);
uint64_t entry_load(const void *at);

/* Root 0 or 1. Index 0, of two levels 0 .. 3, is this program's. */
uint8_t *root_table(unsigned number);

#endif

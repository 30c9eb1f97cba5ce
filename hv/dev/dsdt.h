/* The board's definition block, as AML: what devices there are. */
#ifndef HV_DEV_DSDT_H
#define HV_DEV_DSDT_H

#include "dev/aml.h"

/* Appends the terms, without a table header. */
void dsdt_build(struct aml *a, unsigned cpus);

#endif

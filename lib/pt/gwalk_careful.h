/* The walk that knows every mode and every case; gwalk.c hands over to it. */
#ifndef VMMU_PT_GWALK_CAREFUL_H
#define VMMU_PT_GWALK_CAREFUL_H

#include <vmmu/gwalk.h>

enum vmmu_gwalk_status gwalk_careful(struct vmmu_gmem *mem,
				     const struct vmmu_mode *mode, gva_t gva,
				     unsigned access, unsigned flags,
				     struct vmmu_gwalk *walk);

#endif

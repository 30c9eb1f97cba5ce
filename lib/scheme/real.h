/* Which format the processor walks, by the guest's mode. */
#ifndef LIB_SCHEME_REAL_H
#define LIB_SCHEME_REAL_H

#include <vmmu/vm.h>

const struct pt_format *real_format(const struct vmmu_mode *mode);

#endif

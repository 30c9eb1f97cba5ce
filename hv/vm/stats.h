/* The statistics of a VM as one JSON object. */
#ifndef HV_VM_STATS_H
#define HV_VM_STATS_H

#include "cpu/fmt.h"
#include "vm/vm.h"

const char *exit_kind_name(enum exit_kind kind);

/* Puts the object, without an end of line. It may be asked for at any exit;
 * `audited`: the VM has ended, and what its audits found is told, too. */
void stats_put(const struct vm *vm, bool audited, const struct fmt_sink *sink);

#endif

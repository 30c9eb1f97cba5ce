/* Dirty logging by hardware, under nested paging. */
#ifndef LIB_SCHEME_HWLOG_H
#define LIB_SCHEME_HWLOG_H

#include <vmmu/vm.h>

/* Hardware logs what is written to this slot: its leaves need not withhold W
 * while the page's bit is clear, only D. */
static inline bool hwlog_has(const struct vmmu_vm *vm,
			     const struct vmmu_slot *slot)
{
	return vm->hw.logs_dirty && slot && slot->flags & VMMU_SLOT_LOG_DIRTY &&
	       !(slot->flags & VMMU_SLOT_READ_ONLY);
}

/* All that hardware has logged so far is in the slots' bitmaps. */
void hwlog_drain(struct vmmu_vm *vm);
/* Hardware logs while any slot does. */
void hwlog_update(struct vmmu_vm *vm);
/* The next write to each page of the range is logged, once D is clear in the
 * processor's caches too. True: they may hold one. */
bool hwlog_renew(struct pt_table *t, uint64_t addr, uint64_t size);

#endif

/* Memory for the VMs' own objects: whole frames, zeroed. */
#ifndef HV_VM_MEMORY_H
#define HV_VM_MEMORY_H

#include <stddef.h>

/* NULL: none. Freed with the size it was asked for with. */
void *vm_alloc(size_t size);
void vm_free(void *object, size_t size);

#endif

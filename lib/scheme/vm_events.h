/*
 * What a VM does for its schemes, and tells them.
 */
#ifndef LIB_SCHEME_VM_EVENTS_H
#define LIB_SCHEME_VM_EVENTS_H

#include <vmmu/vm.h>

/* This VM's use of a scheme; NULL: no vCPU runs under it. */
struct vmmu_scheme_use *vm_use_of(struct vmmu_vm *vm,
				  const struct vmmu_scheme *scheme);
/* One vCPU more, or one less, under this scheme. NULL: no memory. */
struct vmmu_scheme_use *vm_use_get(struct vmmu_vm *vm,
				   const struct vmmu_scheme *scheme);
void vm_use_put(struct vmmu_vm *vm, struct vmmu_scheme_use *use);

/* Tells every scheme in use. */
void vm_gpa_changed(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
		    enum vmmu_gpa_change change);

/* Table memory has run out: every scheme gives back all that it can derive
 * again. Costs faults, never correctness (I4). */
void vm_recycle(struct vmmu_vm *vm);

/* Hardware forgets, and it is counted. */
void vm_flush_all(struct vmmu_vm *vm);
void vm_flush_cpu(struct vmmu_cpu *cpu);
void vm_flush_gva(struct vmmu_cpu *cpu, gva_t gva);

#endif

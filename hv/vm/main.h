/* The hypervisor's work, once the machine is up. */
#ifndef HV_VM_MAIN_H
#define HV_VM_MAIN_H

#include <stdint.h>

#include "boot/multiboot.h"

/* Runs the VM that the command line describes; what machine_end is told. */
uint32_t vm_main(const struct boot_info *boot);

#endif

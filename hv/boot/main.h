/* Where the machine layer hands over to the VMs. */
#ifndef HV_BOOT_MAIN_H
#define HV_BOOT_MAIN_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "boot/multiboot.h"

/* Called by start.S with eax and ebx of the Multiboot entry. */
noreturn void hv_main(uint32_t magic, uint32_t info);

#endif

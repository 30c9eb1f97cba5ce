/*
 * QEMU's firmware-configuration ports, the classic interface: a 16-bit
 * selector at 0x510, bytes in order at 0x511 (QEMU, docs/specs/fw_cfg). Test
 * guests read the machine's size from it.
 */
#ifndef HV_DEV_FWCFG_H
#define HV_DEV_FWCFG_H

#include <stdint.h>

struct fwcfg {
	uint64_t ram_size;
	uint16_t cpus;
	uint16_t key;
	uint32_t offset;
};

void fwcfg_reset(struct fwcfg *f, uint64_t ram_size, unsigned cpus);
void fwcfg_select(struct fwcfg *f, uint16_t key);

/* The item's next byte; 0 past its end, and of unknown items. */
uint8_t fwcfg_next(struct fwcfg *f);

#endif

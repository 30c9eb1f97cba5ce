/*
 * Items of the firmware-configuration device: numbers, little-endian.
 */
#include "dev/fwcfg.h"

#define KEY_SIGNATURE 0x00
#define KEY_ID	      0x01
#define KEY_RAM_SIZE  0x03
#define KEY_CPUS      0x05
#define KEY_MAX_CPUS  0x0f

#define SIGNATURE   0x554d4551u /* "QEMU" */
#define ID_CLASSIC  0x01u	/* this interface, and no DMA */
#define OFFSET_LAST 8u		/* no item is longer */

void fwcfg_reset(struct fwcfg *f, uint64_t ram_size, unsigned cpus)
{
	*f = (struct fwcfg){ .ram_size = ram_size, .cpus = (uint16_t)cpus };
}

void fwcfg_select(struct fwcfg *f, uint16_t key)
{
	f->key = key;
	f->offset = 0;
}

static uint64_t item(const struct fwcfg *f)
{
	switch (f->key) {
	case KEY_SIGNATURE:
		return SIGNATURE;
	case KEY_ID:
		return ID_CLASSIC;
	case KEY_RAM_SIZE:
		return f->ram_size;
	case KEY_CPUS:
	case KEY_MAX_CPUS:
		return f->cpus;
	default:
		return 0;
	}
}

uint8_t fwcfg_next(struct fwcfg *f)
{
	if (f->offset >= OFFSET_LAST)
		return 0;
	return (uint8_t)(item(f) >> 8 * f->offset++);
}

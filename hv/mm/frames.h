/*
 * The machine's memory, by frames of 4 KiB.
 *
 *  F1  every free frame is all zero: scrubbed at boot and whenever it is
 *      given back, so that giving memory to a guest costs nothing then and
 *      shows it nothing of who had it before;
 *  F2  free frames are RAM by the firmware's map and are none of: the first
 *      MiB, the image, the modules, this allocator's own notes.
 */
#ifndef HV_MM_FRAMES_H
#define HV_MM_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>

#include "boot/multiboot.h"
#include "mm/buddy.h"
#include "mm/ranges.h"

#define FRAME_ORDER_MAX BUDDY_ORDER_MAX

/* The frames that the boot tables reach are free afterwards. NULL, or a
 * sentence why not. */
const char *frames_init(const struct boot_info *boot);

/* All others too: the direct map reaches them now. */
void frames_add_high(void);

/* RAM by the firmware's map, in whole pages, without the first MiB: what the
 * direct map covers. */
const struct ranges *frames_ram(void);

/* One zeroed frame, or 2^order of them, aligned to their size. */
bool frame_alloc(hpa_t *out);
bool frame_alloc_run(unsigned order, hpa_t *out);

/* Scrubs 2^order frames and gives them back; they may have been taken as
 * part of a larger block. Giving back what is not taken is a panic. */
void frame_free(hpa_t hpa, unsigned order);

/* Memory kept out so far, a module for instance, is free from now on: the
 * whole pages inside it. False: it is not RAM, or free already. */
bool frames_add_region(hpa_t start, uint64_t size);

/* Counts of frames. */
uint64_t frames_free(void);
uint64_t frames_total(void);

/* The first invariant that does not hold, as a sentence, or NULL. Reads all
 * free memory. */
const char *frames_check(void);

#endif

/*
 * Decompression of a kernel's payload, whichever of Linux's compressors
 * made it.
 */
#ifndef TOOLS_UNPACK_H
#define TOOLS_UNPACK_H

#include "file.h"

/*
 * Unpacks a payload into *to, at most max bytes; bytes after the end of the
 * stream are ignored, as Linux appends the unpacked size there. Returns NULL,
 * or what is wrong in words that follow "the kernel inside ".
 */
const char *unpack(const struct bytes *from, size_t max, struct bytes *to);

#endif
